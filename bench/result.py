"""What a measure says: tables, charts, and figures that are held against a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Cell = str | int | float
Direction = Literal["at most", "at least"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One figure and the limit that it has to keep. A `timed` one says something on a quiet computer only."""

    what: str
    value: float
    direction: Direction
    limit: float
    unit: str = ""
    timed: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its limit."""
        return self.value <= self.limit if self.direction == "at most" else self.value >= self.limit


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures side by side; the first cell of a row names it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar of a chart. `mark` is where its bound lies, in the same unit."""

    label: str
    value: float
    mark: float | None = None


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Horizontal bars in one unit. `mark` says what the marks are."""

    title: str
    unit: str
    bars: Sequence[Bar]
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One measure. `how` are sentences: on what, in which world, at which scale of time, with which seed."""

    name: str
    title: str
    what: str
    how: Sequence[str]
    tables: Sequence[Table]
    chart: Chart
    targets: Sequence[Target]
    notes: Sequence[str] = ()
