"""The small part of the Kusto query language that Rollcall's Resource Graph queries use.

`where` (and, or, not, ==, !=, =~, !~, in, in~, has, contains, startswith), `extend`, `project`, `order by`,
`limit` and `take`, `summarize` with count(), `distinct` with columns; the functions tolower, tostring, isempty,
isnotempty, extract.
Anything else is refused.
Source: Azure Resource Graph "Understanding the query language".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.azure.kusto_expressions import Parser, QueryError, Row, Value, text_of

Step = Callable[[list[Row]], list[Row]]


@dataclass(frozen=True)
class Query:
    """A parsed query: its table, what it does to rows, and whether it limits them itself.

    `types` and `ids`, in lower case, are the only ones that it can yield rows of; None where that is not plain.
    """

    table: str
    steps: tuple[Step, ...]
    limited: bool
    types: frozenset[str] | None = None
    ids: frozenset[str] | None = None

    def run(self, rows: list[Row]) -> list[Row]:
        """The rows that the query yields."""
        for step in self.steps:
            rows = step(rows)
        return rows


def parse(query: str, columns: frozenset[str]) -> Query:
    """Parses a query over a table with these columns; one that names no table reads `resources`.

    Raises:
        QueryError: it is wrong or uses something unknown here.
    """
    parser = Parser(query)
    parser.columns = set(columns)
    table = "resources"
    if parser.peek() not in _OPERATORS:
        table = parser.word().lower()
        if not parser.done():
            parser.expect("|")
    steps: list[Step] = []
    limited = False
    narrowed: dict[str, frozenset[str]] = {}
    only_filters = True
    while not parser.done():
        name = parser.word()
        if name not in _OPERATORS:
            raise QueryError("ParserFailure", f"ParserFailure: the operator {name!r} is not supported")
        limited = limited or name in {"limit", "take"}
        only_filters = only_filters and name == "where"
        if only_filters and (found := parser.narrowing()) is not None:
            column, values = found
            narrowed[column] = narrowed.get(column, values) & values
        steps.append(_OPERATORS[name](parser))
        if not parser.done():
            parser.expect("|")
    return Query(table, tuple(steps), limited, types=narrowed.get("type"), ids=narrowed.get("id"))


def _where(parser: Parser) -> Step:
    condition = parser.condition()
    return lambda rows: [row for row in rows if condition(row)]


def _project(parser: Parser) -> Step:
    columns = parser.listed(parser.column)
    parser.columns = {name for name, _ in columns}
    return lambda rows: [{name: value(row) for name, value in columns} for row in rows]


def _extend(parser: Parser) -> Step:
    columns = parser.listed(parser.column)
    parser.columns |= {name for name, _ in columns}
    return lambda rows: [row | {name: value(row) for name, value in columns} for row in rows]


def _order(parser: Parser) -> Step:
    parser.expect("by")

    def key() -> tuple[Value, bool]:
        value = parser.condition()
        if parser.accept("asc"):
            return value, False
        parser.accept("desc")
        return value, True  # the language sorts downwards where nothing is said

    keys: list[tuple[Value, bool]] = parser.listed(key)

    def ordered(rows: list[Row]) -> list[Row]:
        for value, downwards in reversed(keys):
            rows = _sorted(rows, value, downwards=downwards)
        return rows

    return ordered


def _sorted(rows: list[Row], value: Value, *, downwards: bool) -> list[Row]:
    return sorted(rows, key=lambda row: text_of(value(row)), reverse=downwards)


def _limit(parser: Parser) -> Step:
    token = parser.next()
    if token.kind != "number":
        raise QueryError("ParserFailure", f"ParserFailure: expected a number, found {token.text!r}")
    return lambda rows: rows[: int(token.text)]


def _summarize(parser: Parser) -> Step:
    """`summarize NAME = count() by COLUMN, …`: nothing else is simulated."""
    name = parser.word()
    for token in ("=", "count", "(", ")", "by"):
        parser.expect(token)
    columns = parser.listed(parser.column)
    parser.columns = {name, *(column for column, _ in columns)}

    def counted(rows: list[Row]) -> list[Row]:
        groups = Counter(tuple(text_of(value(row)) for _, value in columns) for row in rows)
        return [
            dict(zip((column for column, _ in columns), group, strict=True)) | {name: count}
            for group, count in groups.items()
        ]

    return counted


def _distinct(parser: Parser) -> Step:
    """`distinct COLUMN, …`: each combination of their values once."""
    columns = parser.listed(parser.column)
    parser.columns = {name for name, _ in columns}

    def once(rows: list[Row]) -> list[Row]:
        found = dict.fromkeys(tuple(text_of(value(row)) for _, value in columns) for row in rows)
        return [dict(zip((name for name, _ in columns), values, strict=True)) for values in found]

    return once


_OPERATORS: dict[str, Callable[[Parser], Step]] = {
    "where": _where,
    "project": _project,
    "extend": _extend,
    "order": _order,
    "sort": _order,
    "summarize": _summarize,
    "distinct": _distinct,
    "limit": _limit,
    "take": _limit,
}
