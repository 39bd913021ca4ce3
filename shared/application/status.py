"""What the ledger says, for people: all accounts, or one account with its history."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from shared.application.ports import Ledger
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, State


@dataclass(frozen=True, kw_only=True)
class RollStatus:
    """Every account's line and how many are in each state."""

    records: tuple[AccountRecord, ...]

    @property
    def totals(self) -> dict[State, int]:
        """Accounts by state, in the order of a life; states without accounts are left out."""
        counted = Counter(record.state for record in self.records)
        return {state: counted[state] for state in State if counted[state]}


@dataclass(frozen=True, kw_only=True)
class AccountStatus:
    """One account's line and its history, oldest first."""

    record: AccountRecord
    history: tuple[HistoryEntry, ...]


def roll_status(ledger: Ledger) -> RollStatus:
    """All accounts, by provider and hierarchy identifier."""
    return RollStatus(records=tuple(sorted(ledger.list_records(), key=lambda record: record.key)))


def account_status(key: AccountKey, ledger: Ledger) -> AccountStatus | None:
    """One account; None where nothing was ever reported about it."""
    record = ledger.find(key)
    if record is None:
        return None
    return AccountStatus(record=record, history=tuple(reversed(list(ledger.history(key)))))
