"""Telling of a sweep: only what changed since it was told last, each receiver alone, and never at the sweep's cost."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from functions.sweep_slice import handle_message
from shared.application.notify import MOST_TRIES, NotifyPorts, Outcome, find_delivery, notify
from shared.application.plan_sweep import ask_for_sweep
from shared.application.sweep_store import SweepStore, prune
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, HistoryEntry, Result
from shared.domain.notice import SHOW_ALL, Delivery, Failing, Notice, changes_between, later, notice_of
from shared.domain.policy import Notification, ReceiverKind
from shared.domain.sweep.findings import Severity, SweepFinding
from shared.domain.sweep.kinds import CONNECTOR_MISSING, MESSAGES_GIVEN_UP, NOTICE_UNDELIVERED, SWEEP_MISSED
from shared.domain.sweep.report import Standing, SweepReport
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from shared.messages.sweep_notice import SweepNotice
from tests.fakes.clock import NOON
from tests.fakes.roll import about, newest
from tests.fakes.sweep import SweepWorld
from tests.unit.test_sweep import IDS, world

__all__ = ["world"]

TEAMS, WEBHOOK = "ROLLCALL_NOTIFY_TEAMS", "ROLLCALL_NOTIFY_SIEM"
RECEIVERS = (
    Notification(kind=ReceiverKind.TEAMS, setting=TEAMS),
    Notification(kind=ReceiverKind.WEBHOOK, setting=WEBHOOK),
)


@dataclass
class FakeNotifier:
    """Keeps what it is told, and fails as planned before."""

    told: list[Notice] = field(default_factory=list)
    failures: list[RollcallError] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def tell(self, notice: Notice) -> None:
        """Keeps it."""
        if self.meanwhile:
            self.meanwhile.pop()()
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(notice)


class Told:
    """A sweep's world with both receivers."""

    def __init__(self, world: SweepWorld) -> None:
        self.world = world
        self.receive(*RECEIVERS)
        self.notifiers = {each.setting: FakeNotifier() for each in RECEIVERS}

    def find(self, receiver: Notification) -> FakeNotifier:
        """The one of that setting."""
        return self.notifiers[receiver.setting]

    def receive(self, *receivers: Notification) -> None:
        """The policy names these."""
        self.world.source.policy = replace(self.world.source.policy, notifications=receivers)

    @property
    def ports(self) -> NotifyPorts:
        """What telling works with."""
        world = self.world
        return NotifyPorts(
            documents=world.documents,
            ledger=world.ledger,
            slices=world.queue,
            policy=world.source,
            receivers=self,
            clock=world.clock,
        )

    def sweep(self) -> SweepReport:
        """A sweep of the next day, and nobody told of it yet."""
        report = self.world.sweep()
        self.world.clock.advance(86_000)
        assert report is not None
        return report

    def deliver(self, receiver: str = TEAMS) -> list[Outcome]:
        """Every message for the receiver, with those that come of it; the others' stay."""
        outcomes = []
        while mine := [each for each in self.world.queue.notices if each[0].receiver == receiver]:
            self.world.queue.notices.remove(mine[0])
            outcomes.append(notify(mine[0][0], self.ports))
        return outcomes

    def last(self, receiver: str = TEAMS) -> Notice:
        """What it was told last."""
        return self.notifiers[receiver].told[-1]


@pytest.fixture
def told(world: SweepWorld) -> Told:
    return Told(world)


def lose(world: SweepWorld, account_id: str) -> None:
    """The account's connector is gone."""
    world.tenant.connectors = [each for each in world.tenant.connectors if each.hierarchy_identifier != account_id]


def report_of(*findings: SweepFinding) -> SweepReport:
    return newest([about(each) for each in findings], 10)


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


def test_of_two_failures_the_newer_is_kept() -> None:
    one, other = (
        Delivery(failing=Failing(run=run, at=NOON, tries=1, reason="410", remedy=""))
        for run in ("20261126T050000Z-0123abcd", "20261127T050000Z-0123abcd")
    )
    assert later(one, other) == later(other, one) == other


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


def changes(before: SweepReport | None, after: SweepReport) -> Sequence[tuple[str, int, int]]:
    return [(each.key, len(each.new), len(each.resolved)) for each in changes_between(before, after)]


MISSING = [CONNECTOR_MISSING.about(account, "none") for account in IDS[:3]]
GIVEN_UP = MESSAGES_GIVEN_UP.about("queue/onboarding-poison", "3 messages")
MISSED = SWEEP_MISSED.about("sweep", "late")


def test_changes_are_grouped_by_cause_the_gravest_first_and_what_is_only_resolved_last() -> None:
    before, after = report_of(GIVEN_UP), report_of(MISSED, *MISSING)
    assert changes(before, after) == [
        (CONNECTOR_MISSING.key, 3, 0),
        (SWEEP_MISSED.key, 1, 0),
        (MESSAGES_GIVEN_UP.key, 0, 1),
    ]


def test_of_one_cause_some_may_come_while_others_go() -> None:
    assert changes(report_of(*MISSING[:2]), report_of(*MISSING[1:])) == [(CONNECTOR_MISSING.key, 1, 1)]


def test_of_two_causes_as_grave_the_one_with_more_new_findings_comes_first() -> None:
    few, many = SWEEP_MISSED.about("sweep", "late"), [NOTICE_UNDELIVERED.about(f"notice/{n}", "410") for n in range(2)]
    assert SWEEP_MISSED.severity is NOTICE_UNDELIVERED.severity
    assert changes(None, report_of(few, *many)) == [(NOTICE_UNDELIVERED.key, 2, 0), (SWEEP_MISSED.key, 1, 0)]
    more = [replace(few, subject=f"sweep/{number}") for number in range(3)]
    assert changes(None, report_of(*more, *many))[0] == (SWEEP_MISSED.key, 3, 0)


def test_a_cause_is_as_grave_as_its_gravest_new_finding_which_is_named_first() -> None:
    light, grave = (
        CONNECTOR_MISSING.about(subject, "none", severity=severity)
        for subject, severity in (("a", Severity.LOW), ("b", Severity.MEDIUM))
    )
    [change] = changes_between(report_of(CONNECTOR_MISSING.about("c", "none")), report_of(light, grave))
    assert (change.severity, change.resolved[0].severity) == (Severity.MEDIUM, CONNECTOR_MISSING.severity)
    assert CONNECTOR_MISSING.severity is Severity.HIGH, "that one went"
    assert [each.subject for each in change.examples] == ["b", "a"]


def test_a_notice_says_whether_everything_could_be_looked_at() -> None:
    report = report_of(MISSING[0])
    for complete in (True, False):
        assert notice_of(replace(report, complete=complete), [], {}, since="").complete is complete


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


def test_what_was_not_looked_at_is_neither_new_nor_resolved() -> None:
    [found] = report_of(MISSING[0]).findings
    unseen = replace(report_of(), findings=(replace(found, standing=Standing.UNSEEN),))
    assert changes(report_of(MISSING[0]), unseen) == []


def test_what_came_and_went_between_two_that_were_told_is_not_told() -> None:
    [found] = report_of(MISSING[0]).findings
    after = replace(report_of(), findings=(replace(found, standing=Standing.RESOLVED),))
    assert changes(report_of(), after) == []


def test_a_finding_of_another_day_with_another_reason_is_the_same() -> None:
    later = replace(report_of(CONNECTOR_MISSING.about(IDS[0], "another reason")), ended_at=NOON + timedelta(days=1))
    assert changes(report_of(MISSING[0]), later) == []


def test_the_store_knows_nothing_of_notices_by_mistake(told: Told) -> None:
    """Deliveries lie outside of what is pruned: else a quiet quarter would tell everything anew."""
    lose(told.world, IDS[0])
    told.sweep()
    told.deliver()
    prune(told.world.documents, "99991231T000000Z")
    assert find_delivery(told.world.documents, TEAMS)[0].told
    assert SweepStore(told.world.documents, find_delivery(told.world.documents, TEAMS)[0].told).find_report() is None
