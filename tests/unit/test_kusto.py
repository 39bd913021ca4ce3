"""The simulated query language: what each operator makes of rows, and that what it does not know is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.azure.kusto import Query, parse
from sandbox.azure.kusto_functions import QueryError

COLUMNS = frozenset({"id", "type", "name", "properties"})
THINGS: list[dict[str, Any]] = [
    {"id": "1", "type": "t", "name": "a", "properties": {"size": 10, "owner": "x", "parts": ["p", "q"]}},
    {"id": "2", "type": "t", "name": "b", "properties": {"size": 9, "owner": "y", "parts": []}},
    {"id": "3", "type": "t", "name": "c", "properties": {"size": None, "owner": "x"}},
]
OWNERS: list[dict[str, Any]] = [
    {"id": "o1", "type": "o", "name": "x", "properties": {"mail": "m"}},
    {"id": "o2", "type": "o", "name": "x", "properties": {"mail": "n"}},
]


def run(query: str) -> list[dict[str, Any]]:
    def read(wanted: Query) -> list[dict[str, Any]]:
        return {"resources": THINGS, "resourcecontainers": OWNERS}[wanted.table]

    parsed = parse(query, COLUMNS)
    return parsed.run(read(parsed), read)


def column(query: str, name: str) -> list[Any]:
    return [row[name] for row in run(query)]


OWNED = "resources | extend owner = tostring(properties.owner) | project id, owner"
MAILS = "(resourcecontainers | project owner = name, mail = tostring(properties.mail))"


def test_numbers_sort_by_their_size_and_null_comes_first() -> None:
    query = "resources | extend size = toint(properties.size) | order by size"
    assert column(f"{query} asc", "size") == [None, 9, 10]
    assert column(f"{query} desc", "size") == [10, 9, None]


def test_a_left_outer_join_keeps_rows_without_a_match_and_repeats_those_with_two() -> None:
    rows = run(f"{OWNED} | join kind=leftouter {MAILS} on owner | order by id asc, mail asc")
    assert [(row["id"], row["mail"]) for row in rows] == [("1", "m"), ("1", "n"), ("2", None), ("3", "m"), ("3", "n")]
    assert {row["owner1"] for row in rows} == {"x", None}


def test_an_inner_join_drops_rows_without_a_match_and_the_default_one_takes_a_key_once() -> None:
    assert column(f"{OWNED} | join kind=inner {MAILS} on owner | order by id asc, mail asc", "id") == [
        "1",
        "1",
        "3",
        "3",
    ]
    assert column(f"{OWNED} | join {MAILS} on owner | order by id asc, mail asc", "id") == ["1", "1"]


@pytest.mark.parametrize("rest", ["", " | project name", " | where name == 'x'"])
def test_a_query_that_is_joined_reads_what_its_own_conditions_leave(rest: str) -> None:
    seen: list[Query] = []

    def read(wanted: Query) -> list[dict[str, Any]]:
        seen.append(wanted)
        return OWNERS

    joined = f"(resourcecontainers | where type =~ 'O'{rest})"
    parsed = parse(f"resources | where type =~ 'T' | join kind=inner {joined} on name", COLUMNS)
    parsed.run(THINGS, read)
    assert (parsed.table, parsed.types) == ("resources", frozenset({"t"}))
    assert [(each.table, each.types) for each in seen] == [("resourcecontainers", frozenset({"o"}))]


def test_a_list_becomes_a_row_for_each_member() -> None:
    query = "resources | mv-expand part = properties.parts{} | project id, part | order by part asc"
    assert column(query.format(""), "part") == ["p", "q"]
    assert column(query.format(" limit 1"), "part") == ["p"]


def test_figures_of_groups() -> None:
    rows = run(
        "resources | extend size = toint(properties.size) | summarize all = count(), big = countif(size > 9),"
        " total = sum(size), names = make_set(name), types = dcount(type) by owner = tostring(properties.owner)"
        " | order by owner asc"
    )
    assert rows == [
        {"owner": "x", "all": 2, "big": 1, "total": 10, "names": ["a", "c"], "types": 1},
        {"owner": "y", "all": 1, "big": 0, "total": 9, "names": ["b"], "types": 1},
    ]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("iff(properties.owner =~ 'X', 'yes', 'no')", ["yes", "no", "yes"]),
        ("case(name == 'a', 1, name == 'b', 2, 3)", [1, 2, 3]),
        ("toint(name == 'a') + toint(name != 'c') + 1", [3, 2, 1]),
        ("toint(properties.owner)", [None, None, None]),
        ("array_length(properties.parts)", [2, 0, None]),
        ("toint(properties.size) >= 10", [True, False, False]),
        ("toint(properties.size) < 10", [False, True, False]),
        ("toint(properties.size) <= 9", [False, True, False]),
        ("not(name == 'a' or name == 'b')", [False, False, True]),
    ],
)
def test_expressions(expression: str, values: list[Any]) -> None:
    assert column(f"resources | extend v = {expression} | order by id asc", "v") == values


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("let a = 1; resources", "ParserFailure"),
        ("resources | summarise n = count() by name", "ParserFailure"),
        ("resources | summarize n = avg(name) by name", "UnknownFunction"),
        ("resources | summarize n = count(name) by name", "ParserFailure"),
        ("resources | summarize count() by name", "ParserFailure"),
        ("resources | summarize n = count() by properties", "InvalidQuery"),
        ("resources | extend v = iff(name == 'a', 1)", "ParserFailure"),
        ("resources | extend v = toupper(name)", "UnknownFunction"),
        ("resources | extend v = owner", "ColumnNotFound"),
        ("resources | join kind=leftsemi (resourcecontainers) on name", "UnsupportedJoinFlavor"),
        ("resources | join (resourcecontainers | project id) on name", "ColumnNotFound"),
        ("resources | join (resourcecontainers on name", "ParserFailure"),
        ("resources | where name == 'a')", "ParserFailure"),
        ("resources" + " | join (resourcecontainers) on name" * 4, "InvalidQuery"),
        ("resources" + "".join(f" | mv-expand p{n} = properties.parts" for n in range(4)), "InvalidQuery"),
        ("resources | mv-expand part = properties.parts limit 2001", "InvalidQuery"),
        ("resources | mv-expand properties.parts", "ParserFailure"),
        ("resources | mv-apply part = properties.parts", "ParserFailure"),
        ("resources | project-away name", "ParserFailure"),
        ("resources | limit 1.5", "ParserFailure"),
    ],
)
def test_what_is_wrong_or_unknown_is_refused(query: str, code: str) -> None:
    with pytest.raises(QueryError) as refused:
        run(query)
    assert refused.value.code == code
