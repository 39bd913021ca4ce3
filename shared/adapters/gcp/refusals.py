"""The table of Google's refusals: reason, status or code, and text where nothing else tells → what it means.

The first row that matches counts. Source: google.rpc.Code, google.rpc.ErrorInfo (AIP-193) and google.api.ErrorReason;
IAM "Workload Identity Federation"; Service Usage, VPC Service Controls and Organization Policy documentation; answers
quoted in public issues.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from shared.adapters.diagnosis import SETTLING_SECONDS, Diagnosis, Kind

_DOCS = "https://cloud.google.com"
_ERRORS = f"{_DOCS}/apis/design/errors"
_IAM = f"{_DOCS}/iam/docs"
_FEDERATION = f"{_IAM}/workload-identity-federation-with-other-clouds"

_transient = partial(Diagnosis, kind=Kind.TRANSIENT)
_permanent = partial(Diagnosis, kind=Kind.PERMANENT)
_wrong = partial(Diagnosis, kind=Kind.CONFIGURATION)

# Time
THROTTLED = _transient(
    key="gcp-throttled", remedy="Nothing; where it lasts, have the quota that the message names raised.", link=_ERRORS
)
SERVER_ERROR = _transient(
    key="gcp-server-error",
    remedy="Nothing; where it lasts, look at Google Cloud's status page.",
    link=_ERRORS,
)
NO_ANSWER = _transient(
    key="gcp-no-answer",
    remedy="Nothing; where it lasts, check name resolution, firewall and outbound network, or look for a proxy.",
    link=_ERRORS,
)
CHANGED_MEANWHILE = _transient(
    key="gcp-changed-meanwhile", remedy="Nothing; somebody else wrote at the same moment.", link=_ERRORS
)
STILL_RUNNING = _transient(
    key="gcp-still-running",
    remedy="Nothing; where it lasts, look for the operation that the message names in the project's activity.",
    link=f"{_DOCS}/service-usage/docs/enable-disable",
)

# Who we are
FEDERATION_MISSING = _transient(
    key="gcp-federation-missing",
    remedy="Compare ROLLCALL_GCP__AUDIENCE with the pool and provider, and see that neither is disabled or deleted.",
    link=_FEDERATION,
    patience_seconds=SETTLING_SECONDS,
    setting="ROLLCALL_GCP__AUDIENCE, or the pool and provider that it names",
)
TOKEN_REFUSED = _wrong(
    key="gcp-token-refused",
    remedy="Compare issuer, audiences and attribute condition of our provider with the managed identity's token.",
    link=_FEDERATION,
    setting="the workload identity provider of Rollcall",
)
IMPERSONATION_DENIED = _transient(
    key="gcp-impersonation-denied",
    remedy="Grant roles/iam.workloadIdentityUser on Rollcall's service account to the managed identity's subject.",
    link=f"{_IAM}/service-account-permissions",
    patience_seconds=SETTLING_SECONDS,
    setting="the bindings of the service account in ROLLCALL_GCP__SERVICE_ACCOUNT",
)
SERVICE_ACCOUNT_MISSING = _wrong(
    key="gcp-service-account-missing",
    remedy="Correct ROLLCALL_GCP__SERVICE_ACCOUNT, or make the service account again with infra/gcp.",
    link=f"{_IAM}/service-accounts-create",
    setting="ROLLCALL_GCP__SERVICE_ACCOUNT",
)
UNAUTHENTICATED = _transient(
    key="gcp-unauthenticated",
    remedy="Nothing, a new token is asked for; where it lasts, see whether the service account is disabled.",
    link=_ERRORS,
)
PERMISSION_DENIED = _transient(
    key="gcp-permission-denied",
    remedy="Grant Rollcall's service account a role with the permission named, on the organization.",
    link=f"{_IAM}/troubleshoot-policies",
    patience_seconds=SETTLING_SECONDS,
    setting="the roles of the service account in ROLLCALL_GCP__SERVICE_ACCOUNT",
)

# The place, and the owner's own rules
API_DISABLED = _transient(
    key="gcp-api-disabled",
    remedy="Enable the API in the project that the message names.",
    link=f"{_DOCS}/service-usage/docs/enable-disable",
    patience_seconds=SETTLING_SECONDS,
    setting="the APIs of the project that the message names",
)
PERIMETER = _wrong(
    key="gcp-service-perimeter",
    remedy="Let Rollcall's service account in by an ingress rule of the service perimeter around the project.",
    link=f"{_DOCS}/vpc-service-controls/docs/troubleshooting",
    setting="the VPC service perimeter around the project",
)
DOMAIN_RESTRICTED = _wrong(
    key="gcp-domain-restricted",
    remedy="Allow the member's organization in the policy iam.allowedPolicyMemberDomains of the project.",
    link=f"{_DOCS}/resource-manager/docs/organization-policy/restricting-domains",
    setting="the organization policy constraints/iam.allowedPolicyMemberDomains",
)
BILLING_MISSING = _permanent(
    key="gcp-billing-missing",
    remedy="Link the project to a billing account, or exclude it in the policy, then replay.",
    link=f"{_DOCS}/billing/docs/how-to/modify-project",
)
BILLING_OFF = _permanent(
    key="gcp-billing-off",
    remedy="Open the project's billing account again, link another or exclude the project in the policy, then replay.",
    link=f"{_DOCS}/billing/docs/how-to/modify-project",
)
NOT_FOUND = _permanent(
    key="gcp-not-found",
    remedy="See in the project's activity what was removed, then replay.",
    link=_ERRORS,
)
CONFLICT = _permanent(
    key="gcp-conflict", remedy="Read the message; correct the cause, then replay the request.", link=_ERRORS
)
BAD_REQUEST = _permanent(
    key="gcp-bad-request", remedy="Read Google's message; correct the cause, then replay the request.", link=_ERRORS
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: one of `names` (patterns), and `text` (a pattern) in the message if given."""

    names: tuple[str, ...]
    diagnosis: Diagnosis
    text: str = ""


_THROTTLING = ("429", "RESOURCE_EXHAUSTED", "rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED")
_UNUSED_API = r"has not been used in project \S+ before or it is disabled"
ROWS = (
    Row(names=("SERVICE_DISABLED", "accessNotConfigured"), diagnosis=API_DISABLED),
    Row(names=("403",), text=_UNUSED_API, diagnosis=API_DISABLED),  # answers of 2020 and before gave no reason
    Row(names=("BILLING_DISABLED", "CONSUMER_SUSPENDED"), diagnosis=BILLING_OFF),
    Row(names=("SECURITY_POLICY_VIOLATED", "VPC_SERVICE_CONTROLS", "vpcServiceControls"), diagnosis=PERIMETER),
    Row(names=("constraints/iam.allowedPolicyMemberDomains",), diagnosis=DOMAIN_RESTRICTED),
    Row(names=("UREQ_PROJECT_BILLING_*", "googleapis.com/billing-enabled"), diagnosis=BILLING_MISSING),
    Row(names=("iam.serviceAccounts.getAccessToken",), diagnosis=IMPERSONATION_DENIED),
    Row(names=("invalid_target",), diagnosis=FEDERATION_MISSING),
    Row(names=_THROTTLING, diagnosis=THROTTLED),
    Row(names=("5??", "UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED"), diagnosis=SERVER_ERROR),
    Row(names=("invalid_grant", "unauthorized_client", "invalid_request"), diagnosis=TOKEN_REFUSED),
    Row(names=("401", "UNAUTHENTICATED"), diagnosis=UNAUTHENTICATED),
    Row(names=("412", "ABORTED", "conditionNotMet"), diagnosis=CHANGED_MEANWHILE),
    Row(names=("403", "PERMISSION_DENIED"), diagnosis=PERMISSION_DENIED),
    Row(names=("404", "NOT_FOUND"), diagnosis=NOT_FOUND),
    Row(names=("409", "ALREADY_EXISTS"), diagnosis=CONFLICT),
)


def diagnose(names: Collection[str], message: str) -> Diagnosis:
    """What an answer means that goes by these names: its code, status, reasons, violations and permission."""
    for row in ROWS:
        named = any(fnmatchcase(name, pattern) for name in names for pattern in row.names)
        if named and (not row.text or re.search(row.text, message, re.IGNORECASE)):
            return row.diagnosis
    return BAD_REQUEST
