"""What the ledger says, for people: all accounts, or one account with its history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.application.ports import Ledger
from shared.domain.accounts import Provider
from shared.domain.ledger import UNDER_WAY, AccountKey, AccountRecord, HistoryEntry, State
from shared.domain.queues import QueueDepth
from shared.domain.sweeps import Sweep
from shared.errors import RollcallError


class Sweeps(Protocol):
    """When everything was swept last."""

    def list_last(self) -> Sequence[Sweep]:
        """The last sweep of each kind. Raises TransientError, ConfigurationError."""


class QueueGauge(Protocol):
    """Queues whose depth can be read."""

    def measure(self) -> Sequence[QueueDepth]:
        """The depth of each; raises nothing: what cannot be read has a problem."""


@dataclass(frozen=True, kw_only=True)
class Selected:
    """Which accounts are meant; what is left out excludes none. A unit stands for all below it, too."""

    provider: Provider | None = None
    states: frozenset[State] = frozenset()
    ou_path: str = ""

    def covers(self, record: AccountRecord) -> bool:
        """Whether the account is meant."""
        unit = self.ou_path.rstrip("/")
        below = record.ou_path == unit or record.ou_path.startswith(f"{unit}/")
        return (
            (self.provider is None or record.key.provider is self.provider)
            and (not self.states or record.state in self.states)
            and (not self.ou_path or below)
        )


@dataclass(frozen=True, kw_only=True)
class RollStatus:
    """Every account's line, how many are in each state, how deep the queues are, and when everything was swept.

    `sweeps_unread` is why that last cannot be told.
    """

    records: tuple[AccountRecord, ...]
    queues: tuple[QueueDepth, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    sweeps_unread: str = ""

    @property
    def longest_under_way(self) -> AccountRecord | None:
        """The account that has been on its way for longest; None where none is."""
        waiting = [record for record in self.records if record.state in UNDER_WAY and record.state_at is not None]
        return min(waiting, key=lambda record: (record.state_at, record.key), default=None)

    @property
    def totals(self) -> dict[State, int]:
        """Accounts by state, in the order of a life; states without accounts are left out."""
        return _totals(self.records)

    @property
    def totals_by_provider(self) -> dict[Provider, dict[State, int]]:
        """The same for each cloud that has any."""
        found = {each: _totals(record for record in self.records if record.key.provider is each) for each in Provider}
        return {provider: totals for provider, totals in found.items() if totals}


def _totals(records: Iterable[AccountRecord]) -> dict[State, int]:
    counted = Counter(record.state for record in records)
    return {state: counted[state] for state in State if counted[state]}


@dataclass(frozen=True, kw_only=True)
class AccountStatus:
    """One account's line and its history, oldest first."""

    record: AccountRecord
    history: tuple[HistoryEntry, ...]


def roll_status(
    ledger: Ledger,
    selected: Selected | None = None,
    gauges: Iterable[QueueGauge] = (),
    sweeps: Sweeps | None = None,
) -> RollStatus:
    """All accounts that are meant, by provider and hierarchy identifier."""
    meant = (record for record in ledger.list_records() if selected is None or selected.covers(record))
    found, unread = _last_sweeps(sweeps)
    return RollStatus(
        records=tuple(sorted(meant, key=lambda record: record.key)),
        queues=tuple(depth for gauge in gauges for depth in gauge.measure()),
        sweeps=found,
        sweeps_unread=unread,
    )


def _last_sweeps(sweeps: Sweeps | None) -> tuple[tuple[Sweep, ...], str]:
    try:
        return tuple(sweeps.list_last()) if sweeps is not None else (), ""
    except RollcallError as error:  # the rest of the status is worth having all the same
        return (), error.reason


def account_status(key: AccountKey, ledger: Ledger) -> AccountStatus | None:
    """One account; None where nothing was ever reported about it."""
    record = ledger.find(key)
    if record is None:
        return None
    return AccountStatus(record=record, history=tuple(reversed(list(ledger.history(key)))))
