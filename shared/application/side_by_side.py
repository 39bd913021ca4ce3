"""Many questions or messages to a cloud at the same time, a few at once, each as a part of the caller's trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

AT_ONCE = 4
"""Few enough that two functions with a full batch each stay below what Organizations takes per second."""
HELD = 8 * AT_ONCE
"""Of a stream, so many items and what was found for them are in memory."""

Item = TypeVar("Item")
Found = TypeVar("Found")


def side_by_side(find: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """What `find` gives for each of `items`, in their order. What it raises ends all of them."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return _all_of(pool, find, items)


def streamed(find: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """The same of a stream that is not to be in memory as a whole; `items` are asked for in the caller's thread."""
    rest = iter(items)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        while part := list(islice(rest, HELD)):
            yield from _all_of(pool, find, part)


def _all_of(pool: Executor, find: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    begun = [pool.submit(copy_context().run, find, each) for each in items]
    try:
        return [each.result() for each in begun]
    finally:
        for each in begun:
            each.cancel()
