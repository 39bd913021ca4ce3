"""How deep a queue is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class QueueDepth:
    """How many messages a queue has, and since when the first of them waits; None where that cannot be told.

    `given_up` says that a person has to see to them. `problem` is why the queue could not be asked.
    """

    name: str
    waiting: int | None = None
    oldest_at: datetime | None = None
    given_up: bool = False
    problem: str = ""
