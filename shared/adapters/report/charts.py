"""The bars of the page's charts: geometry only; words stand beside them as text, which no scaling makes small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.domain.report.accounts import Counts, Group, group_of
from shared.domain.report.runs import StatesOfDay
from shared.domain.report.times import BUCKETS, Times

WIDTH, HEIGHT = 100.0, 100.0
"""Charts are stretched to their place."""
_NAMES = ("1 min", "2 min", "5 min", "10 min", "30 min", "1 h", "6 h", "1 d", "3 d")
GROUPS = tuple(Group)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle; `kind` is its class, `label` what is said of it."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """One bar of the distribution: how many took so long at most."""

    name: str
    count: int
    bar: Bar


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day's bars and its accounts by group; no bars where nobody counted."""

    day: str
    counted: dict[Group, int]
    bars: tuple[Bar, ...]


def share(counts: Counts) -> tuple[Bar, ...]:
    """One line of bars, as wide as each group's share of all accounts."""
    parts = [(group, int(getattr(counts, group))) for group in GROUPS]
    return tuple(_line(parts, counts.accounts))


def part_of(count: int, whole: int, kind: str) -> tuple[Bar, ...]:
    """One bar as wide as a count's share."""
    return (Bar(x=0, y=0, width=round(WIDTH * count / whole, 3), height=HEIGHT, kind=kind),) if whole else ()


def _line(parts: Iterable[tuple[Group, int]], whole: int) -> Iterator[Bar]:
    x = 0.0
    for group, count in parts:
        width = WIDTH * count / whole if whole else 0.0
        if width:
            yield Bar(x=round(x, 3), y=0, width=round(width, 3), height=HEIGHT, kind=str(group))
        x += width


def distribution(times: Times) -> tuple[Bucket, ...]:
    """A bar for each span of time, the highest as high as the chart."""
    most = max(times.buckets, default=0) or 1
    step = WIDTH / len(BUCKETS)
    found = []
    for number, (name, count) in enumerate(zip(_NAMES, times.buckets, strict=True)):
        height = HEIGHT * count / most
        bar = Bar(
            x=round(number * step + step * 0.08, 3),
            y=round(HEIGHT - height, 3),
            width=round(step * 0.84, 3),
            height=round(height, 3),
            kind="time",
            label=f"{count} took up to {name}",
        )
        found.append(Bucket(name=name, count=count, bar=bar))
    return tuple(found)


def month(days: Sequence[StatesOfDay]) -> tuple[Day, ...]:
    """A column for each day, by group, all to one scale."""
    counted = [_by_group(day) for day in days]
    most = max((sum(each.values()) for each in counted), default=0) or 1
    step = WIDTH / max(len(days), 1)
    found = []
    for number, (day, groups) in enumerate(zip(days, counted, strict=True)):
        bars, top = [], HEIGHT
        label = f"{day.day}: " + ", ".join(f"{groups[group]} {named(group)}" for group in GROUPS)
        for group in GROUPS:
            height = HEIGHT * groups[group] / most
            top -= height
            if height:
                bars.append(
                    Bar(
                        x=round(number * step + step * 0.1, 3),
                        y=round(top, 3),
                        width=round(step * 0.8, 3),
                        height=round(height, 3),
                        kind=str(group),
                        label=label,
                    )
                )
        found.append(Day(day=f"{day.day}", counted=groups if day.states is not None else {}, bars=tuple(bars)))
    return tuple(found)


def _by_group(day: StatesOfDay) -> dict[Group, int]:
    found = dict.fromkeys(GROUPS, 0)
    for states in (day.states or {}).values():
        for state, count in states.items():
            found[group_of(state)] += count
    return found


def named(group: Group) -> str:
    """A group in words."""
    return str(group).replace("_", " ")
