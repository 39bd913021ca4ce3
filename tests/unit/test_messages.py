"""The messages between the clouds: golden ones, their schemas, and what becomes of broken ones."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, State
from shared.messages import schemas
from shared.messages.connector_request import Action, ConnectorRequest, message_id_for
from shared.messages.parked_request import ParkedRequest
from tests.fakes.clock import NOON
from tests.fixtures.read import FOLDER, fixture, loaded, request

REQUESTS = sorted(path.name for path in (FOLDER / "messages").glob("connector-request-1.*.json"))
PARKED = sorted(path.name for path in (FOLDER / "messages").glob("parked-request-1.*.json"))
KEY = AccountKey(provider=Provider.AWS, hierarchy_identifier="012345678901")


@st.composite
def requests(draw: st.DrawFn) -> ConnectorRequest:
    aws = draw(st.booleans())
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    moment = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    return ConnectorRequest.model_validate(
        {
            "message_id": draw(st.uuids()),
            "correlation_id": draw(st.text("abc-", min_size=1, max_size=10)),
            "occurred_at": draw(moment),
            "first_enqueued_at": draw(moment),
            "attempt": draw(st.integers(0, 10_000)),
            "delays": draw(st.integers(0, 10_000)),
            "data": {
                "provider": "aws" if aws else "gcp",
                "organization": "o-exampleorg1",
                "hierarchy_identifier": draw(st.from_regex(r"[0-9]{12}" if aws else r"[0-9]{1,20}", fullmatch=True)),
                "name": draw(text),
                "action": draw(st.sampled_from(list(Action))),
                "status": draw(st.sampled_from(list(State))),
                "ou_path": draw(text),
                "tags": draw(st.dictionaries(text, text, max_size=3)),
                "source": draw(text),
                "reason": draw(text),
            },
        }
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_a_golden_request_is_read_and_written_without_a_change(name: str) -> None:
    read = ConnectorRequest.from_json(fixture(f"messages/{name}"))
    assert json.loads(read.to_json()) == loaded(f"messages/{name}")


@pytest.mark.parametrize("name", PARKED)
def test_a_golden_parked_request_is_read_and_written_without_a_change(name: str) -> None:
    read = ParkedRequest.from_json(fixture(f"messages/{name}"))
    assert json.loads(read.to_json()) == loaded(f"messages/{name}")


@pytest.mark.parametrize("name", REQUESTS + PARKED)
def test_a_golden_message_fits_its_committed_schema(name: str) -> None:
    committed = schemas.FOLDER / f"{name.split('.', maxsplit=1)[0]}.schema.json"
    jsonschema.validate(loaded(f"messages/{name}"), json.loads(committed.read_text(encoding="utf-8")))


def test_the_committed_schemas_are_what_the_models_say() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in schemas.FOLDER.iterdir()}
    assert committed == schemas.rendered()


@given(requests())
def test_a_request_survives_writing_and_reading(made: ConnectorRequest) -> None:
    assert ConnectorRequest.from_json(made.to_json()) == made


def test_the_next_attempt_keeps_age_and_identity() -> None:
    first = request()
    again = first.next_attempt(failed=True)
    assert (again.attempt, again.delays) == (first.attempt + 1, first.delays + 1)
    assert again.model_copy(update={"attempt": 0, "delays": 0}) == first


def test_waiting_for_others_is_an_attempt_but_no_delay() -> None:
    again = request(attempt=3, delays=2).next_attempt(failed=False)
    assert (again.attempt, again.delays) == (4, 2)


def test_a_request_of_a_writer_that_counted_no_delays_is_read() -> None:
    body = loaded("messages/connector-request-1.connect.json")
    del body["delays"]
    assert ConnectorRequest.model_validate(body) == request()


def test_a_request_of_a_writer_that_knew_no_remedy_is_read() -> None:
    body = loaded("messages/connector-request-1.note.json")
    del body["data"]["remedy"]
    assert ConnectorRequest.model_validate(body).data.remedy == ""


def test_fields_that_a_later_writer_added_are_no_reason_to_refuse() -> None:
    body = loaded("messages/connector-request-1.connect.json")
    body["data"]["added"] = body["added"] = {"later": True}
    assert ConnectorRequest.model_validate(body) == request()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"schema": "connector-request/2"}, "schema"),
        ({"attempt": -1}, "attempt"),
        ({"occurred_at": "2026-11-20T12:00:00"}, "occurred_at"),
        ({"message_id": "not-a-uuid"}, "message_id"),
        ({"data": {"hierarchy_identifier": "12345678901"}}, "data"),
        ({"data": {"hierarchy_identifier": "12345678901x"}}, "data.hierarchy_identifier"),
        ({"data": {"hierarchy_identifier": 123456789012}}, "data.hierarchy_identifier"),
        ({"data": {"action": "destroy"}}, "data.action"),
        ({"data": {"status": "unknown"}}, "data.status"),
        ({"data": {"organization": ""}}, "data.organization"),
        ({"attempt": 2**31}, "attempt"),
        ({"delays": -1}, "delays"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "1600-12-31T23:59:59Z"}, "occurred_at"),
        ({"first_enqueued_at": "9999-12-31T23:59:59-14:00"}, "first_enqueued_at"),
    ],
)
def test_a_broken_request_is_refused_at_the_field_that_is_wrong(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        request(**changes)
    assert [".".join(map(str, item["loc"])) for item in refused.value.errors()] == [where]


def test_the_same_event_makes_the_same_message_id_and_another_makes_another() -> None:
    made = message_id_for("e1", KEY, Action.CONNECT, State.DEPLOYED)
    assert message_id_for("e1", KEY, Action.CONNECT, State.DEPLOYED) == made
    assert message_id_for("e2", KEY, Action.CONNECT, State.DEPLOYED) != made
    assert message_id_for("e1", KEY, Action.NOTE, State.DEPLOYING) != made


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"null",
        b"",
        b'{"number": NaN}',
        b'{"huge": 1e999}',
        b'{"half": "\\ud800"}',
        b'{"a":' * 250 + b"1" + b"}" * 250,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda body: str(body[:12]),
)
def test_what_json_cannot_carry_is_parked_byte_for_byte(body: bytes) -> None:
    parked = ParkedRequest.of(body, reason="unreadable", remedy="mend it", at=NOON)
    again = ParkedRequest.from_json(parked.to_json())
    assert again.original is None
    assert base64.b64decode(again.raw_base64 or "") == body


@given(st.binary(max_size=60) | st.dictionaries(st.text(max_size=3), st.text(max_size=5)).map(repr).map(str.encode))
def test_whatever_arrives_can_be_parked_and_comes_back(body: bytes) -> None:
    again = ParkedRequest.from_json(ParkedRequest.of(body, reason="r", remedy="r", at=NOON).to_json())
    back = base64.b64decode(again.raw_base64) if again.raw_base64 is not None else json.dumps(again.original).encode()
    assert back == body or json.loads(back) == json.loads(body)


def test_a_request_that_is_parked_stays_legible() -> None:
    parked = ParkedRequest.of(request().to_json().encode(), reason="r", remedy="r", at=NOON + timedelta(hours=1))
    assert parked.raw_base64 is None
    assert ConnectorRequest.model_validate(parked.original) == request()


@pytest.mark.parametrize("changes", [{"original": None}, {"raw_base64": "bm90"}, {"raw_sha256": "0" * 64}])
def test_a_parked_request_has_exactly_one_original(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        ParkedRequest.model_validate(loaded("messages/parked-request-1.original.json") | changes)
