"""Azure's failures in our three classes: what an answer says, and what the table of refusals makes of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
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

from shared.adapters.azure import reasons
from shared.adapters.azure.policy_denial import denying_policies
from shared.adapters.azure.refusals import diagnose, diagnose_token
from shared.adapters.shapes import SHAPE_ERRORS, P, R, misread, reads_answers
from shared.errors import RollcallError

_WAIT_IN_TEXT = re.compile(r"try again after '(\d+)' seconds", re.IGNORECASE)
_LONGEST_MESSAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a failed answer says, whatever envelope it came in. Unknown parts are empty.

    An answer without code and JSON is not `legible`: it may be a proxy's own page. `detail` is the last of its details:
    Resource Graph says there alone what is wrong with a query.
    """

    status: int
    code: str
    message: str
    correlation_id: str
    policies: tuple[str, ...] = ()
    detail: str = ""
    legible: bool = True


def read_failure(error: HttpResponseError) -> Failure:
    """Reads any of Azure's error envelopes; never fails on an unknown one.

    Known are Resource Manager's `{error: {code, message}}`, the connectors' `{statusCode, errorMessage}`,
    Security's `{HttpStatusCode, ErrorCode, Message}`, bare and capitalised `{code, message}`, the tables'
    `{odata.error: …}`, Storage's XML, Entra's `{error, error_description}` and plain text.
    """
    response = error.response
    text = _text(response) if response is not None else ""
    headers = _headers(error)
    fields = _fields(text)
    code = fields.get("code") or fields.get("errorcode") or headers.get("x-ms-error-code") or ""
    message = fields.get("message") or fields.get("errormessage") or fields.get("error_description") or text
    if isinstance(message, dict):
        message = message.get("value") or text
    correlation = fields.get("errorcorrelation") or headers.get("x-ms-correlation-request-id") or ""
    said = str(message) or error.message
    return Failure(
        status=error.status_code or 0,
        code=str(code),
        message=said[:_LONGEST_MESSAGE],
        correlation_id=str(correlation),
        policies=denying_policies(fields, said),
        detail=_detail(fields)[:_LONGEST_MESSAGE],
        legible=bool(code) or _is_json(text),
    )


def _text(response: Any) -> str:
    """The answer's text, whatever encoding it says it has."""
    try:
        return str(response.text())
    except (UnicodeError, LookupError):
        content = response.body() if callable(getattr(response, "body", None)) else response.content
        return bytes(content).decode("utf-8", errors="replace")


def _detail(fields: Mapping[str, Any]) -> str:
    """Source: Microsoft.ResourceGraph/resources, whose `BadRequest` has the parser's own code and words last."""
    details = fields.get("details")
    last = details[-1] if isinstance(details, list) and details else None
    if not isinstance(last, dict) or str(fields.get("code")) != "BadRequest":
        return ""
    return f"{last.get('code', '')}: {last.get('message', '')}"


def names_no_resource(error: HttpResponseError) -> bool:
    """Whether the service itself says that the thing asked for, and not its container, is missing."""
    return read_failure(error).code in {"ResourceNotFound", "NotFound", "EntityNotFound"}


def _headers(error: HttpResponseError) -> Mapping[str, str]:
    return cast("Mapping[str, str]", getattr(error.response, "headers", {}))


def _fields(text: str) -> dict[str, Any]:
    """The error's own fields, out of their envelope, keys in lower case."""
    if text.lstrip("\ufeff \r\n").startswith("<"):
        return {name.lower(): value for name, value in re.findall(r"<(Code|Message)>(.*?)</\1>", text, re.DOTALL)}
    body = _lowered(text)
    inner = body.get("error") or body.get("odata.error")
    return {str(key).lower(): value for key, value in inner.items()} if isinstance(inner, dict) else body


def _is_json(text: str) -> bool:
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def _lowered(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return {}
    return {str(key).lower(): value for key, value in body.items()} if isinstance(body, dict) else {}


def translate(error: AzureError, doing: str) -> RollcallError:
    """The error of ours that stands for `error`; `doing` says what was tried, in words for people."""
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return reasons.NO_ANSWER.error(f"{doing}: no answer ({type(error).__name__})")
    if isinstance(error, HttpResponseError) and error.response is not None and not _is_about_a_token(error):
        return _refusal(error, doing)
    status = (error.status_code or 0) if isinstance(error, HttpResponseError) else 0
    said = (str(error.message).splitlines() or [""])[0][:300]
    diagnosis = diagnose_token(status, str(error.message))
    return diagnosis.error(f"{doing}: no token ({said})", retry_after_seconds=_retry_after(error))


def _is_about_a_token(error: HttpResponseError) -> bool:
    """Whether it was raised by a credential, on Entra's answer, and not by the service that was asked.

    Source: azure-identity 1.27 `aad_client_base._raise_for_error`, the wording of its messages.
    """
    said = str(error.message)
    return isinstance(error, ClientAuthenticationError) and ("AADSTS" in said or "Microsoft Entra ID" in said)


def _refusal(error: HttpResponseError, doing: str) -> RollcallError:
    failure = read_failure(error)
    diagnosis = diagnose(failure.status, failure.code, failure.message, legible=failure.legible)
    if diagnosis is reasons.UNREADABLE_ANSWER:
        said = f"{failure.status}, {type(error).__name__}"
        return diagnosis.error(f"{doing}: an answer that breaks off or cannot be read ({said})")
    said = f"{doing}: {failure.status} {failure.code} {failure.message}".replace("  ", " ")
    if failure.detail:
        said = f"{said} ({failure.detail})"
    if failure.correlation_id:
        said = f"{said} [correlation {failure.correlation_id}]"
    wait = _retry_after(error)
    if wait is None and (asked := _WAIT_IN_TEXT.search(failure.message)):
        wait = float(asked[1])
    remedy = ""
    if diagnosis is reasons.POLICY_DENIED and failure.policies:
        named = ", ".join(failure.policies)
        remedy = f"Exempt the connectors' resource group from Azure Policy {named}, then replay."
    return diagnosis.error(said, retry_after_seconds=wait, remedy=remedy)


def _retry_after(error: AzureError) -> float | None:
    """Seconds, of the header `Retry-After`; None where it is missing or a date."""
    value = _headers(error).get("Retry-After") if isinstance(error, HttpResponseError) else None
    try:
        seconds = float(value) if value else math.nan
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Lets only our errors out of a block that speaks with Azure and takes its answers apart."""
    try:
        yield
    except AzureError as error:
        raise translate(error, doing) from error
    except SHAPE_ERRORS as error:
        raise misread(error, doing, reasons.UNREADABLE_ANSWER) from error


def reads_azure(method: Callable[P, R]) -> Callable[P, R]:
    """A method that takes answers of Azure apart."""
    return reads_answers(reasons.UNREADABLE_ANSWER)(method)
