"""Asks all questions side by side, each for a bounded time; one that cannot be answered hides no other."""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from shared.domain.doctor.verdicts import Check, Verdict
from shared.errors import RollcallError

logger = logging.getLogger(__name__)
AT_ONCE = 6
SECONDS = 60.0
"""For one question, from its beginning: the SDKs' own tries are over before."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What tells about some prerequisites: `ask` gives at least one verdict about each of `checks`.

    Where `ask` raises, what it gave before counts, and the rest could not be told. `checked_as` is who asks.
    """

    checks: tuple[Check, ...]
    ask: Callable[[], Iterable[Verdict]]
    checked_as: str = ""
    seconds: float = 0.0
    """How long it may take, where that is more than of others."""

    def about(self, keys: Container[str]) -> bool:
        """Whether it tells about any of these checks."""
        return any(check.key in keys for check in self.checks)


@dataclass(frozen=True)
class _Answered:
    number: int
    verdicts: tuple[Verdict, ...] = ()


def examine(questions: Sequence[Question], *, seconds: float = SECONDS, at_once: int = AT_ONCE) -> tuple[Verdict, ...]:
    """Every verdict, in the order of the questions.

    A thread that hangs is left behind: it is a daemon and keeps no process alive.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    answers: queue.SimpleQueue[_Answered] = queue.SimpleQueue()
    begun: dict[int, float] = {}
    for number in range(len(questions)):
        waiting.put(number)

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            begun[number] = time.monotonic()
            answers.put(_answered(number, questions[number]))

    for _ in range(min(at_once, len(questions))):
        threading.Thread(target=work, daemon=True, name="doctor").start()
    limits = [max(each.seconds, seconds) for each in questions]
    found = _gathered(limits, answers, begun, lambda: threading.Thread(target=work, daemon=True, name="doctor"))
    return tuple(
        verdict.seen_as(questions[number].checked_as)
        for number in range(len(questions))
        for verdict in found.get(number) or _late(questions[number], limits[number])
    )


def _answered(number: int, question: Question) -> _Answered:
    told: list[Verdict] = []
    try:
        told.extend(question.ask())
    except RollcallError as error:
        untold = _untold(question, told)
        for check in untold:
            logger.warning("prerequisite_not_told", extra={"key": check.key, "reason": error.reason})
        told += [check.unknown(error.reason, remedy=error.remedy) for check in untold]
    except Exception as bug:  # noqa: BLE001 - the others are told all the same; this one names itself a defect
        untold = _untold(question, told)
        keys = ", ".join(check.key for check in untold)
        facts = {"key": keys, "error_class": type(bug).__name__, "reason": _place_of(bug)}
        logger.error("check_failed", extra=facts)  # noqa: TRY400 - an exception's text is a library's
        why = f"the check itself failed ({type(bug).__name__}): a defect of Rollcall"
        told += [check.unknown(why) for check in untold]
    return _Answered(number, tuple(told))


def _place_of(bug: Exception) -> str:
    """Where it was raised: module and line."""
    frame = traceback.extract_tb(bug.__traceback__)[-1]
    return f"{PurePath(frame.filename).name}:{frame.lineno}"


def _untold(question: Question, told: Sequence[Verdict]) -> list[Check]:
    """Checks of which nothing was told yet; where something was of each, all of them: more was to come."""
    known = {each.check for each in told}
    return [check for check in question.checks if check not in known] or list(question.checks)


def _gathered(
    limits: Sequence[float],
    answers: queue.SimpleQueue[_Answered],
    begun: dict[int, float],
    another: Callable[[], threading.Thread],
) -> dict[int, tuple[Verdict, ...]]:
    """What was answered in time. Whoever takes too long is given up, and another worker takes its place."""
    found: dict[int, tuple[Verdict, ...]] = {}
    given_up: set[int] = set()
    while len(found.keys() | given_up) < len(limits):
        try:
            answer = answers.get(timeout=0.05)
        except queue.Empty:
            now = time.monotonic()
            late = {each for each, at in list(begun.items()) if now - at > limits[each]} - found.keys() - given_up
            given_up |= late
            for _ in late:
                another().start()
            continue
        found[answer.number] = answer.verdicts
    return found


def _late(question: Question, seconds: float) -> tuple[Verdict, ...]:
    return tuple(check.unknown(f"no answer within {seconds:g} s") for check in question.checks)
