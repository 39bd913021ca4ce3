"""The demo as people see it: a table that grows while accounts and projects walk their path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.demo.trace import Step, Trace
from cli.output import words
from cli.wording import state_text

_HEADINGS = {
    Step.EVENT: "event",
    Step.STACK_SET: "deploy",
    Step.INSTANCE: "roles",
    Step.QUEUE: "queue",
    Step.CONNECTOR: "connect",
}
_NAME_WIDTH, _PLACE_WIDTH = 13, 15
"""So that a line with the longest state has 80 columns."""
_NARROW_NAME, _FIRST_WITH_PLACE = 9, 76
"""In a narrower terminal the place is left out and names are short, so that seconds and states stay whole."""


def walk_table(traces: Iterable[Trace], columns: int) -> Table:
    """Each account and project with the seconds after its birth at which it reached each step."""
    has_place = columns >= _FIRST_WITH_PLACE
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("", no_wrap=True)
    name_width = _NAME_WIDTH if has_place else _NARROW_NAME
    table.add_column("name", no_wrap=True, overflow="ellipsis", max_width=name_width)
    if has_place:
        table.add_column("place", no_wrap=True, overflow="ellipsis", max_width=_PLACE_WIDTH)
    for heading in _HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for trace in traces:
        cells = [_seconds(trace.seconds(step)) for step in _HEADINGS]
        state = state_text(trace.record.state) if trace.record else Text("…", style="dim")
        place = [words(_place(trace.record.ou_path if trace.record else ""))] if has_place else []
        table.add_row(str(trace.key.provider), words(trace.name), *place, *cells, state)
    return table


def _place(path: str) -> str:
    """A path of units or folders as far as there is room: its end tells most."""
    return path if len(path) <= _PLACE_WIDTH else f"…/{path.rpartition('/')[2]}"


def _seconds(value: float | None) -> Text:
    return Text("·", style="dim") if value is None else Text(f"{value:.1f}s")


def connector_table(connectors: Iterable[dict[str, Any]], name_of: Callable[[dict[str, Any]], str]) -> Table:
    """The connectors as Resource Manager has them, each with the name of its account or project."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("connector", no_wrap=True)
    table.add_column("of", no_wrap=True, overflow="ellipsis", max_width=_NAME_WIDTH)
    table.add_column("location", no_wrap=True)
    table.add_column("plans")
    for connector in connectors:
        plans = ", ".join(offering["offeringType"] for offering in connector["properties"]["offerings"])
        cells = (connector["name"], name_of(connector), connector["location"], plans)
        table.add_row(*(words(cell) for cell in cells))
    return table


def heading(console: Console, number: int, words: str) -> None:
    """Says what comes next."""
    console.print()
    console.print(Text(f"{number}. {words}", style="bold"))
