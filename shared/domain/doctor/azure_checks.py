"""What has to be the case on Azure's side, as the Function App's identity, or an operator, can see it."""

from __future__ import annotations

from functools import partial

from shared.domain.doctor.verdicts import Check, Side, Team

_LEARN = "https://learn.microsoft.com"
_check = partial(Check, team=Team.AZURE, side=Side.AZURE)

READER_AT_ROOT = _check(
    key="reader-at-root",
    title="Reader at the tenant's root management group",
    purpose="Resource Graph leaves out without a word what one may not read: a connector elsewhere in the tenant would "
    "be taken for missing.",
    remedy="Let somebody who may assign roles there deploy infra/azure/tenant-reader.bicep.",
    link=f"{_LEARN}/azure/governance/management-groups/overview",
)
SUBSCRIPTIONS = _check(
    key="subscription-usable",
    title="Subscriptions of the policy's targets",
    purpose="A subscription that is not enabled takes no connector.",
    remedy="Enable the subscription again, or name another target in the policy.",
    link=f"{_LEARN}/azure/cost-management-billing/manage/subscription-disabled",
)
RESOURCE_GROUPS = _check(
    key="resource-group",
    title="Resource groups of the policy's targets",
    purpose="Connectors stand in them; nothing of Rollcall makes one.",
    remedy="Make the resource group, or correct the target in the policy.",
    link=f"{_LEARN}/azure/azure-resource-manager/management/manage-resource-groups-portal",
)
ROLE_ASSIGNMENTS = _check(
    key="role-assignments",
    title="Rights where connectors stand",
    purpose="What onboarding, the sweep and the features of the profiles need there, action by action.",
    remedy="Deploy infra/azure/connectors.bicep for that resource group, or assign a role that has these actions.",
    link=f"{_LEARN}/azure/role-based-access-control/troubleshooting",
)
REGISTRATION = _check(
    key="provider-registered",
    title="Resource provider Microsoft.Security",
    purpose="A subscription that is not registered refuses every connector.",
    remedy="Register it in the subscription.",
    link=f"{_LEARN}/azure/azure-resource-manager/management/resource-providers-and-types",
    fixable=True,
)
PLANS = _check(
    key="subscription-plans",
    title="Plans of the subscription",
    purpose="Servers, Databases and Defender CSPM of a connector need the same plan of its subscription.",
    remedy="Switch them on, which is billed, or say in the policy `prechecks: {subscription_plans: warn}`.",
    link=f"{_LEARN}/azure/defender-for-cloud/quickstart-onboard-aws",
)
QUEUES = _check(
    key="storage-queues",
    title="Queues of the storage account",
    purpose="Requests and slices of sweeps lie on them, and what was given up.",
    remedy="Make the queue, or deploy infra/azure/main.bicep again.",
    link=f"{_LEARN}/rest/api/storageservices/create-queue4",
    fixable=True,
)
TABLES = _check(
    key="storage-tables",
    title="Tables of the ledger",
    purpose="Without the ledger nobody knows what happened, and no account can be claimed.",
    remedy="Make the table, or deploy infra/azure/main.bicep again.",
    link=f"{_LEARN}/rest/api/storageservices/create-table",
)
CONTAINERS = _check(
    key="storage-containers",
    title="Containers of the storage account",
    purpose="The policy and the reports of sweeps lie in them.",
    remedy="Make the container, or deploy infra/azure/main.bicep again.",
    link=f"{_LEARN}/rest/api/storageservices/create-container",
)
FUNCTION_POLICY = _check(
    key="functions-policy",
    title="The policy, as the Function App reads it",
    purpose="It says profile and place of every connector; one that is missing or wrong stops all of them.",
    remedy="Publish a policy that `rollcall policy check` takes, and let the identity read its container.",
    command="rollcall policy publish FILE",
    link=f"{_LEARN}/azure/storage/blobs/assign-azure-role-data-access",
)
FUNCTION_APP = _check(
    key="function-app",
    title="The Function App answers",
    purpose="Only it can say what its own identity may do.",
    remedy="Name it and its application with ROLLCALL_REPORT__URL and ROLLCALL_REPORT__AUDIENCE, and have the role "
    "Rollcall.Operator.",
    link=f"{_LEARN}/azure/azure-functions/functions-recover-storage-account",
)
HUB = _check(
    key="hub-role",
    team=Team.IDENTITY,
    title="From the managed identity into AWS",
    purpose="Entra's token is exchanged for the hub role: issuer, audience and subject have to be those of the role's "
    "trust and of the identity provider.",
    remedy="Compare TenantId, Audience and IdentityObjectId of the stack with the managed identity; deploy it again.",
    link="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html",
)
READERS = _check(
    key="reader-roles",
    team=Team.AWS,
    title="From the hub role into member accounts",
    purpose="The sweep looks at EC2 and at Defender's roles of each account through it.",
    remedy="Let the StackSet rollcall-reader reach these accounts.",
    link="https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_roles.html",
)
SENTINEL_FIRST = _check(
    key="sentinel-first",
    team=Team.AWS,
    title="Accounts whose identity provider was there before",
    purpose="Microsoft Sentinel signs in through the same provider; Defender's client ids have to be on its list, too.",
    remedy="Add the client ids that are missing; Sentinel's stay.",
    link=f"{_LEARN}/azure/sentinel/connect-aws",
)
WORKSPACE = _check(
    key="workspace-solution",
    team=Team.SECURITY_OPERATIONS,
    title="A security solution in the workspace",
    purpose="Servers and SQL that report to a Log Analytics workspace need one there.",
    remedy="Install it, or take the setting ROLLCALL_WORKSPACE away where no workspace is used.",
    link=f"{_LEARN}/azure/defender-for-cloud/quickstart-onboard-aws",
)
AZURE_CHECKS = (
    READER_AT_ROOT,
    SUBSCRIPTIONS,
    RESOURCE_GROUPS,
    ROLE_ASSIGNMENTS,
    REGISTRATION,
    PLANS,
    QUEUES,
    TABLES,
    CONTAINERS,
    FUNCTION_POLICY,
    FUNCTION_APP,
    HUB,
    READERS,
    SENTINEL_FIRST,
    WORKSPACE,
)
OF_THE_FUNCTION_APP = (
    READER_AT_ROOT,
    SUBSCRIPTIONS,
    RESOURCE_GROUPS,
    ROLE_ASSIGNMENTS,
    REGISTRATION,
    PLANS,
    QUEUES,
    TABLES,
    CONTAINERS,
    FUNCTION_POLICY,
)
"""What an operator can look at, too, though only with rights of their own."""
