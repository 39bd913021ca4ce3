"""docs/metrics.md as data: the phrases and fields that a log line may have, and the figures."""

from __future__ import annotations

import logging
import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
OURS = ("functions", "lambdas", "shared")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CODE = re.compile(r"`([^`]+)`")


@cache
def rows(head: str) -> tuple[tuple[str, ...], ...]:
    """The cells of the table whose first column has that head."""
    _, _, table = PAGE.read_text(encoding="utf-8").partition(f"\n| {head} |")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return tuple(tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines)


def in_code(text: str) -> list[str]:
    """Each `word` of a cell."""
    return _CODE.findall(text)


@cache
def phrases() -> frozenset[str]:
    """What a line may say."""
    return frozenset(in_code(row[0])[0] for row in rows("phrase"))


@cache
def fields() -> frozenset[str]:
    """What a line may carry."""
    return frozenset(in_code(row[0])[0] for row in rows("field"))


class Undocumented(logging.Handler):
    """Remembers what a test had the code write that the page does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Any line of ours; a test's own loggers are named after it."""
        if ".test" in record.name:
            return
        carried = vars(record).keys() - _STANDARD
        if record.getMessage() not in phrases() or not carried <= fields():
            self.found.append(f"{record.name}: {record.getMessage()} {sorted(carried - fields())}")
