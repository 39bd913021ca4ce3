"""What a daily look at everything came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The last time that something was swept: when it ended, how much was looked at, how much could not be."""

    name: str
    at: datetime
    seen: int
    failed: int
