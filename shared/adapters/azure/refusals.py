"""The table of Azure's refusals: status, code and, where a service gives nothing else, text → what it means.

The first row that matches counts. Codes are compared without regard to case; `*` stands for anything.
Source: "Troubleshoot common Azure deployment errors", "Status and error codes" of the Storage services, and
exchanges recorded with Resource Manager and Microsoft.Security/securityConnectors (Azure/azure-powershell,
Azure/azure-cli). The text about roles is quoted by users; its envelope is unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from shared.adapters.azure import reasons
from shared.adapters.diagnosis import Diagnosis

ANY = ("*",)
NO_CODE = ("",)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: a status from `first` to `last`, one of `codes`, and `text` (a pattern) if given."""

    first: int
    last: int
    codes: tuple[str, ...]
    diagnosis: Diagnosis
    text: str = ""

    def matches(self, status: int, code: str, message: str) -> bool:
        """Whether an answer with these belongs here; `code` and `message` in lower case."""
        return (
            self.first <= status <= self.last
            and any(fnmatchcase(code, pattern) for pattern in self.codes)
            and (not self.text or re.search(self.text, message) is not None)
        )


def _row(statuses: int | tuple[int, int], codes: tuple[str, ...], diagnosis: Diagnosis, text: str = "") -> Row:
    first, last = statuses if isinstance(statuses, tuple) else (statuses, statuses)
    return Row(first=first, last=last, codes=codes, diagnosis=diagnosis, text=text)


_BUSY = ("*operationinprogress", "*concurrent*")
_CLIENT = (400, 499)
ROWS = (
    _row((0, 399), ANY, reasons.UNREADABLE_ANSWER),
    # Defender's look into the other cloud: its envelope has no code, so its text has to do.
    _row(400, NO_CODE, reasons.IDENTITY_PROVIDER_MISSING, "identity provider is missing from aws account"),
    _row(400, ANY, reasons.ROLES_MISSING, r"iam role.*(do|does) not exist|iam role.*invalid"),
    _row(400, NO_CODE, reasons.ROLES_MISSING, "iam role"),
    _row(400, NO_CODE, reasons.GCP_AUTHENTICATION, "there is a problem with authenticating to your gcp project"),
    # No public text says how a second connector of an account is refused; this one is cautious.
    _row(_CLIENT, ANY, reasons.DUPLICATE_CONNECTOR, "security connector .*already exists"),
    # 429 is also said of what is being changed by somebody else: waiting helps, writing more slowly does not.
    _row(429, ANY, reasons.OPERATION_IN_PROGRESS, "exclusive lock|another operation|conflicting operation"),
    _row(429, ANY, reasons.THROTTLED),
    _row(503, ("serverbusy", "*throttl*", "toomanyrequests"), reasons.THROTTLED),
    _row(408, ANY, reasons.NO_ANSWER),
    _row(425, ANY, reasons.SERVER_ERROR),
    _row((500, 599), ANY, reasons.SERVER_ERROR),
    _row(_CLIENT, ("expiredauthenticationtoken", "invalidauthenticationtoken"), reasons.TOKEN_EXPIRED),
    _row(_CLIENT, ("requestdisallowedby*",), reasons.POLICY_DENIED),
    _row(_CLIENT, ("*disabledsubscription", "subscription*disabled", "subscriptionnotactive"), reasons.DISABLED),
    _row(403, ("authorizationfailed", "linkedauthorizationfailed"), reasons.AUTHORIZATION_FAILED),
    _row(403, ("authorizationpermissionmismatch",), reasons.AUTHORIZATION_FAILED),
    _row(403, ("authorizationfailure", "insufficientaccountpermissions"), reasons.STORAGE_CLOSED),
    _row(_CLIENT, ("*quotaexceeded*", "*limitexceeded*", "*countexceeds*", "*maxnumber*"), reasons.QUOTA_EXCEEDED),
    _row(_CLIENT, ("missingsubscriptionregistration", "subscriptionnotregistered"), reasons.NOT_REGISTERED),
    _row(_CLIENT, ("subscriptionnotfound", "invalidsubscriptionid"), reasons.SUBSCRIPTION_MISSING),
    _row(_CLIENT, ("resourcegroupnotfound", "resourcegroupbeingdeleted"), reasons.RESOURCE_GROUP_MISSING),
    _row(409, ("invalidresourcelocation",), reasons.LOCATION_CONFLICT),
    _row(_CLIENT, ("location*", "invalidlocation", "noregisteredproviderfound"), reasons.INVALID_LOCATION),
    _row(_CLIENT, ("*apiversion*",), reasons.API_VERSION_REFUSED),
    _row(_CLIENT, ("invalidauthenticationinfo",), reasons.TOKEN_REFUSED),
    _row(401, ANY, reasons.TOKEN_REFUSED),
    _row(403, ("authenticationfailed", "invalidauthenticationtoken*"), reasons.TOKEN_REFUSED),
    _row(403, ANY, reasons.FORBIDDEN),
    _row(404, ("queuenotfound", "tablenotfound", "containernotfound", "blobnotfound"), reasons.STORAGE_MISSING),
    _row(404, NO_CODE, reasons.UNREADABLE_ANSWER),  # every service of ours names what is missing
    _row(404, ANY, reasons.RESOURCE_MISSING),
    # 409 says many things: only the code tells which.
    _row(409, ("scopelocked",), reasons.SCOPE_LOCKED),
    _row(409, _BUSY, reasons.OPERATION_IN_PROGRESS),
    _row(409, ANY, reasons.CONFLICT),
    _row(412, ("preconditionfailed", "updateconditionnotsatisfied", "conditionnotmet"), reasons.CHANGED_MEANWHILE),
    _row(413, ANY, reasons.REQUEST_TOO_LARGE),
    _row((0, 999), ANY, reasons.BAD_REQUEST),
)


_BY_STATUS = (reasons.TOKEN_REFUSED, reasons.FORBIDDEN, reasons.CONFLICT, reasons.BAD_REQUEST)
"""What the status alone may say: it counts only where the service itself answered."""


def diagnose(status: int, code: str, message: str, *, legible: bool = True) -> Diagnosis:
    """What an answer of that status, error code and message means; never without an answer itself.

    One that is not `legible`, neither code nor JSON, is a proxy's wherever nothing but its status would speak.
    """
    lowered = code.lower(), message.lower()
    found = next(row.diagnosis for row in ROWS if row.matches(status, *lowered))
    return found if legible or found not in _BY_STATUS else reasons.UNREADABLE_ANSWER


_ENTRA = (
    (r"7002\d*", reasons.FEDERATION_NOT_FOUND),
    (r"70002[47]|700027[24]|50013|50027(27|30|38)?|700030|50012", reasons.ASSERTION_REFUSED),
    (r"700016|90002|7000229|7000112|90072", reasons.APPLICATION_MISSING),
    (r"90061|50166|501661", reasons.ISSUER_UNREACHABLE),
    (r"90033|90055|90024|50196", reasons.ENTRA_UNAVAILABLE),
)
"""Entra's refusals by their AADSTS numbers. Source: "Microsoft Entra authentication and authorization error codes"."""

_NUMBER = re.compile(r"AADSTS(\d+)")
_NOT_ENTRA_S = re.compile(r"(unexpected response|no response content) from microsoft entra id", re.IGNORECASE)
"""An answer that is no JSON of Entra's. Source: azure-identity 1.27 `aad_client_base._process_response`."""


def diagnose_token(status: int, message: str) -> Diagnosis:
    """What it means that no token was given; `status` is 0 where nobody passed one on."""
    found = _NUMBER.search(message)
    for numbers, diagnosis in _ENTRA if found else ():
        if found and re.fullmatch(numbers, found[1]):
            return diagnosis
    if status in {408, 425, 429} or 500 <= status <= 599 or 200 <= status <= 399:
        return reasons.ENTRA_UNAVAILABLE  # a success without a token is none
    if found is None and _NOT_ENTRA_S.search(message):
        return reasons.ENTRA_UNAVAILABLE
    return _diagnose_identity_endpoint(message)


def _diagnose_identity_endpoint(message: str) -> Diagnosis:
    """App Service's identity endpoint; the library passes its answer on as text only.

    Source: msal 1.x managed_identity `_obtain_token_on_app_service`: "(invalid_scope) <statusCode>, <message>".
    """
    asked = re.search(r"token request error: \(\w+\) (\w+)", message.lower())
    if asked is None:
        return reasons.NO_TOKEN
    return reasons.IDENTITY_MISSING if asked[1] in {"400", "401", "403"} else reasons.IDENTITY_UNAVAILABLE
