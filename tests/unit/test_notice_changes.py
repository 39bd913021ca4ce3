"""What came and what went between two sweeps, by cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from shared.domain.notice import Delivery, Failing, changes_between, later, notice_of
from shared.domain.sweep.findings import Severity, SweepFinding
from shared.domain.sweep.kinds import CONNECTOR_MISSING, MESSAGES_GIVEN_UP, NOTICE_UNDELIVERED, SWEEP_MISSED
from shared.domain.sweep.report import Standing, SweepReport
from tests.fakes.clock import NOON
from tests.fakes.roll import about, newest
from tests.unit.test_sweep import IDS


def report_of(*findings: SweepFinding) -> SweepReport:
    return newest([about(each) for each in findings], 10)


def changes(before: SweepReport | None, after: SweepReport) -> Sequence[tuple[str, int, int]]:
    return [(each.key, len(each.new), len(each.resolved)) for each in changes_between(before, after)]


MISSING = [CONNECTOR_MISSING.about(account, "none") for account in IDS[:3]]


GIVEN_UP = MESSAGES_GIVEN_UP.about("queue/onboarding-poison", "3 messages")


MISSED = SWEEP_MISSED.about("sweep", "late")


def test_of_two_failures_the_newer_is_kept() -> None:
    one, other = (
        Delivery(failing=Failing(run=run, at=NOON, tries=1, reason="410", remedy=""))
        for run in ("20261126T050000Z-0123abcd", "20261127T050000Z-0123abcd")
    )
    assert later(one, other) == later(other, one) == other


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
