"""What one sweep came to, and what became of the findings of the one before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.domain.sweep.findings import Gap, Severity, SweepFinding
from shared.domain.sweep.kinds import SWEEP_INCOMPLETE
from shared.domain.sweep.paid_plans import PlanUse, added_up

TYPES = 40
"""How many types of discovered resources a report names."""
OTHER = "other"
"""All other types together."""


class Standing(StrEnum):
    """What a finding is, compared with the sweep before.

    `unseen`: found before, and not looked at this time. `resolved` is said once.
    """

    NEW = "new"
    STILL = "still"
    UNSEEN = "unseen"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """A finding through the days (UTC)."""

    finding: SweepFinding
    standing: Standing
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True)
class SliceResult:
    """What one slice came to. `looked` counts what was looked at, by name; `asked` who was asked for again.

    `names` are the ids of projects among them, by number.
    `discovered` counts the resources that Defender has assessed through the connectors, by type.
    `plans` is the use of paid plans, by the policy's word for each.
    """

    number: int
    findings: tuple[SweepFinding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    looked: Mapping[str, int] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    discovered: Mapping[str, int] = field(default_factory=dict)
    plans: Mapping[str, PlanUse] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SweepReport:
    """One whole sweep. `complete`: everything could be looked at.

    `stopped_at` is the machine at which the deletion of orphans was ended, and why. `discovered` has the most frequent
    types of resources, and the rest of them together as `other`. `names` are the ids of projects in `asked`, by number.
    """

    run: str
    started_at: datetime
    ended_at: datetime
    policy_hash: str
    slices: int
    complete: bool
    findings: tuple[Tracked, ...] = ()
    gaps: tuple[Gap, ...] = ()
    looked: Mapping[str, int] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    plans: Mapping[str, PlanUse] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    stopped_at: str = ""
    stopped_because: str = ""
    discovered: Mapping[str, int] = field(default_factory=dict)

    @property
    def open(self) -> tuple[Tracked, ...]:
        """Findings that are not resolved."""
        return tuple(each for each in self.findings if each.standing is not Standing.RESOLVED)

    @property
    def totals(self) -> dict[Severity, int]:
        """Open findings by severity, each severity named."""
        counted = Counter(each.finding.severity for each in self.open)
        return {severity: counted[severity] for severity in Severity}


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What the planner knew of a run: its name, which sorts by time, when it began, and what it could not list.

    `plan` names the slices that count: of two planners of one run only one is heard.
    """

    run: str
    plan: str = ""
    started_at: datetime
    policy_hash: str
    slices: int
    gaps: tuple[Gap, ...] = ()
    findings: tuple[SweepFinding, ...] = ()


def reported(facts: RunFacts, results: Iterable[SliceResult], before: SweepReport | None, now: datetime) -> SweepReport:
    """The report of a run whose slices have all ended; `before` is the report of the sweep before."""
    found: dict[str, SweepFinding] = {each.identity: each for each in facts.findings}
    gaps, looked, asked, discovered = list(facts.gaps), Counter[str](), list[str](), Counter[str]()
    plans: Mapping[str, PlanUse] = {}
    names: dict[str, str] = {}
    for result in results:
        found |= {each.identity: each for each in result.findings}
        gaps += result.gaps
        looked.update(result.looked)
        asked += result.asked
        names |= result.names
        discovered.update(result.discovered)
        plans = added_up((plans, result.plans))
    if lacking := [gap for gap in gaps if not gap.told]:
        incomplete = _incomplete(lacking)
        found[incomplete.identity] = incomplete
    return SweepReport(
        run=facts.run,
        started_at=facts.started_at,
        ended_at=now,
        policy_hash=facts.policy_hash,
        slices=facts.slices,
        complete=not lacking,
        findings=tracked(found, before, gaps, now),  # from when people could read it
        gaps=tuple(gaps),
        looked=dict(looked),
        asked=tuple(asked),
        names=names,
        discovered=_most_frequent(discovered),
        plans=plans,
    )


def _most_frequent(counted: Mapping[str, int]) -> dict[str, int]:
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    rest = sum(count for _, count in ordered[TYPES:])
    return dict(ordered[:TYPES]) | ({OTHER: rest} if rest else {})


def _incomplete(gaps: Sequence[Gap]) -> SweepFinding:
    reasons = list(dict.fromkeys(gap.reason for gap in gaps))
    told = "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")  # noqa: PLR2004
    return SWEEP_INCOMPLETE.about("sweep", f"not everything could be looked at: {told}")


def tracked(
    found: Mapping[str, SweepFinding], before: SweepReport | None, gaps: Sequence[Gap], at: datetime
) -> tuple[Tracked, ...]:
    """The findings with what each is since the sweep before, the gravest first."""
    known = {each.finding.identity: each for each in before.open} if before is not None else {}
    present = [
        Tracked(finding=finding, standing=Standing.STILL, first_seen=known[identity].first_seen, last_seen=at)
        if identity in known
        else Tracked(finding=finding, standing=Standing.NEW, first_seen=at, last_seen=at)
        for identity, finding in found.items()
    ]
    hiding = _Hiding(gaps)
    gone = [
        replace(each, standing=Standing.UNSEEN if hiding.hides(each.finding) else Standing.RESOLVED)
        for identity, each in known.items()
        if identity not in found
    ]
    order = list(Severity)
    return tuple(
        sorted(
            (*present, *gone),
            key=lambda each: (order.index(each.finding.severity), each.finding.key, each.finding.subject),
        )
    )


class _Hiding:
    """Gaps, so that ten thousand findings need not be held against ten thousand gaps one by one."""

    def __init__(self, gaps: Iterable[Gap]) -> None:
        self._pairs = {(gap.area, gap.account) for gap in gaps}

    def hides(self, finding: SweepFinding) -> bool:
        areas, accounts = (None, finding.area), ("", finding.account)
        return any((area, account) in self._pairs for area in areas for account in accounts)
