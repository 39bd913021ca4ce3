"""Azure's failures in our three classes, by status and code.

Text is matched in one place only, for the envelope of the Security resource provider, which has no code.
Source: exchanges recorded with Microsoft.Security/securityConnectors 2023-10-01-preview (Azure/azure-powershell,
Security.Autorest) for the envelope and the two texts about identities; the text about roles is quoted by users.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError

_NOT_READY_TEXTS = (
    "identity provider is missing from aws account",
    "there is a problem with authenticating to your gcp project",
    "iam role",
)
_TRANSIENT_STATUS = frozenset({408, 425, 429})
_WRONG_PLACE_CODES = frozenset({"resourcegroupnotfound", "subscriptionnotfound", "invalidsubscriptionid"})
_TOKEN_CODES = frozenset({"expiredauthenticationtoken", "invalidauthenticationtoken"})


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a failed answer says, whatever envelope it came in. Unknown parts are empty."""

    status: int
    code: str
    message: str
    correlation_id: str


def read_failure(error: HttpResponseError) -> Failure:
    """Reads any of Azure's error envelopes; never fails on an unknown one."""
    response = error.response
    status = error.status_code or 0
    text = response.text() if response is not None else ""
    headers = _headers(error)
    fields = _lowered(text)
    inner = fields.get("error")
    if isinstance(inner, dict):
        fields = {key.lower(): value for key, value in inner.items()}
    code = fields.get("code") or fields.get("errorcode") or headers.get("x-ms-error-code") or ""
    message = fields.get("message") or fields.get("errormessage") or text[:1000] or error.message
    correlation = fields.get("errorcorrelation") or headers.get("x-ms-correlation-request-id") or ""
    return Failure(status=status, code=str(code), message=str(message), correlation_id=str(correlation))


def _headers(error: HttpResponseError) -> Mapping[str, str]:
    return cast("Mapping[str, str]", getattr(error.response, "headers", {}))


def _lowered(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return {str(key).lower(): value for key, value in body.items()} if isinstance(body, dict) else {}


def translate(error: AzureError, doing: str) -> RollcallError:
    """The error of ours that stands for `error`; `doing` says what was tried, in words for people."""
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return TransientError(f"{doing}: no answer ({type(error).__name__})")
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _by_status(error, doing)
    if isinstance(error, ClientAuthenticationError) and "AADSTS7002" in str(error.message):
        return TransientError(
            f"{doing}: Entra finds no matching federated credential",
            remedy="Compare issuer, subject and audience; a credential just made needs some minutes.",
        )
    return ConfigurationError(
        f"{doing}: no token ({str(error.message).splitlines()[0][:300]})",
        setting="the managed identity or federated credential",
    )


def _by_status(error: HttpResponseError, doing: str) -> RollcallError:
    failure = read_failure(error)
    code = failure.code.lower()
    said = f"{doing}: {failure.status} {failure.code} {failure.message}".replace("  ", " ")
    if failure.correlation_id:
        said = f"{said} [correlation {failure.correlation_id}]"
    if failure.status in _TRANSIENT_STATUS or failure.status >= 500 or code in _TOKEN_CODES:
        return TransientError(said, retry_after_seconds=_retry_after(error))
    if failure.status == 400 and not code and _not_ready(failure.message):
        return TransientError(said, remedy="Check the stack instance: its identity provider and roles.")
    if failure.status in {401, 403} and code != "requestdisallowedbypolicy":
        return ConfigurationError(said, setting="the role assignments of this identity")
    if failure.status == 404 and code in _WRONG_PLACE_CODES:
        return ConfigurationError(said, setting="target in the policy")
    if code == "missingsubscriptionregistration":
        return ConfigurationError(
            said, setting="the subscription", remedy="Register the resource provider Microsoft.Security."
        )
    return PermanentError(said, remedy="Read the message; correct the cause, then replay the request.")


def _not_ready(message: str) -> bool:
    lowered = message.lower()
    return any(text in lowered for text in _NOT_READY_TEXTS)


def _retry_after(error: HttpResponseError) -> float | None:
    value = _headers(error).get("Retry-After")
    try:
        return float(value) if value else None
    except ValueError:
        return None


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Lets only our errors out of a block that speaks with Azure."""
    try:
        yield
    except AzureError as error:
        raise translate(error, doing) from error
