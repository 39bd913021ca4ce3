"""On what a measure ran: enough to read its figures, nothing that names the computer."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_BYTES_IN_GB = 2**30


def circumstances() -> dict[str, Any]:
    """Time, commit, processor, memory, interpreter, and the load before the measure begins."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _commit(),
        "processors": os.cpu_count() or 1,
        "processor": _processor(),
        "memory_gb": round(pages * size / _BYTES_IN_GB),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    except FileNotFoundError:
        return "unknown: no git here"
    return found.stdout.strip() or "unknown: not a checkout"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except FileNotFoundError:
        return platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()
