"""Google's failures in our three classes: what an answer says, and what the table of refusals makes of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.adapters.gcp import refusals
from shared.adapters.shapes import P, R, reads_answers
from shared.errors import RollcallError

_LONGEST_MESSAGE = 1000
_VIOLATION = re.compile(r"vpcServiceControlsUniqueIdentifier: ([\w-]+)")
_RPC_CODES = {
    3: (400, "INVALID_ARGUMENT"),
    4: (504, "DEADLINE_EXCEEDED"),
    5: (404, "NOT_FOUND"),
    6: (409, "ALREADY_EXISTS"),
    7: (403, "PERMISSION_DENIED"),
    8: (429, "RESOURCE_EXHAUSTED"),
    9: (400, "FAILED_PRECONDITION"),
    10: (409, "ABORTED"),
    13: (500, "INTERNAL"),
    14: (503, "UNAVAILABLE"),
    16: (401, "UNAUTHENTICATED"),
}
"""Numbers that a finished operation carries. Source: google/rpc/code.proto."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a failed answer says. `names` are all that it may be known by; `facts` what its details add.

    An answer that is no JSON object is not `legible`: it may be a proxy's own page.
    """

    code: int
    message: str
    names: frozenset[str]
    facts: Mapping[str, str]
    legible: bool = True


def read_failure(code: int, text: str) -> Failure:
    """Reads any of Google's error envelopes; never fails on an unknown one.

    Known are `{error: {code, message, status, details, errors}}` of the APIs and `{error, error_description}` of the
    token endpoint.
    """
    body = _object(text)
    error = body.get("error")
    if isinstance(error, str):
        message = str(body.get("error_description", ""))
        return _failure(code, message, {error}, {})
    if not isinstance(error, dict):
        return Failure(
            code=code, message=text[:_LONGEST_MESSAGE], names=frozenset({str(code)}), facts={}, legible=bool(body)
        )
    return _failure(code, str(error.get("message", "")), *_particulars(error))


def text_of(content: bytes) -> str:
    """The text of an answer. Google's is UTF-8, whatever a proxy says it is."""
    return content.decode("utf-8", errors="replace")


def reads_google(method: Callable[P, R]) -> Callable[P, R]:
    """A method that takes answers of Google apart."""
    return reads_answers(refusals.NO_ANSWER)(method)


def failed_operation(error: Mapping[str, Any]) -> Failure:
    """What a finished operation says went wrong: a google.rpc.Status."""
    code, status = _RPC_CODES.get(int(error.get("code", 2)), (500, "UNKNOWN"))
    names, facts = _particulars(error)
    return _failure(code, str(error.get("message", "")), names | {status}, facts)


def failed_compute_operation(operation: Mapping[str, Any]) -> Failure:
    """What a finished operation of Compute Engine says went wrong: a list of codes with messages."""
    errors = [each for each in operation.get("error", {}).get("errors", []) if isinstance(each, dict)]
    said = "; ".join(str(each.get("message", "")) for each in errors)
    names = {str(each.get("code", "")) for each in errors}
    return _failure(int(operation.get("httpErrorStatusCode") or 500), said, names, {})


def _failure(code: int, message: str, names: set[str], facts: Mapping[str, str]) -> Failure:
    known = frozenset({str(code), *names} - {""})
    return Failure(code=code, message=message[:_LONGEST_MESSAGE], names=known, facts=facts)


def _particulars(error: Mapping[str, Any]) -> tuple[set[str], dict[str, str]]:
    names = {str(error.get("status", ""))}
    names |= {str(each.get("reason", "")) for each in _objects(error.get("errors"))}
    facts: dict[str, str] = {}
    for detail in _objects(error.get("details")):
        names.add(str(detail.get("reason", "")))
        names |= {str(each.get("type", "")) for each in _objects(detail.get("violations"))}
        metadata = detail.get("metadata")
        if isinstance(metadata, dict):
            facts |= {str(key): str(value) for key, value in metadata.items()}
    if "permission" in facts:
        names.add(facts["permission"])
    return names, facts


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def refusal(failure: Failure, doing: str, *, retry_after: str | None = None) -> RollcallError:
    """The error of ours that stands for a failed answer; `doing` says what was tried, in words for people."""
    if not failure.legible and failure.code < 500 and failure.code != 429:
        return refusals.NO_ANSWER.error(f"{doing}: {failure.code}, an answer that cannot be read")
    diagnosis = refusals.diagnose(failure.names, failure.message)
    told = failure.message or ", ".join(sorted(failure.names - {str(failure.code)}))
    said = f"{doing}: {failure.code} {told}".strip()
    return diagnosis.error(said, retry_after_seconds=seconds_of(retry_after), remedy=_remedy(failure, diagnosis.key))


def _remedy(failure: Failure, key: str) -> str:
    service, consumer = failure.facts.get("service", ""), failure.facts.get("consumer", "")
    if key == refusals.API_DISABLED.key and service:
        return f"Enable the API {service} in {consumer or 'the project that the message names'}."
    if key == refusals.PERMISSION_DENIED.key and (permission := failure.facts.get("permission")):
        return f"Grant Rollcall's service account a role with {permission}, on the organization."
    if key == refusals.PERIMETER.key and (violation := _violation(failure)):
        named = f"`gcloud logging read '\"{violation}\"' --organization=ORG`"
        return f"{refusals.PERIMETER.remedy} Which perimeter, and who was refused: {named}."
    return ""


def _violation(failure: Failure) -> str:
    """The identifier of a violation of a service perimeter, by which the audit log has it; empty where none is told."""
    found = _VIOLATION.search(failure.message)
    return failure.facts.get("uid") or (found[1] if found else "")


def seconds_of(retry_after: str | None) -> float | None:
    """Seconds of a header `Retry-After`; None where it is missing or a date."""
    try:
        seconds = float(retry_after) if retry_after else math.nan
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None
