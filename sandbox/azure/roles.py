"""The built-in Azure roles that the sandbox grants, with the actions that matter here.

Source: Azure built-in roles and "Permissions for calling data operations" of Azure Storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

_STORAGE = "Microsoft.Storage/storageAccounts"
_QUEUES = f"{_STORAGE}/queueServices/queues"
_MESSAGES = f"{_QUEUES}/messages"
_TABLES = f"{_STORAGE}/tableServices/tables"
_ENTITIES = f"{_TABLES}/entities"
_CONTAINERS = f"{_STORAGE}/blobServices/containers"
_BLOBS = f"{_CONTAINERS}/blobs"


@dataclass(frozen=True, kw_only=True)
class RoleDefinition:
    """One role: control-plane actions, what is taken from them, and data actions; `*` matches anything."""

    name: str
    id: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()

    def allows(self, action: str, *, data: bool) -> bool:
        """Whether the role contains the action (compared without regard to case, as Azure does)."""
        granted = self.data_actions if data else self.actions
        taken = () if data else self.not_actions
        return _any_matches(granted, action) and not _any_matches(taken, action)


def _any_matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


_ALL = (
    RoleDefinition(
        name="Security Admin",
        id="fb1c8493-542b-48eb-b624-b4c8fea62acd",
        actions=(
            "Microsoft.Authorization/*/read",
            "Microsoft.Authorization/policyAssignments/*",
            "Microsoft.Authorization/policyDefinitions/*",
            "Microsoft.Management/managementGroups/read",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Security/*",
        ),
    ),
    RoleDefinition(
        name="Security Reader",
        id="39bc4728-0917-49c7-9d2c-d95423bc2eb4",
        actions=(
            "Microsoft.Authorization/*/read",
            "Microsoft.Management/managementGroups/read",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Security/*/read",
        ),
    ),
    RoleDefinition(
        name="Contributor",
        id="b24988ac-6180-42a0-ab88-20f7382dd24c",
        actions=("*",),
        not_actions=("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"),
    ),
    RoleDefinition(name="Owner", id="8e3af657-a8ff-443c-a75c-2fe8c4bcb635", actions=("*",)),
    RoleDefinition(
        name="User Access Administrator",
        id="18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        actions=("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
    ),
    RoleDefinition(name="Reader", id="acdd72a7-3385-48ef-bd42-f606fba81ae7", actions=("*/read",)),
    RoleDefinition(
        name="Azure Connected Machine Resource Administrator",
        id="cd570a14-e51a-42ad-bac8-bafd67325302",
        actions=("Microsoft.HybridCompute/machines/*", "Microsoft.HybridCompute/*/read"),
    ),
    RoleDefinition(
        name="Monitoring Metrics Publisher",
        id="3913510d-42f4-4e42-8a64-420c390055eb",
        actions=("Microsoft.Insights/Register/Action", "Microsoft.Resources/subscriptions/resourceGroups/read"),
        data_actions=("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"),
    ),
    RoleDefinition(
        name="Storage Queue Data Message Sender",
        id="c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
        data_actions=(f"{_MESSAGES}/add/action",),
    ),
    RoleDefinition(
        name="Storage Queue Data Message Processor",
        id="8a0f0c08-91a1-4084-bc3d-661d67233fed",
        data_actions=(f"{_MESSAGES}/read", f"{_MESSAGES}/process/action"),
    ),
    RoleDefinition(
        name="Storage Queue Data Reader",
        id="19e7f393-937e-4f77-808e-94535e297925",
        actions=(f"{_QUEUES}/read",),
        data_actions=(f"{_MESSAGES}/read",),
    ),
    RoleDefinition(
        name="Storage Queue Data Contributor",
        id="974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        actions=(f"{_QUEUES}/delete", f"{_QUEUES}/read", f"{_QUEUES}/write"),
        data_actions=(
            f"{_MESSAGES}/delete",
            f"{_MESSAGES}/read",
            f"{_MESSAGES}/write",
            f"{_MESSAGES}/process/action",
        ),
    ),
    RoleDefinition(
        name="Storage Table Data Reader",
        id="76199698-9eea-4c19-bc75-cec21354c6b6",
        actions=(f"{_TABLES}/read",),
        data_actions=(f"{_ENTITIES}/read",),
    ),
    RoleDefinition(
        name="Storage Table Data Contributor",
        id="0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        actions=(f"{_TABLES}/read", f"{_TABLES}/write", f"{_TABLES}/delete"),
        data_actions=(
            f"{_ENTITIES}/read",
            f"{_ENTITIES}/write",
            f"{_ENTITIES}/delete",
            f"{_ENTITIES}/add/action",
            f"{_ENTITIES}/update/action",
        ),
    ),
    RoleDefinition(
        name="Storage Blob Data Reader",
        id="2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        actions=(f"{_CONTAINERS}/read",),
        data_actions=(f"{_BLOBS}/read",),
    ),
    RoleDefinition(
        name="Storage Blob Data Contributor",
        id="ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        actions=(f"{_CONTAINERS}/read", f"{_CONTAINERS}/write", f"{_CONTAINERS}/delete"),
        data_actions=(f"{_BLOBS}/read", f"{_BLOBS}/write", f"{_BLOBS}/delete", f"{_BLOBS}/add/action"),
    ),
    RoleDefinition(
        name="Storage Blob Data Owner",
        id="b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        actions=(f"{_CONTAINERS}/*",),
        data_actions=(f"{_BLOBS}/*",),
    ),
)

ROLES = {role.name: role for role in _ALL}
