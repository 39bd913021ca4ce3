"""Telling of a sweep: only what changed since it was told last, each receiver alone, and never at the sweep's cost."""

from __future__ import annotations

import json

import pytest

from shared.application.notify import Outcome, find_delivery, notify
from shared.application.plan_sweep import ask_for_sweep
from shared.application.sweep_store import SweepStore, prune
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, HistoryEntry, Result
from shared.domain.notice import SHOW_ALL
from shared.domain.sweep.kinds import CONNECTOR_MISSING, NOTICE_UNDELIVERED
from shared.domain.sweep.report import Standing
from shared.errors import PermanentError, TransientError
from shared.messages.sweep_notice import SweepNotice
from tests.fakes.clock import NOON
from tests.fakes.notices import RECEIVERS, TEAMS, WEBHOOK, Told, lose
from tests.fakes.sweep import SweepWorld
from tests.unit.test_sweep import IDS, world

__all__ = ["world"]


@pytest.fixture
def told(world: SweepWorld) -> Told:
    return Told(world)


def test_each_receiver_is_told_what_is_new(told: Told) -> None:
    lose(told.world, IDS[0])
    report = told.sweep()
    for receiver in (TEAMS, WEBHOOK):
        assert told.deliver(receiver) == [Outcome.TOLD]
        notice = told.last(receiver)
        assert (notice.run, notice.since, notice.new, notice.resolved) == (report.run, "", 1, 0)
        [cause] = notice.causes
        assert (cause.key, cause.new, cause.resolved) == (CONNECTOR_MISSING.key, 1, 0)
        assert cause.examples[0].account == IDS[0]
        assert cause.command == notice.command == f"rollcall status {IDS[0]}"


def test_what_is_still_there_is_not_told_again_and_what_went_is(told: Told) -> None:
    kept = told.world.tenant.connectors
    lose(told.world, IDS[0])
    told.sweep()
    told.deliver()
    second = told.sweep()
    assert told.deliver() == [Outcome.NOTHING_NEW]
    assert len(told.notifiers[TEAMS].told) == 1

    told.world.tenant.connectors = kept
    third = told.sweep()
    assert told.deliver() == [Outcome.TOLD]
    notice = told.last()
    assert (notice.run, notice.since, notice.new, notice.resolved) == (third.run, second.run, 0, 1)
    assert [(each.key, each.command) for each in notice.causes] == [(CONNECTOR_MISSING.key, "")]
    assert notice.command == SHOW_ALL


def test_what_a_receiver_missed_comes_with_the_next_sweep(told: Told) -> None:
    lose(told.world, IDS[0])
    told.sweep()
    told.notifiers[TEAMS].failures = [PermanentError("410", remedy="Put the new address there.")]
    assert told.deliver() == [Outcome.GIVEN_UP]
    assert told.deliver(WEBHOOK) == [Outcome.TOLD]

    lose(told.world, IDS[1])
    second = told.sweep()
    assert told.deliver() == [Outcome.TOLD]
    assert (told.last().since, told.last().new) == ("", 3), "two connectors, and that the first was not told"
    told.deliver(WEBHOOK)
    assert told.last(WEBHOOK).new == 2, "the other knows the first already"
    found = [each.finding for each in second.findings if each.finding.key == "notice-undelivered"]
    assert [(each.subject, "410" in each.reason) for each in found] == [(f"notice/{TEAMS}", True)]
    assert found[0].remedy.startswith("Put the new address there.")

    third = told.sweep()
    [gone] = [each for each in third.findings if each.finding.key == NOTICE_UNDELIVERED.key]
    assert gone.standing is Standing.RESOLVED
    assert told.deliver() == [Outcome.TOLD]
    assert (told.last().new, told.last().resolved) == (0, 1)


def test_a_receiver_that_is_no_more_is_left_alone_and_no_finding(told: Told) -> None:
    lose(told.world, IDS[0])
    told.sweep()
    told.notifiers[TEAMS].failures = [PermanentError("gone")]
    told.deliver()
    told.receive(RECEIVERS[1])
    report = told.sweep()
    assert [each[0].receiver for each in told.world.queue.notices] == [WEBHOOK] * 2
    assert NOTICE_UNDELIVERED.key not in {each.finding.key for each in report.open}
    assert notify(SweepNotice(run=report.run, receiver=TEAMS, asked_at=NOON), told.ports) is Outcome.DROPPED


def test_nobody_is_told_of_a_sweep_that_a_newer_one_overtook(told: Told) -> None:
    late = ask_for_sweep(told.world.queue, told.world.clock)
    told.world.queue.messages.clear()
    told.world.clock.advance(60)
    newer = told.sweep()
    told.world.queue.messages.append(late)
    report = told.world.work()
    assert report is not None
    assert report.run == late.run < newer.run
    assert {each[0].run for each in told.world.queue.notices} == {newer.run}


def test_nobody_is_asked_for_where_nobody_is_to_be_told(world: SweepWorld) -> None:
    lose(world, IDS[0])
    assert world.sweep() is not None
    assert not world.queue.notices


def test_the_report_is_there_whether_or_not_the_message_could_be_put(told: Told) -> None:
    lose(told.world, IDS[0])
    told.world.queue.failures.plan("send_notice", TransientError("busy"))
    report = told.sweep()
    assert report.complete
    assert {each[0].receiver for each in told.world.queue.notices} == {TEAMS, WEBHOOK}
    assert {each[0].run for each in told.world.queue.notices} == {report.run}


def test_a_name_comes_from_the_ledger_and_its_absence_stops_nothing(told: Told) -> None:
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier=IDS[0])
    entry = HistoryEntry(
        key=key,
        at=NOON,
        step="connect",
        result=Result.CREATED,
        message_id="m",
        attempt=0,
        correlation_id="c",
        name="payments-prod",
    )
    told.world.ledger.record(entry)
    lose(told.world, IDS[0])
    told.sweep()
    told.deliver()
    assert told.last().causes[0].examples[0].name == "payments-prod"

    told.world.ledger.failures.plan("find", TransientError("busy"))
    assert told.deliver(WEBHOOK) == [Outcome.TOLD]
    assert told.last(WEBHOOK).causes[0].examples[0].name == ""


def test_a_finding_that_does_not_say_its_cloud_is_looked_for_in_both(told: Told) -> None:
    """As a version of before wrote it."""
    lose(told.world, IDS[0])
    report = told.sweep()
    name = f"reports/{report.run}.json"
    document = json.loads(told.world.documents.kept[name].content)
    for each in document["findings"]:
        del each["finding"]["provider"]
    told.world.documents.put(name, json.dumps(document).encode())
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier=IDS[0])
    told.world.ledger.record(
        HistoryEntry(
            key=key,
            at=NOON,
            step="connect",
            result=Result.CREATED,
            message_id="m",
            attempt=0,
            correlation_id="c",
            name="payments-prod",
        )
    )
    assert told.deliver() == [Outcome.TOLD]
    assert told.last().causes[0].examples[0].name == "payments-prod"


def test_a_report_of_before_that_is_pruned_makes_everything_new(told: Told) -> None:
    lose(told.world, IDS[0])
    told.sweep()
    told.deliver()
    told.world.queue.notices.clear()
    told.world.clock.advance(100 * 86_400)
    prune(told.world.documents, f"{told.world.clock.now():%Y%m%dT%H%M%SZ}")
    told.sweep()
    assert told.deliver() == [Outcome.TOLD]
    assert (told.last().since, told.last().new) == ("", 2), "the connector that is missing still, and the late sweep"


def test_a_report_that_cannot_be_read_counts_as_none(told: Told) -> None:
    lose(told.world, IDS[0])
    first = told.sweep()
    told.deliver()
    told.world.documents.put(f"reports/{first.run}.json", b'{"run": 1}')
    second = told.sweep()
    assert told.deliver() == [Outcome.TOLD]
    assert (told.last().since, told.last().new) == ("", 1), "nothing is known of the one before"
    told.world.documents.put(f"reports/{second.run}.json", b"[]")
    assert notify(SweepNotice(run=second.run, receiver=WEBHOOK, asked_at=NOON), told.ports) is Outcome.DROPPED


def test_a_state_that_cannot_be_read_begins_anew(told: Told) -> None:
    lose(told.world, IDS[0])
    told.sweep()
    told.world.documents.put(f"notices/{TEAMS}.json", b"{")
    assert told.deliver() == [Outcome.TOLD]
    assert find_delivery(told.world.documents, TEAMS)[0].told


def test_the_store_knows_nothing_of_notices_by_mistake(told: Told) -> None:
    """Deliveries lie outside of what is pruned: else a quiet quarter would tell everything anew."""
    lose(told.world, IDS[0])
    told.sweep()
    told.deliver()
    prune(told.world.documents, "99991231T000000Z")
    assert find_delivery(told.world.documents, TEAMS)[0].told
    assert SweepStore(told.world.documents, find_delivery(told.world.documents, TEAMS)[0].told).find_report() is None
