"""Many accounts at once: few StackSet operations, and nothing lost. How long that takes: `tests.e2e.account_burst`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.account_burst import account_burst

PROFILES = 2


@pytest.mark.timeout(300)
def test_a_burst_of_accounts_takes_an_operation_for_each_batch_and_profile(tmp_path: Path) -> None:
    found = account_burst(tmp_path, accounts=120)
    assert found.connected == found.puts == found.accounts == 120
    assert len(found.targets) == 120  # one whose two events are in two batches at the same moment is named twice
    assert len(found.operations) == PROFILES
    assert max(found.operations.values()) <= found.accounts / 100 + 5
    assert found.dead_letters == 0
