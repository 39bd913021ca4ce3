"""Pacing: a generic cell rate algorithm over one shared number, the theoretical arrival time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

STALE_AFTER = timedelta(seconds=20)
"""How long a slot that was not used in its time still counts: kept ones would add up to a burst of their own."""


def is_stale(slot: datetime, now: datetime) -> bool:
    """Whether a write slot passed so long ago that another has to be taken."""
    return now - slot > STALE_AFTER


@dataclass(frozen=True, kw_only=True)
class WriteRate:
    """How fast one subscription may be written to: a lasting rate and a burst on top."""

    writes_per_second: float = 1.0
    burst: int = 20

    def reserve(self, next_free_at: datetime | None, now: datetime, count: int) -> tuple[list[datetime], datetime]:
        """The times of the next `count` writes, and the cell's new value.

        `next_free_at` is the cell's value, None for a cell that nobody used. Source: ITU-T I.371, GCRA.
        """
        interval = timedelta(seconds=1 / self.writes_per_second)
        tolerance = interval * (self.burst - 1)
        arrival = max(next_free_at or now, now)
        slots = []
        for _ in range(count):
            slots.append(max(now, arrival - tolerance))
            arrival += interval
        return slots, arrival
