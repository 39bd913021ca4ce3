"""The operations of Microsoft.Security/pricings on a subscription."""

from __future__ import annotations

from typing import Any

from sandbox.azure.pricings import API_VERSIONS, TYPE, Pricings, for_version
from sandbox.azure.resource_manager import SUBSCRIPTION, Call, ResourceType, Route

_OPERATIONS = ResourceType(TYPE, API_VERSIONS)
_PRICINGS = rf"{SUBSCRIPTION}/providers/microsoft\.security/pricings"


class PricingOperations:
    """The plans as Resource Manager calls them; plans of single resources are not simulated."""

    def __init__(self, pricings: Pricings) -> None:
        self._pricings = pricings

    def routes(self) -> list[Route]:
        """Every operation that a subscription has."""
        one = rf"{_PRICINGS}/(?P<plan>[^/]+)"
        return [
            _OPERATIONS.route("GET", _PRICINGS, "ListPricings", "read", self._list),
            _OPERATIONS.route("GET", one, "GetPricing", "read", self._get),
            _OPERATIONS.route("PUT", one, "PutPricing", "write", self._put),
        ]

    def _list(self, call: Call) -> tuple[int, Any]:
        condition = next((value for name, value in call.query.items() if name.lower() == "$filter"), "")
        found = self._pricings.list(call.parts["subscription"], condition)
        return 200, {"value": [for_version(each, call.query["api-version"]) for each in found]}

    def _get(self, call: Call) -> tuple[int, Any]:
        found = self._pricings.get(call.parts["subscription"], call.parts["plan"])
        return 200, for_version(found, call.query["api-version"])

    def _put(self, call: Call) -> tuple[int, Any]:
        changed = self._pricings.put(call.parts["subscription"], call.parts["plan"], call.body())
        return 200, for_version(changed, call.query["api-version"])
