"""A process is killed at every step of the path, before or after it; `make kills SEEDS=20` does both, over and over."""

from __future__ import annotations

import pytest

from tests.e2e.kill_points import KillPoint, kill_points
from tests.e2e.kill_run import run_all


def one_of_each_step() -> list[KillPoint]:
    """Before the one step, after the next: both of every step take minutes more than a test run has."""
    points = kill_points()
    pairs = zip(points[::2], points[1::2], strict=True)
    return [pair[number % 2] for number, pair in enumerate(pairs)]


@pytest.mark.timeout(1000)
def test_a_kill_anywhere_on_the_path_leaves_one_connector_and_nothing_behind() -> None:
    points = one_of_each_step()
    assert {(point.process, point.step, point.effect) for point in points} == {
        (point.process, point.step, point.effect) for point in kill_points()
    }
    outcomes = run_all(points, seeds=[1], workers=2, most_others=1)  # other tests run beside it
    bad = [str(outcome) for outcome in outcomes if outcome.problems]
    assert len(outcomes) == len(points)
    assert not bad, "\n".join(bad)
