"""`summarize` of the Kusto query language: rows that agree in some columns become one, with figures about them.

Source: Kusto query language, "Aggregation functions"; Azure Resource Graph has a part of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.azure.kusto_expressions import Parser, Row, Value
from sandbox.azure.kusto_functions import QueryError, text_of

Aggregate = Callable[[list[Row]], Any]
_COUNTED = {"count": 0, "countif": 1, "sum": 1, "dcount": 1, "make_set": 1}
"""The functions, and how many arguments each takes."""


def summarize(parser: Parser) -> Callable[[list[Row]], list[Row]]:
    """`summarize NAME = FUNCTION(…), … by COLUMN, …`: every figure has a name, and something is grouped by."""
    figures: list[tuple[str, Aggregate]] = parser.listed(lambda: _figure(parser))
    parser.expect("by")
    columns = parser.listed(parser.column)
    parser.columns = {name for name, _ in (*figures, *columns)}

    def summarized(rows: list[Row]) -> list[Row]:
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(_key(name, value(row)) for name, value in columns), []).append(row)
        return [
            dict(zip((name for name, _ in columns), group, strict=True))
            | {name: figure(members) for name, figure in figures}
            for group, members in groups.items()
        ]

    return summarized


def _key(name: str, value: Any) -> Any:
    """Numbers group as they are, everything else as text. Raises QueryError for what has parts."""
    if isinstance(value, dict | list):
        text = f"Summarize group key '{name}' is of a 'dynamic' type. Please use an explicit cast"
        raise QueryError("InvalidQuery", f"{text} as grouping by a 'dynamic' type is not supported.")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text_of(value)


def _figure(parser: Parser) -> tuple[str, Aggregate]:
    name = parser.word()
    parser.expect("=")
    function = parser.word()
    parser.expect("(")
    arguments: list[Value] = [] if parser.peek() == ")" else parser.listed(parser.condition)
    parser.expect(")")
    if function not in _COUNTED:
        raise QueryError("UnknownFunction", f"Unknown function: '{function}'.")
    if len(arguments) != _COUNTED[function]:
        raise QueryError("ParserFailure", f"ParserFailure: {function}() does not take {len(arguments)} argument(s)")
    return name, _aggregate(function, arguments[0] if arguments else lambda row: None)


def _aggregate(function: str, value: Value) -> Aggregate:
    """`dcount` is exact here, where the service estimates."""
    aggregates: dict[str, Aggregate] = {
        "count": len,
        "countif": lambda rows: sum(value(row) is True for row in rows),
        "sum": lambda rows: sum(found for row in rows if isinstance(found := value(row), int | float)),
        "dcount": lambda rows: len({text_of(value(row)) for row in rows}),
        "make_set": lambda rows: list(dict.fromkeys(found for row in rows if (found := value(row)) is not None)),
    }
    return aggregates[function]
