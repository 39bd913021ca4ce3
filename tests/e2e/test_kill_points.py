"""A process is killed at every kill point, once each; `make kills SEEDS=20` does it over and over."""

from __future__ import annotations

import pytest

from tests.e2e.kill_points import kill_points
from tests.e2e.kill_run import run_all


@pytest.mark.timeout(1400)
def test_a_kill_anywhere_on_the_path_leaves_one_connector_and_nothing_behind() -> None:
    outcomes = run_all(kill_points(), seeds=[1], workers=2, most_others=1)  # other tests run beside it
    bad = [str(outcome) for outcome in outcomes if outcome.problems]
    assert len(outcomes) == len(kill_points())
    assert not bad, "\n".join(bad)
