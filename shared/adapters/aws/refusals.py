"""The table of AWS's refusals: error code and, where a service gives nothing else, text → what it means.

The first row that matches counts; `*` stands for anything.
Source: the "Common errors" and per-operation errors of the CloudFormation (2010-05-15), Organizations
(2016-11-28), STS, S3 and EventBridge API references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from shared.adapters.diagnosis import Diagnosis, Kind
from shared.domain.readiness import ACCOUNT_NOT_READY

_DOCS = "https://docs.aws.amazon.com"
_COMMON = f"{_DOCS}/AWSCloudFormation/latest/APIReference/CommonErrors.html"
_CREATE = f"{_DOCS}/AWSCloudFormation/latest/APIReference/API_CreateStackInstances.html"
_STACK_SETS = f"{_DOCS}/AWSCloudFormation/latest/UserGuide"
_TOKEN = f"{_DOCS}/STS/latest/APIReference/API_GetWebIdentityToken.html"
_S3 = f"{_DOCS}/AmazonS3/latest/API/ErrorResponses.html"
_IAM = f"{_DOCS}/IAM/latest/UserGuide"

_transient = partial(Diagnosis, kind=Kind.TRANSIENT)
_permanent = partial(Diagnosis, kind=Kind.PERMANENT)
_wrong = partial(Diagnosis, kind=Kind.CONFIGURATION)

THROTTLED = _transient(
    key="aws-throttled", remedy="Nothing; where it lasts, see who else calls this API.", link=_COMMON
)
SERVER_ERROR = _transient(
    key="aws-server-error",
    remedy="Nothing; where it lasts, look at the AWS Health Dashboard.",
    link=f"{_DOCS}/health/latest/ug/what-is-aws-health.html",
)
NO_ANSWER = _transient(
    key="aws-no-answer",
    remedy="Nothing; where it lasts, check the endpoint, name resolution and outbound network.",
    link=f"{_DOCS}/general/latest/gr/rande.html",
)
STACK_SET_BUSY = _transient(
    key="stack-set-busy",
    remedy="Nothing; where it lasts, switch the StackSet's managed execution on.",
    link=_CREATE,
)
STACK_SET_CHANGED = _transient(
    key="stack-set-changed", remedy="Nothing; the StackSet was changed at the same moment.", link=_CREATE
)
QUOTA = _transient(
    key="aws-quota",
    remedy="Where it lasts, have the StackSets quota that the message names raised.",
    link=f"{_STACK_SETS}/cloudformation-limits.html",
)
NOT_READY = _transient(
    key=ACCOUNT_NOT_READY,
    remedy="Nothing; AWS needs some minutes to activate a new account.",
    link=_COMMON,
)
TOKEN_EXPIRED = _transient(
    key="aws-token-expired",
    remedy="Nothing in a function, whose runtime renews its credentials; in a shell, sign in to AWS again. Where it "
    "lasts, set the clock.",
    link=f"{_IAM}/id_credentials_temp.html",
)
CLOCK_OFF = _wrong(
    key="aws-clock-off",
    remedy="Set the clock of this computer by a time server, then do it again.",
    link=f"{_IAM}/signature-v4-troubleshooting.html",
    setting="the clock of this computer",
)
CREDENTIALS = _wrong(
    key="aws-credentials",
    remedy="Check the role of the function; in a shell, its profile, and sign in to AWS again.",
    link=f"{_IAM}/troubleshoot.html",
    setting="the AWS credentials",
)
ACCESS_DENIED = _wrong(
    key="aws-access-denied",
    remedy="Allow the action that is named in the role of this function, or look for a policy that denies it.",
    link=f"{_IAM}/troubleshoot_access-denied.html",
    setting="the permissions or settings of the management account",
)
ORGANIZATIONS_ACCESS = _wrong(
    key="organizations-access",
    remedy="Run `aws cloudformation activate-organizations-access` in the management account.",
    link=f"{_STACK_SETS}/stacksets-orgs-activate-trusted-access.html",
    setting="the permissions or settings of the management account",
)
NO_ORGANIZATION = _wrong(
    key="no-organization",
    remedy="Deploy Rollcall into the management account of the organization.",
    link=f"{_DOCS}/organizations/latest/userguide/orgs_getting-started.html",
    setting="the account that Rollcall is deployed in",
)
STACK_SET_MISSING = _wrong(
    key="stack-set-missing",
    remedy="Deploy the StackSet, or correct ROLLCALL_STACK_SET_NAME.",
    link=_CREATE,
    setting="ROLLCALL_STACK_SET_NAME",
)
POLICY_OBJECT_MISSING = _wrong(
    key="policy-object-missing",
    remedy="Publish the policy to the bucket, or correct ROLLCALL_POLICY.",
    link=_S3,
    setting="ROLLCALL_POLICY",
)
WEB_IDENTITY_DISABLED = _wrong(
    key="web-identity-disabled",
    remedy="Run `aws iam enable-outbound-web-identity-federation` in the management account.",
    link=_TOKEN,
    setting="outbound web identity federation of the management account",
)
WEB_IDENTITY_REFUSED = _wrong(
    key="web-identity-refused",
    remedy="Compare what is asked of STS with the conditions of the role's sts:GetWebIdentityToken.",
    link=_TOKEN,
    setting="the role of this function",
)
OPERATION_REFUSED = _permanent(
    key="operation-refused",
    remedy="Read AWS's message; correct the StackSet, then run `rollcall onboard` for the account.",
    link=_CREATE,
)
BAD_REQUEST = _permanent(
    key="aws-bad-request",
    remedy="Read AWS's message; correct the cause and send the account again.",
    link=_COMMON,
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: one of `codes`, and `text` (a pattern) in the message if given."""

    codes: tuple[str, ...]
    diagnosis: Diagnosis
    text: str = ""


_DISABLED_TEXT = "must enable organizations access"
_BUSY = ("OperationInProgressException", "ConcurrentModificationException")
_SERVER = ("InternalError", "InternalFailure", "InternalServerError*", "ServiceException", "ServiceUnavailable*")
_CLOCK_TEXT = "signature expired|signature not yet current"
"""Source: IAM user guide, "Troubleshoot Signature Version 4 signing", "Credential scope and expired requests"."""
_DENIED = ("AccessDenied*", "UnauthorizedOperation", "NotAuthorized", "KMS.*")  # KMS: the key of an encrypted queue
_UNKNOWN_KEYS = (
    "InvalidClientTokenId",
    "UnrecognizedClient*",
    "SignatureDoesNotMatch",
    "InvalidSignature*",
    "InvalidAccessKeyId",
    "MissingAuth*",
)
ROWS = (
    Row(codes=("*",), text=_DISABLED_TEXT, diagnosis=ORGANIZATIONS_ACCESS),
    Row(codes=("OptInRequired*", "SubscriptionRequired*"), diagnosis=NOT_READY),
    Row(codes=("*Throttl*", "RequestLimitExceeded", "SlowDown", "TooManyRequests*"), diagnosis=THROTTLED),
    Row(codes=("PriorRequestNotComplete", "BandwidthLimitExceeded"), diagnosis=THROTTLED),
    Row(codes=_SERVER, diagnosis=SERVER_ERROR),
    Row(codes=("RequestTimeout*",), diagnosis=NO_ANSWER),
    Row(codes=_BUSY, diagnosis=STACK_SET_BUSY),
    Row(codes=("StaleRequestException",), diagnosis=STACK_SET_CHANGED),
    Row(codes=("LimitExceeded*",), diagnosis=QUOTA),
    Row(codes=("ExpiredToken*", "RequestExpired"), diagnosis=TOKEN_EXPIRED),
    Row(codes=("RequestTimeTooSkewed",), diagnosis=CLOCK_OFF),
    Row(codes=("SignatureDoesNotMatch", "InvalidSignature*"), text=_CLOCK_TEXT, diagnosis=CLOCK_OFF),
    Row(codes=_UNKNOWN_KEYS, diagnosis=CREDENTIALS),
    Row(codes=("AWSOrganizationsNotInUseException",), diagnosis=NO_ORGANIZATION),
    Row(codes=("StackSetNotFoundException",), diagnosis=STACK_SET_MISSING),
    Row(codes=("NoSuchBucket", "NoSuchKey"), diagnosis=POLICY_OBJECT_MISSING),
    Row(codes=("OutboundWebIdentityFederationDisabled*",), diagnosis=WEB_IDENTITY_DISABLED),
    Row(codes=("SessionDurationEscalation*", "JWTPayloadSizeExceeded*"), diagnosis=WEB_IDENTITY_REFUSED),
    Row(codes=_DENIED, diagnosis=ACCESS_DENIED),
    Row(codes=("InvalidOperation*", "StackInstanceNotFoundException"), diagnosis=OPERATION_REFUSED),
)


def diagnose(status: int, code: str, message: str) -> Diagnosis:
    """What an answer of that status, error code and message means."""
    for row in ROWS:
        named = any(fnmatchcase(code, pattern) for pattern in row.codes)
        if named and (not row.text or re.search(row.text, message, re.IGNORECASE)):
            return row.diagnosis
    if status == 429:
        return THROTTLED
    return SERVER_ERROR if status >= 500 else BAD_REQUEST
