"""Two Functions hosts and one subscription stay inside Resource Manager's write budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.burst import burst


@pytest.mark.timeout(300)
def test_a_burst_over_two_hosts_is_paced_and_nobody_waits_much_longer_than_the_budget_asks(tmp_path: Path) -> None:
    found = burst(tmp_path, accounts=60, rate=2.0, size=20)
    assert found.connected == found.accounts == 60
    assert found.hosts_at_work == 2
    assert found.throttled_share <= 0.01
    assert found.puts - found.throttled == 60
    assert found.bound_seconds == 20.0
    # What a loaded computer adds is no matter of pacing; at half the pace it would be 50 s.
    assert found.bound_seconds - 1 <= found.seconds <= 48


@pytest.mark.timeout(300)
def test_without_pacing_the_same_burst_is_throttled_and_ends_well_all_the_same(tmp_path: Path) -> None:
    found = burst(tmp_path, accounts=40, rate=2.0, size=1, paced=False)
    assert found.connected == 40
    assert found.throttled_share > 0.01
