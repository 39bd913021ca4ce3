"""Token buckets, as Resource Manager and its providers keep them for each subscription and principal.

Source: Azure Resource Manager "Understand how Azure Resource Manager throttles requests"; the sizes
100, 250 and 750 of the Security provider are those of live answers, their refill is not public and taken from the
same page.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Literal

from sandbox.azure.answers import throttled

Kind = Literal["reads", "writes", "deletes"]


@dataclass(frozen=True)
class Limit:
    """A bucket's size and how many requests it regains per second."""

    size: int
    per_second: float


@dataclass
class Limits:
    """The limits of a subscription; tests and faults may replace any of them while it runs."""

    connector_reads: Limit = Limit(100, 25)
    connector_writes: Limit = Limit(250, 10)
    reads: Limit = Limit(250, 25)
    writes: Limit = Limit(200, 10)
    deletes: Limit = Limit(200, 10)
    security_reads: Limit = Limit(750, 25)
    security_writes: Limit = Limit(250, 10)


class Buckets:
    """The buckets in use, made on first sight and thread-safe."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._levels: dict[tuple[str, ...], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Fills every bucket."""
        with self._lock:
            self._levels.clear()

    def take(self, limit: Limit, key: tuple[str, ...], action: str) -> int:
        """Takes one request out of a bucket and returns how many remain.

        Raises:
            RefusalError: the bucket is empty (429 with Retry-After).
        """
        now = time.monotonic()
        with self._lock:
            level, at = self._levels.get(key, (float(limit.size), now))
            level = min(float(limit.size), level + (now - at) * limit.per_second)
            taken = level >= 1
            self._levels[key] = (level - 1 if taken else level, now)
        if taken:
            return int(level - 1)
        seconds = max(1, math.ceil((1 - level) / limit.per_second)) if limit.per_second else 60
        interval = time.strftime("%H:%M:%S", time.gmtime(limit.size / (limit.per_second or 1)))
        raise throttled(action, limit.size, interval, seconds)
