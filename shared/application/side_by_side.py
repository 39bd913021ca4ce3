"""Many questions or messages to a cloud at the same time, a few at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 4
"""Few enough that two functions with a full batch each stay below what Organizations takes per second."""

Item = TypeVar("Item")
Found = TypeVar("Found")


def side_by_side(find: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """What `find` gives for each of `items`, in their order. What it raises ends all of them."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(find, items))
