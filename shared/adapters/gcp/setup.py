"""APIs and common instance metadata of projects.

Source: Service Usage API v1 (`services:batchGet` at most 30 names, `services:batchEnable` at most 20, all or nothing);
Compute Engine API v1, `projects.get`, `projects.setCommonInstanceMetadata`: the whole metadata is replaced, and a
fingerprint that is not the present one is refused with 412.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from urllib.parse import quote

from shared.adapters.gcp import refusals
from shared.adapters.gcp.client import GoogleClient, JsonBody
from shared.adapters.gcp.errors import failed_compute_operation, failed_operation, reads_google, refusal
from shared.application.ports import Clock
from shared.errors import TransientError

_USAGE = "serviceusage"
_COMPUTE = "compute"
_MOST_READ, _MOST_ENABLED = 30, 20
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 5.0
PATIENCE_SECONDS = 60.0
_WRITES = 3


class GcpProjectSetup:
    """What is switched on in projects."""

    def __init__(self, client: GoogleClient, clock: Clock) -> None:
        """`clock` waits for Google's operations."""
        self._client = client
        self._clock = clock

    @reads_google
    def missing_services(self, number: str, services: Sequence[str]) -> tuple[str, ...]:
        """Which of these APIs are not enabled. Raises TransientError, PermanentError, ConfigurationError."""
        enabled: set[str] = set()
        for chunk in _chunks(services, _MOST_READ):
            names = [f"projects/{number}/services/{service}" for service in chunk]
            path, doing = f"/v1/projects/{number}/services:batchGet", f"read the APIs of project {number}"
            answer = self._client.get(_USAGE, path, doing, query={"names": names})
            for each in answer.get("services", []):
                if each.get("state") == "ENABLED":
                    enabled.add(str(each["name"]).rpartition("/")[2])
        return tuple(service for service in services if service not in enabled)

    @reads_google
    def enable_services(self, number: str, services: Sequence[str]) -> None:
        """Enables these APIs; that they are already is no error.

        Waits for a minute at most. Raises TransientError, PermanentError, ConfigurationError.
        """
        for chunk in _chunks(services, _MOST_ENABLED):
            self._enable(number, chunk)

    def _enable(self, number: str, services: list[str]) -> None:
        doing = f"enable APIs of project {number}"
        path = f"/v1/projects/{number}/services:batchEnable"
        started = self._client.post(_USAGE, path, {"serviceIds": services}, doing)
        operation = self._finished(
            started,
            lambda found: bool(found.get("done")),
            lambda: self._client.get(_USAGE, f"/v1/{started.get('name', '')}", doing),
            doing,
        )
        if error := operation.get("error"):
            raise refusal(failed_operation(error), doing)

    @reads_google
    def find_metadata(self, project_id: str, key: str) -> str | None:
        """A value of the common instance metadata. Raises TransientError, PermanentError, ConfigurationError."""
        _, items = self._metadata(project_id)
        return items.get(key)

    @reads_google
    def set_metadata(self, project_id: str, key: str, value: str) -> None:
        """Sets one value; where somebody else wrote at the same moment it reads again and writes on top.

        Raises TransientError, PermanentError, ConfigurationError.
        """
        for number in range(_WRITES):
            fingerprint, items = self._metadata(project_id)
            if items.get(key) == value:
                return
            try:
                self._write_metadata(project_id, fingerprint, items | {key: value})
            except TransientError as error:
                if error.key != refusals.CHANGED_MEANWHILE.key or number == _WRITES - 1:
                    raise
            else:
                return

    def _metadata(self, project_id: str) -> tuple[str, dict[str, str]]:
        doing = f"read the instance metadata of project {project_id}"
        body = self._client.get(_COMPUTE, _project(project_id), doing)
        metadata = body.get("commonInstanceMetadata", {})
        items = {str(each["key"]): str(each.get("value", "")) for each in metadata.get("items", [])}
        return str(metadata.get("fingerprint", "")), items

    def _write_metadata(self, project_id: str, fingerprint: str, items: dict[str, str]) -> None:
        doing = f"set the instance metadata of project {project_id}"
        body: JsonBody = {
            "fingerprint": fingerprint,
            "items": [{"key": key, "value": value} for key, value in items.items()],
        }
        operation = self._client.post(_COMPUTE, f"{_project(project_id)}/setCommonInstanceMetadata", body, doing)
        path = f"{_project(project_id)}/global/operations/{operation.get('name', '')}"
        operation = self._finished(
            operation,
            lambda found: found.get("status") == "DONE",
            lambda: self._client.get(_COMPUTE, path, doing),
            doing,
        )
        if operation.get("error"):
            raise refusal(failed_compute_operation(operation), doing)

    def _finished(
        self,
        operation: JsonBody,
        is_done: Callable[[JsonBody], bool],
        read: Callable[[], JsonBody],
        doing: str,
    ) -> JsonBody:
        """The operation when it is done. Raises TransientError where that takes too long: it goes on by itself."""
        waited, wait = 0.0, _FIRST_WAIT_SECONDS
        while not is_done(operation):
            if waited >= PATIENCE_SECONDS:
                raise refusals.STILL_RUNNING.error(f"{doing}: {operation.get('name', 'the operation')} still runs")
            self._clock.sleep(wait)
            waited, wait = waited + wait, min(wait * 2, _LONGEST_WAIT_SECONDS)
            operation = read()
        return operation


def _project(project_id: str) -> str:
    return f"/compute/v1/projects/{quote(project_id, safe='')}"


def _chunks(services: Sequence[str], size: int) -> Iterator[list[str]]:
    left = iter(services)
    while chunk := list(islice(left, size)):
        yield chunk
