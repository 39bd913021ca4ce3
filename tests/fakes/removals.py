"""Whose connectors were taken away on a day, in memory."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from shared.domain.ledger import AccountKey
from tests.fakes.failures import Failures


class FakeRemovals:
    """Accounts by cloud and day; instances that share `taken` stand for processes."""

    def __init__(self, taken: dict[tuple[str, str], set[str]] | None = None) -> None:
        self.taken = defaultdict[tuple[str, str], set[str]](set) if taken is None else taken
        self.failures = Failures()

    def take(self, key: AccountKey, most: int, now: datetime) -> bool:
        """Counts the account in."""
        self.failures.strike("take")
        day = self.taken.setdefault((str(key.provider), f"{now:%Y%m%d}"), set())
        if key.hierarchy_identifier not in day and len(day) >= most:
            return False
        day.add(key.hierarchy_identifier)
        return True
