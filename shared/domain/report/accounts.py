"""Accounts of the report, and how many of each unit are covered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.domain.accounts import Provider
from shared.domain.ledger import LEFT, UNDER_WAY, AccountKey, AccountRecord, State
from shared.domain.links import links_of

MOST_DEPTH = 20
"""Units lie five deep at AWS and ten deep at Google; what claims to lie deeper is counted where this ends."""
UNKNOWN_UNIT = "unit not known"


class Group(StrEnum):
    """States as an operator sorts them. `left_out`: nobody wants a connector there."""

    CONNECTED = "connected"
    UNDER_WAY = "under_way"
    FAILED = "failed"
    LEFT_OUT = "left_out"


def group_of(state: State) -> Group:
    """Where a state belongs."""
    if state is State.CONNECTED:
        return Group.CONNECTED
    if state in UNDER_WAY:
        return Group.UNDER_WAY
    return Group.LEFT_OUT if state in LEFT or state is State.OFFBOARDED else Group.FAILED


@dataclass(frozen=True, kw_only=True)
class AccountLine:
    """One account or project as the ledger has it; `group` knows the newest sweep, too."""

    provider: Provider
    account: str
    name: str
    ou_path: str
    state: State
    group: Group
    state_at: datetime | None = None
    joined_at: datetime | None = None
    connected_at: datetime | None = None
    reason: str = ""
    remedy: str = ""
    connector_id: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


def account_line(record: AccountRecord, missing: Collection[AccountKey] = ()) -> AccountLine:
    """The line of one account. `missing` are those whose connector the newest sweep did not find.

    Resource Manager is the truth: what the ledger calls connected and the sweep misses is not covered.
    """
    group = group_of(record.state)
    if group is Group.CONNECTED and record.key in missing:
        group = Group.FAILED
    return AccountLine(
        provider=record.key.provider,
        account=record.key.hierarchy_identifier,
        name=record.name,
        ou_path=record.ou_path,
        state=record.state,
        group=group,
        state_at=record.state_at,
        joined_at=record.joined_at,
        connected_at=record.connected_at,
        reason=record.reason,
        remedy=record.remedy,
        connector_id=record.connector_id,
        links=links_of(record),
    )


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Accounts by group."""

    connected: int = 0
    under_way: int = 0
    failed: int = 0
    left_out: int = 0

    @property
    def expected(self) -> int:
        """Those that should have a connector."""
        return self.connected + self.under_way + self.failed

    @property
    def accounts(self) -> int:
        """All."""
        return self.expected + self.left_out

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            connected=self.connected + other.connected,
            under_way=self.under_way + other.under_way,
            failed=self.failed + other.failed,
            left_out=self.left_out + other.left_out,
        )


@dataclass(frozen=True, kw_only=True)
class Unit:
    """An organizational unit, or a folder, with what lies below it.

    `own` counts the accounts directly in it, `total` those below, too. `path` is as accounts have it; empty where the
    unit of accounts is not known.
    """

    provider: Provider
    path: str
    name: str
    own: Counts = field(default_factory=Counts)
    total: Counts = field(default_factory=Counts)
    units: tuple[Unit, ...] = ()


@dataclass
class _Branch:
    counted: dict[Group, int] = field(default_factory=dict)
    below: dict[str, _Branch] = field(default_factory=dict)

    def add(self, line: AccountLine) -> None:
        self.counted[line.group] = self.counted.get(line.group, 0) + 1

    def unit(self, provider: Provider, path: str, name: str) -> Unit:
        units = tuple(
            branch.unit(provider, f"{path.rstrip('/')}/{part}" if part else "", _named(part))
            for part, branch in sorted(self.below.items())
        )
        own = Counts(**{str(group): count for group, count in self.counted.items()})
        total = sum((unit.total for unit in units), own)
        return Unit(provider=provider, path=path, name=name, own=own, total=total, units=units)


def _named(part: str) -> str:
    return part.replace("%2F", "/") if part else UNKNOWN_UNIT


def coverage(accounts: Iterable[AccountLine]) -> tuple[Unit, ...]:
    """The tree of units of each cloud that has accounts, by name; each tree begins at the organization."""
    roots: dict[Provider, _Branch] = {}
    for line in accounts:
        branch = roots.setdefault(line.provider, _Branch())
        parts = [part for part in line.ou_path.split("/") if part][:MOST_DEPTH]
        for part in parts if line.ou_path else [""]:
            branch = branch.below.setdefault(part, _Branch())
        branch.add(line)
    return tuple(roots[provider].unit(provider, "/", "organization") for provider in Provider if provider in roots)
