"""What is kept of each sweep in a few lines, so that thirty days can be told without reading thirty reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from shared.domain.accounts import Provider
from shared.domain.ledger import State
from shared.domain.sweep.findings import Severity
from shared.domain.sweep.report import SweepReport

DAYS = 30
LAST_RUNS = 10
_REASONS = 5
_LONGEST = 300

StateCounts = Mapping[Provider, Mapping[State, int]]
"""Accounts by cloud and by their state in the ledger; states without accounts are left out."""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One sweep in short. `not_seen` are the first reasons why it is incomplete; `states` None where nobody counted."""

    run: str
    started_at: datetime
    ended_at: datetime
    complete: bool
    slices: int = 0
    looked: Mapping[str, int] = field(default_factory=dict)
    asked: int = 0
    deleted: int = 0
    open: Mapping[Severity, int] = field(default_factory=dict)
    not_seen: tuple[str, ...] = ()
    states: StateCounts | None = None


@dataclass(frozen=True, kw_only=True)
class StatesOfDay:
    """Accounts by state at the end of a day's last sweep; None where no sweep of that day (UTC) counted them."""

    day: date
    at: datetime | None = None
    states: StateCounts | None = None

    def count(self, state: State) -> int:
        """Accounts of all clouds in it."""
        return sum(counted.get(state, 0) for counted in (self.states or {}).values())


def summarized(report: SweepReport, states: StateCounts | None) -> RunSummary:
    """What is kept of a report."""
    reasons = dict.fromkeys(gap.reason[:_LONGEST] for gap in report.gaps if not gap.told)
    return RunSummary(
        run=report.run,
        started_at=report.started_at,
        ended_at=report.ended_at,
        complete=report.complete,
        slices=report.slices,
        looked=dict(report.looked),
        asked=len(report.asked),
        deleted=len(report.deleted),
        open={severity: count for severity, count in report.totals.items() if count},
        not_seen=tuple(reasons)[:_REASONS],
        states=states,
    )


def first_day(now: datetime) -> date:
    """The first of the thirty days that end today."""
    return now.date() - timedelta(days=DAYS - 1)


def states_by_day(summaries: Iterable[RunSummary], now: datetime) -> tuple[StatesOfDay, ...]:
    """Each of the last thirty days; of several sweeps of a day the last one that counted is heard."""
    last: dict[date, RunSummary] = {}
    for each in sorted(summaries, key=lambda each: each.ended_at):
        if each.states is not None:
            last[each.ended_at.date()] = each
    days = [first_day(now) + timedelta(days=number) for number in range(DAYS)]
    return tuple(
        StatesOfDay(day=day, at=last[day].ended_at, states=last[day].states) if day in last else StatesOfDay(day=day)
        for day in days
    )
