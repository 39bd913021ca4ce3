"""A few questions at once: in their order, in the caller's trace, and of a stream never all in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from shared.application.side_by_side import AT_ONCE, HELD, side_by_side, streamed

Run = Callable[[Callable[[int], Any], Iterable[int]], list[Any]]
SEVERAL = pytest.mark.parametrize("run", [side_by_side, lambda find, items: list(streamed(find, items))])
trace: ContextVar[str] = ContextVar("trace", default="none")


@SEVERAL
def test_answers_come_in_the_order_of_the_questions(run: Run) -> None:
    assert run(lambda number: -number, range(3 * HELD)) == [-number for number in range(3 * HELD)]


@SEVERAL
def test_a_few_are_asked_at_once(run: Run) -> None:
    together = threading.Barrier(AT_ONCE)
    assert len(run(lambda _: together.wait(10), range(AT_ONCE))) == AT_ONCE


@SEVERAL
def test_each_is_a_part_of_the_caller_s_trace(run: Run) -> None:
    token = trace.set("ours")
    try:
        assert run(lambda _: trace.get(), range(6)) == ["ours"] * 6
    finally:
        trace.reset(token)


@SEVERAL
def test_an_error_ends_all_of_them(run: Run) -> None:
    asked: list[int] = []

    def find(number: int) -> None:
        asked.append(number)
        if number == 0:
            raise ValueError("the first")
        threading.Event().wait(0.05)

    with pytest.raises(ValueError, match="the first"):
        run(find, range(HELD))
    assert len(asked) <= 2 * AT_ONCE


def test_of_a_stream_only_a_few_are_in_memory_and_the_caller_s_thread_makes_them() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10 * HELD):
            assert threading.current_thread() is threading.main_thread()
            made.append(number)
            yield number

    for number, found in enumerate(streamed(lambda each: each, items())):
        assert found == number
        assert len(made) <= number + HELD
    assert len(made) == 10 * HELD
