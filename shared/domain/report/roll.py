"""The whole report: what the page, the terminal and the typed data say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.ledger import AccountKey, AccountRecord
from shared.domain.queues import QueueDepth
from shared.domain.report.accounts import AccountLine, Counts, Unit, account_line, coverage
from shared.domain.report.findings import FindingLine, finding_line
from shared.domain.report.health import Cause, ProviderHealth, causes, health_by_provider
from shared.domain.report.runs import LAST_RUNS, RunSummary, StatesOfDay, states_by_day, summarized
from shared.domain.report.times import Times, Waited, times_of
from shared.domain.sweep.findings import Area, Severity
from shared.domain.sweep.kinds import CONNECTOR_MISSING, MACHINE_ORPHANED, TRIAL_ENDS
from shared.domain.sweep.paid_plans import PlanUse
from shared.domain.sweep.report import Standing, SweepReport
from shared.domain.sweeps import Sweep


@dataclass(frozen=True, kw_only=True)
class RollReport:
    """How the roll stands at `made_at` (UTC).

    `sweep` is the newest sweep, which the findings are of; None before the first. `unlisted` counts accounts that it
    misses a connector of and the ledger does not know. `unfinished` are runs without a report: the newest may go on.
    `unread` is what could not be asked.
    """

    made_at: datetime
    sweep: RunSummary | None
    accounts: tuple[AccountLine, ...]
    coverage: tuple[Unit, ...]
    unlisted: int
    times: tuple[Times, ...]
    worst: tuple[Waited, ...]
    days: tuple[StatesOfDay, ...]
    health: tuple[ProviderHealth, ...]
    causes: tuple[Cause, ...]
    findings: tuple[FindingLine, ...]
    deleted: tuple[str, ...] = ()
    deletion_stopped: str = ""
    queues: tuple[QueueDepth, ...] = ()
    runs: tuple[RunSummary, ...] = ()
    unfinished: tuple[str, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    plans: Mapping[str, PlanUse] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[FindingLine, ...]:
        """Findings that are not resolved."""
        return tuple(each for each in self.findings if each.standing is not Standing.RESOLVED)

    @property
    def totals(self) -> Counts:
        """Accounts of all clouds by group."""
        return sum((unit.total for unit in self.coverage), Counts())

    @property
    def severities(self) -> dict[Severity, int]:
        """Open findings besides advice, by severity, each severity named."""
        counted = Counter(each.severity for each in self.open if each.area is not Area.ADVICE)
        return {severity: counted[severity] for severity in Severity}

    @property
    def orphans(self) -> tuple[FindingLine, ...]:
        """Open findings of orphaned machines."""
        return tuple(each for each in self.open if each.key == MACHINE_ORPHANED.key)

    @property
    def machines(self) -> dict[str, int]:
        """Open findings about machines by kind."""
        return dict(Counter(each.key for each in self.open if each.area is Area.MACHINES).most_common())

    @property
    def trials(self) -> tuple[FindingLine, ...]:
        """Trials that end within days, the next one first."""
        found = [each for each in self.open if each.key == TRIAL_ENDS.key]
        return tuple(sorted(found, key=lambda each: (each.evidence.get("ends_at", ""), each.account)))

    @property
    def given_up(self) -> int:
        """Messages that wait for a person."""
        return sum(depth.waiting or 0 for depth in self.queues if depth.given_up)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a report is made of. `summaries` are the sweeps of thirty days at least, in any order."""

    records: Sequence[AccountRecord]
    newest: SweepReport | None = None
    summaries: Sequence[RunSummary] = ()
    unfinished: Sequence[str] = ()
    queues: Sequence[QueueDepth] = ()
    sweeps: Sequence[Sweep] = ()
    unread: Sequence[str] = ()


def roll_report(seen: Seen, now: datetime) -> RollReport:
    """The report at `now`."""
    by_key = {record.key: record for record in seen.records}
    newest = seen.newest
    findings = tuple(finding_line(each, by_key) for each in newest.findings) if newest is not None else ()
    shown = [each for each in findings if each.standing is not Standing.RESOLVED]
    missing = _missing(shown)
    accounts = tuple(account_line(by_key[key], missing) for key in sorted(by_key))
    times, worst = times_of(by_key.values())
    summaries = sorted(_with_newest(seen), key=lambda each: each.run)
    return RollReport(
        made_at=now,
        sweep=next((each for each in summaries if newest is not None and each.run == newest.run), None),
        accounts=accounts,
        coverage=coverage(accounts),
        unlisted=len(missing - by_key.keys()),
        times=times,
        worst=worst,
        days=states_by_day(summaries, now),
        health=health_by_provider(accounts, shown),
        causes=causes(shown),
        findings=findings,
        deleted=newest.deleted if newest is not None else (),
        deletion_stopped=newest.stopped_because if newest is not None else "",
        queues=tuple(seen.queues),
        runs=tuple(reversed(summaries[-LAST_RUNS:])),
        unfinished=tuple(sorted(seen.unfinished, reverse=True)),
        sweeps=tuple(seen.sweeps),
        plans=dict(newest.plans) if newest is not None else {},
        unread=tuple(seen.unread),
    )


def _missing(findings: Iterable[FindingLine]) -> set[AccountKey]:
    return {
        AccountKey(provider=each.provider, hierarchy_identifier=each.account)
        for each in findings
        if each.key == CONNECTOR_MISSING.key and each.provider is not None
    }


def _with_newest(seen: Seen) -> list[RunSummary]:
    """The newest report may be older than the first version that kept summaries."""
    known = {each.run for each in seen.summaries}
    lacking = seen.newest is not None and seen.newest.run not in known
    return [*seen.summaries, *([summarized(seen.newest, None)] if lacking and seen.newest is not None else [])]
