"""The folder of one run: its journal and its settings, from which `python -m bench.bounds FOLDER` computes a bound."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.journal import JournalEntry

SETTINGS, JOURNAL = "settings.json", "journal.jsonl"
ROOT = Path(__file__).resolve().parent.parent


def keep(folder: Path, settings: Mapping[str, Any], entries: Iterable[JournalEntry]) -> None:
    """Writes both. `settings["kind"]` names the bound: the module of `bench.bounds` that computes it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=1), encoding="utf-8")
    with (folder / JOURNAL).open("w", encoding="utf-8") as file:
        for entry in entries:
            line = asdict(entry) | {"time": entry.time.isoformat(), "body": None}
            file.write(json.dumps(line) + "\n")


def bound_of(folder: Path) -> dict[str, Any]:
    """What the separate script says of a run."""
    command = [sys.executable, "-m", "bench.bounds", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
