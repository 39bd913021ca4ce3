"""The ledger in memory: the domain's own rules on a dictionary."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, Result, State, advance, claim
from shared.domain.sweeps import Sweep
from tests.fakes.failures import Failures


class FakeLedger:
    """Claims and entries by account; a repeated entry is the same line of history."""

    def __init__(self) -> None:
        self._records: dict[AccountKey, AccountRecord] = {}
        self._history: dict[AccountKey, dict[tuple[object, ...], HistoryEntry]] = {}
        self._lock = threading.Lock()
        self.failures = Failures()

    def find(self, key: AccountKey) -> AccountRecord | None:
        """The account's line."""
        self.failures.strike("find")
        return self._records.get(key)

    def claim(self, key: AccountKey, *, owner: str, now: datetime, seconds: float, connecting: bool = False) -> bool:
        """Takes the account where nobody else holds it."""
        self.failures.strike("claim")
        with self._lock:
            record = self._records.get(key, AccountRecord(key=key))
            if record.claimed_by_another(owner, now):
                return False
            self._records[key] = claim(record, owner=owner, now=now, seconds=seconds, connecting=connecting)
            return True

    def record(self, entry: HistoryEntry, *, release: str | None = None) -> None:
        """Adds to the history and advances the line."""
        self.failures.strike("record")
        with self._lock:
            identity = (entry.at, entry.message_id, entry.attempt, entry.step, entry.result)
            self._history.setdefault(entry.key, {})[identity] = entry
            record = self._records.get(entry.key, AccountRecord(key=entry.key))
            self._records[entry.key] = advance(record, entry, release=release)

    def list_records(self, between: tuple[AccountKey, AccountKey] | None = None) -> Iterator[AccountRecord]:
        """Every line, by key, or those between."""
        self.failures.strike("list_records")
        first, last = between or (None, None)
        for key in sorted(self._records):
            if (first is None or first <= key) and (last is None or key <= last):
                yield self._records[key]

    def history(self, key: AccountKey) -> Iterator[HistoryEntry]:
        """Newest first."""
        self.failures.strike("history")
        yield from sorted(self._history.get(key, {}).values(), key=lambda entry: entry.at, reverse=True)


class FakeSweepLog:
    """The last sweep."""

    def __init__(self, *sweeps: Sweep) -> None:
        self.sweeps = list(sweeps)
        self.failures = Failures()

    @property
    def last(self) -> Sweep:
        """The one recorded last."""
        return self.sweeps[-1]

    def record(self, sweep: Sweep) -> None:
        """Remembers it."""
        self.sweeps.append(sweep)

    def list_last(self) -> list[Sweep]:
        """What was recorded."""
        self.failures.strike("list_last")
        return self.sweeps


def connected(key: AccountKey, at: datetime) -> HistoryEntry:
    """The line of the history that a connector was made."""
    return HistoryEntry(
        key=key,
        at=at,
        step="connect:deployed",
        result=Result.CREATED,
        message_id="m",
        attempt=0,
        correlation_id="c",
        state=State.CONNECTED,
    )
