"""Figures for Azure Monitor, taken from our log lines as they are written: a line and its figure cannot disagree."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from opentelemetry.metrics import Meter

from shared.domain.arrival import NEW_FOR
from shared.domain.sweep.report import Standing

NEW_FOR_SECONDS = NEW_FOR.total_seconds()


class Kind(StrEnum):
    """What becomes of several values: they are added, the last one counts, or they are gathered."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One instrument and where its values come from.

    `phrases` are the log lines, `value` the field with the number (none: each line counts one), `by` the fields that
    become dimensions. With `spread`, each of those fields is a value, and its name is the dimension `spread_as`.
    """

    name: str
    kind: Kind
    unit: str
    phrases: tuple[str, ...]
    value: str = ""
    by: tuple[str, ...] = ()
    spread: tuple[str, ...] = ()
    spread_as: str = ""
    most: float = float("inf")

    def values(self, fields: Mapping[str, Any]) -> Iterator[tuple[float, dict[str, str]]]:
        """What one line says: numbers with their dimensions."""
        dimensions = {name: str(fields[name]) for name in self.by if name in fields}
        for name in self.spread:
            if name in fields:
                yield float(fields[name]), dimensions | {self.spread_as: name}
        if not self.spread and (not self.value or self.value in fields):
            number = float(fields[self.value]) if self.value else 1.0
            if number <= self.most:
                yield number, dimensions


FIGURES = (
    Figure(
        name="rollcall.requests",
        kind=Kind.COUNTER,
        unit="{request}",
        phrases=("request_handled",),
        by=("provider", "operation", "outcome"),
    ),
    Figure(
        name="rollcall.time_to_connected",
        kind=Kind.HISTOGRAM,
        unit="s",
        phrases=("request_handled",),
        value="seconds_since_joined",
        by=("provider",),
        most=NEW_FOR_SECONDS,
    ),
    Figure(name="rollcall.pushes", kind=Kind.COUNTER, unit="{push}", phrases=("push_handled",), by=("outcome",)),
    Figure(
        name="rollcall.failures",
        kind=Kind.COUNTER,
        unit="{failure}",
        phrases=("request_failed", "push_failed", "slice_failed"),
        by=("error_class",),
    ),
    Figure(
        name="rollcall.accounts",
        kind=Kind.GAUGE,
        unit="{account}",
        phrases=("accounts_by_state",),
        value="accounts",
        by=("provider", "state"),
    ),
    Figure(
        name="rollcall.findings",
        kind=Kind.GAUGE,
        unit="{finding}",
        phrases=("sweep_findings",),
        by=("key", "area"),
        spread=tuple(str(each) for each in Standing),
        spread_as="standing",
    ),
    Figure(name="rollcall.sweep.duration", kind=Kind.GAUGE, unit="s", phrases=("sweep_finished",), value="seconds"),
    Figure(name="rollcall.sweep.complete", kind=Kind.GAUGE, unit="1", phrases=("sweep_finished",), value="complete"),
    Figure(name="rollcall.parked", kind=Kind.GAUGE, unit="{message}", phrases=("poison_looked_through",), value="seen"),
    Figure(
        name="rollcall.resource_manager.left",
        kind=Kind.GAUGE,
        unit="{request}",
        phrases=("resource_manager_budget",),
        value="left",
        by=("subscription_id", "counter"),
    ),
)


class FigureHandler(logging.Handler):
    """Gives each line's numbers to the instruments of `meter`."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._by_phrase: dict[str, list[tuple[Figure, Any]]] = {}
        for figure in FIGURES:
            instrument = _instrument(meter, figure)
            for phrase in figure.phrases:
                self._by_phrase.setdefault(phrase, []).append((figure, instrument))

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing for a line that no figure comes from; a field that is no number harms nobody but its figure."""
        try:
            for figure, record_value in self._by_phrase.get(record.getMessage(), ()):
                for number, dimensions in figure.values(vars(record)):
                    record_value(number, dimensions)
        except (TypeError, ValueError):
            self.handleError(record)


def _instrument(meter: Meter, figure: Figure) -> Any:
    """What takes a value and its dimensions."""
    if figure.kind is Kind.COUNTER:
        return meter.create_counter(figure.name, unit=figure.unit).add
    if figure.kind is Kind.HISTOGRAM:
        return meter.create_histogram(figure.name, unit=figure.unit).record
    return meter.create_gauge(figure.name, unit=figure.unit).set
