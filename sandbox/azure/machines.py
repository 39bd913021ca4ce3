"""Microsoft.HybridCompute/machines: Arc machines that were seeded, read and deleted.

Source: API version 2024-07-10 and live answers of 2024-11-10-preview and 2023-04-25-preview.
"""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.azure.answers import not_found
from sandbox.azure.resource_manager import GROUP, SUBSCRIPTION, Call, ResourceType, Route
from sandbox.azure.resources import Resources

TYPE = "Microsoft.HybridCompute/machines"
_OPERATIONS = ResourceType(TYPE, ("2024-07-10", "2024-11-10-preview", "2023-04-25-preview"))
_MACHINES = r"/providers/microsoft\.hybridcompute/machines"


class MachineOperations:
    """What the provider does with machines that are there; making and changing them is not simulated."""

    def __init__(self, resources: Resources, tenant_id: str) -> None:
        self._resources = resources
        self._tenant_id = tenant_id

    def routes(self) -> list[Route]:
        """List, GET and DELETE."""
        one = rf"{GROUP}{_MACHINES}/(?P<name>[^/]+)"
        return [
            _OPERATIONS.route("GET", SUBSCRIPTION + _MACHINES, "ListMachines", "read", self._list),
            _OPERATIONS.route("GET", GROUP + _MACHINES, "ListMachines", "read", self._list),
            _OPERATIONS.route("GET", one, "GetMachine", "read", self._get),
            _OPERATIONS.route("DELETE", one, "DeleteMachine", "delete", self._delete),
        ]

    def _list(self, call: Call) -> tuple[int, Any]:
        return 200, {"value": self._resources.of_type(TYPE, _scope(call))}

    def _get(self, call: Call) -> tuple[int, Any]:
        found = self._resources.find(_id(call))
        if found is None:
            raise not_found(TYPE, call.parts["name"], call.parts["group"])
        return 200, found

    def _delete(self, call: Call) -> tuple[int, Any]:
        found = self._resources.find(_id(call))
        if found is None:
            return 204, None
        self._resources.delete(found["id"])
        place = f"{found.get('location', '')}/{uuid.uuid4()}"
        call.headers["x-ms-operation-identifier"] = (
            f"tenantId={self._tenant_id},objectId={call.caller.object_id}/{place}"
        )
        call.headers["Content-Type"] = "application/json"
        return 200, None


def _scope(call: Call) -> str:
    group = call.parts.get("group")
    return f"/subscriptions/{call.parts['subscription']}" + (f"/resourceGroups/{group}" if group else "")


def _id(call: Call) -> str:
    return f"{_scope(call)}/providers/{TYPE}/{call.parts['name']}"
