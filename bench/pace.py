"""How fast the processor is while something is measured: a piece of work, again and again, in a process of its own.

Computers that share their processor with others differ by a fifth from one quarter of an hour to the next. Processor
time of two runs can be compared where each is told in such pieces.
"""

from __future__ import annotations

import json
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

EVERY_SECONDS = 1.0
_ROOT = Path(__file__).resolve().parent.parent
_DOCUMENT = {f"name-{number}": [number, f"text {number}", {"inner": number / 7}] for number in range(40)}


def piece() -> None:
    """What our processes do most, in small: text into objects and back."""
    for _ in range(60):
        json.loads(json.dumps(_DOCUMENT))


class Pace:
    """Works on one piece every second while it is open; `piece_ms` is the median of their processor time."""

    def __init__(self) -> None:
        """Nothing has been measured yet."""
        self.piece_ms = 0.0

    def __enter__(self) -> Pace:
        command = [sys.executable, "-m", "bench.pace"]
        self.process = subprocess.Popen(  # noqa: S603 - our own
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        said, _ = self.process.communicate()  # closes its input, and with that it ends
        self.piece_ms = statistics.median(map(float, said.split()))


def _main() -> None:
    piece()  # so that the first one that counts is warm
    ended = False
    while not ended:
        begun = time.process_time()
        piece()
        print(1000 * (time.process_time() - begun), flush=True)
        ended = bool(select.select([sys.stdin], [], [], EVERY_SECONDS)[0])


if __name__ == "__main__":
    _main()
