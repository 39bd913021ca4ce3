"""One run of `rollcall` with what it took: the clock, the processor, memory, and the requests that it made."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import peak_mb_of
from sandbox.journal import Journal, JournalEntry
from tests.e2e.processes import ROLLCALL, environment


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a command took; `entries` are all requests that any service got meanwhile."""

    code: int
    wall: float
    cpu: float
    peak_mb: float
    output: bytes
    entries: tuple[JournalEntry, ...]


def run_measured(arguments: Sequence[str], folder: Path, journal: Journal) -> Run:
    """Runs it in the sandbox's folder, as a person would, and waits for its end."""
    before, started, peak = len(journal), time.perf_counter(), 0.0
    with (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err:
        process = subprocess.Popen(  # noqa: S603 - our own fixed command
            [ROLLCALL, *arguments], cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            peak = max(peak, peak_mb_of(process.pid))
            time.sleep(0.02)
        _, status, used = ended
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return Run(
            code=process.returncode,
            wall=time.perf_counter() - started,
            cpu=used.ru_utime + used.ru_stime,
            peak_mb=peak,
            output=out.read(),
            entries=tuple(journal.entries(since=before)),
        )
