"""A process is killed at an eighth of the steps of the path, before or after each; `make kills SEEDS=20`: all of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.e2e.kill_points import KillPoint, kill_points
from tests.e2e.kill_run import run_all

TURNS = 8


def turn(number: int) -> list[KillPoint]:
    """Every eighth step, before the one and after the next; all turns have them all.

    All of them, before and after, take minutes more than a test run has.
    """
    points = kill_points()
    pairs = list(zip(points[::2], points[1::2], strict=True))
    return [pair[index // TURNS % 2] for index, pair in enumerate(pairs) if index % TURNS == number]


def steps_of(points: list[KillPoint]) -> set[tuple[object, ...]]:
    return {(point.process, point.step, point.effect) for point in points}


def test_eight_days_have_every_step() -> None:
    assert set[tuple[object, ...]]().union(*(steps_of(turn(number)) for number in range(TURNS))) == steps_of(
        kill_points()
    )


@pytest.mark.timeout(1000)
def test_a_kill_anywhere_on_the_path_leaves_one_connector_and_nothing_behind() -> None:
    points = turn(datetime.now(UTC).toordinal() % TURNS)  # others tomorrow
    outcomes = run_all(points, seeds=[1], workers=2, most_others=1)  # other tests run beside it
    bad = [str(outcome) for outcome in outcomes if outcome.problems]
    assert len(outcomes) == len(points)
    assert not bad, "\n".join(bad)
