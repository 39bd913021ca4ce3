"""A process from outside: the peak of its memory and its CPU time."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Process:
    """The peak of a process's memory and its CPU time, as far as they were seen."""

    pid: int
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0

    def look(self) -> None:
        """Reads both from /proc; keeps what it knows of one that has ended."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return
        if (peak := re.search(r"VmHWM:\s+(\d+) kB", status)) is not None:
            self.peak_mb = int(peak[1]) / 1024
            self.cpu_seconds = (int(stat[11]) + int(stat[12])) / TICKS
