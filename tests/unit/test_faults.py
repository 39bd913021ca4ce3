"""Planted faults strike whom they name and as often as they say; holds stop one request until they are released."""

from __future__ import annotations

import threading
import time

import pytest
from pydantic import ValidationError

from sandbox.faults import Fault, FaultKind, Faults, Hold, RequestFacts, spoilt
from sandbox.serving import ConnectionDroppedError

PUT = RequestFacts(
    service="arm",
    operation="PutSecurityConnector",
    identity="rollcall-functions",
    client="functions-1",
    path="/c/aws-012345678901?v=1",
)


@pytest.fixture
def faults() -> Faults:
    return Faults()


def struck(faults: Faults, facts: RequestFacts = PUT) -> bool:
    return faults.meet(facts).fault is not None


def test_a_fault_strikes_once_unless_it_says_how_often(faults: Faults) -> None:
    faults.plant(Fault(service="arm", kind=FaultKind.ERROR))
    assert [struck(faults) for _ in range(3)] == [True, False, False]
    faults.plant(Fault(service="arm", kind=FaultKind.ERROR, count=2))
    assert [struck(faults) for _ in range(3)] == [True, True, False]
    assert [each["struck"] for each in faults.planted()] == [1, 2]


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        ({"service": "arm"}, True),
        ({"service": "a*", "operation": "Put*", "identity": "rollcall-*"}, True),
        ({"service": "queue"}, False),
        ({"service": "arm", "operation": "GetSecurityConnector"}, False),
        ({"service": "arm", "operation": "putSecurityConnector"}, False),
        ({"service": "arm", "identity": "operator"}, False),
        ({"service": "arm", "path": "*/aws-012345678901?*"}, True),
        ({"service": "arm", "path": "*/aws-012345678902?*"}, False),
    ],
)
def test_a_fault_strikes_only_what_it_names(faults: Faults, selection: dict[str, str], meant: bool) -> None:
    faults.plant(Fault(kind=FaultKind.RESET, **selection))
    assert struck(faults) is meant


def test_a_rate_strikes_about_so_often_and_the_same_seed_the_same_requests() -> None:
    def series(seed: int) -> list[bool]:
        faults = Faults()
        faults.plant(Fault(service="arm", kind=FaultKind.ERROR, rate=0.3, seed=seed))
        return [struck(faults) for _ in range(400)]

    assert series(7) == series(7)
    assert series(7) != series(8)
    assert 80 < sum(series(7)) < 160


def test_cleared_faults_strike_no_more(faults: Faults) -> None:
    faults.plant(Fault(service="*", kind=FaultKind.ERROR, count=9))
    faults.clear()
    assert not struck(faults)
    assert faults.planted() == []


@pytest.mark.parametrize(
    "document",
    [
        {"service": "arm", "kind": "explode"},
        {"service": "arm", "kind": "error", "count": 1, "rate": 0.5},
        {"service": "arm", "kind": "error", "count": 0},
        {"service": "arm", "kind": "error", "times": 3},
        {"kind": "error"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fault.model_validate(document)


@pytest.mark.parametrize(
    ("kind", "effects", "outcome"),
    [
        (FaultKind.THROTTLE, 0, FaultKind.THROTTLE),
        (FaultKind.ERROR, 0, FaultKind.ERROR),
        (FaultKind.TIMEOUT, 0, ConnectionDroppedError),
        (FaultKind.RESET, 0, ConnectionDroppedError),
        (FaultKind.LATENCY, 1, None),
        (FaultKind.REPLY_LOST, 1, ConnectionDroppedError),
        (FaultKind.WRONG_CONTENT_TYPE, 1, FaultKind.WRONG_CONTENT_TYPE),
        (FaultKind.EMPTY_BODY, 1, FaultKind.EMPTY_BODY),
    ],
)
def test_each_kind_lets_the_request_take_effect_or_not(
    faults: Faults, kind: FaultKind, effects: int, outcome: object
) -> None:
    faults.plant(Fault(service="arm", kind=kind, seconds=0.01))
    encounter, happened, result = faults.meet(PUT), 0, None
    try:
        refusal = encounter.before()
        if refusal is not None:
            result = refusal.kind
        else:
            happened += 1
            result = encounter.after()
    except ConnectionDroppedError:
        assert outcome is ConnectionDroppedError
    else:
        assert result is outcome
    assert happened == effects


def test_latency_and_timeout_last_as_long_as_they_say(faults: Faults) -> None:
    for kind in (FaultKind.LATENCY, FaultKind.TIMEOUT):
        faults.plant(Fault(service="arm", kind=kind, seconds=0.1))
        started = time.monotonic()
        try:
            faults.meet(PUT).before()
        except ConnectionDroppedError:
            assert kind is FaultKind.TIMEOUT
        assert time.monotonic() - started >= 0.1


def test_a_spoilt_answer_is_a_page_of_a_proxy_or_nothing() -> None:
    headers = [("Content-Type", "application/json"), ("Content-Length", "9"), ("ETag", "1")]
    assert spoilt(FaultKind.EMPTY_BODY, headers) == ([("Content-Type", "application/json"), ("ETag", "1")], b"")
    kept, body = spoilt(FaultKind.WRONG_CONTENT_TYPE, headers)
    assert kept == [("ETag", "1"), ("Content-Type", "text/html; charset=utf-8")]
    assert body.startswith(b"<!DOCTYPE html>")


class Caller(threading.Thread):
    """One request in a thread of its own."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(daemon=True)
        self.faults = faults
        self.passed: list[str] = []
        self.start()

    def run(self) -> None:
        encounter = self.faults.meet(PUT)
        try:
            encounter.before()
            self.passed.append("effect")
            encounter.after()
            self.passed.append("answer")
        except ConnectionDroppedError:
            self.passed.append("dropped")


def wait_until_reached(faults: Faults) -> None:
    deadline = time.monotonic() + 5
    while not any(each["reached"] for each in faults.holds()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("when", "drop", "passed"),
    [
        ("before", False, ["effect", "answer"]),
        ("before", True, ["dropped"]),
        ("after", False, ["effect", "answer"]),
        ("after", True, ["effect", "dropped"]),
    ],
)
def test_a_hold_stops_one_request_until_it_is_released(
    faults: Faults, when: str, drop: bool, passed: list[str]
) -> None:
    faults.hold(Hold.model_validate({"service": "arm", "when": when}))
    held = Caller(faults)
    wait_until_reached(faults)
    [hold] = faults.holds()
    assert (hold["reached"]["identity"], hold["reached"]["client"]) == ("rollcall-functions", "functions-1")
    free = Caller(faults)
    free.join(5)
    assert free.passed == ["effect", "answer"]
    assert held.passed == passed[: passed.index("effect") + 1 if when == "after" else 0]
    faults.release(drop=drop)
    held.join(5)
    assert held.passed == passed
    assert faults.holds() == []


def test_a_hold_may_let_the_first_ones_pass(faults: Faults) -> None:
    faults.hold(Hold(service="arm", when="before", nth=2))
    first = Caller(faults)
    first.join(5)
    assert first.passed == ["effect", "answer"]
    assert faults.holds()[0]["reached"] is None
    second = Caller(faults)
    wait_until_reached(faults)
    faults.release()
    second.join(5)
    assert second.passed == ["effect", "answer"]
