"""How `rollcall query` shows questions and answers: as tables, and below each other where a terminal is too narrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import words
from shared.application.ask import Answer, Cell
from shared.domain.queries import QUESTIONS, Question, Store

AT_ONCE = 500
"""Rows that are laid out together."""
GAP, LONGEST = 2, 40
"""Between two columns; and the longest word that is kept whole: an id of a subscription is."""


def questions_table(width: int) -> Table:
    """Every question by its name."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("asks", overflow="fold")
    table.add_column("answered by", no_wrap=width >= 100)
    for each in QUESTIONS:
        table.add_row(words(each.name), words(each.asks), words(each.store))
    return table


def answer_parts(answer: Answer, width: int) -> Iterator[RenderableType]:
    """The rows, a part of them at a time; what no rows may mean."""
    columns, rows = answer.question.columns, answer.rows
    if not rows:
        yield words(f"no rows: {answer.question.empty}" if answer.question.empty else "no rows")
        return
    least = {name: max(len(name), *(_least(row[name]) for row in rows)) for name in columns}
    if sum(least.values()) + GAP * (len(columns) - 1) > width:
        yield from _below_each_other(columns, rows)
        return
    for first in range(0, len(rows), AT_ONCE):
        table = Table(box=None, pad_edge=False, header_style="bold", show_header=first == 0)
        for name in columns:
            justify: Literal["left", "right"] = "left" if _is_words(rows, name) else "right"
            table.add_column(name, justify=justify, overflow="fold", min_width=least[name])
        for row in rows[first : first + AT_ONCE]:
            table.add_row(*(words(_text(row[name])) for name in columns))
        yield table


def _least(value: Cell) -> int:
    """What a cell needs for its longest word."""
    return min(max(map(len, words(_text(value)).plain.split()), default=0), LONGEST)


def _is_words(rows: Sequence[Mapping[str, Cell]], name: str) -> bool:
    return any(isinstance(row[name], str | tuple) for row in rows)


def _below_each_other(columns: Sequence[str], rows: Sequence[Mapping[str, Cell]]) -> Iterator[Text]:
    label = max(map(len, columns))
    for number, row in enumerate(rows):
        if number:
            yield Text("")
        for name in columns:
            yield Text(f"{name:<{label}}  ", style="bold").append_text(words(_text(row[name]), style="not bold"))


def _text(value: Cell) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def scope_line(answer: Answer) -> str:
    """What the answer is an answer about."""
    count = answer.subscriptions
    said = (
        f"{len(answer.rows)} row(s) from {count} subscription(s) that you may read; what you may not read is left out"
    )
    return said if answer.whole else f"{said}, and so is what lies beyond 10,000 subscriptions"


def how_to_run(question: Question, options: Sequence[str]) -> str:
    """The command that runs the printed query elsewhere."""
    again = " ".join(["rollcall --quiet query", question.name, *options, "--show"])
    if question.store is Store.LOGS:
        return (
            "in the portal: Logs of the workspace that Sentinel keeps CloudTrail in; or:"
            f' az monitor log-analytics query --workspace WORKSPACE_ID --analytics-query "$({again})"'
        )
    return f'in the portal: Resource Graph Explorer; or: az graph query --first 1000 --graph-query "$({again})"'
