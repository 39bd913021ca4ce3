"""Rows as comma-separated cells that no spreadsheet takes for formulas, by the rules of the page's `text.js`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.domain.visible import shown

_FORMULA = re.compile("[\\s'\"]*[=+\\-@|%\uff1d\uff0b\uff0d\uff20]")


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """A head and a line for each row, as RFC 4180 has them."""
    yield ",".join(map(csv_cell, columns))
    for row in rows:
        yield ",".join(csv_cell(row[name]) for name in columns)


def csv_cell(value: object) -> str:
    """A cell in quotes; numbers stay numbers, and what a spreadsheet would work out gets an apostrophe in front."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'"{value}"'
    text = shown("; ".join(map(str, value)) if isinstance(value, tuple | list) else str(value))
    text = f"'{text}" if _FORMULA.match(text) else text
    return f'"{text.replace(chr(34), chr(34) * 2)}"'
