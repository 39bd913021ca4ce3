"""The demo as people see it: a table that grows while accounts walk their path."""

from __future__ import annotations

from collections.abc import Iterable
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


def walk_table(traces: Iterable[Trace]) -> Table:
    """Each account with the seconds after its birth at which it reached each step."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("account", no_wrap=True)
    table.add_column("name", no_wrap=True, overflow="ellipsis", max_width=13)
    for heading in _HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for trace in traces:
        cells = [_seconds(trace.seconds(step)) for step in _HEADINGS]
        state = state_text(trace.record.state) if trace.record else Text("…", style="dim")
        table.add_row(trace.account_id, words(trace.name), *cells, state)
    return table


def _seconds(value: float | None) -> Text:
    return Text("·", style="dim") if value is None else Text(f"{value:.1f}s")


def connector_table(connectors: Iterable[dict[str, Any]]) -> Table:
    """The connectors as Resource Manager has them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("connector", "account", "location", "plans"):
        table.add_column(column, no_wrap=column != "plans")
    for connector in connectors:
        properties = connector["properties"]
        plans = ", ".join(offering["offeringType"] for offering in properties["offerings"])
        cells = (connector["name"], properties["hierarchyIdentifier"], connector["location"], plans)
        table.add_row(*(words(cell) for cell in cells))
    return table


def heading(console: Console, number: int, words: str) -> None:
    """Says what comes next."""
    console.print()
    console.print(Text(f"{number}. {words}", style="bold"))
