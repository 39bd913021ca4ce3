"""Drift: where a connector that exists differs from the one that the policy asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.domain.connector_api import WHOLE_MAPS, canonical
from shared.domain.connectors import OUR_OFFERINGS, ConnectorBody, respelled

_EMPTY: tuple[Any, ...] = (None, "", False, [], {})


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place where desired and actual differ; `path` is dotted, None stands for absent."""

    path: str
    desired: Any
    actual: Any


def differences(desired: ConnectorBody, actual: ConnectorBody) -> tuple[Difference, ...]:
    """Everything desired that `actual` lacks or has otherwise, and our offerings that it should not have.

    Fields that we never set are none of our business. The location is left out: it is chosen at creation and
    cannot be changed afterwards. What is empty or off is the same as what is absent.
    """
    desired = respelled(desired, actual)
    wanted = {key: value for key, value in desired.items() if key not in {"location", "properties"}}
    found = list(_compare(wanted, actual, ""))
    properties = actual.get("properties") or {}
    asked = {key: value for key, value in desired["properties"].items() if key != "offerings"}
    found += _compare(asked, properties, "properties.")
    found += _compare_offerings(desired["properties"]["offerings"], properties.get("offerings") or [])
    return tuple(found)


def _compare_offerings(desired: list[Any], actual: list[Any]) -> Iterator[Difference]:
    have = {offering.get("offeringType"): offering for offering in actual}
    for offering in desired:
        kind = offering["offeringType"]
        path = f"properties.offerings[{kind}]"
        present = have.pop(kind, None)
        if present is None:
            yield Difference(path=path, desired=offering, actual=None)
        else:
            yield from _compare(offering, present, f"{path}.")
    for kind, offering in have.items():
        if kind in OUR_OFFERINGS:
            yield Difference(path=f"properties.offerings[{kind}]", desired=None, actual=offering)


def _compare(desired: dict[str, Any], actual: dict[str, Any], prefix: str) -> Iterator[Difference]:
    for key, value in desired.items():
        have = actual.get(key)
        if isinstance(value, dict) and key not in WHOLE_MAPS and key != "subPlan":
            yield from _compare(value, have if isinstance(have, dict) else {}, f"{prefix}{key}.")
        elif _differs(key, value, have):
            yield Difference(path=f"{prefix}{key}", desired=value, actual=have)


def _differs(key: str, desired: Any, actual: Any) -> bool:
    desired, actual = canonical(key, desired), canonical(key, actual)
    if _is_empty(desired) and _is_empty(actual):
        return False
    if isinstance(desired, list) and isinstance(actual, list):
        return sorted(map(str, desired)) != sorted(map(str, actual))
    return bool(desired != actual)


def _is_empty(value: Any) -> bool:
    return any(value is nothing or (value == nothing and type(value) is type(nothing)) for nothing in _EMPTY)
