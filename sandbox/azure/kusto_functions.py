"""Values of the Kusto query language: how they compare, and the functions that make one of others.

Source: Kusto query language, "Scalar functions", "String operators"; Azure Resource Graph has a part of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container
from typing import Any


class QueryError(Exception):
    """A query that is wrong, or uses what this subset does not have."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def text_of(value: Any) -> str:
    """A value as text: null is empty, anything dynamic is its JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def added(left: Any, right: Any) -> Any:
    """The sum of two numbers; null where one is none."""
    return left + right if _number(left) and _number(right) else None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has(value: Any, term: Any) -> bool:
    pattern = rf"(?<![A-Za-z0-9]){re.escape(text_of(term))}(?![A-Za-z0-9])"
    return re.search(pattern, text_of(value), re.IGNORECASE) is not None


def _of_numbers(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A comparison of numbers that nothing else fulfils."""
    return lambda left, right: _number(left) and _number(right) and compare(left, right)


def _to_int(value: Any) -> int | None:
    if isinstance(value, bool | int | float):
        return int(value)
    text = text_of(value).strip()
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None


def _extract(pattern: Any, group: Any, text: Any) -> str:
    """`extract(regular expression, group, text)`: nothing where it does not match."""
    match = re.search(text_of(pattern), text_of(text))
    return match[int(group)] or "" if match else ""


def _case(*arguments: Any) -> Any:
    """`case(condition, value, …, otherwise)`."""
    pairs = zip(arguments[:-1:2], arguments[1::2], strict=True)
    return next((value for condition, value in pairs if condition is True), arguments[-1])


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "=~": lambda left, right: text_of(left).lower() == text_of(right).lower(),
    "!~": lambda left, right: text_of(left).lower() != text_of(right).lower(),
    "<": _of_numbers(lambda left, right: bool(left < right)),
    "<=": _of_numbers(lambda left, right: bool(left <= right)),
    ">": _of_numbers(lambda left, right: bool(left > right)),
    ">=": _of_numbers(lambda left, right: bool(left >= right)),
    "has": _has,
    "contains": lambda left, right: text_of(right).lower() in text_of(left).lower(),
    "startswith": lambda left, right: text_of(left).lower().startswith(text_of(right).lower()),
}
FUNCTIONS: dict[str, tuple[Callable[..., Any], Container[int]]] = {
    "tolower": (lambda value: text_of(value).lower(), {1}),
    "tostring": (text_of, {1}),
    "toint": (_to_int, {1}),
    "isempty": (lambda value: text_of(value) == "", {1}),
    "isnotempty": (lambda value: text_of(value) != "", {1}),
    "not": (lambda value: not value, {1}),
    "iff": (lambda condition, yes, no: yes if condition is True else no, {3}),
    "case": (_case, range(3, 65, 2)),
    "extract": (_extract, {3}),
    "array_length": (lambda value: len(value) if isinstance(value, list) else None, {1}),
}
"""Each with the numbers of arguments that it takes."""
