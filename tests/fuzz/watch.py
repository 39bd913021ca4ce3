"""What is wrong with how an input was taken: a crash, a hang, a line of the log that tells too much."""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from shared.errors import ConfigurationError, PermanentError, RollcallError
from tests.documented import OURS
from tests.fuzz.odd import TOKEN

SECONDS = 1.0
"""Of the processor, for one input."""
MOST_WAITED = 20.0
"""Seconds of the clock: what waits for something that never comes uses no processor."""
MOST_SLEPT = 60.0
"""Seconds that may be slept for one input: a function has its own time, and queues wait better."""
MOST_IN_A_FIELD = 2_500
MOST_IN_A_LINE = 8_000
ROOT = Path(__file__).parents[2]
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_ADDRESS = re.compile(r"jane\.doe@|[\w.+-]@(?:[\w-]+\.)*example\.(?:com|org|net)|@bank\.example", re.IGNORECASE)


class HangError(BaseException):
    """An input took too long; nothing that catches `Exception` catches it."""


class WrongError(AssertionError):
    """A surface's own oracle says no: an input was lost, a neighbour failed, a token opened something."""


@dataclass(frozen=True)
class Verdict:
    """What became of an input: its outcome, and what is wrong about it, in a form that tells cases apart."""

    outcome: str
    wrong: str = ""
    detail: str = ""
    seconds: float = 0.0


def checked_refusal(error: RollcallError) -> str:
    """The outcome that a refusal is. Raises WrongError where it does not say why, or what to do, or too much."""
    kind = type(error).__name__
    if not error.reason.strip():
        raise WrongError(f"{kind} without a reason")
    if isinstance(error, PermanentError | ConfigurationError) and not error.remedy.strip():
        raise WrongError(f"{kind} without a remedy")
    for text in (error.reason, error.remedy):
        if told := told_too_much(text):
            raise WrongError(f"{kind} tells {told}")
    return f"{kind} {error.key}".strip()


def told_too_much(text: str) -> str:
    """What a text has that no log may have; empty where it has nothing of the kind."""
    if len(text) > MOST_IN_A_FIELD:
        return "more than fits into a line"
    if "@" in text and _ADDRESS.search(text):
        return "an address"
    return "a token" if TOKEN in text else ""


class _Lines(logging.Handler):
    """Looks at each line of ours, and at warnings of others."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.wrong: list[str] = []
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the line and what is wrong with it."""
        if not record.name.startswith(OURS):
            return
        self.records.append(record)
        size = 0
        for name, value in vars(record).items():
            if name in _STANDARD and name != "msg":
                continue
            text = value if isinstance(value, str) else str(value)
            size += len(text)
            if told := told_too_much(text):
                self.wrong.append(f"{record.getMessage()[:60]} tells {told} as {name}")
        if size > MOST_IN_A_LINE:
            self.wrong.append(f"{record.getMessage()[:60]} is too long")
        if record.exc_info and told_too_much("".join(traceback.format_exception(*record.exc_info))[-MOST_IN_A_FIELD:]):
            self.wrong.append(f"{record.getMessage()[:60]} tells too much in a traceback")


@dataclass
class Watch:
    """Runs inputs one by one, each with an alarm, with its lines, and without sleeping."""

    lines: _Lines = field(default_factory=_Lines)
    slept: float = 0.0

    @property
    def records(self) -> list[logging.LogRecord]:
        """The lines of the input that runs."""
        return self.lines.records

    def sleep(self, seconds: float) -> None:
        """In the place of time.sleep: counts."""
        self.slept += seconds

    def run(self, work: Callable[[], str]) -> Verdict:
        """What becomes of one input. It hangs where it does so twice: a busy computer may have let it wait."""
        verdict = self._once(work)
        return self._once(work) if verdict.wrong.startswith("hang") else verdict

    def _once(self, work: Callable[[], str]) -> Verdict:
        self.lines.records.clear()
        self.lines.wrong.clear()
        self.slept = 0.0
        began = time.process_time()
        outcome, wrong, detail = "crashed", "", ""
        try:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, MOST_WAITED)
            try:
                outcome = work()
            except RollcallError as error:
                outcome = checked_refusal(error)
            finally:
                _disarm()
        except HangError as error:
            wrong, detail = f"hang in {_place(error)}", _told(error)
        except WrongError as error:
            wrong, detail = f"wrong: {error}", _told(error)
        except Exception as error:  # noqa: BLE001 - whatever an input makes the product raise is what is looked for
            wrong, detail = f"crash: {type(error).__name__} in {_place(error)}", _told(error)
        seconds = time.process_time() - began
        if not wrong and self.lines.wrong:
            wrong = f"log: {self.lines.wrong[0]}"
        if not wrong and self.slept > MOST_SLEPT:
            wrong = "sleeps for more than a minute"
        return Verdict(outcome=outcome, wrong=wrong, detail=detail, seconds=seconds)


def _place(error: BaseException) -> str:
    """The innermost line of ours that is in the traceback."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename != __file__]
    ours = [each for each in frames if each.filename.startswith(str(ROOT)) and "/.venv" not in each.filename]
    product = [each for each in ours if f"{ROOT}/tests/" not in each.filename] or ours or list(frames)
    last = product[-1]
    return f"{Path(last.filename).name}:{last.name}"


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error, limit=-12))[-4000:]


class _Nowhere:
    """Standard output of the product, such as the figures of Lambda functions."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None


def _disarm() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise HangError


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """A watch. Alarm, sleep, loggers and standard output are as before when it ends, pytest's own alarm included."""
    watch = Watch()
    root, sleep, out = logging.getLogger(), time.sleep, sys.stdout
    levels: dict[str, int] = {name: logging.getLogger(name).level for name in OURS}
    handlers = {name: list(logging.getLogger(name).handlers) for name in ("", *OURS)}
    began = time.monotonic()
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    before: Any = {number: signal.signal(number, _ring) for number in (signal.SIGALRM, signal.SIGPROF)}
    try:
        for name in ("", *OURS):
            logging.getLogger(name).handlers[:] = []
        root.addHandler(watch.lines)
        for name in OURS:
            logging.getLogger(name).setLevel(logging.INFO)
        time.sleep = watch.sleep  # type: ignore[assignment] # retries of SDKs, whose waits are counted
        sys.stdout = _Nowhere()  # it is only written to
        yield watch
    finally:
        time.sleep, sys.stdout = sleep, out
        for name, known in handlers.items():
            logging.getLogger(name).handlers[:] = known
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for number, action in before.items():
            signal.signal(number, action)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.001))
