"""Entries of the audit log about projects, as Pub/Sub pushes them.

The versions of Resource Manager write them differently: `methodName` is `CreateProject` in v1 and has a prefix in v3,
of which two are known; v1 tells the project's number, v3 not always; only v3 has a block `operation`, perhaps two
entries for one call. So the method is told by its end, and the project is taken from wherever it stands.
Source: Google Cloud, "Receive push messages", "Audit logs for Resource Manager", LogEntry v2 and AuditLog v1; that
a call which failed has a `status.code`: google.rpc.Status.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from shared.application.accept_project_event import ProjectMethod, ProjectSignal
from shared.application.refusals import UNREADABLE_PUSH

MOST_BYTES = 1024 * 1024
"""An entry of the audit log has 512 KiB at most, in Base64 two thirds of this. Source: Cloud Logging, "Quotas"."""

SERVICE = "cloudresourcemanager.googleapis.com"
_METHOD = re.compile(rf"(?:^|\.)({'|'.join(ProjectMethod)})$")
_NUMBER = re.compile(r"[0-9]{1,20}")
_ID = re.compile(r"[a-z][a-z0-9.:-]{0,98}[a-z0-9]")  # some have the domain of their organization in front
_PAYLOADS = ("protoPayload", "jsonPayload", "textPayload")
_MOMENT = TypeAdapter(AwareDatetime)
JsonObject = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A push that asks nothing of us, and why."""

    reason: str


def read_push(body: bytes) -> ProjectSignal | Ignored:
    """What a push says. Raises PermanentError where it can never be read."""
    if len(body) > MOST_BYTES:
        raise UNREADABLE_PUSH.error(f"the push has {len(body)} bytes, and no entry of the audit log so many")
    message = _part(_object(body, "the push"), "message")
    data = message.get("data")
    if not isinstance(data, str) or not data:
        raise UNREADABLE_PUSH.error("the push has no message with data")
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError as error:
        raise UNREADABLE_PUSH.error("the message's data is not Base64") from error
    return _read_entry(_object(content, "the message's data"), message)


def _read_entry(entry: JsonObject, message: JsonObject) -> ProjectSignal | Ignored:
    if not any(name in entry for name in _PAYLOADS):
        raise UNREADABLE_PUSH.error("the message's data is no entry of a log")
    payload = _part(entry, "protoPayload")
    service, name = _text(payload, "serviceName"), _text(payload, "methodName")
    method = _METHOD.search(name)
    if method is None or service not in {"", SERVICE}:
        return Ignored(reason=f"{_shown(service)} {_shown(name)} is nothing that we act on")
    code = _part(payload, "status").get("code")
    if code:
        return Ignored(reason=f"{method[1]} failed with code {_shown(str(code))} and changed nothing")
    number, project = _names(entry, payload)
    if not number and not project:
        raise UNREADABLE_PUSH.error(f"{method[1]} names no project")
    insert_id = _text(entry, "insertId") or _text(message, "messageId") or _text(message, "message_id")
    if not insert_id:
        raise UNREADABLE_PUSH.error("neither the entry nor the message has an id")
    return ProjectSignal(
        project=number or project,
        number=number,
        method=ProjectMethod(method[1]),
        insert_id=insert_id,
        occurred_at=_time(entry, message),
    )


def _names(entry: JsonObject, payload: JsonObject) -> tuple[str, str]:
    """The project's number and id, each empty where the entry does not tell it."""
    found = list(_candidates(entry, payload))
    number = next((each for each in found if _NUMBER.fullmatch(each)), "")
    return number, next((each for each in found if _ID.fullmatch(each)), "")


def _candidates(entry: JsonObject, payload: JsonObject) -> Iterator[str]:
    """Where a number or an id may stand; what is most certainly about the project itself comes first.

    A v1 project's own `name` is what people call it, a v3 project's is `projects/<number>`.
    """
    request, response = _part(payload, "request"), _part(payload, "response")
    for place in (_part(request, "project"), response, request):
        yield str(place.get("projectNumber", ""))
        yield _text(place, "projectId")
        yield _resource(_text(place, "name"))
    yield _resource(_text(payload, "resourceName"))
    yield _text(_part(_part(entry, "resource"), "labels"), "project_id")
    yield _resource(_text(entry, "logName").partition("/logs/")[0])


def _resource(name: str) -> str:
    return re.sub(rf"^(//{SERVICE}/)?projects/", "", name) if "projects/" in name else ""


def _time(entry: JsonObject, message: JsonObject) -> datetime:
    """When it happened, or else when somebody heard of it."""
    places = [(entry, "timestamp"), (entry, "receiveTimestamp"), (message, "publishTime"), (message, "publish_time")]
    for place, name in places:
        try:
            return _MOMENT.validate_python(_text(place, name))
        except ValidationError:
            continue
    raise UNREADABLE_PUSH.error("neither the entry nor the message has a time")


def _object(content: bytes, what: str) -> JsonObject:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UNREADABLE_PUSH.error(f"{what} is not JSON") from error
    if not isinstance(found, dict):
        raise UNREADABLE_PUSH.error(f"{what} is no JSON object")
    return found


def _part(whole: JsonObject, name: str) -> JsonObject:
    """The object of that name; an empty one where there is none."""
    found = whole.get(name)
    return found if isinstance(found, dict) else {}


def _text(whole: JsonObject, name: str) -> str:
    """The text of that name; empty where there is none."""
    found = whole.get(name)
    return found if isinstance(found, str) else ""


def _shown(text: str) -> str:
    """What may stand in a log."""
    return re.sub(r"[^\w./:-]", "?", text[:100], flags=re.ASCII) or "something unnamed"
