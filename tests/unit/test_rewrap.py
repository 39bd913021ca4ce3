"""What the host gave up is parked before its bare form is deleted; nothing else is touched."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from shared.application.rewrap import Rewrapped, RewrapPorts, rewrap
from shared.domain.ledger import Result, State
from shared.domain.sweeps import Sweep
from shared.errors import ConfigurationError, PermanentError, TransientError
from shared.messages.parked_request import ParkedRequest
from tests.fakes.clock import NOON
from tests.fakes.ledger import FakeSweepLog
from tests.fakes.queues import FakeGivenUpQueue
from tests.fixtures.read import request
from tests.unit.conftest import AzureSide

PARKED = ParkedRequest.of(b"{}", reason="why", remedy="how", at=NOON - timedelta(hours=1)).to_json()
BARE = request().to_json()


def ports_of(azure: AzureSide, *texts: str) -> RewrapPorts:
    poison = FakeGivenUpQueue(azure.clock, *texts)
    return RewrapPorts(
        poison=poison,
        queue=azure.queue,
        parking=azure.ports.parking,
        ledger=azure.ledger,
        sweeps=FakeSweepLog(),
        clock=azure.clock,
    )


def test_bare_messages_are_parked_with_reason_and_remedy(azure: AzureSide, caplog: pytest.LogCaptureFixture) -> None:
    ports = ports_of(azure, PARKED, BARE, "broken <")
    with caplog.at_level(logging.INFO, logger="shared.application.rewrap"):
        assert rewrap(ports) == Rewrapped(seen=3, parked=2, failed=0)
    readable, broken = azure.queue.parked
    assert readable.original == request().model_dump(mode="json", by_alias=True)
    assert "gave it up" in readable.reason
    assert (broken.raw_base64 is not None, broken.reason.startswith("not a connector-request/1")) == (True, True)
    assert list(ports.poison.messages) == ["message-0"]  # type: ignore[attr-defined]  # the fake's
    assert [line.message for line in caplog.records] == ["rewrapped", "rewrapped"]
    [entry] = azure.ledger.history(request().key)
    assert (entry.result, entry.state) == (Result.PARKED, None)
    assert rewrap(ports) == Rewrapped(seen=1, parked=0, failed=0)
    assert ports.sweeps.last == Sweep(name="rewrap_poison", at=NOON, seen=1, failed=0)  # type: ignore[attr-defined]


def test_the_account_stands_as_it_stood(azure: AzureSide) -> None:
    rewrap(ports_of(azure, BARE))
    record = azure.ledger.find(request().key)
    assert record is not None
    assert record.state is State.SEEN


@pytest.mark.parametrize("step", ["park", "remove"])
def test_what_fails_is_left_for_the_next_day_and_others_go_on(azure: AzureSide, step: str) -> None:
    ports = ports_of(azure, BARE, "broken <")
    failures = azure.queue.failures if step == "park" else ports.poison.failures  # type: ignore[attr-defined]
    failures.plan(step, TransientError("busy"))
    assert rewrap(ports) == Rewrapped(seen=2, parked=1, failed=1)
    assert ports.poison.visible == ["message-0"]  # type: ignore[attr-defined]
    assert rewrap(ports).failed == 0
    assert ports.poison.messages == {}  # type: ignore[attr-defined]
    assert len(azure.queue.parked) == (2 if step == "park" else 3)  # twice, and never not at all


def test_one_that_can_never_be_parked_is_left_and_others_go_on(azure: AzureSide) -> None:
    ports = ports_of(azure, BARE, "broken <")
    azure.queue.failures.plan("park", PermanentError("too large"))
    assert rewrap(ports) == Rewrapped(seen=2, parked=1, failed=1)


def test_a_parked_message_that_somebody_moved_does_not_expire(azure: AzureSide) -> None:
    ports = ports_of(azure, PARKED)
    ports.poison.expiring.add("message-0")  # type: ignore[attr-defined]
    assert rewrap(ports) == Rewrapped(seen=1, parked=1, failed=0)
    [again] = azure.queue.parked
    assert (again.original, again.reason, again.remedy) == ({}, "why", "how")
    assert ports.poison.messages == {}  # type: ignore[attr-defined]


def test_a_wrong_deployment_is_raised_and_everything_given_back(azure: AzureSide) -> None:
    ports = ports_of(azure, BARE, BARE)
    azure.queue.failures.plan("park", ConfigurationError("no right", setting="role"))
    with pytest.raises(ConfigurationError):
        rewrap(ports)
    assert len(ports.poison.visible) == 2  # type: ignore[attr-defined]
