"""Governance rules of connectors.

Source: Microsoft.Security/governanceRules, API version 2022-01-01-preview; Microsoft Defender for Cloud "Drive
remediation with governance rules", which asks for Defender CSPM.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.azure.answers import RefusalError, bad_request
from sandbox.azure.connector_scope import ConnectorChildren, offerings_of, sent_properties
from sandbox.azure.resource_manager import Call, Route
from sandbox.azure.resources import Document, Resources

TYPE = "Microsoft.Security/governanceRules"
API_VERSION = "2022-01-01-preview"
_TIMEFRAME = re.compile(r"[0-9]+\.[0-9]{2}:[0-9]{2}:[0-9]{2}")
_WORDS = {
    "ruleType": ("Integrated", "ServiceNow"),
    "sourceResourceType": ("Assessments",),
}


class GovernanceRuleOperations:
    """The rules, without running them: `execute` is not simulated."""

    def __init__(self, resources: Resources, tenant_id: str) -> None:
        self._resources = resources
        self._tenant_id = tenant_id
        self._rules = ConnectorChildren(resources, TYPE, updated=("updatedBy", "updatedOn"))

    def routes(self) -> list[Route]:
        """List, GET, PUT and DELETE."""
        return self._rules.routes("GovernanceRule", API_VERSION, self._put)

    def _put(self, call: Call) -> tuple[int, Any]:
        connector, name = self._rules.parent(call, "write"), call.parts["child"]
        if "DefenderCspmAws" not in offerings_of(connector):
            raise bad_request("Governance rules need the plan Defender CSPM on the connector.")
        properties = sent_properties(call)
        priority = _checked_priority(properties)
        properties = {"tenantId": self._tenant_id, "excludedScopes": [], "includeMemberScopes": False} | properties
        with self._resources.lock:
            self._refuse_same_priority(connector, name, priority)
            return self._rules.save(connector, name, properties, call.caller.object_id)

    def _refuse_same_priority(self, connector: Document, name: str, priority: int) -> None:
        for other in self._rules.all(connector):
            if other["properties"]["rulePriority"] == priority and other["name"].lower() != name.lower():
                text = f"The rule '{other['name']}' has the priority {priority} on this scope already."
                raise RefusalError(409, {"error": {"code": "Conflict", "message": text}})


def _checked_priority(properties: Document) -> int:
    """The priority of a rule that is sound. Raises RefusalError (400) where it is not."""
    priority = properties.get("rulePriority")
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= 1000:
        raise bad_request(f"The rule priority '{priority}' is not a number from 0 to 1000.")
    timeframe = properties.get("remediationTimeframe")
    if timeframe is not None and not _TIMEFRAME.fullmatch(str(timeframe)):
        raise bad_request(f"The remediation timeframe '{timeframe}' is not of the form 7.00:00:00.")
    for name, words in _WORDS.items():
        if properties.get(name) not in words:
            raise bad_request(f"{name} '{properties.get(name)}' is not one of {', '.join(words)}.")
    for name in ("displayName", "conditionSets", "ownerSource"):
        if not properties.get(name):
            raise bad_request(f"{name} is missing.")
    return priority
