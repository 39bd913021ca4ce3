"""A notice that is tried again, comes twice, late, or meets another: told once, and nothing forgotten."""

from __future__ import annotations

import logging

import pytest

from functions.slice_entry import handle_message
from shared.application.notify import MOST_TRIES, Outcome, find_delivery, notify
from shared.errors import ConfigurationError, PermanentError, TransientError
from shared.messages.sweep_notice import SweepNotice
from tests.fakes.clock import NOON
from tests.fakes.notices import TEAMS, WEBHOOK, Told, lose
from tests.fakes.sweep import SweepWorld
from tests.unit.test_sweep import IDS, world

__all__ = ["world"]


@pytest.fixture
def told(world: SweepWorld) -> Told:
    return Told(world)


def test_a_receiver_that_fails_for_a_while_is_tried_again_within_bounds(told: Told) -> None:
    lose(told.world, IDS[0])
    told.sweep()
    busy, slower = TransientError("503"), TransientError("429", retry_after_seconds=77)
    told.notifiers[TEAMS].failures = [busy, busy, slower]
    delays = []
    outcome = Outcome.PUT_OFF
    while outcome is Outcome.PUT_OFF:
        [(message, delay)] = [each for each in told.world.queue.notices if each[0].receiver == TEAMS]
        delays.append(delay)
        told.world.queue.notices.remove((message, delay))
        outcome = notify(message, told.ports)
    assert outcome is Outcome.TOLD
    assert delays == [0, 30, 60, 77]


def test_the_tries_end(told: Told) -> None:
    lose(told.world, IDS[0])
    told.sweep()
    told.notifiers[TEAMS].failures = [TransientError("no answer")] * 50
    assert told.deliver() == [Outcome.PUT_OFF] * (MOST_TRIES - 1) + [Outcome.GIVEN_UP]
    delivery, _ = find_delivery(told.world.documents, TEAMS)
    assert delivery.failing is not None
    assert (delivery.failing.tries, delivery.failing.reason) == (MOST_TRIES, "no answer")


def test_a_wrong_setting_is_not_tried_again(told: Told) -> None:
    lose(told.world, IDS[0])
    told.sweep()
    told.notifiers[TEAMS].failures = [ConfigurationError("no address", setting=TEAMS)]
    assert told.deliver() == [Outcome.GIVEN_UP]
    assert [each[0].receiver for each in told.world.queue.notices] == [WEBHOOK]


def test_an_hour_is_the_longest_that_a_receiver_can_ask_to_wait(told: Told) -> None:
    lose(told.world, IDS[0])
    told.sweep()
    told.notifiers[TEAMS].failures = [TransientError("429", retry_after_seconds=1e9)]
    message = next(each[0] for each in told.world.queue.notices if each[0].receiver == TEAMS)
    told.world.queue.notices.clear()
    assert notify(message, told.ports) is Outcome.PUT_OFF
    assert told.world.queue.notices[0][1] == 3600


def test_the_same_message_twice_tells_once(told: Told) -> None:
    lose(told.world, IDS[0])
    report = told.sweep()
    message = SweepNotice(run=report.run, receiver=TEAMS, asked_at=NOON)
    assert notify(message, told.ports) is Outcome.TOLD
    assert notify(message, told.ports) is Outcome.DROPPED
    assert len(told.notifiers[TEAMS].told) == 1


def two_at_once(told: Told) -> tuple[SweepNotice, SweepNotice]:
    """The messages of two sweeps, of which the receiver knows neither."""
    lose(told.world, IDS[0])
    first = told.sweep()
    lose(told.world, IDS[1])
    second = told.sweep()
    older, newer = (SweepNotice(run=each.run, receiver=TEAMS, asked_at=NOON) for each in (first, second))
    return older, newer


@pytest.mark.parametrize("newer_ends_first", [True, False])
def test_of_two_messages_at_once_the_newer_sweep_is_remembered(told: Told, newer_ends_first: bool) -> None:
    older, newer = two_at_once(told)
    outer, inner = (older, newer) if newer_ends_first else (newer, older)
    told.notifiers[TEAMS].meanwhile = [lambda: notify(inner, told.ports)]
    assert notify(outer, told.ports) is Outcome.TOLD
    assert find_delivery(told.world.documents, TEAMS)[0].told == newer.run


def test_a_failure_is_remembered_beside_an_older_sweep_that_was_told_meanwhile(told: Told) -> None:
    older, newer = two_at_once(told)
    told.notifiers[TEAMS].meanwhile = [lambda: fails_after(told, older)]
    assert notify(newer, told.ports) is Outcome.GIVEN_UP
    delivery, _ = find_delivery(told.world.documents, TEAMS)
    assert delivery.told == older.run
    assert delivery.failing is not None
    assert delivery.failing.run == newer.run


def test_a_failure_of_an_older_sweep_is_forgotten_where_a_newer_was_told_meanwhile(told: Told) -> None:
    older, newer = two_at_once(told)
    told.notifiers[TEAMS].meanwhile = [lambda: fails_after(told, newer)]
    assert notify(older, told.ports) is Outcome.GIVEN_UP
    delivery, _ = find_delivery(told.world.documents, TEAMS)
    assert (delivery.told, delivery.failing) == (newer.run, None)


def fails_after(told: Told, message: SweepNotice) -> None:
    """That message is told, and what is on its way fails."""
    assert notify(message, told.ports) is Outcome.TOLD
    told.notifiers[TEAMS].failures = [PermanentError("410")]


def test_a_message_that_comes_again_because_of_our_own_storage_has_its_line(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    lose(told.world, IDS[0])
    report = told.sweep()
    message = SweepNotice(run=report.run, receiver=TEAMS, asked_at=NOON)
    told.world.documents.failures.plan("find", ConfigurationError("403", setting="ROLLCALL_SWEEP__CONTAINER"))
    with caplog.at_level(logging.INFO), pytest.raises(ConfigurationError):
        handle_message(message.to_json().encode(), 2, told.world.ports, lambda: told.ports)
    [line] = [vars(each) for each in caplog.records if each.getMessage() == "slice_failed"]
    assert (line["run"], line["receiver"], line["dequeue_count"]) == (report.run, TEAMS, 2)
    assert line["error_class"] == "ConfigurationError"


def test_a_late_message_of_an_older_sweep_tells_nothing(told: Told) -> None:
    lose(told.world, IDS[0])
    first = told.sweep()
    told.world.queue.notices.clear()
    told.sweep()
    told.deliver()
    assert notify(SweepNotice(run=first.run, receiver=TEAMS, asked_at=NOON), told.ports) is Outcome.DROPPED
    assert len(told.notifiers[TEAMS].told) == 1


def test_our_own_storage_failing_is_raised_and_forgets_nothing(told: Told) -> None:
    lose(told.world, IDS[0])
    report = told.sweep()
    message = SweepNotice(run=report.run, receiver=TEAMS, asked_at=NOON)
    told.world.documents.failures.plan("find", TransientError("storage is busy"))
    with pytest.raises(TransientError):
        notify(message, told.ports)
    assert notify(message, told.ports) is Outcome.TOLD


def test_killed_after_it_was_sent_it_is_sent_once_more_under_the_same_name(told: Told) -> None:
    lose(told.world, IDS[0])
    report = told.sweep()
    message = SweepNotice(run=report.run, receiver=TEAMS, asked_at=NOON)
    told.world.documents.failures.plan("put", TransientError("killed here"))
    with pytest.raises(TransientError):
        notify(message, told.ports)
    assert notify(message, told.ports) is Outcome.TOLD
    first, second = told.notifiers[TEAMS].told
    assert first == second


def test_a_failure_forgets_nothing_and_is_a_line_that_somebody_must_look_at(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    lose(told.world, IDS[0])
    first = told.sweep()
    told.deliver()
    lose(told.world, IDS[1])
    second = told.sweep()
    told.notifiers[TEAMS].failures = [PermanentError("410")]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert told.deliver() == [Outcome.GIVEN_UP]
    delivery, _ = find_delivery(told.world.documents, TEAMS)
    assert (delivery.told, delivery.failing and delivery.failing.run) == (first.run, second.run)
    [line] = [each for each in caplog.records if each.getMessage() == "notice_handled"]
    assert (line.levelno, vars(line)["reason"]) == (logging.ERROR, "410")
