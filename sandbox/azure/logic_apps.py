"""Microsoft.Logic/workflows: the address that starts a seeded Logic App, and nothing else of it.

Source: API version 2019-05-01, "Workflow Triggers - List Callback Url".
"""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.azure.answers import not_found
from sandbox.azure.resource_manager import GROUP, Call, ResourceType, Route
from sandbox.azure.resources import Resources

TYPE = "Microsoft.Logic/workflows"
_TRIGGERS = ResourceType(f"{TYPE}/triggers", ("2019-05-01",))


class LogicAppOperations:
    """Seeded Logic Apps; they never run."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def routes(self) -> list[Route]:
        """The one operation."""
        path = (
            rf"{GROUP}/providers/microsoft\.logic/workflows/(?P<name>[^/]+)"
            r"/triggers/(?P<trigger>[^/]+)/listcallbackurl"
        )
        return [_TRIGGERS.route("POST", path, "ListCallbackUrl", "listCallbackUrl/action", self._callback_url)]

    def _callback_url(self, call: Call) -> tuple[int, Any]:
        parts = call.parts
        group = f"/subscriptions/{parts['subscription']}/resourceGroups/{parts['group']}"
        if self._resources.find(f"{group}/providers/{TYPE}/{parts['name']}") is None:
            raise not_found(TYPE, parts["name"], parts["group"])
        signature = secrets.token_urlsafe(32)
        base = f"https://logic.example/workflows/{parts['name']}/triggers/{parts['trigger']}/paths/invoke"
        return 200, {"value": f"{base}?api-version=2016-10-01&sig={signature}", "method": "POST"}
