"""The instances behind Arc machines, in their projects.

Source: Compute Engine API v1, `instances.aggregatedList`. Where the API is off, as in a project that never used it,
every call is refused; which project's API is off, Service Usage says. That it cannot be switched off while there are
instances is what people report ("Could not turn off service, as it still has resources in use"), not Google's pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from shared.adapters.gcp import refusals
from shared.adapters.gcp.client import GoogleClient, JsonBody
from shared.adapters.gcp.errors import reads_google
from shared.adapters.gcp.setup import GcpProjectSetup
from shared.domain.sweep.machines import InstanceState
from shared.errors import TransientError

_API = "compute.googleapis.com"
_RUNNING = frozenset({"RUNNING", "PROVISIONING", "STAGING", "REPAIRING"})
_STOPPED = frozenset({"STOPPING", "STOPPED", "TERMINATED", "SUSPENDING", "SUSPENDED", "PENDING_STOP"})
"""`TERMINATED` is Google's word for an instance that was stopped and can be started again."""


class GcpInstances:
    """Instances by their numbers or names."""

    def __init__(self, client: GoogleClient, setup: GcpProjectSetup) -> None:
        """`setup` tells whether a project's API is on."""
        self._client = client
        self._setup = setup

    @reads_google
    def states_of(self, number: str, wanted: Sequence[str]) -> Mapping[str, InstanceState]:
        """What each is; `gone` only where every zone has answered, or where the project's API is off.

        Raises TransientError, PermanentError, ConfigurationError where the project cannot be asked.
        """
        try:
            return self._listed(number, wanted)
        except TransientError as error:
            if error.key != refusals.API_DISABLED.key or not self._setup.missing_services(number, [_API]):
                raise  # the API that is off may be that of the project that we ask from
            return dict.fromkeys(wanted, InstanceState.GONE)

    def _listed(self, number: str, wanted: Sequence[str]) -> Mapping[str, InstanceState]:
        found: dict[str, InstanceState] = {}
        whole = True
        path = f"/compute/v1/projects/{quote(number, safe='')}/aggregated/instances"
        doing = f"list the instances of project {number}"
        for page in self._client.pages("compute", path, doing, query={"maxResults": "500"}):
            whole = whole and _is_whole(page)
            for instance in _instances(page):
                state = _state(str(instance.get("status", "")))
                found |= {str(instance.get("id")): state, str(instance.get("name")): state}
        absent = InstanceState.GONE if whole else InstanceState.UNKNOWN
        return {each: found.get(each, absent) for each in wanted}


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
