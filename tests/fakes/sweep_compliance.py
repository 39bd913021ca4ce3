"""Standards and governance rules of connectors, as Resource Graph shows what the fake of Resource Manager has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain.connectors import ConnectorId
from shared.domain.sweep.compliance import Assignment
from tests.fakes.failures import Failures
from tests.fakes.subscriptions import FakeCompliance


class FakeSweptCompliance:
    """A view of `manager`, without delay; it counts its queries."""

    def __init__(self, manager: FakeCompliance) -> None:
        self.manager = manager
        self.asked = 0
        self.failures = Failures()

    def assignments_of(self, connector_ids: Sequence[str]) -> tuple[Assignment, ...]:
        """Of these, but no exemptions."""
        self._ask("assignments_of")
        return tuple(
            Assignment(
                connector=ConnectorId.parse(connector),
                name=name,
                standard=body["properties"]["assignedStandard"]["id"],
                display_name=body["properties"].get("displayName", ""),
            )
            for key, body in self.manager.assignments.items()
            for connector, _, name in [key.rpartition("/")]
            if _is_among(connector, connector_ids) and body["properties"].get("effect") not in {"Exempt", "Attest"}
        )

    def rules_of(self, connector_ids: Sequence[str]) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Of these."""
        self._ask("rules_of")
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        for key, body in self.manager.rules.items():
            connector, _, name = key.rpartition("/")
            if _is_among(connector, connector_ids):
                found.setdefault(connector.lower(), {})[name.lower()] = body
        return found

    def _ask(self, method: str) -> None:
        self.failures.strike(method)
        self.asked += 1


def _is_among(connector: str, connector_ids: Sequence[str]) -> bool:
    return connector.lower() in {each.lower() for each in connector_ids}
