"""Compute Engine v1: common instance metadata of projects, and instances to look at.

Source: the API's discovery document; metadata is replaced whole, and only with the present fingerprint.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any

from sandbox.gcp.answers import billing_disabled, compute_refusal, denied
from sandbox.gcp.hierarchy import Instance, Project, now_spelt
from sandbox.gcp.operations import Operations
from sandbox.gcp.paging import page_of
from sandbox.gcp.routing import Call, Gate, Route

_ROOT = "https://www.googleapis.com/compute/v1"
_PROJECT = r"/compute/v1/projects/(?P<project>[^/]+)"


class Compute:
    """The operations of Compute Engine."""

    def __init__(self, gate: Gate, operations: Operations) -> None:
        self._gate = gate
        self._operations = operations
        self.unreachable_zones: set[str] = set()
        """Zones that no listing reaches, as in an outage."""

    def routes(self) -> list[Route]:
        """Every operation."""
        one = rf"{_PROJECT}/zones/(?P<zone>[^/]+)/instances/(?P<instance>[^/]+)"
        operation = rf"{_PROJECT}/global/operations/(?P<operation>[^/]+)"
        rows = (
            ("projects.get", "GET", _PROJECT, self._get, "compute.projects.get"),
            (
                "projects.setCommonInstanceMetadata",
                "POST",
                f"{_PROJECT}/setCommonInstanceMetadata",
                self._set_metadata,
                "compute.projects.setCommonInstanceMetadata",
            ),
            ("instances.get", "GET", one, self._instance, "compute.instances.get"),
            (
                "instances.aggregatedList",
                "GET",
                f"{_PROJECT}/aggregated/instances",
                self._list,
                "compute.instances.list",
            ),
            ("globalOperations.get", "GET", operation, self._operation, "compute.globalOperations.get"),
        )
        return [
            Route(
                id=f"compute.{name}",
                method=method,
                path=path,
                handler=handler,
                permission=permission,
                resource="projects/{project}",
            )
            for name, method, path, handler, permission in rows
        ]

    def _known(self, call: Call) -> Project:
        project = self._gate.hierarchy.find_project(call.parts["project"])
        if project is None:
            raise denied("compute.projects.get", f"projects/{call.parts['project']}")
        if not project.billing:
            raise billing_disabled("compute.googleapis.com", project.number)
        return project

    def _get(self, call: Call) -> Any:
        project = self._known(call)
        return {
            "kind": "compute#project",
            "id": project.number,
            "creationTimestamp": project.create_time,
            "name": project.project_id,
            "commonInstanceMetadata": _metadata(project),
            "selfLink": f"{_ROOT}/projects/{project.project_id}",
            "defaultServiceAccount": f"{project.number}-compute@developer.gserviceaccount.com",
            "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
            "defaultNetworkTier": "PREMIUM",
        }

    def _set_metadata(self, call: Call) -> Any:
        project, body = self._known(call), call.body()
        if body.get("fingerprint") != _fingerprint(project):
            text = "Supplied fingerprint does not match current metadata fingerprint."
            raise compute_refusal(412, text, "conditionNotMet")
        project.metadata = {str(each["key"]): str(each.get("value", "")) for each in body.get("items", [])}
        name = f"operation-{secrets.token_hex(16)}"
        shown = {
            "kind": "compute#operation",
            "id": str(secrets.randbelow(10**19)),
            "name": name,
            "operationType": "compute.projects.setCommonInstanceMetadata",
            "targetLink": f"{_ROOT}/projects/{project.project_id}",
            "targetId": project.number,
            "status": "RUNNING",
            "user": call.caller.name,
            "progress": 0,
            "insertTime": now_spelt(),
            "startTime": now_spelt(),
            "selfLink": f"{_ROOT}/projects/{project.project_id}/global/operations/{name}",
        }
        done = shown | {"status": "DONE", "progress": 100, "endTime": now_spelt()}
        return self._operations.start(name, shown, done)

    def _operation(self, call: Call) -> Any:
        return self._operations.get(call.parts["operation"])

    def _instance(self, call: Call) -> Any:
        project, wanted = self._known(call), call.parts["instance"]
        for each in project.instances:
            if each.zone == call.parts["zone"] and wanted in {each.name, each.number}:
                return _shown(project, each)
        where = f"projects/{project.project_id}/zones/{call.parts['zone']}/instances/{wanted}"
        raise compute_refusal(404, f"The resource '{where}' was not found", "notFound")

    def _list(self, call: Call) -> Any:
        project = self._known(call)
        reached = [each for each in project.instances if each.zone not in self.unreachable_zones]
        page = page_of(reached, "instances", call.query, most=500, size="maxResults")
        zones = {each.zone for each in project.instances} | {"us-central1-a"}
        items = {}
        for zone in sorted(zones):
            there = [_shown(project, each) for each in page.get("instances", []) if each.zone == zone]
            items[f"zones/{zone}"] = {"instances": there} if there else _warning(zone, zone in self.unreachable_zones)
        found: dict[str, Any] = {
            "kind": "compute#instanceAggregatedList",
            "id": f"projects/{project.project_id}/aggregated/instances",
            "items": items,
            "selfLink": f"{_ROOT}/projects/{project.project_id}/aggregated/instances",
        }
        return found | {key: value for key, value in page.items() if key == "nextPageToken"}


def _warning(zone: str, unreachable: bool) -> dict[str, Any]:
    code = "UNREACHABLE" if unreachable else "NO_RESULTS_ON_PAGE"
    text = "The zone cannot be reached." if unreachable else "There are no results for scope on this page."
    return {"warning": {"code": code, "message": text, "data": [{"key": "scope", "value": f"zones/{zone}"}]}}


def _fingerprint(project: Project) -> str:
    digest = hashlib.sha256(json.dumps(sorted(project.metadata.items())).encode()).digest()[:8]
    return base64.urlsafe_b64encode(digest).decode()


def _metadata(project: Project) -> dict[str, Any]:
    items = [{"key": key, "value": value} for key, value in project.metadata.items()]
    found: dict[str, Any] = {"kind": "compute#metadata", "fingerprint": _fingerprint(project)}
    return found | ({"items": items} if items else {})


def _shown(project: Project, instance: Instance) -> dict[str, Any]:
    where = f"{_ROOT}/projects/{project.project_id}/zones/{instance.zone}"
    return {
        "kind": "compute#instance",
        "id": instance.number,
        "creationTimestamp": project.create_time,
        "name": instance.name,
        "machineType": f"{where}/machineTypes/e2-small",
        "status": instance.status,
        "zone": where,
        "selfLink": f"{where}/instances/{instance.name}",
    }
