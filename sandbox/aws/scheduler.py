"""Everything that AWS does later by itself: one thread, one list of due tasks."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Scheduler:
    """Runs tasks after a delay, one at a time, until `stop`; what is still due then never happens."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="aws-scheduler", daemon=True)
        self.failures: list[Exception] = []

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Drops what is due and waits for the task in progress."""
        with self._changed:
            self._stopped = True
            self._due.clear()
            self._changed.notify()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=10)

    def after(self, seconds: float, task: Callable[[], None]) -> None:
        """Runs `task` in `seconds` seconds; tasks due at the same moment run in the order they came in."""
        with self._changed:
            if not self._stopped:
                heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), task))
                self._changed.notify()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except Exception as error:  # the thread's entry point: kept for `stop` to report, never lost
                logger.exception("background task of the AWS simulator failed")
                self.failures.append(error)
