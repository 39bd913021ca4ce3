"""A process from outside: the peak of its memory and its CPU time. Source: proc(5)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
KB_IN_MB = 1024


def cpu_seconds_of(pid: int) -> float:
    """The processor time of a process so far; nought of one that has ended."""
    stat = _read(pid, "stat").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS if stat else 0.0


def peak_mb_of(pid: int) -> float:
    """The most memory that a process has had so far; nought of one that has ended.

    What wait4 says of it has the parent's, from before the child became another program.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", _read(pid, "status"))
    return int(found[1]) / KB_IN_MB if found else 0.0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass
class Process:
    """The peak of a process's memory and its CPU time, as far as they were seen."""

    pid: int
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0

    def look(self) -> None:
        """Reads both; keeps what it knows of one that has ended."""
        self.peak_mb = max(self.peak_mb, peak_mb_of(self.pid))
        self.cpu_seconds = max(self.cpu_seconds, cpu_seconds_of(self.pid))
