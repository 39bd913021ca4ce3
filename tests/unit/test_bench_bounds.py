"""The bounds of the benchmarks, each on a journal that is made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench.bounds import sweep

START = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
QUOTA = {"identity": "rollcall-functions", "graph_queries": 15, "graph_seconds": 5.0}


def entry(operation: str, after: float, **rest: Any) -> dict[str, Any]:
    """One request that was answered `after` seconds."""
    time = (START + timedelta(seconds=after)).isoformat()
    known = {"identity": "rollcall-functions", "path": "/", "status": 200, "duration_ms": 0.0}
    return {"operation": operation, "time": time} | known | rest


def swept(queries: int, *more: dict[str, Any]) -> list[dict[str, Any]]:
    asked = [entry("arm:QueryResources", 0.5 + number, duration_ms=500.0) for number in range(queries)]
    return [*asked, *more, entry("blob:PutBlob", 20.0, status=201, path="/account/sweeps/reports/run.json")]


@pytest.mark.parametrize(("queries", "seconds"), [(1, 0), (15, 0), (16, 5), (30, 5), (31, 10)])
def test_a_window_of_queries_may_go_at_once_and_the_next_a_window_later(queries: int, seconds: float) -> None:
    assert sweep.bound(QUOTA, iter(swept(queries)))["bound_seconds"] == seconds


def test_a_sweep_lasts_from_the_begin_of_its_first_query_to_its_report() -> None:
    assert sweep.bound(QUOTA, iter(swept(3)))["seconds"] == 20.0


def test_refused_queries_and_those_of_others_use_nothing_of_the_quota() -> None:
    strange = [entry("arm:QueryResources", 1.0, status=429), entry("arm:QueryResources", 1.0, identity="operator")]
    found = sweep.bound(QUOTA, iter(swept(15, *strange)))
    assert (found["queries"], found["refused"], found["bound_seconds"]) == (15, 1, 0)


def test_a_journal_without_a_report_has_no_bound() -> None:
    with pytest.raises(SystemExit, match="no report"):
        sweep.bound(QUOTA, iter(swept(3)[:-1]))
