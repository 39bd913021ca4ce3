"""The simulated Resource Graph narrows a query down before it looks, and answers as if it had looked at everything."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.azure.directory import OPERATOR, default_directory
from sandbox.azure.kusto import parse
from sandbox.azure.kusto_functions import QueryError
from sandbox.azure.resource_graph import ResourceGraph
from sandbox.azure.resources import Resources

TENANT, SUBSCRIPTION = "00000000-0000-4000-8000-0000000000f1", "00000000-0000-4000-8000-000000000001"
MACHINES = "Microsoft.HybridCompute/machines"
COLUMNS = frozenset({"id", "name", "type", "tags", "properties"})


def id_of(name: str, kind: str = MACHINES) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG/providers/{kind}/{name}"


class Tenant:
    def __init__(self) -> None:
        self.resources = Resources()
        self.directory = default_directory(TENANT, SUBSCRIPTION)
        self.graph = ResourceGraph(self.resources, self.directory, lag_seconds=0.0)

    def put(self, name: str, kind: str = MACHINES, **tags: str) -> None:
        body = {"id": id_of(name, kind), "name": name, "type": kind, "tags": tags, "properties": {}}
        self.resources.put(body, seen_by_graph_at=0)

    def page(self, query: str, token: str | None = None) -> dict[str, Any]:
        self.graph.reset_quota()
        options = {"$skipToken": token} if token else {}
        answer, _ = self.graph.query({"query": query, "options": options}, self.directory.get(OPERATOR))
        return answer

    def names(self, query: str) -> list[str]:
        return [row["name"] for row in self.page(query)["data"]]


@pytest.fixture
def tenant() -> Tenant:
    found = Tenant()
    for name in ("b", "a", "C"):
        found.put(name)
    found.put("a", "Microsoft.Logic/workflows")
    return found


A, B = (id_of(name).lower() for name in "ab")
SAME: dict[str, list[str]] = {
    "where type =~ 'microsoft.hybridcompute/machines'": ["C", "a", "b"],
    "where type == 'microsoft.hybridcompute/machines' | where tolower(id) in ('" + A + "', '" + B + "')": ["a", "b"],
    "where tolower(id) in ('" + A + "', '/not/there') | where type =~ 'Microsoft.Logic/workflows'": [],
    f"where tolower(id) in ('{A}') | where tolower(id) in ('{B}')": [],
    f"where id =~ '{A.upper()}'": ["a"],
    "where name in ('a', 'C')": ["C", "a", "a"],
    "where name in~ ('A', 'c')": ["C", "a", "a"],
    "where tags in ('a')": [],
    "where type =~ 'microsoft.logic/workflows' or name == 'b'": ["b", "a"],
    "extend type = 'x' | where type =~ 'x'": ["C", "a", "b", "a"],
    "where not(type =~ 'microsoft.hybridcompute/machines')": ["a"],
}


@pytest.mark.parametrize(("condition", "names"), SAME.items())
def test_what_is_narrowed_down_is_what_the_conditions_say(tenant: Tenant, condition: str, names: list[str]) -> None:
    assert tenant.names(f"resources | {condition} | order by id asc") == names


def test_only_plain_conditions_at_the_start_narrow_a_query_down() -> None:
    plain = parse(f"resources | where type =~ 'T' | where tolower(id) in ('{A}', '{B}')", COLUMNS)
    assert (plain.types, plain.ids) == (frozenset({"t"}), frozenset({A, B}))
    for query in (
        "resources | where type =~ 'T' or name == 'x'",
        f"resources | where tolower(id) in ('{A}') or name == 'x'",
        "resources | extend type = 'x' | where type =~ 'x'",
        "resources | where type != 'x'",
    ):
        assert (parse(query, COLUMNS).types, parse(query, COLUMNS).ids) == (None, None), query
    with pytest.raises(QueryError):
        parse("resources | where name in ('a' 'b')", COLUMNS)


def test_a_later_page_sees_what_has_changed_meanwhile(tenant: Tenant) -> None:
    for number in range(1500):
        tenant.put(f"m{number:04d}")
    query = "resources | where type =~ 'microsoft.hybridcompute/machines' | order by id asc"
    first = tenant.page(query)
    assert (first["totalRecords"], first["count"]) == (1503, 1000)
    unchanged = tenant.page(query, first["$skipToken"])
    assert (unchanged["totalRecords"], unchanged["count"]) == (1503, 503)
    tenant.resources.delete(id_of("m1499"))
    assert tenant.page(query, first["$skipToken"])["totalRecords"] == 1502
    tenant.put("m1500")
    assert tenant.page(query, first["$skipToken"])["totalRecords"] == 1503
    tenant.directory.unassign(OPERATOR)
    assert tenant.page(query, first["$skipToken"])["totalRecords"] == 0


COUNTED = f"resources | where type =~ '{MACHINES}' | extend short = tolower(name)"


def test_what_is_kept_of_a_beginning_is_not_looked_for_again_and_gone_with_every_change(tenant: Tenant) -> None:
    read: list[str] = []
    as_of = tenant.resources.as_of

    def counted(*arguments: Any) -> Any:
        read.append("all")
        return as_of(*arguments)

    tenant.resources.as_of = counted  # type: ignore[assignment] # to count; it still does its work
    wanted = {"a": ["a"], "b": ["b"], "c": ["C"], "x": []}
    for short, names in wanted.items():
        assert tenant.names(f"{COUNTED} | where short in ('{short}') | order by id asc") == names
    assert len(read) == 2  # the second query with that beginning keeps what it came to
    tenant.put("X")
    assert tenant.names(f"{COUNTED} | where short in ('x') | order by id asc") == ["X"]
    tenant.resources.delete(id_of("X"))
    assert tenant.names(f"{COUNTED} | where short in ('x') | order by id asc") == []


def test_a_query_for_ids_says_nothing_about_others_that_begin_like_it(tenant: Tenant) -> None:
    machines = f"resources | where type =~ '{MACHINES}'"
    for _ in range(3):
        assert tenant.names(f"{machines} | where tolower(id) in ('{A}')") == ["a"]
    assert tenant.names(f"{machines} | order by id asc") == ["C", "a", "b"]


def test_what_one_caller_may_read_is_not_kept_for_another(tenant: Tenant) -> None:
    for _ in range(3):
        assert tenant.names(COUNTED) != []
    tenant.directory.add("stranger", "user-assigned")
    query = {"query": COUNTED, "options": {}}
    answer, _ = tenant.graph.query(query, tenant.directory.get("stranger"))
    assert answer["data"] == []
