"""The part of IAM's policy language that the sandbox evaluates: matching and conditions.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Context = Mapping[str, str | list[str]]


class UnknownConditionError(NotImplementedError):
    """A condition operator that the sandbox does not know: it must not guess."""


def as_list(value: Any) -> list[Any]:
    """A policy element that may be one value or a list, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


@lru_cache(maxsize=4096)
def _pattern(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def wildcard_matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether `value` matches a pattern of `*` and `?`."""
    return _pattern(pattern, ignore_case=ignore_case).fullmatch(value) is not None


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    "StringEqualsIgnoreCase": lambda wanted, actual: wanted.lower() == actual.lower(),
    "StringLike": wildcard_matches,
    "ArnEquals": wildcard_matches,
    "ArnLike": wildcard_matches,
    "Bool": lambda wanted, actual: wanted.lower() == actual.lower(),
    "NumericEquals": lambda wanted, actual: float(actual) == float(wanted),
    "NumericLessThan": lambda wanted, actual: float(actual) < float(wanted),
    "NumericLessThanEquals": lambda wanted, actual: float(actual) <= float(wanted),
    "NumericGreaterThan": lambda wanted, actual: float(actual) > float(wanted),
    "NumericGreaterThanEquals": lambda wanted, actual: float(actual) >= float(wanted),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _operator_holds(operator: str, wanted: list[str], actual: str | list[str] | None) -> bool:
    qualifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return (actual is None) == (wanted[0].lower() == "true")
    negated = name in _NEGATED
    test = _TESTS.get(_NEGATED.get(name, name))
    if test is None or qualifier not in {"", "ForAllValues", "ForAnyValue"}:
        raise UnknownConditionError(operator)
    if actual is None:
        return if_exists or negated or qualifier == "ForAllValues"
    values = actual if isinstance(actual, list) else [actual]
    met = [any(test(want, value) for want in wanted) is not negated for value in values]
    if not qualifier and isinstance(actual, list):
        # A single-valued operator on a multivalued key never matches.
        return negated
    return any(met) if qualifier == "ForAnyValue" else all(met)


def condition_holds(condition: Mapping[str, Mapping[str, Any]] | None, context: Context) -> bool:
    """Whether every operator and key of a statement's `Condition` holds in `context`.

    Raises:
        UnknownConditionError: for an operator that the sandbox does not know.
    """
    lowered = {key.lower(): value for key, value in context.items()}
    return all(
        _operator_holds(operator, [_text(value) for value in as_list(wanted)], lowered.get(key.lower()))
        for operator, keys in (condition or {}).items()
        for key, wanted in keys.items()
    )
