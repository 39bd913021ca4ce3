"""Why Defender cannot get into GCP projects: kinds of findings, each with its heading in docs/runbook.md."""

from __future__ import annotations

from functools import partial

from shared.domain.sweep.findings import Area, Severity, SweepKind

_DEFENDER = "https://learn.microsoft.com/azure/defender-for-cloud"
_GOOGLE = "https://cloud.google.com"
_kind = partial(SweepKind, area=Area.HEALTH)

SERVICES_OFF = _kind(
    key="gcp-services-off",
    severity=Severity.HIGH,
    remedy="Enable them with `gcloud services enable`, in the project that the reason names.",
    link=f"{_GOOGLE}/service-usage/docs/enable-disable",
)
POOL_WRONG = _kind(
    key="gcp-pool-wrong",
    severity=Severity.HIGH,
    remedy="Run `terraform apply` in infra/gcp; a deleted pool has to be undeleted first, a disabled one enabled.",
    link=f"{_GOOGLE}/iam/docs/manage-workload-identity-pools-providers",
)
POOL_PROVIDER_WRONG = _kind(
    key="gcp-provider-wrong",
    severity=Severity.HIGH,
    remedy="Name the plan or part in the variables of infra/gcp, then run `terraform apply`.",
    link=f"{_GOOGLE}/iam/docs/manage-workload-identity-pools-providers",
)
ACCOUNT_WRONG = _kind(
    key="gcp-account-wrong",
    severity=Severity.HIGH,
    remedy="Name the plan or part in the variables of infra/gcp and run `terraform apply`; a disabled account is "
    "enabled with `gcloud iam service-accounts enable`.",
    link=f"{_GOOGLE}/iam/docs/service-accounts-create",
)
BINDING_MISSING = _kind(
    key="gcp-binding-missing",
    severity=Severity.HIGH,
    remedy="Run `terraform apply` in infra/gcp, or grant roles/iam.workloadIdentityUser on the account to the pool.",
    link=f"{_GOOGLE}/iam/docs/workload-identity-federation-with-other-clouds",
)
TOKEN_CREATOR_MISSING = _kind(
    key="gcp-token-creator-missing",
    severity=Severity.MEDIUM,
    remedy="Run `terraform apply` in infra/gcp with the part `arc`.",
    link=f"{_GOOGLE}/iam/docs/service-account-permissions",
)
GRANT_MISSING = _kind(
    key="gcp-grant-missing",
    severity=Severity.HIGH,
    remedy="Name the plan or part in the variables of infra/gcp, then run `terraform apply`.",
    link=f"{_DEFENDER}/quickstart-onboard-gcp",
)
CUSTOM_ROLE_WRONG = _kind(
    key="gcp-role-wrong",
    severity=Severity.HIGH,
    remedy="Run `terraform apply` in infra/gcp; a deleted role has to be undeleted first.",
    link=f"{_GOOGLE}/iam/docs/creating-custom-roles",
)
SHARING_RESTRICTED = _kind(
    key="gcp-sharing-restricted",
    severity=Severity.HIGH,
    remedy="Allow Microsoft's organization in iam.allowedPolicyMemberDomains, then run `terraform apply` in infra/gcp.",
    link=f"{_DEFENDER}/resolve-gcp-sharing-policy",
)
ISSUERS_RESTRICTED = _kind(
    key="gcp-issuers-restricted",
    severity=Severity.HIGH,
    remedy="Allow the issuer in iam.workloadIdentityPoolProviders, then run `terraform apply` in infra/gcp.",
    link=f"{_GOOGLE}/iam/docs/manage-workload-identity-pools-providers",
)
STORAGE_RESTRICTED = _kind(
    key="gcp-storage-restricted",
    severity=Severity.HIGH,
    remedy="Allow under:organizations/517615557103 in compute.storageResourceUseRestrictions.",
    link=f"{_DEFENDER}/resolve-disk-scanning-error",
)
SERVICES_RESTRICTED = _kind(
    key="gcp-services-restricted",
    severity=Severity.HIGH,
    remedy="Allow the services that the reason names in gcp.restrictServiceUsage.",
    link=f"{_GOOGLE}/resource-manager/docs/organization-policy/restricting-resources",
)
PERIMETER_CLOSED = _kind(
    key="gcp-perimeter-closed",
    severity=Severity.HIGH,
    remedy="Let Rollcall's and Defender's service accounts in by ingress rules of the service perimeter, and the "
    "scanner's out by an egress rule.",
    link=f"{_DEFENDER}/resolve-vpc-service-controls-issues",
)

PROJECT_KINDS = tuple(found for found in list(vars().values()) if isinstance(found, SweepKind))
"""Every kind, in the order above."""
