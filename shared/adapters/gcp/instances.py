"""The instances behind Arc machines, in their projects. Source: Compute Engine API v1, `instances.aggregatedList`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from shared.adapters.gcp.client import GoogleClient, JsonBody
from shared.domain.sweep.machines import InstanceState

_RUNNING = frozenset({"RUNNING", "PROVISIONING", "STAGING", "REPAIRING"})
_STOPPED = frozenset({"STOPPING", "STOPPED", "TERMINATED", "SUSPENDING", "SUSPENDED", "PENDING_STOP"})
"""`TERMINATED` is Google's word for an instance that was stopped and can be started again."""


class GcpInstances:
    """Instances by their numbers or names."""

    def __init__(self, client: GoogleClient) -> None:
        self._client = client

    def states_of(self, account_id: str, instance_ids: Sequence[str]) -> Mapping[str, InstanceState]:
        """What each is; `gone` only where every zone has answered.

        Raises TransientError, PermanentError, ConfigurationError where the project cannot be asked.
        """
        found: dict[str, InstanceState] = {}
        whole = True
        path = f"/compute/v1/projects/{quote(account_id, safe='')}/aggregated/instances"
        doing = f"list the instances of project {account_id}"
        for page in self._client.pages("compute", path, doing, query={"maxResults": "500"}):
            whole = whole and _is_whole(page)
            for instance in _instances(page):
                state = _state(str(instance.get("status", "")))
                found |= {str(instance.get("id")): state, str(instance.get("name")): state}
        absent = InstanceState.GONE if whole else InstanceState.UNKNOWN
        return {each: found.get(each, absent) for each in instance_ids}


def _instances(page: JsonBody) -> Iterator[JsonBody]:
    for scope in page.get("items", {}).values():
        yield from scope.get("instances", [])


def _is_whole(page: JsonBody) -> bool:
    """Whether no zone is left out; an empty zone has a warning, too, but another one."""
    warnings = [page.get("warning"), *(scope.get("warning") for scope in page.get("items", {}).values())]
    codes = {str(each.get("code")) for each in warnings if each}
    return not page.get("unreachables") and codes <= {"NO_RESULTS_ON_PAGE"}


def _state(status: str) -> InstanceState:
    if status in _RUNNING:
        return InstanceState.RUNNING
    return InstanceState.STOPPED if status in _STOPPED else InstanceState.UNKNOWN
