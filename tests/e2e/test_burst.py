"""Many accounts at once, by the short version of `bench/measures/burst.py`: nothing lost, few operations, few 429s."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bench.bursts import Burst, burst
from bench.measures.burst import FEW, SMALL, UNPACED, result_of

PROFILES = 2
PLANS = {plan.name: plan for plan in SMALL}


@pytest.fixture(scope="module")
def bursts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Burst]:
    folder = tmp_path_factory.mktemp("bursts")
    return {name: burst(folder, plan) for name, plan in PLANS.items()}


@pytest.mark.timeout(420)
def test_a_burst_over_two_hosts_is_paced_and_is_never_faster_than_the_bound(bursts: Mapping[str, Burst]) -> None:
    found = bursts[FEW]
    assert found.connected == found.plan.accounts == 80
    assert found.hosts_at_work == 2
    assert found.throttled_share <= 0.01
    assert found.found["puts"] - found.found["throttled"] == 80
    assert found.found["bound_seconds"] == 0.5 + (80 - 50) / 4
    assert found.found["bound_seconds"] - 1 <= found.found["seconds"]


@pytest.mark.timeout(420)
def test_a_burst_takes_an_operation_for_each_batch_and_profile(bursts: Mapping[str, Burst]) -> None:
    found = bursts[FEW].found
    assert found["targets"] == 80  # one whose two events are in two batches at the same moment is named twice
    assert len(found["operations"]) == PROFILES
    assert max(found["operations"].values()) <= 80 / 100 + 5
    assert bursts[FEW].dead_letters == 0


@pytest.mark.timeout(420)
def test_without_pacing_a_burst_is_throttled_and_ends_well_all_the_same(bursts: Mapping[str, Burst]) -> None:
    found = bursts[UNPACED]
    assert found.connected == 24
    assert found.throttled_share > 0.01


@pytest.mark.timeout(420)
def test_every_run_has_its_row_its_bar_and_its_targets(bursts: Mapping[str, Burst]) -> None:
    result = result_of(list(bursts.values()))
    assert [[row[0] for row in table.rows] for table in result.tables] == [list(PLANS)] * 2
    assert all(len(row) == len(table.head) for table in result.tables for row in table.rows)
    assert [bar.label for bar in result.chart.bars] == list(PLANS)
    assert all(target.value > 0 for target in result.targets if "bound" in target.what)
    assert {target.what for target in result.targets if "CPU" in target.what or "429" in target.what} == {f"{FEW}: 429"}
