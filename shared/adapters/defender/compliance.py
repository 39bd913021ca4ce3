"""Standards and governance rules of connectors.

Source: Microsoft.Security/securityStandards and standardAssignments 2024-08-01, governanceRules 2022-01-01-preview.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.core.credentials import TokenCredential

from shared.adapters.azure import reasons
from shared.adapters.azure.arm import ArmClient
from shared.adapters.azure.errors import reads_azure
from shared.domain.connectors import ConnectorId

STANDARDS_API = "2024-08-01"
GOVERNANCE_API = "2022-01-01-preview"
_PLAN_TOO_LOW = {401: reasons.PLAN_TOO_LOW}
_OF_ONE_ASSESSMENT = frozenset({"exempt", "attest"})
"""Effects of assignments that say something of one assessment of a standard, and assign none."""


class ArmCompliance:
    """What belongs to a connector, below its id in Resource Manager."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`."""
        self._arm = ArmClient(credential, arm_endpoint=arm_endpoint)

    @reads_azure
    def list_standards(self, connector_id: ConnectorId) -> Mapping[str, str]:
        """Display name → id of the standards that the connector offers."""
        path = f"{connector_id}/providers/Microsoft.Security/securityStandards"
        found = self._arm.list(
            path, STANDARDS_API, doing="list the standards of the connector", refused_by=_PLAN_TOO_LOW
        )
        return {str(each["properties"]["displayName"]): str(each["id"]) for each in found}

    @reads_azure
    def list_assigned(self, connector_id: ConnectorId) -> frozenset[str]:
        """The ids of the standards that are assigned."""
        path = f"{connector_id}/providers/Microsoft.Security/standardAssignments"
        found = self._arm.list(
            path, STANDARDS_API, doing="list the standards that are assigned", refused_by=_PLAN_TOO_LOW
        )
        assigning = (each.get("properties") or {} for each in found)
        standards = (
            properties.get("assignedStandard") or {}
            for properties in assigning
            if str(properties.get("effect")).lower() not in _OF_ONE_ASSESSMENT
        )
        return frozenset(str(standard["id"]) for standard in standards if standard.get("id"))

    def assign(self, connector_id: ConnectorId, assignment: str, body: dict[str, Any]) -> None:
        """Assigns a standard. A plan that is too low is answered 401, which means nothing about our token here."""
        path = f"{connector_id}/providers/Microsoft.Security/standardAssignments/{assignment}"
        self._arm.put(path, STANDARDS_API, body, doing="assign a standard", refused_by=_PLAN_TOO_LOW)

    def find_rule(self, connector_id: ConnectorId, rule: str) -> dict[str, Any] | None:
        """The governance rule; None where there is none."""
        path = f"{connector_id}/providers/Microsoft.Security/governanceRules/{rule}"
        return self._arm.find(path, GOVERNANCE_API, doing="look for a governance rule", refused_by=_PLAN_TOO_LOW)

    def put_rule(self, connector_id: ConnectorId, rule: str, body: dict[str, Any]) -> None:
        """Creates or replaces a governance rule."""
        path = f"{connector_id}/providers/Microsoft.Security/governanceRules/{rule}"
        self._arm.put(path, GOVERNANCE_API, body, doing="write a governance rule", refused_by=_PLAN_TOO_LOW)
