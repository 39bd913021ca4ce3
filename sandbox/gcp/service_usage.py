"""Service Usage v1: which APIs are enabled in a project, and enabling them.

Source: the API's discovery document; recorded operations of enabling and disabling.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sandbox.gcp.answers import billing_missing, denied, refusal
from sandbox.gcp.hierarchy import Project
from sandbox.gcp.operations import Operations
from sandbox.gcp.routing import Call, Gate, Route

_V1 = "type.googleapis.com/google.api.serviceusage.v1."
_EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty", "value": {}}
_ANY = {"@type": "type.googleapis.com/google.protobuf.Any"}
_DONE = "operations/noop.DONE_OPERATION"
BILLED = ("compute.googleapis.com", "container.googleapis.com", "sqladmin.googleapis.com", "osconfig.googleapis.com")
"""APIs that need a billing account."""


class ServiceUsage:
    """The operations of Service Usage."""

    def __init__(self, gate: Gate, operations: Operations) -> None:
        self._gate = gate
        self._operations = operations
        self._owners: dict[str, str] = {}

    def routes(self) -> list[Route]:
        """Every operation."""
        services = r"/v1/projects/(?P<project>[^/:]+)/services"
        one = rf"{services}/(?P<service>[^/:]+)"

        def on_services(name: str, method: str, path: str, verb: str, handler: Callable[[Call], Any]) -> Route:
            return Route(
                id=f"serviceusage.services.{name}",
                method=method,
                path=path,
                handler=handler,
                permission=f"serviceusage.services.{verb}",
                resource="projects/{project}",
            )

        operation = r"/v1/(?P<operation>operations/[^/]+)"
        return [
            on_services("batchGet", "GET", f"{services}:batchGet", "get", self._batch_get),
            on_services("batchEnable", "POST", f"{services}:batchEnable", "enable", self._batch_enable),
            on_services("get", "GET", one, "get", self._get),
            on_services("enable", "POST", f"{one}:enable", "enable", self._enable),
            on_services("disable", "POST", f"{one}:disable", "disable", self._disable),
            Route(id="serviceusage.operations.get", method="GET", path=operation, handler=self._operation),
        ]

    def _known(self, call: Call) -> Project:
        project = self._gate.hierarchy.find_project(call.parts["project"])
        if project is None:
            raise denied("serviceusage.services.get", f"projects/{call.parts['project']}")
        return project

    def _get(self, call: Call) -> Any:
        return _service(self._known(call), call.parts["service"])

    def _batch_get(self, call: Call) -> Any:
        project, names = self._known(call), call.lists.get("names", [])
        if len(names) > 30:
            raise refusal(400, "A single request can get a maximum of 30 services at a time.")
        parents = {name.partition("/services/")[0] for name in names}
        if not parents <= {project.name, f"projects/{project.project_id}"}:
            raise refusal(400, "The parent of all of the services specified in names must match the parent field.")
        found = [_service(project, name.rpartition("/")[2]) for name in names]
        return {"services": found} if found else {}

    def _batch_enable(self, call: Call) -> Any:
        project = self._known(call)
        wanted = [str(each) for each in call.body().get("serviceIds", [])]
        if len(wanted) > 20:
            raise refusal(400, "A single request can enable a maximum of 20 services at a time.")
        missing = [each for each in wanted if each not in project.services]
        self._check(project, missing)
        project.services.update(missing)
        body = {
            "@type": f"{_V1}BatchEnableServicesResponse",
            "services": [_service(project, each) for each in wanted],
        }
        if not missing:
            return {"name": _DONE, "done": True, "response": body}
        return self._started(f"operations/acat.p2-{project.number}-{uuid.uuid4()}", project, body)

    def _enable(self, call: Call) -> Any:
        project, name = self._known(call), call.parts["service"]
        self._check(project, [name])
        project.services.add(name)
        body = {"@type": f"{_V1}EnableServiceResponse", "service": _service(project, name)}
        return self._started(f"operations/acf.{uuid.uuid4()}", project, body)

    def _disable(self, call: Call) -> Any:
        project, name = self._known(call), call.parts["service"]
        project.services.discard(name)
        body = {"@type": f"{_V1}DisableServiceResponse", "service": _service(project, name)}
        return self._started(f"operations/acf.{uuid.uuid4()}", project, body)

    def _started(self, name: str, project: Project, body: dict[str, Any]) -> Any:
        self._owners[name] = project.name
        done = {"name": name, "done": True, "metadata": _EMPTY, "response": body}
        self._operations.start(name, {"name": name, "metadata": _ANY}, done)
        return {"name": name, "metadata": _ANY}

    @staticmethod
    def _check(project: Project, wanted: list[str]) -> None:
        billed = [each for each in wanted if each in BILLED]
        if billed and not project.billing:
            raise billing_missing(project.number, billed)

    def _operation(self, call: Call) -> Any:
        name = call.parts["operation"]
        self._gate.authorize(call.caller, "serviceusage.operations.get", self._owners.get(name, ""))
        return self._operations.get(name)


def _service(project: Project, name: str) -> dict[str, Any]:
    state = "ENABLED" if name in project.services else "DISABLED"
    return {"name": f"{project.name}/services/{name}", "parent": project.name, "state": state}
