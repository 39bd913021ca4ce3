"""What is left of an identity's queries, for all threads of a process: 15 in 5 s.

Source: Azure Resource Graph, "Guidance for throttled requests": `x-ms-user-quota-remaining`,
`x-ms-user-quota-resets-after` (hh:mm:ss).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.application.ports import Clock

LONGEST_WAIT_SECONDS = 10.0
RESETS_AFTER = "x-ms-user-quota-resets-after"
_REMAINING = "x-ms-user-quota-remaining"


class Quota:
    """Lets a query go as long as the last answer left room for it beside those under way, else after the reset.

    Other processes of the identity are not known of: what they spend is seen in the next answer, or as a 429.
    """

    def __init__(self, clock: Clock) -> None:
        """Waits by `clock`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way = 0
        self._shut_until: datetime | None = None

    def enter(self) -> None:
        """Returns when a query may go; `leave` has to follow."""
        while (seconds := self._entered()) > 0:
            self._clock.sleep(seconds + random.uniform(0, 0.5))  # noqa: S311 - so that not all wake at once

    def _entered(self) -> float:
        """How many seconds to wait; 0 for one that is let go."""
        with self._lock:
            now = self._clock.now()
            if self._shut_until is not None and now < self._shut_until:
                return (self._shut_until - now).total_seconds()
            self._under_way += 1
            return 0.0

    def leave(self, headers: Mapping[str, str]) -> None:
        """Learns from the answer to a query; from none, where there was no answer."""
        with self._lock:
            self._under_way -= 1
            remaining = headers.get(_REMAINING, "")
            if remaining.isdigit() and int(remaining) <= self._under_way:
                seconds = min(_seconds(headers.get(RESETS_AFTER, "")), LONGEST_WAIT_SECONDS)
                self._shut_until = self._clock.now() + timedelta(seconds=seconds)


def _seconds(text: str) -> float:
    """`hh:mm:ss` in seconds; a few where it is written otherwise."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.replace(".", "", 1).isdigit() for part in parts):  # noqa: PLR2004
        return LONGEST_WAIT_SECONDS / 2
    hours, minutes, seconds = map(float, parts)
    return hours * 3600 + minutes * 60 + seconds
