"""Every form of an entry about a project: which project it names, and what is ignored or can never be read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.adapters.gcp.project_events import MOST_BYTES, Ignored, read_push
from shared.application.accept_project_event import ProjectMethod, ProjectSignal
from shared.errors import PermanentError
from tests.fakes.gcp_intake import NUMBER, PROJECT_ID, pushed, wrapped
from tests.fixtures.read import fixture, loaded

BY_NUMBER = {
    "create.v1": ProjectMethod.CREATE,
    "create.v1_without_parent": ProjectMethod.CREATE,
    "create.v3_last": ProjectMethod.CREATE,
    "undelete.v3": ProjectMethod.UNDELETE,
    "move.v3": ProjectMethod.MOVE,
    "delete.v3": ProjectMethod.DELETE,
}
BY_ID = {
    "create.v3": ProjectMethod.CREATE,
    "create.v3_other_prefix": ProjectMethod.CREATE,
    "create.v3_first": ProjectMethod.CREATE,
    "undelete.v1": ProjectMethod.UNDELETE,
    "delete.v1": ProjectMethod.DELETE,
}
IGNORED = ["create.failed", "set_iam_policy", "text", "create.another_service"]


def signal(body: bytes) -> ProjectSignal:
    found = read_push(body)
    assert isinstance(found, ProjectSignal), found
    return found


def changed(name: str, **changes: Any) -> bytes:
    """The push of an entry with changed fields; those of the payload are given as `payload={…}`."""
    entry = loaded(f"gcp/events/{name}.json")
    payload = entry["protoPayload"] | changes.pop("payload", {})
    return wrapped(json.dumps(entry | {"protoPayload": payload} | changes).encode())


@pytest.mark.parametrize("name", [*BY_NUMBER, *BY_ID])
def test_an_entry_names_its_project(name: str) -> None:
    found = signal(pushed(name))
    number = NUMBER if name in BY_NUMBER else ""
    assert (found.project, found.number) == (number or PROJECT_ID, number)
    assert found.method is (BY_NUMBER | BY_ID)[name]
    assert found.insert_id == loaded(f"gcp/events/{name}.json")["insertId"]
    assert found.occurred_at.date() == datetime(2026, 11, 20, tzinfo=UTC).date()


def test_the_envelope_as_it_is_documented_is_read() -> None:
    assert signal(fixture("gcp/events/push.json").encode()) == signal(pushed("create.v1"))


@pytest.mark.parametrize("name", IGNORED)
def test_an_entry_that_asks_nothing_of_us_is_ignored(name: str) -> None:
    assert isinstance(read_push(pushed(name)), Ignored)


@pytest.mark.parametrize(
    "name",
    [
        "RecreateProject",
        "google.cloud.resourcemanager.v3.Projects.CreateProjects",
        "createproject",
        "",
        "CreateProject.x",
    ],
)
def test_a_method_is_told_by_its_whole_last_word(name: str) -> None:
    assert isinstance(read_push(changed("create.v1", payload={"methodName": name})), Ignored)


@pytest.mark.parametrize("status", [{}, {"code": 0}, None, {"message": "OK"}, {"details": []}])
def test_an_empty_status_is_a_success(status: Any) -> None:
    assert signal(changed("create.v1", payload={"status": status})).number == NUMBER


def test_what_is_missing_in_an_entry_is_taken_from_elsewhere() -> None:
    entry = loaded("gcp/events/delete.v1.json")
    for gone in ("insertId", "timestamp", "receiveTimestamp", "resource", "logName"):
        del entry[gone]
    for gone in ("request", "status", "serviceName", "authorizationInfo"):
        del entry["protoPayload"][gone]
    found = signal(wrapped(json.dumps(entry).encode()))
    assert (found.project, found.insert_id) == (PROJECT_ID, "11223344556677")
    assert found.occurred_at == datetime(2026, 11, 20, 11, 58, 2, 114000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "entry"),
    [
        ({"resourceName": f"//cloudresourcemanager.googleapis.com/projects/{PROJECT_ID}", "request": {}}, {}),
        ({"resourceName": "", "request": {}}, {}),
        ({"resourceName": "", "request": {}}, {"resource": {}}),
        ({"resourceName": "", "request": {"name": f"projects/{PROJECT_ID}"}}, {"resource": {}, "logName": ""}),
        ({"resourceName": "", "request": None}, {"resource": {"labels": {"project_id": PROJECT_ID}}, "logName": ""}),
    ],
)
def test_the_project_is_found_wherever_it_stands(payload: dict[str, Any], entry: dict[str, Any]) -> None:
    assert signal(changed("delete.v1", payload=payload, **entry)).project == PROJECT_ID


def test_an_id_may_have_the_domain_of_its_organization_in_front() -> None:
    request = {"projectId": "example.com:acme-app-1"}
    assert signal(changed("delete.v1", payload={"request": request})).project == "example.com:acme-app-1"


@pytest.mark.parametrize("name", ["415104041262", "projects/415104041262x", "acme app 1", 'projects/"'])
def test_what_people_call_a_project_is_not_taken_for_its_number(name: str) -> None:
    request = {"project": {"projectId": PROJECT_ID, "name": name}}
    found = signal(changed("create.v1", payload={"request": request}))
    assert (found.project, found.number) == (PROJECT_ID, "")


@pytest.mark.parametrize("text", ["../../../evil", "a/b", "a b", "a?b", "a%2fb", "A", "-", "é", "a\n", "\ud800"])
def test_what_is_no_name_of_a_project_is_not_asked_for(text: str) -> None:
    request = {"projectId": text, "name": f"projects/{text}"}
    with pytest.raises(PermanentError, match="names no project"):
        read_push(
            changed(
                "delete.v1", payload={"request": request, "resourceName": f"projects/{text}"}, resource={}, logName=""
            )
        )


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "a number": b"1",
    "nesting": b"[" * 100_000,
    "a number of many digits": b'{"message": ' + b"1" * 10_000 + b"}",
    "no UTF-8": b'{"message": "\xff\xfe"}',
    "an empty object": b"{}",
    "a message that is none": b'{"message": []}',
    "no data": b'{"message": {"messageId": "1"}}',
    "empty data": b'{"message": {"data": ""}}',
    "data that is none": b'{"message": {"data": {"a": 1}}}',
    "data that is no Base64": b'{"message": {"data": "%%%"}}',
    "data with half a character": b'{"message": {"data": "\\ud800"}}',
    "an entry without its envelope": fixture("gcp/events/create.v1.json").encode(),
    "data that is no JSON": wrapped(b"\x00\x01"),
    "data that is no object": wrapped(b"[1]"),
    "data that is no entry": wrapped(b'{"a": 1}'),
    "nested data": wrapped(b'{"protoPayload": ' + b"[" * 50_000),
    "data in Base64 twice": wrapped(base64.b64encode(fixture("gcp/events/create.v1.json").encode())),
    "a project without a name": pushed("create.nameless"),
    "too large": pushed("create.v1") + b" " * MOST_BYTES,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_can_never_be_read_is_refused_under_its_key(name: str) -> None:
    with pytest.raises(PermanentError) as refusal:
        read_push(BROKEN[name])
    assert refusal.value.key == "unreadable-push"
    assert refusal.value.remedy.endswith("Runbook: unreadable-push.")
    assert len(refusal.value.reason) < 200


def test_an_entry_without_id_or_time_is_refused() -> None:
    bare = loaded("gcp/events/create.v1.json")
    for gone in ("timestamp", "receiveTimestamp"):
        del bare[gone]
    message = {"data": base64.b64encode(json.dumps(bare).encode()).decode()}
    with pytest.raises(PermanentError, match="has a time"):
        read_push(json.dumps({"message": message}).encode())
    del bare["insertId"]
    message["data"] = base64.b64encode(json.dumps(bare).encode()).decode()
    with pytest.raises(PermanentError, match="has an id"):
        read_push(json.dumps({"message": message}).encode())


def test_a_log_is_told_nothing_that_could_be_a_line_of_its_own() -> None:
    found = read_push(changed("create.v1", payload={"methodName": "a\nb\x1b[31m" + "c" * 500}))
    assert isinstance(found, Ignored)
    assert found.reason.isprintable()
    assert len(found.reason) < 300
