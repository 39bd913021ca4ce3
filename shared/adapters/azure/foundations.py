"""The ground that connectors stand on, as Resource Manager tells of it.

Source: Microsoft.Authorization/roleAssignments 2022-04-01 (list for a scope, `principalId eq` gives those at, above and
below it), Microsoft.Resources/subscriptions 2022-12-01, resource groups and providers 2021-04-01,
Microsoft.OperationalInsights/workspaces 2023-09-01, Microsoft.OperationsManagement/solutions 2015-11-01-preview.
"""

from __future__ import annotations

from azure.core.credentials import TokenCredential

from shared.adapters.azure import reasons
from shared.adapters.azure.arm import ArmClient
from shared.adapters.azure.errors import reads_azure
from shared.domain.doctor.azure import RootSeen
from shared.domain.targets import Target
from shared.errors import RollcallError

_ASSIGNMENTS_API = "2022-04-01"
_SUBSCRIPTIONS_API = "2022-12-01"
_RESOURCES_API = "2021-04-01"
_WORKSPACES_API = "2023-09-01"
_SOLUTIONS_API = "2015-11-01-preview"
_SOLUTIONS = ("Security", "SecurityInsights")
_MAY_NOT = {reasons.AUTHORIZATION_FAILED.key, reasons.FORBIDDEN.key}


class ArmFoundations:
    """Reads; only `register` changes something."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`."""
        self._arm = ArmClient(credential, arm_endpoint=arm_endpoint)

    @reads_azure
    def root(self, tenant_id: str, object_id: str) -> RootSeen:
        """The root management group's id is the tenant's. A refusal there says that nothing may be read."""
        scope = f"/providers/Microsoft.Management/managementGroups/{tenant_id}"
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{object_id}'"
        try:
            found = list(self._arm.list(path, _ASSIGNMENTS_API, doing="read role assignments at the tenant's root"))
        except RollcallError as error:
            if error.key not in _MAY_NOT:
                raise
            return RootSeen(readable=False, refusal=error.reason)
        there = [each["properties"] for each in found if each["properties"]["scope"].lower() == scope.lower()]
        return RootSeen(
            readable=True, roles=tuple(str(each["roleDefinitionId"]).rpartition("/")[2].lower() for each in there)
        )

    @reads_azure
    def subscription_state(self, subscription_id: str) -> str:
        """Its state, in Resource Manager's word."""
        doing = f"read subscription {subscription_id}"
        return str(self._arm.get(f"/subscriptions/{subscription_id}", _SUBSCRIPTIONS_API, doing=doing).get("state", ""))

    def has_group(self, target: Target) -> bool:
        """Whether Resource Manager knows it."""
        path = f"/subscriptions/{target.subscription_id}/resourcegroups/{target.resource_group}"
        return self._arm.find(path, _RESOURCES_API, doing=f"read resource group {target.resource_group}") is not None

    @reads_azure
    def registration(self, subscription_id: str) -> str:
        """The registration state of Microsoft.Security."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Security"
        found = self._arm.get(path, _RESOURCES_API, doing="read the registration of Microsoft.Security")
        return str(found.get("registrationState", ""))

    def register(self, subscription_id: str) -> None:
        """Register; doing it again is no error."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Security/register"
        self._arm.post(path, _RESOURCES_API, doing="register Microsoft.Security")

    def find_workspace(self, workspace: str) -> tuple[str, ...] | None:
        """Security, or SecurityInsights, which is Microsoft Sentinel's."""
        if self._arm.find(workspace, _WORKSPACES_API, doing="read the workspace") is None:
            return None
        group, _, rest = workspace.partition("/providers/")
        name = rest.rpartition("/")[2]
        solutions = f"{group}/providers/Microsoft.OperationsManagement/solutions"
        return tuple(
            each
            for each in _SOLUTIONS
            if self._arm.find(f"{solutions}/{each}({name})", _SOLUTIONS_API, doing=f"look for solution {each}")
        )
