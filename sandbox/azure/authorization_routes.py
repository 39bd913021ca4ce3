"""The operations of Microsoft.Authorization: locks, and what the caller may do on a scope.

Source: Microsoft.Authorization/locks, API versions 2016-09-01 and 2020-05-01; permissions and roleAssignments, API
version 2022-04-01: of the latter only those of one principal, seen from the tenant's root management group.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from sandbox.azure import locks
from sandbox.azure.answers import gateway_refusal, not_found
from sandbox.azure.directory import Directory, RoleAssignment
from sandbox.azure.locks import Locks
from sandbox.azure.resource_manager import GROUP, SUBSCRIPTION, Call, ResourceType, Route
from sandbox.azure.resources import Resources
from sandbox.azure.roles import ROLES

_LOCKS = ResourceType(locks.TYPE, ("2016-09-01", "2020-05-01"))
_PERMISSIONS = ResourceType("Microsoft.Authorization/permissions", ("2022-04-01",))
_ASSIGNMENTS = ResourceType("Microsoft.Authorization/roleAssignments", ("2022-04-01",))
_ROOT = r"/providers/microsoft\.management/managementgroups/(?P<management_group>[^/]+)"
_OF_A_PRINCIPAL = re.compile(r"principalId eq '(?P<object_id>[0-9a-f-]{36})'")
_RESOURCE = r"/providers/(?P<namespace>[^/]+)/(?P<kind>[^/]+)/(?P<name>[^/]+)"
_SCOPES = (SUBSCRIPTION, GROUP, GROUP + _RESOURCE)


class AuthorizationOperations:
    """Locks on subscriptions, resource groups and resources; permissions on the first two."""

    def __init__(self, resources: Resources, directory: Directory, found: Locks) -> None:
        self._resources = resources
        self._directory = directory
        self._locks = found

    def routes(self) -> list[Route]:
        """Every operation."""
        permissions = [
            _PERMISSIONS.route(
                "GET",
                rf"{scope}/providers/microsoft\.authorization/permissions",
                "ListPermissions",
                "read",
                self._permissions,
            )
            for scope in _SCOPES[:2]
        ]
        assignments = _ASSIGNMENTS.route(
            "GET",
            rf"{_ROOT}/providers/microsoft\.authorization/roleassignments",
            "ListRoleAssignments",
            "read",
            self._assignments,
        )
        return [assignments, *permissions, *(route for scope in _SCOPES for route in self._lock_routes(scope))]

    def _lock_routes(self, scope: str) -> list[Route]:
        every = rf"{scope}/providers/microsoft\.authorization/locks"
        one = rf"{every}/(?P<lock>[^/]+)"
        return [
            _LOCKS.route("GET", every, "ListLocks", "read", self._list),
            _LOCKS.route("GET", one, "GetLock", "read", self._get),
            _LOCKS.route("PUT", one, "PutLock", "write", self._put),
            _LOCKS.route("DELETE", one, "DeleteLock", "delete", self._delete),
        ]

    def _permissions(self, call: Call) -> tuple[int, Any]:
        value = [
            {
                "actions": list(role.actions),
                "notActions": list(role.not_actions),
                "dataActions": list(role.data_actions),
                "notDataActions": [],
            }
            for role in self._directory.roles_on(call.caller, _scope(call))
        ]
        return 200, {"value": value}

    def _assignments(self, call: Call) -> tuple[int, Any]:
        """At, above and below a scope, which is the root here, those of one principal."""
        asked = _OF_A_PRINCIPAL.fullmatch(call.query.get("$filter", ""))
        if call.parts["management_group"].lower() != self._directory.tenant_id.lower():
            raise not_found("Microsoft.Management/managementGroups", call.parts["management_group"], "")
        if asked is None:
            text = f"The filter '{call.query.get('$filter', '')}' is not simulated."
            raise gateway_refusal(400, "InvalidFilter", text)
        found = self._directory.assignments_of(asked["object_id"])
        return 200, {"value": [_assignment(number, each) for number, each in enumerate(found)]}

    def _list(self, call: Call) -> tuple[int, Any]:
        asked = call.query.get("$filter", "")
        if asked not in {"", "atScope()"}:
            raise gateway_refusal(400, "InvalidFilter", f"The filter '{asked}' is not simulated.")
        return 200, {"value": self._locks.reaching(self._known(call), below=not asked)}

    def _get(self, call: Call) -> tuple[int, Any]:
        found = self._locks.find(self._known(call), call.parts["lock"])
        if found is None:
            raise _lock_not_found(call.parts["lock"])
        return 200, found

    def _put(self, call: Call) -> tuple[int, Any]:
        body = call.body()
        properties = body.get("properties") if isinstance(body, dict) else None
        properties = properties if isinstance(properties, dict) else {}
        level = properties.get("level")
        if level not in locks.LEVELS:
            text = f"The lock level '{level}' is invalid. Valid values are {', '.join(locks.LEVELS)}."
            raise gateway_refusal(400, "InvalidLockLevel", text)
        new, document = self._locks.put(self._known(call), call.parts["lock"], level, properties.get("notes"))
        return (201 if new else 200), document

    def _delete(self, call: Call) -> tuple[int, Any]:
        return (200 if self._locks.remove(self._known(call), call.parts["lock"]) else 204), None

    def _known(self, call: Call) -> str:
        scope = _scope(call)
        if "name" in call.parts and self._resources.find(scope) is None:
            kind = f"{call.parts['namespace']}/{call.parts['kind']}"
            raise not_found(kind, call.parts["name"], call.parts["group"])
        return scope


def _assignment(number: int, assignment: RoleAssignment) -> dict[str, Any]:
    name = str(uuid.uuid5(uuid.UUID(assignment.object_id), f"{assignment.role} {assignment.scope} {number}"))
    role = f"/providers/Microsoft.Authorization/roleDefinitions/{ROLES[assignment.role].id}"
    return {
        "id": f"{assignment.scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": role,
            "principalId": assignment.object_id,
            "principalType": "ServicePrincipal",
            "scope": assignment.scope,
        },
    }


def _scope(call: Call) -> str:
    parts = call.parts
    scope = f"/subscriptions/{parts['subscription']}"
    if "group" in parts:
        scope += f"/resourceGroups/{parts['group']}"
    if "name" in parts:
        scope += f"/providers/{parts['namespace']}/{parts['kind']}/{parts['name']}"
    return scope


def _lock_not_found(name: str) -> Exception:
    return gateway_refusal(404, "LockNotFound", f"The lock '{name}' could not be found.")
