"""The kinds of failure that Azure has for us; each has its heading in docs/runbook.md."""

from __future__ import annotations

from functools import partial

from shared.adapters.diagnosis import SETTLING_SECONDS, Diagnosis, Kind

_LEARN = "https://learn.microsoft.com"
_ARM = f"{_LEARN}/azure/azure-resource-manager"
_DEPLOYMENT_ERRORS = f"{_ARM}/troubleshooting/common-deployment-errors"
_CONNECTORS = f"{_LEARN}/azure/defender-for-cloud/troubleshoot-connectors"
_ENTRA_CODES = f"{_LEARN}/entra/identity-platform/reference-error-codes"
_STORAGE_CODES = f"{_LEARN}/rest/api/storageservices/common-rest-api-error-codes"
_ROLES = f"{_LEARN}/azure/role-based-access-control/troubleshooting"
_FEDERATION = f"{_LEARN}/entra/workload-id/workload-identity-federation-considerations"

_transient = partial(Diagnosis, kind=Kind.TRANSIENT)
_permanent = partial(Diagnosis, kind=Kind.PERMANENT)
_wrong = partial(Diagnosis, kind=Kind.CONFIGURATION)

# The other cloud, as Defender sees it
IDENTITY_PROVIDER_MISSING = _transient(
    key="identity-provider-missing",
    remedy="Check in the account's stack instance that Defender's identity provider was made.",
    link=_CONNECTORS,
)
ROLES_MISSING = _transient(
    key="roles-missing",
    remedy="Check in the account's stack instance that the roles exist and trust this tenant's Defender.",
    link=_CONNECTORS,
)
GCP_AUTHENTICATION = _transient(
    key="gcp-authentication",
    remedy="Check the project's workload identity pool, its provider and the service account's bindings.",
    link=f"{_LEARN}/azure/defender-for-cloud/quickstart-onboard-gcp",
)
DUPLICATE_CONNECTOR = _permanent(
    key="duplicate-connector",
    remedy="Remove the connector that the message names, or exclude the account in the policy, then replay.",
    link=_CONNECTORS,
)

# Time
THROTTLED = _transient(
    key="throttled",
    remedy="Nothing; where it lasts, lower ROLLCALL_PACING__WRITES_PER_SECOND.",
    link=f"{_ARM}/management/request-limits-and-throttling",
)
OPERATION_IN_PROGRESS = _transient(
    key="operation-in-progress",
    remedy="Nothing; where it lasts, look in the activity log for who else changes this resource.",
    link=_DEPLOYMENT_ERRORS,
)
CHANGED_MEANWHILE = _transient(
    key="changed-meanwhile",
    remedy="Nothing; somebody else wrote at the same moment.",
    link=_STORAGE_CODES,
)
SERVER_ERROR = _transient(
    key="server-error",
    remedy="Nothing; where it lasts, look at Azure's status page.",
    link=f"{_LEARN}/azure/service-health/overview",
)
NO_ANSWER = _transient(
    key="no-answer",
    remedy="Nothing; where it lasts, check name resolution, firewall and outbound network.",
    link=f"{_LEARN}/azure/azure-functions/functions-networking-options",
)
UNREADABLE_ANSWER = _transient(
    key="unreadable-answer",
    remedy="Nothing; where it lasts, look for a proxy that answers instead of Azure.",
    link=f"{_LEARN}/azure/azure-functions/functions-networking-options",
)

# Who we are
TOKEN_EXPIRED = _transient(
    key="token-expired",
    remedy="Nothing, a new token is asked for; where it lasts, set the clock, and check ROLLCALL_ARM_ENDPOINT. "
    "In a shell, run `az login`.",
    link=_ROLES,
)
TOKEN_REFUSED = _wrong(
    key="token-refused",
    remedy="Check that identity, subscription and storage account belong to one tenant.",
    link=_ROLES,
    setting="the tenant of this identity",
)
AUTHORIZATION_FAILED = _transient(
    key="authorization-failed",
    remedy="Assign a role that contains the action named to this identity, at that scope.",
    link=_ROLES,
    patience_seconds=SETTLING_SECONDS,
    setting="the role assignments of this identity",
)
FORBIDDEN = _wrong(
    key="forbidden",
    remedy="Look for deny assignments and conditional access that concern this identity.",
    link=_ROLES,
    setting="the role assignments of this identity",
)
STORAGE_CLOSED = _wrong(
    key="storage-closed",
    remedy="Let the caller's network through the storage account's firewall.",
    link=f"{_LEARN}/azure/storage/common/storage-network-security",
    setting="the network rules of the storage account",
)
FEDERATION_NOT_FOUND = _transient(
    key="federation-not-found",
    remedy="Compare issuer, subject and audience of the federated credential with those of the role's token.",
    link=_FEDERATION,
    patience_seconds=SETTLING_SECONDS,
    setting="the federated credential",
)
ASSERTION_REFUSED = _wrong(
    key="assertion-refused",
    remedy="Check that the federated credential names AWS's issuer and that the clocks agree.",
    link=_FEDERATION,
    setting="the federated credential",
)
APPLICATION_MISSING = _wrong(
    key="application-missing",
    remedy="Check ROLLCALL_TENANT_ID and ROLLCALL_CLIENT_ID, and that the application is enabled.",
    link=_ENTRA_CODES,
    setting="ROLLCALL_TENANT_ID or ROLLCALL_CLIENT_ID",
)
ISSUER_UNREACHABLE = _transient(
    key="issuer-unreachable",
    remedy="Nothing; where it lasts, check that the issuer of the federated credential is AWS's, letter by letter.",
    link=_FEDERATION,
)
ENTRA_UNAVAILABLE = _transient(
    key="entra-unavailable", remedy="Nothing; where it lasts, look at Azure's status page.", link=_ENTRA_CODES
)
IDENTITY_MISSING = _wrong(
    key="managed-identity-missing",
    remedy="Attach the managed identity of ROLLCALL_CLIENT_ID to the Function App.",
    link=f"{_LEARN}/azure/app-service/overview-managed-identity",
    setting="the managed identity of the Function App",
)
IDENTITY_UNAVAILABLE = _transient(
    key="managed-identity-unavailable",
    remedy="Nothing; where it lasts, restart the Function App and check its managed identity.",
    link=f"{_LEARN}/azure/app-service/overview-managed-identity",
)
NO_TOKEN = _wrong(
    key="no-token",
    remedy="In a shell, run `az login`; else check ROLLCALL_CREDENTIAL, and what the message says about the identity.",
    link=f"{_LEARN}/python/api/overview/azure/identity-readme",
    setting="the managed identity or federated credential",
)

# The place
SUBSCRIPTION_MISSING = _wrong(
    key="subscription-missing",
    remedy="Correct target.subscription in the policy, or give the identity access to it.",
    link=f"{_ARM}/troubleshooting/error-not-found",
    setting="target in the policy",
)
DISABLED = _wrong(
    key="subscription-disabled",
    remedy="Reactivate the subscription, or choose another in the policy.",
    link=f"{_LEARN}/azure/cost-management-billing/manage/subscription-disabled",
    setting="target in the policy",
)
NOT_REGISTERED = _wrong(
    key="subscription-not-registered",
    remedy="Register the resource provider Microsoft.Security in the subscription.",
    link=f"{_ARM}/troubleshooting/error-register-resource-provider",
    setting="the subscription",
)
RESOURCE_GROUP_MISSING = _wrong(
    key="resource-group-missing",
    remedy="Create the resource group, or correct target.resource_group in the policy.",
    link=f"{_ARM}/troubleshooting/error-not-found",
    setting="target in the policy",
)
INVALID_LOCATION = _wrong(
    key="invalid-location",
    remedy="Choose a location that the message lists as target.location in the policy.",
    link=_DEPLOYMENT_ERRORS,
    setting="target in the policy",
)
LOCATION_CONFLICT = _permanent(
    key="location-conflict",
    remedy="Move the account's target back to the connector's location, or remove the connector, then replay.",
    link=_DEPLOYMENT_ERRORS,
)
STORAGE_MISSING = _wrong(
    key="storage-missing",
    remedy="Make what the message names again with `make deploy-azure`, then go through Disaster recovery in the "
    "runbook.",
    link=_STORAGE_CODES,
    setting="the storage account, its queues and tables",
)
RESOURCE_MISSING = _permanent(
    key="resource-missing",
    remedy="See what was removed under the connector in the activity log, then replay.",
    link=f"{_ARM}/troubleshooting/error-not-found",
)

# The owner's own rules
POLICY_DENIED = _permanent(
    key="policy-denied",
    remedy="Exempt the connectors' resource group from the Azure Policy assignment, then replay.",
    link=f"{_ARM}/troubleshooting/error-policy-requestdisallowedbypolicy",
)
SCOPE_LOCKED = _permanent(
    key="scope-locked",
    remedy="Remove the lock that the message names, then replay.",
    link=f"{_ARM}/management/lock-resources",
)
QUOTA_EXCEEDED = _permanent(
    key="quota-exceeded",
    remedy="Have the quota raised, or choose another target in the policy, then replay.",
    link=f"{_ARM}/troubleshooting/error-resource-quota",
)

# What we asked
CONFLICT = _permanent(
    key="conflict",
    remedy="Read the message; correct the cause, then replay the request.",
    link=_DEPLOYMENT_ERRORS,
)
REQUEST_TOO_LARGE = _permanent(
    key="request-too-large",
    remedy="Look for very long names or tags in the request; shorten them, then replay.",
    link=_STORAGE_CODES,
)
API_VERSION_REFUSED = _wrong(
    key="api-version-refused",
    remedy="Install a newer version of Rollcall.",
    link=_DEPLOYMENT_ERRORS,
    setting="the version of Rollcall",
)
PLAN_TOO_LOW = _permanent(
    key="plan-too-low",
    remedy="Give the profile a paid plan other than Servers P1, or take standards and governance rules out of it.",
    link=f"{_LEARN}/azure/defender-for-cloud/update-regulatory-compliance-packages",
)
BAD_REQUEST = _permanent(
    key="bad-request",
    remedy="Read the message; correct the cause, then replay the request.",
    link=_DEPLOYMENT_ERRORS,
)
