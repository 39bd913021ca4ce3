"""What people are told of a sweep: only what came and what went since they were told last, by cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.ledger import AccountKey, AccountRecord
from shared.domain.report.findings import commands_of, provider_of
from shared.domain.sweep.findings import Severity, SweepFinding
from shared.domain.sweep.kinds import NOTICE_UNDELIVERED
from shared.domain.sweep.report import SweepReport

EXAMPLES = 3
"""How many subjects of a cause are named."""
SHOW_ALL = "rollcall report --open"
"""The command that shows everything that a notice counts."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The findings of one kind that came and that went."""

    key: str
    new: tuple[SweepFinding, ...] = ()
    resolved: tuple[SweepFinding, ...] = ()

    @property
    def severity(self) -> Severity:
        """That of the gravest new one; where none is new, of the gravest that went."""
        return min((each.severity for each in self.new or self.resolved), key=list(Severity).index)

    @property
    def examples(self) -> tuple[SweepFinding, ...]:
        """A few of them, new ones where there are any."""
        return (self.new or self.resolved)[:EXAMPLES]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One subject of a cause; `name` is the account's or project's, as far as the ledger knows it."""

    subject: str
    account: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What is said of one cause. `key` is its heading in docs/runbook.md.

    `command` is what to run next about it; empty where everything of it is resolved.
    """

    key: str
    severity: Severity
    new: int
    resolved: int
    reason: str
    examples: tuple[Example, ...] = ()
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What one receiver is told of one sweep, the gravest cause first.

    `since` is the sweep that was told last; empty: none, so that everything open is new. `open` counts all findings.
    `command` is the one to run next.
    """

    run: str
    since: str
    ended_at: datetime
    complete: bool
    new: int
    resolved: int
    open: Mapping[Severity, int]
    causes: tuple[Cause, ...]
    command: str


@dataclass(frozen=True, kw_only=True)
class Failing:
    """Why a receiver could not be told, at last."""

    run: str
    at: datetime
    tries: int
    reason: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How far a receiver is: the sweep that it was told last, and what stands against telling it the next."""

    told: str = ""
    told_at: datetime | None = None
    failing: Failing | None = None


def later(one: Delivery, other: Delivery) -> Delivery:
    """What two messages to one receiver came to: the newer sweep that was told, and a failure only of one after it."""
    told = max(one, other, key=lambda each: each.told)
    failures = [each.failing for each in (one, other) if each.failing is not None and each.failing.run > told.told]
    return replace(told, failing=max(failures, key=lambda each: each.run, default=None))


def changes_between(before: SweepReport | None, after: SweepReport) -> tuple[Change, ...]:
    """What came and went between two sweeps, however many lay between them; what was not looked at has not gone."""
    known = {each.finding.identity: each.finding for each in before.open} if before is not None else {}
    present = {each.finding.identity: each.finding for each in after.open}
    new = _by_key(finding for identity, finding in present.items() if identity not in known)
    resolved = _by_key(finding for identity, finding in known.items() if identity not in present)
    changes = [
        Change(key=key, new=new.get(key, ()), resolved=resolved.get(key, ())) for key in sorted({*new, *resolved})
    ]
    order = list(Severity)
    return tuple(sorted(changes, key=lambda each: (not each.new, order.index(each.severity), -len(each.new))))


def _by_key(findings: Iterable[SweepFinding]) -> dict[str, tuple[SweepFinding, ...]]:
    found: dict[str, list[SweepFinding]] = {}
    for each in findings:
        found.setdefault(each.key, []).append(each)
    order = list(Severity)
    return {
        key: tuple(sorted(some, key=lambda each: (order.index(each.severity), each.subject)))
        for key, some in found.items()
    }


def notice_of(
    after: SweepReport, changes: Sequence[Change], records: Mapping[AccountKey, AccountRecord], *, since: str
) -> Notice:
    """What is said of these changes; `records` are the ledger's lines of the accounts in their examples."""
    causes = tuple(_cause(each, records) for each in changes)
    return Notice(
        run=after.run,
        since=since,
        ended_at=after.ended_at,
        complete=after.complete,
        new=sum(each.new for each in causes),
        resolved=sum(each.resolved for each in causes),
        open=after.totals,
        causes=causes,
        command=next((each.command for each in causes if each.command), SHOW_ALL),
    )


def _cause(change: Change, records: Mapping[AccountKey, AccountRecord]) -> Cause:
    first = change.examples[0]
    return Cause(
        key=change.key,
        severity=change.severity,
        new=len(change.new),
        resolved=len(change.resolved),
        reason=first.reason,
        examples=tuple(
            Example(subject=each.subject, account=each.account, name=_name_of(each, records))
            for each in change.examples
        ),
        command=next(commands_of(first, provider_of(first, records)), SHOW_ALL) if change.new else "",
    )


def _name_of(finding: SweepFinding, records: Mapping[AccountKey, AccountRecord]) -> str:
    provider = provider_of(finding, records)
    if provider is None:
        return ""
    record = records.get(AccountKey(provider=provider, hierarchy_identifier=finding.account))
    return record.name if record is not None else ""


def undelivered(receiver: str, delivery: Delivery) -> SweepFinding | None:
    """The finding that a receiver, by its setting, cannot be told; None where it can, as far as is known."""
    failing = delivery.failing
    if failing is None:
        return None
    return NOTICE_UNDELIVERED.about(
        f"notice/{receiver}",
        f"the sweep {failing.run} could not be told to {receiver}: {failing.reason}",
        remedy=failing.remedy,
        evidence={"tries": str(failing.tries), "given up": f"{failing.at:%Y-%m-%dT%H:%M:%SZ}"},
    )
