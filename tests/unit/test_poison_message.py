"""What lies on the poison queue, in every form that it can have."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from shared.messages.parked_request import ParkedRequest
from shared.messages.poison import PoisonMessage, read_request
from tests.fixtures.read import fixture

AT = datetime(2026, 3, 1, tzinfo=UTC)
REQUEST = fixture("messages/connector-request-1.connect.json").encode()


def encoded(body: bytes) -> str:
    return base64.b64encode(body).decode()


def parked(body: bytes) -> str:
    return encoded(ParkedRequest.of(body, reason="why", remedy="how", at=AT).to_json().encode())


@pytest.mark.parametrize("text", [encoded(REQUEST), REQUEST.decode()], ids=["as sent", "plain"])
def test_a_bare_request_is_one(text: str) -> None:
    found = PoisonMessage.read(text)
    assert (found.body, found.parked, found.reason, found.fault) == (REQUEST, False, "", "")
    assert found.request == read_request(REQUEST)[0]
    assert found.request is not None


def test_a_parked_request_has_its_reason_and_is_the_same_again() -> None:
    found = PoisonMessage.read(parked(REQUEST))
    assert (found.reason, found.remedy, found.parked_at, found.parked) == ("why", "how", AT, True)
    assert found.request == read_request(REQUEST)[0]
    assert json.loads(found.body or b"") == json.loads(REQUEST)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"\xff\xfe", b'{"schema": "connector-request/1"}', b"[" * 100_000, b'{"a": NaN}']
)
def test_what_is_no_request_has_a_fault_and_keeps_its_bytes(body: bytes) -> None:
    for text in (encoded(body), parked(body)):
        found = PoisonMessage.read(text)
        assert found.request is None
        assert found.fault.startswith("not a connector-request/1: ")
        assert len(found.fault) < 1100
        assert found.body is not None
        assert found.body == body or json.loads(found.body) == json.loads(body)


@pytest.mark.parametrize("text", ["no base64 <é>", "", "\ud800", '{"schema": "parked-request/1"}'])
def test_any_text_is_read(text: str) -> None:
    found = PoisonMessage.read(text)
    assert found.body == text.encode("utf-8", "surrogatepass")
    assert found.fault


def test_what_is_kept_apart_says_nothing_until_its_text_is_there() -> None:
    text = encoded(ParkedRequest.apart(REQUEST, reason="why", remedy="how", at=AT).to_json().encode())
    found = PoisonMessage.read(text)
    assert (found.body, found.request, found.fault) == (None, None, "its text is kept apart")
    whole = found.judged(REQUEST)
    assert whole.request == read_request(REQUEST)[0]
    assert (whole.body, whole.reason, whole.fault) == (REQUEST, "why", "")
