"""Plans of a subscription by the words that people use for them, and the automation that tells a Logic App of alerts.

Source: Microsoft.Security/pricings 2024-01-01 (names of plans), automations 2023-12-01-preview.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PLAN_WORDS = {
    "cspm": "CloudPosture",
    "servers": "VirtualMachines",
    "databases": "SqlServerVirtualMachines",
    "containers": "Containers",
}
"""Those that AWS connectors have to do with; others are given by their own names."""

_HIGH = {"propertyJPath": "Severity", "propertyType": "String", "expectedValue": "High", "operator": "Equals"}
"""The rule that an alert has to meet."""


@dataclass(frozen=True, kw_only=True)
class SubscriptionPlan:
    """One plan of a subscription; `sub_plan` is empty where it has none."""

    name: str
    is_on: bool
    sub_plan: str = ""
    deprecated: bool = False


@dataclass(frozen=True, kw_only=True)
class AlertExport:
    """Alerts of high severity in a scope (a subscription or resource group) go to a Logic App."""

    resource_group_id: str
    location: str
    scope: str
    logic_app_id: str

    @property
    def automation_id(self) -> str:
        """One automation per scope: the same scope gives the same id."""
        last = self.scope.rstrip("/").rpartition("/")[2]
        return f"{self.resource_group_id}/providers/Microsoft.Security/automations/rollcall-alerts-{last}"

    def body(self, callback_url: str) -> dict[str, Any]:
        """The automation; `callback_url` is the Logic App's own secret and comes back in no answer."""
        return {
            "location": self.location,
            "properties": {
                "description": "Made by Rollcall: alerts of high severity go to a Logic App.",
                "isEnabled": True,
                "scopes": [{"description": "as the operator asked", "scopePath": self.scope}],
                "sources": [{"eventSource": "Alerts", "ruleSets": [{"rules": [_HIGH]}]}],
                "actions": [{"actionType": "LogicApp", "logicAppResourceId": self.logic_app_id, "uri": callback_url}],
            },
        }

    def is_said_by(self, actual: dict[str, Any]) -> bool:
        """Whether an automation that exists does this already."""
        have = actual.get("properties") or {}
        scopes = [str(each.get("scopePath", "")).lower() for each in have.get("scopes") or ()]
        apps = [str(each.get("logicAppResourceId", "")).lower() for each in have.get("actions") or ()]
        sources = [(each.get("eventSource"), _rule_sets(each)) for each in have.get("sources") or ()]
        return (
            have.get("isEnabled") is True
            and scopes == [self.scope.lower()]
            and apps == [self.logic_app_id.lower()]
            and sources == [("Alerts", _rule_sets({"ruleSets": [{"rules": [_HIGH]}]}))]
        )


def _rule_sets(source: dict[str, Any]) -> list[list[tuple[str, ...]]]:
    """The rule sets of a source as far as they mean something, in lower case: operators and types are API names."""
    return [
        [tuple(str(rule.get(key, "")).lower() for key in _HIGH) for rule in each.get("rules") or ()]
        for each in source.get("ruleSets") or ()
    ]
