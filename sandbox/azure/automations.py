"""Microsoft.Security/automations: workflow automation and continuous export.

Source: API version 2023-12-01-preview, and a live list of 2019-01-01-preview.
"""

from __future__ import annotations

import copy
import re
import uuid
from typing import Any

from sandbox.azure.answers import bad_request, gateway_refusal, not_found, now_spelt
from sandbox.azure.resource_manager import GROUP, SUBSCRIPTION, Call, ResourceType, Route
from sandbox.azure.resources import Document, Resources

TYPE = "Microsoft.Security/automations"
_OPERATIONS = ResourceType(TYPE, ("2023-12-01-preview", "2019-01-01-preview"))
_AUTOMATIONS = r"/providers/microsoft\.security/automations"
_ACTIONS = {  # what each type needs, and what of it is never returned
    "LogicApp": (("logicAppResourceId", "uri"), "uri"),
    "EventHub": (("eventHubResourceId",), "connectionString"),
    "Workspace": (("workspaceResourceId",), ""),
}
_SOURCES = {
    *("Alerts", "Assessments", "AttackPaths", "RegulatoryComplianceAssessment"),
    *("SecureScoreControls", "SecureScores", "SubAssessments"),
}
_SOURCES |= {f"{each}Snapshot" for each in _SOURCES - {"Alerts"}}


class AutomationOperations:
    """The automations of resource groups; none of them ever runs."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def routes(self) -> list[Route]:
        """List, GET, PUT and DELETE."""
        one = rf"{GROUP}{_AUTOMATIONS}/(?P<name>[^/]+)"
        return [
            _OPERATIONS.route("GET", SUBSCRIPTION + _AUTOMATIONS, "ListAutomations", "read", self._list),
            _OPERATIONS.route("GET", GROUP + _AUTOMATIONS, "ListAutomations", "read", self._list),
            _OPERATIONS.route("GET", one, "GetAutomation", "read", self._get),
            _OPERATIONS.route("PUT", one, "PutAutomation", "write", self._put),
            _OPERATIONS.route("DELETE", one, "DeleteAutomation", "delete", self._delete),
        ]

    def _list(self, call: Call) -> tuple[int, Any]:
        scope = f"/subscriptions/{call.parts['subscription']}"
        if group := call.parts.get("group"):
            scope += f"/resourceGroups/{group}"
        return 200, {"value": self._resources.of_type(TYPE, scope)}

    def _get(self, call: Call) -> tuple[int, Any]:
        found = self._resources.find(_id(call))
        if found is None:
            raise not_found(TYPE, call.parts["name"], call.parts["group"])
        return 200, found

    def _put(self, call: Call) -> tuple[int, Any]:
        body = call.body()
        if not isinstance(body, dict) or not body.get("location"):
            raise gateway_refusal(400, "LocationRequired", "The location property is required for this definition.")
        properties = _checked(body.get("properties"), call.parts["subscription"])
        now, writer = now_spelt(), call.caller.object_id
        with self._resources.lock:
            before = self._resources.find(_id(call))
            made = (before or {}).get("properties", {}).get("metadata") or {}
            metadata = {
                "createdDateTimeUtc": made.get("createdDateTimeUtc", now),
                "createdBy": made.get("createdBy", writer),
                "lastUpdatedDateTimeUtc": now,
                "lastUpdatedBy": writer,
            }
            document = _document(call, body, properties, metadata)
            self._resources.put(document)
        return (200 if before else 201), document

    def _delete(self, call: Call) -> tuple[int, Any]:
        self._resources.delete(_id(call))
        return 204, None


def _id(call: Call) -> str:
    parts = call.parts
    group = f"/subscriptions/{parts['subscription']}/resourceGroups/{parts['group']}"
    return f"{group}/providers/{TYPE}/{parts['name']}"


def _checked(properties: Any, subscription_id: str) -> Document:
    """The properties as they are stored. Raises RefusalError (400) for what the specification rules out."""
    if not isinstance(properties, dict):
        raise bad_request("The request body has no properties.")
    for part in ("scopes", "sources", "actions"):
        items = properties.get(part)
        if not isinstance(items, list) or not items or not all(isinstance(each, dict) for each in items):
            raise bad_request(f"{part} is missing or empty.")
    own = rf"/subscriptions/{re.escape(subscription_id)}(/resourcegroups/[^/]+)?"
    for scope in properties["scopes"]:
        path = str(scope.get("scopePath"))
        if not re.fullmatch(own, path.rstrip("/"), re.IGNORECASE):
            raise bad_request(f"The scope '{path}' is neither this subscription nor a resource group of it.")
    for source in properties["sources"]:
        if source.get("eventSource") not in _SOURCES:
            raise bad_request(f"The event source '{source.get('eventSource')}' is unknown.")
    return properties | {"actions": [_action(each) for each in properties["actions"]]}


def _action(action: Document) -> Document:
    kind = action.get("actionType")
    if kind not in _ACTIONS:
        raise bad_request(f"The action type '{kind}' is not one of {', '.join(_ACTIONS)}.")
    needed, secret = _ACTIONS[str(kind)]
    for name in needed:
        if not action.get(name):
            raise bad_request(f"The action {kind} needs {name}.")
    shown = {key: value for key, value in action.items() if key not in {secret, "actionType"}}
    return shown | {"actionType": kind}


def _document(call: Call, body: Document, properties: Document, metadata: Document) -> Document:
    return {
        "properties": {
            "description": properties.get("description", ""),
            "isEnabled": properties.get("isEnabled", True),
            "metadata": metadata,
            "scopes": copy.deepcopy(properties["scopes"]),
            "sources": copy.deepcopy(properties["sources"]),
            "actions": properties["actions"],
        },
        "id": _id(call),
        "name": call.parts["name"],
        "type": TYPE,
        "etag": f'"{uuid.uuid4()}"',
        **({"kind": body["kind"]} if "kind" in body else {}),
        "location": body["location"],
        "tags": body.get("tags") or {},
    }
