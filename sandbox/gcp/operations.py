"""Long-running operations: what takes effect at once is reported as done a while later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from sandbox.gcp.answers import refusal


class Operations:
    """The operations of one service."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """`seconds` says how long an operation runs."""
        self._seconds = seconds
        self._known: dict[str, tuple[float, dict[str, Any], dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def start(self, name: str, running: dict[str, Any], done: dict[str, Any]) -> dict[str, Any]:
        """Begins an operation; returns how it is shown now."""
        with self._lock:
            self._known[name] = time.monotonic() + self._seconds(), running, done
        return self.get(name)

    def get(self, name: str) -> dict[str, Any]:
        """An operation as it is now.

        Raises:
            RefusalError: 404.
        """
        with self._lock:
            found = self._known.get(name)
        if found is None:
            raise refusal(404, f"Operation {name} not found.")
        ready, running, done = found
        return done if time.monotonic() >= ready else running
