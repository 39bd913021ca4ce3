"""What Google's APIs answer: JSON with their headers, and their envelopes of errors.

Source: AIP-193 (errors with google.rpc.ErrorInfo); recorded and quoted answers, see docs/fidelity.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from werkzeug import Response

_HEADERS = {"Server": "ESF", "Vary": "Origin, X-Origin, Referer", "Cache-Control": "private"}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
RPC_CODE = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "FAILED_PRECONDITION": 9,
    "UNAUTHENTICATED": 16,
}
_TYPE = "type.googleapis.com/google.rpc."


def json_answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    answer = Response(json.dumps(body, indent=2), status=status, content_type="application/json; charset=UTF-8")
    answer.headers.update({**_HEADERS, **(headers or {})})
    return answer


class RefusalError(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {body}")
        self.code = code
        self.body = body
        self.headers = headers or {}

    @property
    def reason(self) -> str:
        """Its name, for the journal."""
        error = self.body["error"]
        return str(error if isinstance(error, str) else error.get("status") or error["errors"][0]["reason"])

    def response(self) -> Response:
        """The refusal as an HTTP answer."""
        return json_answer(self.code, self.body, self.headers)


def refusal(code: int, message: str, *, status: str = "", details: Sequence[Any] = ()) -> RefusalError:
    """A refusal in the APIs' envelope; the status goes with the code unless it is given."""
    error: dict[str, Any] = {"code": code, "message": message, "status": status or _STATUS[code]}
    if details:
        error["details"] = list(details)
    return RefusalError(code, {"error": error})


def compute_refusal(code: int, message: str, reason: str) -> RefusalError:
    """A refusal of Compute Engine, which has an older envelope."""
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return RefusalError(code, {"error": {"code": code, "message": message, "errors": errors}})


def token_refusal(error: str, description: str, code: int = 400) -> RefusalError:
    """A refusal of the Security Token Service: RFC 6749's form."""
    return RefusalError(code, {"error": error, "error_description": description})


def error_info(reason: str, domain: str, **metadata: str) -> dict[str, Any]:
    """A machine-readable reason."""
    return {"@type": f"{_TYPE}ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata}


def precondition(kind: str, subject: str, description: str) -> dict[str, Any]:
    """A violation of a rule of the owner's."""
    violation = {"type": kind, "subject": subject, "description": description}
    kept = {name: value for name, value in violation.items() if value}
    return {"@type": f"{_TYPE}PreconditionFailure", "violations": [kept]}


def denied(permission: str, resource: str) -> RefusalError:
    """403 for a permission that is missing, and for a resource that is not there."""
    service = permission.partition(".")[0]
    if service == "iam":
        text = f"Permission '{permission}' denied on resource (or it may not exist)."
        return refusal(
            403, text, details=[error_info("IAM_PERMISSION_DENIED", "iam.googleapis.com", permission=permission)]
        )
    host = {"resourcemanager": "cloudresourcemanager", "serviceusage": "serviceusage"}.get(service, service)
    text = f"Permission '{permission}' denied on resource '//{host}.googleapis.com/{resource}' (or it may not exist)."
    info = error_info("IAM_PERMISSION_DENIED", f"{host}.googleapis.com", permission=permission, resource=resource)
    return refusal(403, text, details=[info])


def service_disabled(title: str, service: str, number: str) -> RefusalError:
    """403 for an API that is not enabled in the project on whose account it is called."""
    url = f"https://console.developers.google.com/apis/api/{service}/overview?project={number}"
    text = (
        f"{title} has not been used in project {number} before or it is disabled. Enable it by visiting {url} then "
        "retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and "
        "retry."
    )
    info = error_info("SERVICE_DISABLED", "googleapis.com", service=service, consumer=f"projects/{number}")
    links = [{"description": "Google developers console API activation", "url": url}]
    return refusal(403, text, details=[info, {"@type": f"{_TYPE}Help", "links": links}])


def billing_disabled(service: str, number: str) -> RefusalError:
    """403 for a call to an API that is enabled in a project that nobody pays for any more."""
    url = f"https://console.developers.google.com/billing/enable?project={number}"
    text = (
        f"This API method requires billing to be enabled. Please enable billing on project #{number} by visiting {url} "
        "then retry."
    )
    info = error_info("BILLING_DISABLED", "googleapis.com", service=service, consumer=f"projects/{number}")
    return refusal(403, text, status="PERMISSION_DENIED", details=[info])


def outside_perimeter(service: str, number: str, identifier: str) -> RefusalError:
    """403 of VPC Service Controls."""
    text = f"Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: {identifier}"
    info = error_info(
        "SECURITY_POLICY_VIOLATED", "googleapis.com", service=service, uid=identifier, consumer=f"projects/{number}"
    )
    return refusal(403, text, details=[precondition("VPC_SERVICE_CONTROLS", "", identifier), info])


def not_permitted_customer(resource: str, member: str) -> RefusalError:
    """400 of the organization policy `iam.allowedPolicyMemberDomains`."""
    name = member.partition(":")[2]
    violation = precondition(
        "constraints/iam.allowedPolicyMemberDomains",
        f"orgpolicy:{resource}?configvalue={name}",
        f"User {name} is not in permitted organization.",
    )
    text = "One or more users named in the policy do not belong to a permitted customer."
    return refusal(400, text, status="FAILED_PRECONDITION", details=[violation])


def not_permitted_issuer(pool: str, issuer: str) -> RefusalError:
    """400 of the organization policy `iam.workloadIdentityPoolProviders`."""
    constraint = "constraints/iam.workloadIdentityPoolProviders"
    violation = precondition(constraint, f"orgpolicy:{pool}", f"{issuer} is not in the allowed values.")
    text = f"Org Policy violated for value: '{issuer}'. Constraint {constraint} is violated."
    return refusal(400, text, status="FAILED_PRECONDITION", details=[violation])


def billing_missing(number: str, services: Sequence[str]) -> RefusalError:
    """400 for an API that costs money, in a project that nobody pays for."""
    named = ",".join(services)
    text = (
        f"Billing account for project '{number}' is not found. Billing must be enabled for activation of service(s) "
        f"'{named}' to proceed."
    )
    info = error_info("UREQ_PROJECT_BILLING_NOT_FOUND", "serviceusage.googleapis.com", project=number, services=named)
    violation = precondition("googleapis.com/billing-enabled", number, "billing-enabled")
    return refusal(400, text, status="FAILED_PRECONDITION", details=[violation, info])
