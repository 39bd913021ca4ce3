"""The part of the Kusto query language that Rollcall's Resource Graph queries use.

`where` (and, or, not, ==, !=, =~, !~, <, <=, >, >=, in, in~, has, contains, startswith), `extend`, `project`,
`order by`, `limit` and `take`, `distinct` with columns, `summarize` with count(), countif(), sum(), dcount() and
make_set(), `mv-expand` of one named list, `join` of kind inner, innerunique or leftouter with a query in parentheses;
sums, and the functions of `kusto_functions`. Anything else is refused.
Source: Azure Resource Graph "Understanding the query language", which has no `let`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.azure.kusto_aggregates import summarize
from sandbox.azure.kusto_expressions import Parser, Row, Value
from sandbox.azure.kusto_functions import QueryError, text_of

MOST_JOINS = MOST_EXPANSIONS = 3
EXPANDED, MOST_EXPANDED = 128, 2000
"""Rows of a list: without a word about it, and at most. Source: as above; older pages say 400 at most."""


@dataclass(frozen=True)
class Query:
    """A parsed query: its table, what it does to rows, and whether it limits them itself.

    `types` and `ids`, in lower case, are the only ones that it can yield rows of; None where that is not plain.
    `beginnings` are what of the query stands up to the end of each step; `joins` whether it reads another query's rows.
    """

    table: str
    steps: tuple[Step, ...]
    limited: bool
    beginnings: tuple[str, ...] = ()
    joins: bool = False
    types: frozenset[str] | None = None
    ids: frozenset[str] | None = None

    def run(self, rows: list[Row], read: Read | None = None) -> list[Row]:
        """The rows that the query yields; `read` gives the rows of another query's table, which `join` needs."""
        for step in self.steps:
            rows = step(rows, read or _nothing)
        return rows


Read = Callable[[Query], list[Row]]
Step = Callable[[list[Row], Read], list[Row]]


def _nothing(query: Query) -> list[Row]:
    raise QueryError("InvalidQuery", f"nobody reads the table {query.table!r} here")


def parse(query: str, columns: frozenset[str]) -> Query:
    """Parses a query over tables with these columns; one that names no table reads `resources`.

    Raises:
        QueryError: it is wrong or uses something unknown here.
    """
    parser = Parser(query)
    found = _query(parser, columns)
    if not parser.done():
        raise QueryError("ParserFailure", f"ParserFailure: unexpected {parser.peek()!r}")
    texts = parser.texts
    if texts.count("join") > MOST_JOINS:
        raise QueryError("InvalidQuery", f"A query has {MOST_JOINS} joins at most.")
    if texts.count("expand") > MOST_EXPANSIONS:
        raise QueryError("InvalidQuery", f"A query has {MOST_EXPANSIONS} mv-expand at most.")
    return found


def _query(parser: Parser, columns: frozenset[str]) -> Query:
    """A query up to the end, or to the parenthesis that closes it."""
    parser.columns = set(columns)
    table = "resources"
    if parser.peek() not in _STARTS:
        table = parser.word().lower()
        if not parser.at_end():
            parser.expect("|")
    steps: list[Step] = []
    beginnings: list[str] = []
    limited = False
    narrowed: dict[str, frozenset[str]] = {}
    only_filters = True
    while not parser.at_end():
        name = parser.operator()
        if name not in {*_OPERATORS, "join"}:
            raise QueryError("ParserFailure", f"ParserFailure: the operator {name!r} is not supported")
        limited = limited or name in {"limit", "take"}
        only_filters = only_filters and name == "where"
        if only_filters and (found := parser.narrowing()) is not None:
            column, values = found
            narrowed[column] = narrowed.get(column, values) & values
        steps.append(_join(parser, columns) if name == "join" else _OPERATORS[name](parser))
        beginnings.append(parser.taken)
        if not parser.at_end():
            parser.expect("|")
    return Query(
        table,
        tuple(steps),
        limited,
        beginnings=tuple(beginnings),
        joins="join" in parser.texts,
        types=narrowed.get("type"),
        ids=narrowed.get("id"),
    )


def _where(parser: Parser) -> Step:
    condition = parser.condition()
    return lambda rows, read: [row for row in rows if condition(row)]


def _project(parser: Parser) -> Step:
    columns = parser.listed(parser.column)
    parser.columns = {name for name, _ in columns}
    return lambda rows, read: [{name: value(row) for name, value in columns} for row in rows]


def _extend(parser: Parser) -> Step:
    columns = parser.listed(parser.column)
    parser.columns |= {name for name, _ in columns}
    return lambda rows, read: [row | {name: value(row) for name, value in columns} for row in rows]


def _order(parser: Parser) -> Step:
    parser.expect("by")

    def key() -> tuple[Value, bool]:
        value = parser.condition()
        if parser.accept("asc"):
            return value, False
        parser.accept("desc")
        return value, True  # the language sorts downwards where nothing is said

    keys: list[tuple[Value, bool]] = parser.listed(key)

    def ordered(rows: list[Row], _: Read) -> list[Row]:
        for value, downwards in reversed(keys):
            rows = _sorted(rows, value, downwards=downwards)
        return rows

    return ordered


def _sorted(rows: list[Row], value: Value, *, downwards: bool) -> list[Row]:
    return sorted(rows, key=lambda row: _rank(value(row)), reverse=downwards)


def _rank(value: Any) -> tuple[int, float, str]:
    """Null comes first, numbers by their size, everything else by its text."""
    if value is None:
        return (0, 0, "")
    return (1, value, "") if isinstance(value, int | float) else (2, 0, text_of(value))


def _limit(parser: Parser) -> Step:
    most = parser.number()
    return lambda rows, read: rows[:most]


def _summarize(parser: Parser) -> Step:
    summarized = summarize(parser)
    return lambda rows, read: summarized(rows)


def _distinct(parser: Parser) -> Step:
    """`distinct COLUMN, …`: each combination of their values once."""
    columns = parser.listed(parser.column)
    parser.columns = {name for name, _ in columns}

    def once(rows: list[Row], _: Read) -> list[Row]:
        found = dict.fromkeys(tuple(text_of(value(row)) for _, value in columns) for row in rows)
        return [dict(zip((name for name, _ in columns), values, strict=True)) for values in found]

    return once


def _expand(parser: Parser) -> Step:
    """`mv-expand NAME = LIST limit N`: a row for each of its members; none for a list that is empty or missing."""
    name = parser.word()
    parser.expect("=")
    value = parser.condition()
    most = parser.number() if parser.accept("limit") else EXPANDED
    if most > MOST_EXPANDED:
        raise QueryError("InvalidQuery", f"mv-expand yields {MOST_EXPANDED} rows at most.")
    parser.columns.add(name)

    def expanded(rows: list[Row], _: Read) -> list[Row]:
        lists = ((row, found) for row in rows if isinstance(found := value(row), list))
        return [row | {name: member} for row, found in lists for member in found[:most]]

    return expanded


def _join(parser: Parser, columns: frozenset[str]) -> Step:
    """`join kind=KIND (QUERY) on COLUMN, …`; a column of the other side that is there already gets a 1."""
    kind = parser.word() if parser.accept("kind", "=") else "innerunique"
    if kind not in {"inner", "innerunique", "leftouter"}:
        text = f'The join kind "{kind}" is not supported or not allowed.'
        raise QueryError("UnsupportedJoinFlavor", text)
    left = set(parser.columns)
    parser.expect("(")
    other = _query(parser, columns)
    parser.expect(")")
    right = set(parser.columns)
    parser.expect("on")
    keys: list[str] = parser.listed(parser.word)
    for key in keys:
        if key not in left & right:
            raise QueryError("ColumnNotFound", f"Failed to resolve column or scalar expression '{key}'")
    names = {name: f"{name}1" if name in left else name for name in right}
    parser.columns = left | set(names.values())

    def joined(rows: list[Row], read: Read) -> list[Row]:
        found: dict[tuple[str, ...], list[Row]] = {}
        for row in other.run(read(other), read):
            found.setdefault(_at(row, keys), []).append({names[name]: value for name, value in row.items()})
        missing: list[Row] = [dict.fromkeys(names.values())] if kind == "leftouter" else []
        once = list({_at(row, keys): row for row in reversed(rows)}.values())[::-1] if kind == "innerunique" else rows
        return [row | match for row in once for match in found.get(_at(row, keys), missing)]

    return joined


def _at(row: Row, keys: list[str]) -> tuple[str, ...]:
    return tuple(text_of(row[key]) for key in keys)


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
    "mv-expand": _expand,
}
_STARTS = {name.partition("-")[0] for name in (*_OPERATORS, "join")}
