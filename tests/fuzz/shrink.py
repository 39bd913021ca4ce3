"""The smallest document that is wrong in the same way: parts of the tree go first, then parts of the text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

MOST_TRIES = 600


class _Budget:
    def __init__(self, same: Callable[[bytes], bool]) -> None:
        self._same = same
        self.left = MOST_TRIES

    def same(self, content: bytes) -> bool:
        self.left -= 1
        return self.left >= 0 and self._same(content)


def smallest(content: bytes, same: Callable[[bytes], bool]) -> bytes:
    """The smallest that was found within some hundred tries; `same` says whether it is still wrong."""
    budget = _Budget(same)
    content = _smaller_tree(content, budget)
    return _smaller_text(content, budget)


def _smaller_tree(content: bytes, budget: _Budget) -> bytes:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return content
    again = True
    while again and budget.left > 0:
        again = False
        for smaller in _with_less(tree):
            try:
                text = json.dumps(smaller).encode()
            except (ValueError, RecursionError):
                return content
            if len(text) < len(content) and budget.same(text):
                tree, content, again = smaller, text, True
                break
    return content


def _with_less(tree: Any) -> Iterator[Any]:
    """The tree without one of its parts each, the largest first."""
    for path in sorted(_paths(tree), key=len):
        holder = json.loads(json.dumps(tree))
        inner = holder
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
        yield holder


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*path, key)
        if len(path) < 12:
            yield from _paths(each, (*path, key))


def _smaller_text(content: bytes, budget: _Budget) -> bytes:
    size = max(len(content) // 2, 1)
    while size >= 1 and budget.left > 0:
        at = 0
        while at < len(content) and budget.left > 0:
            less = content[:at] + content[at + size :]
            if budget.same(less):
                content = less
            else:
                at += size
        size //= 2
    return content
