"""The processor time of a sandbox's processes, by what they are: ours, or what stands in for the clouds."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from pathlib import Path
from types import TracebackType

from bench.process import cpu_seconds_of
from tests.e2e.processes import processes_of

EVERY_SECONDS = 2.0
FUNCTIONS, LAMBDAS, AZURITE, SIMULATORS = "Functions hosts", "Lambda functions", "Azurite", "simulators"
_MARKS = {"functions_host": FUNCTIONS, "awslambdaric": LAMBDAS, "azurite": AZURITE}


class Processor:
    """Looks every few seconds while it is open: Lambda replaces its processes, and what ended is still counted."""

    def __init__(self, folder: Path) -> None:
        """The sandbox in `folder`, whose simulators run in this very process."""
        self._folder = folder
        self._kinds: dict[int, str] = {os.getpid(): SIMULATORS}
        self._before: dict[int, float] = {}
        self._seen: dict[int, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Processor:
        self._look()
        self._before = dict(self._seen)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._look()

    @property
    def seconds(self) -> dict[str, float]:
        """Processor time since it was opened, by kind."""
        found: defaultdict[str, float] = defaultdict(float)
        for pid, seconds in self._seen.items():
            found[self._kinds[pid]] += seconds - self._before.get(pid, 0.0)
        return dict(found)

    def _watch(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            self._look()

    def _look(self) -> None:
        for pid, command in processes_of(self._folder).items():
            kind = next((kind for mark, kind in _MARKS.items() if mark in command), None)
            if kind is not None:
                self._kinds[pid] = kind
        for pid in self._kinds:
            self._seen[pid] = max(self._seen.get(pid, 0.0), cpu_seconds_of(pid))
