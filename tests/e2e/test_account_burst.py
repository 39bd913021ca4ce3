"""Many accounts at once: few StackSet operations, nothing lost, no function at the end of its time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.e2e.account_burst import account_burst
from tests.e2e.test_backfill import BATCH

PROFILES = 2


@pytest.mark.timeout(300)
def test_a_burst_of_accounts_takes_an_operation_for_each_batch_and_profile(tmp_path: Path) -> None:
    found = account_burst(tmp_path, accounts=120)
    assert found.connected == found.puts == found.accounts == 120
    assert len(found.targets) == 120  # one whose two events are in two batches at the same moment is named twice
    # As many batches as the events fill, and one more for each of the two that may be at work side by side.
    batches = math.ceil(found.events / BATCH) + 2
    assert len(found.operations) == PROFILES
    assert max(found.operations.values()) <= batches
    assert max(found.operations.values()) <= found.accounts / 100 + 5
    assert (found.dead_letters, found.failed_invocations) == (0, 0)
    assert found.longest_seconds < 30
