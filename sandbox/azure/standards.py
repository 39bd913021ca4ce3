"""Security standards of connectors, and their assignments.

Source: Microsoft.Security/securityStandards and standardAssignments, API version 2024-08-01; Microsoft Defender for
Cloud "Assign regulatory compliance standards". Who may assign one: a third party's support guide.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sandbox.azure.answers import RefusalError, bad_request
from sandbox.azure.connector_scope import CONNECTOR, ConnectorChildren, find_connector, offerings_of, sent_properties
from sandbox.azure.resource_manager import Call, ResourceType, Route
from sandbox.azure.resources import Document, Resources

STANDARDS, ASSIGNMENTS = "Microsoft.Security/securityStandards", "Microsoft.Security/standardAssignments"
API_VERSION = "2024-08-01"
DEFAULT = "AWS CSPM"
_BUILT_IN = {
    "AWS": (
        DEFAULT,
        "AWS Foundational Security Best Practices",
        "CIS AWS Foundations v3.0.0",
        "NIST SP 800 53 R5",
        "PCI DSS 4.0.1",
    ),
}
_EFFECTS = ("Audit", "Exempt", "Attest")
_KEYS = uuid.UUID("6d1f3c52-0b7e-4c5e-9d0a-3f0c5f4f7a11")  # of the made-up keys of standards and assessments
_DEFENDER = "00000000-0000-0000-0000-000000000000"  # who assigns the default standard


def standard_key(name: str) -> str:
    """The sandbox's key of a built-in standard; live ones are other GUIDs."""
    return str(uuid.uuid5(_KEYS, name))


class StandardOperations:
    """The built-in standards and who assigned which."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._assignments = ConnectorChildren(resources, ASSIGNMENTS, updated=("lastUpdatedBy", "lastUpdatedOn"))
        self._settled: set[str] = set()  # connectors that have had their default standard

    def routes(self) -> list[Route]:
        """The list of standards and every operation on assignments."""
        path = rf"{CONNECTOR}/providers/microsoft\.security/securitystandards"
        operations = ResourceType(STANDARDS, (API_VERSION,))
        listed = operations.route("GET", path, "ListSecurityStandards", "read", self._list)
        assignments = self._assignments.routes("StandardAssignment", API_VERSION, self._put)
        return [listed, *(_settling(route, self._settle) for route in assignments)]

    def _list(self, call: Call) -> tuple[int, Any]:
        connector = find_connector(self._resources, call, STANDARDS, "read")
        cloud = str(connector["properties"].get("environmentName"))
        return 200, {"value": [_standard(connector, name, cloud) for name in _BUILT_IN.get(cloud, ())]}

    def _settle(self, call: Call) -> None:
        """Assigns the default standard, once, to a connector that has Defender CSPM."""
        connector = self._assignments.parent(call, "read")
        made = (connector.get("systemData") or {}).get("createdAt", "")  # one that is made again is another
        key = f"{connector['id'].lower()} {made}"
        if key in self._settled or "DefenderCspmAws" not in offerings_of(connector):
            return
        self._settled.add(key)
        properties = {
            "displayName": DEFAULT,
            "description": "Assigned with the plan Defender CSPM.",
            "assignedStandard": {"id": _standard_id(connector, DEFAULT)},
            "effect": "Audit",
            "excludedScopes": [],
        }
        self._assignments.save(connector, str(uuid.uuid5(_KEYS, key)), properties, _DEFENDER)

    def _put(self, call: Call) -> tuple[int, Any]:
        connector = self._assignments.parent(call, "write")
        if not _pays_for_standards(connector):
            raise _not_entitled()
        properties = sent_properties(call)
        effect = properties.setdefault("effect", "Audit")
        if effect not in _EFFECTS:
            raise bad_request(f"The effect '{effect}' is not one of {', '.join(_EFFECTS)}.")
        _check_standard(connector, properties.get("assignedStandard"))
        properties.setdefault("excludedScopes", [])
        return self._assignments.save(connector, call.parts["child"], properties, call.caller.object_id)


def _settling(route: Route, settle: Callable[[Call], None]) -> Route:
    """The route, preceded by what Defender has done to the connector by itself."""

    def handler(call: Call) -> tuple[int, Any]:
        settle(call)
        return route.handler(call)

    return Route(**(vars(route) | {"handler": handler}))


def _standard_id(connector: Document, name: str) -> str:
    return f"{connector['id']}/providers/{STANDARDS}/{standard_key(name)}"


def _standard(connector: Document, name: str, cloud: str) -> Document:
    return {
        "id": _standard_id(connector, name),
        "name": standard_key(name),
        "type": STANDARDS,
        "properties": {
            "displayName": name,
            "standardType": "Default" if name == DEFAULT else "Compliance",
            "description": f"{name}, as the sandbox has it.",
            "assessments": [{"assessmentKey": str(uuid.uuid5(_KEYS, f"assessment of {name}"))}],
            "cloudProviders": [cloud],
        },
    }


def _pays_for_standards(connector: Document) -> bool:
    """Whether a plan other than foundational CSPM and Servers P1 is on."""
    paid = {kind: each for kind, each in offerings_of(connector).items() if kind != "CspmMonitorAws"}
    servers = paid.get("DefenderForServersAws")
    if servers is not None and servers.get("subPlan") in ("P1", {"type": "P1"}):
        del paid["DefenderForServersAws"]
    return bool(paid)


def _not_entitled() -> RefusalError:
    text = "Assigning a standard needs a paid plan other than Defender for Servers Plan 1."
    return RefusalError(401, {"error": {"code": "Unauthorized", "message": text}})


def _check_standard(connector: Document, assigned: Any) -> None:
    given = str(assigned.get("id", "")) if isinstance(assigned, dict) else ""
    cloud = str(connector["properties"].get("environmentName"))
    known = {standard_key(name) for name in _BUILT_IN.get(cloud, ())}
    if "/securitystandards/" not in given.lower() or given.rpartition("/")[2].lower() not in known:
        raise bad_request(f"The standard '{given}' does not exist for this connector.")
