"""No log line has a person's address: neither of events that bring one, nor of what cannot be read.

The same addresses are put everywhere where a cloud may write one, and every line of every logger is looked through.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from functions.push_entry import answer
from functions.queue_entry import handle_request
from functions.replay_entry import answer as answer_replay
from functions.slice_entry import handle_message
from lambdas.batch import logged, run_batch
from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.reconcile_events import read_reconcile_event
from shared.adapters.aws.stack_events import read_stack_event
from shared.application.deploy_accounts import deploy_accounts
from shared.application.report_instance import report_instances
from shared.application.sweep_store import find_latest
from shared.domain.policy import Policy
from shared.errors import PermanentError
from tests.fakes.gcp_intake import GcpSide, pushed, wrapped
from tests.fakes.sweep_store import FakeDocuments
from tests.fixtures.read import loaded, request
from tests.unit.conftest import AwsSide, AzureSide

PERSON = "jane.doe@example.com"
EVENTS = Path(__file__).parents[1] / "fixtures" / "events"
GCP_EVENTS = Path(__file__).parents[1] / "fixtures" / "gcp" / "events"
AWS_NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))
GCP_NAMES = sorted(path.stem for path in GCP_EVENTS.glob("*.json") if "example.com" in path.read_text(encoding="utf-8"))
CALLER = {
    "type": "AssumedRole",
    "principalId": f"AROAEXAMPLE:{PERSON}",
    "arn": f"arn:aws:sts::111122223333:assumed-role/Admin/{PERSON}",
    "userName": PERSON,
}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """All that was logged, at any level, with every field and traceback."""
    formatter = logging.Formatter()

    def everything() -> str:
        return "\n".join(f"{formatter.format(line)} {line.__dict__}" for line in caplog.records)

    with caplog.at_level(logging.DEBUG):
        yield everything


def with_a_person(event: dict[str, Any]) -> dict[str, Any]:
    """The event as CloudTrail writes it of a person who signed in by SSO, with the e-mail address of the account."""
    detail = event["detail"] | {"userIdentity": CALLER}
    asked = detail.get("requestParameters")
    detail["requestParameters"] = (asked or {}) | {"email": PERSON, "accountName": PERSON}
    return event | {"detail": detail}


def in_every_place_of_an_id(value: Any) -> Any:
    """The same document with a person's address wherever an account, or anything about one, is named."""
    if isinstance(value, dict):
        return {
            key: PERSON if isinstance(each, str) and key.lower() in PLACES else in_every_place_of_an_id(each)
            for key, each in value.items()
        }
    return [in_every_place_of_an_id(each) for each in value] if isinstance(value, list) else value


PLACES = {"accountid", "stack-id", "resourceid", "childid", "run", "after", "attempt", "firsttriedat", "failedsince"}


def handled(aws: AwsSide, body: str) -> None:
    """Brings an event to both functions that take batches, and to the reader of the third."""
    record = {"messageId": "m1", "body": body, "eventSource": "aws:sqs"}
    run_batch([record], read_account_event, lambda signals: deploy_accounts(signals, aws.deploy))
    run_batch([record], read_stack_event, lambda signals: report_instances(signals, aws.report))
    with contextlib.suppress(PermanentError), logged("m1"):
        read_reconcile_event(body)


@pytest.mark.parametrize("name", AWS_NAMES)
def test_an_event_of_aws_with_a_person_in_it_leaves_no_address_in_the_log(
    name: str, aws: AwsSide, log: Callable[[], str]
) -> None:
    event = with_a_person(loaded(f"events/{name}.json"))
    handled(aws, json.dumps(event))
    handled(aws, json.dumps(in_every_place_of_an_id(event)))
    assert "m1" in log()
    assert PERSON not in log()


@pytest.mark.parametrize("body", [PERSON, json.dumps(PERSON), json.dumps({"id": PERSON, "time": PERSON})])
def test_what_is_no_event_is_not_quoted(body: str, aws: AwsSide, log: Callable[[], str]) -> None:
    handled(aws, body)
    assert "event_failed" in log()
    assert PERSON not in log()


@pytest.mark.parametrize("name", GCP_NAMES)
def test_a_push_of_gcp_with_its_caller_leaves_no_address_in_the_log(
    name: str, policy: Policy, log: Callable[[], str]
) -> None:
    said = (GCP_EVENTS / f"{name}.json").read_text(encoding="utf-8")
    assert "creator@example.com" in said
    world = GcpSide(policy)
    answer(pushed(name), lambda: world.ports)
    answer(wrapped(json.dumps(in_every_place_of_an_id(json.loads(said))).encode()), lambda: world.ports)
    assert "push_handled" in log()
    assert "example.com" not in log()


def test_a_request_whose_account_has_the_name_and_the_tags_of_a_person_is_told_by_its_id(
    azure: AzureSide, log: Callable[[], str]
) -> None:
    asked = request()
    data = asked.data.model_copy(update={"name": PERSON, "tags": {"owner": PERSON}})
    handle_request(asked.model_copy(update={"data": data}).to_json().encode(), 1, azure.ports)
    assert "request_handled" in log()
    assert asked.data.hierarchy_identifier in log()
    assert PERSON not in log()


BROKEN: Mapping[str, bytes] = {
    "no JSON": PERSON.encode(),
    "a wrong provider": request().to_json().replace('"aws"', json.dumps(PERSON)).encode(),
    "a wrong account": request().to_json().replace(request().data.hierarchy_identifier, PERSON).encode(),
    "another form": json.dumps({"schema": PERSON, "data": PERSON}).encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_message_that_is_no_request_is_not_quoted(name: str, azure: AzureSide, log: Callable[[], str]) -> None:
    handle_request(BROKEN[name], 1, azure.ports)
    assert "request_unreadable" in log()
    assert PERSON not in log()


def test_neither_is_a_slice_nor_a_report_that_cannot_be_read(log: Callable[[], str]) -> None:
    ports: Any = None  # nothing is asked of them
    for body in (
        PERSON,
        json.dumps({"schema": PERSON}),
        json.dumps({"schema": "sweep-slice/1", "run": PERSON, "slice": PERSON, "asked_at": PERSON}),
        json.dumps({"schema": "sweep-notice/1", "run": PERSON, "receiver": PERSON, "asked_at": PERSON}),
    ):
        handle_message(body.encode(), 1, ports, lambda: ports)
    documents = FakeDocuments()
    documents.put("latest.json", json.dumps({"run": PERSON, "findings": PERSON}).encode())
    assert find_latest(documents)[0] is None
    assert "slice_unreadable" in log()
    assert "latest_unreadable" in log()
    assert PERSON not in log()


def test_nor_is_an_order_over_http_that_is_none(log: Callable[[], str]) -> None:
    ports: Any = None
    body = json.dumps({"action": PERSON, "reason": PERSON}).encode()
    found = answer_replay(func.HttpRequest("POST", "https://app.example/api/replay", body=body), ports)
    assert found.status_code == 400
    assert PERSON not in log()
    assert PERSON.encode() not in found.get_body()
