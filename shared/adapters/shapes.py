"""Answers that are no failure and yet have another shape than their documentation says: tried again, never a crash.

Whoever takes an answer apart trusts the documentation; Python says in its own words where that was wrong. These
words are caught here alone. The error names the place, by which a defect of ours would be known, and quotes nothing.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from shared.adapters.diagnosis import Diagnosis
from shared.errors import RollcallError

SHAPE_ERRORS = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError)
"""What taking apart raises: something is missing, of another type, no number or time, in no encoding, or too deep."""

_SHARED = str(Path(__file__).resolve().parents[1])
P = ParamSpec("P")
R = TypeVar("R")


def misread(error: Exception, doing: str, diagnosis: Diagnosis) -> RollcallError:
    """The error of ours that stands for an answer of another shape."""
    ours = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(_SHARED)]
    place = f" in {Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
    return diagnosis.error(f"{doing}: an answer of another shape than documented ({type(error).__name__}{place})")


@contextmanager
def shaped(doing: str, diagnosis: Diagnosis) -> Iterator[None]:
    """Lets no misreading out of a block but as our error."""
    try:
        yield
    except SHAPE_ERRORS as error:
        raise misread(error, doing, diagnosis) from error


def reads_answers(diagnosis: Diagnosis) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The same around a whole method, whose name is told; also around each step of one that yields."""

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        doing = method.__qualname__

        @functools.wraps(method)
        def whole(*args: P.args, **kwargs: P.kwargs) -> R:
            with shaped(doing, diagnosis):
                return method(*args, **kwargs)

        @functools.wraps(method)
        def steps(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
            with shaped(doing, diagnosis):
                yield from cast("Iterator[Any]", method(*args, **kwargs))

        return cast("Callable[P, R]", steps) if inspect.isgeneratorfunction(method) else whole

    return decorate
