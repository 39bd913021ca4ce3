"""What is left of an identity's queries, for all threads of a process: 15 in 5 s.

Source: Azure Resource Graph, "Guidance for throttled requests": `x-ms-user-quota-remaining`,
`x-ms-user-quota-resets-after` (hh:mm:ss).
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.application.ports import Clock

WINDOW_SECONDS, QUERIES = 5.0, 15
LONGEST_WAIT_SECONDS = 10.0
RESETS_AFTER = "x-ms-user-quota-resets-after"
_REMAINING = "x-ms-user-quota-remaining"
_WINDOW = timedelta(seconds=WINDOW_SECONDS + 0.05)
_LOOK_SECONDS = 0.05
"""How long to wait for an answer of another thread."""


class Quota:
    """Lets a query go as soon as one of the last window has left it, else after the reset that a refusal names.

    `resets-after` has whole seconds, and of a window that moves it says when the first query leaves it: to wait for it
    each time would leave a tenth of the quota unused. How many may go is learned from what answers say is left: other
    processes of the identity take their part of it.
    """

    def __init__(self, clock: Clock) -> None:
        """Waits by `clock`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: deque[datetime] = deque()
        self._answered: deque[datetime] = deque()
        self._under_way = 0
        self._most = QUERIES
        self._shut_until: datetime | None = None

    def enter(self) -> datetime:
        """Returns when a query may go; what it returns is for `leave`, which has to follow."""
        while True:
            entered, seconds = self._entered()
            if entered is not None:
                return entered
            self._clock.sleep(seconds)

    def _entered(self) -> tuple[datetime | None, float]:
        """When one was let go, or how many seconds to wait."""
        with self._lock:
            now = self._clock.now()
            if self._shut_until is not None and now < self._shut_until:  # not all of them wake at once
                return None, (self._shut_until - now).total_seconds() + random.uniform(0, 0.5)  # noqa: S311 - jitter
            for times in (self._sent, self._answered):
                while times and now - times[0] >= _WINDOW:
                    times.popleft()
            room = self._most - self._under_way
            if room <= 0:
                return None, _LOOK_SECONDS
            if len(self._answered) >= room:  # counted at the latest when it was answered
                return None, (self._answered[-room] + _WINDOW - now).total_seconds()
            self._under_way += 1
            self._sent.append(now)
            return now, 0.0

    def leave(self, entered: datetime, headers: Mapping[str, str], *, refused: bool = False) -> None:
        """Learns from the answer to a query; from none, where there was no answer."""
        with self._lock:
            self._under_way -= 1
            if refused:
                if entered in self._sent:
                    self._sent.remove(entered)  # the service has not counted it
                seconds = min(_seconds(headers.get(RESETS_AFTER, "")), LONGEST_WAIT_SECONDS)
                self._shut_until = self._clock.now() + timedelta(seconds=seconds)
                return
            self._answered.append(self._clock.now())
            remaining = headers.get(_REMAINING, "")
            if remaining.isdigit():
                ours = sum(entered - _WINDOW < each <= entered for each in self._sent)
                self._most = max(1, ours + int(remaining))


def _seconds(text: str) -> float:
    """`hh:mm:ss` in seconds; a few where it is written otherwise."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.replace(".", "", 1).isdigit() for part in parts):  # noqa: PLR2004
        return LONGEST_WAIT_SECONDS / 2
    hours, minutes, seconds = map(float, parts)
    return hours * 3600 + minutes * 60 + seconds
