"""When to try again, and when to stop trying."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class RetrySchedule:
    """Delays in seconds: `first` · 2ⁿ up to `longest`, and `contended` where another worker holds the account."""

    first_seconds: float = 30.0
    longest_seconds: float = 6 * 3600.0
    contended_seconds: float = 30.0

    def delay(self, failures: int, retry_after_seconds: float | None = None) -> float:
        """Seconds until the next attempt, after so many failures before this one; a service's own word goes first."""
        if retry_after_seconds is not None and retry_after_seconds > 0:
            return min(retry_after_seconds, self.longest_seconds)
        return min(self.first_seconds * 2.0 ** min(failures, 30), self.longest_seconds)


def budget_spent(first_enqueued_at: datetime, now: datetime, budget_hours: float) -> bool:
    """Whether a request has been tried for its whole budget, counted from when it was first enqueued."""
    return now - first_enqueued_at >= timedelta(hours=budget_hours)
