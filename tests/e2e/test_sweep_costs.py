"""What a sweep asks for grows with what there is to look at, and what a slice asks for does not grow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.azure.directory import FUNCTIONS
from tests.e2e.many import Crowd
from tests.e2e.processes import Command
from tests.e2e.roll import Roll, running

MANAGEMENT = 1
"""The management account is looked at, too; it has no connector."""
SUBJECTS = 100
NEEDS = 1
"""The slice that looks at what is needed; it asks Resource Graph twice, or thrice with paid plans."""
RECEIVERS = 2
"""Those of the sample policy: each is told by a message of its own, after the report."""
HOSTS_OWN = {"queue:GetMessages", "queue:DeleteMessage", "queue:UpdateMessage"}


@pytest.fixture
def roll(tmp_path: Path) -> Iterator[Roll]:
    with running(tmp_path / ".sandbox", resource_graph_lag_seconds=0.2) as roll:
        yield roll


def asked(roll: Roll, folder: Path) -> Counter[str]:
    """The requests of the Function App for one sweep, by operation; those for results by what they are."""
    roll.sandbox.azure.graph.reset_quota()  # what is refused is asked again, and would be counted
    began = len(roll.journal)
    report = Command(folder, "sweep", "--json", seconds=100).document
    assert (report["complete"], report["findings"]) == (True, []), report
    calls: Counter[str] = Counter()
    for entry in roll.journal.entries(since=began):
        if entry.identity == FUNCTIONS or entry.identity.endswith("role/rollcall-reader-hub"):
            assert entry.status != 429, entry
            part = re.search(r"/(results|slices|facts)\b|prefix=runs%2F[^&]+%2F(results)", entry.path)
            calls[f"{entry.operation} {part[1] or part[2]}" if part else entry.operation] += 1
    return calls


@pytest.mark.timeout(150)
def test_twice_as_much_to_look_at_is_at_most_twice_the_requests(roll: Roll, tmp_path: Path) -> None:
    crowd = Crowd(roll)  # with one account
    calls: list[Counter[str]] = []
    for accounts, machines in ((SUBJECTS - MANAGEMENT - 1, SUBJECTS), (SUBJECTS, SUBJECTS)):
        crowd.add_accounts(accounts)
        crowd.add_machines(machines)
        calls.append(asked(roll, tmp_path))
    small, large = calls

    def own(found: Counter[str]) -> int:
        return sum(count for name, count in found.items() if name not in HOSTS_OWN)

    for found, account_slices, machine_slices in ((small, 1, 1), (large, 2, 2)):
        slices, accounts = account_slices + machine_slices + NEEDS, account_slices * SUBJECTS
        assert found["arm:QueryResources"] == 2 + 3 * account_slices + machine_slices + 2 * NEEDS
        assert found["organizations:ListAccounts"] == accounts / 20
        assert found["cloudformation:ListStackInstances"] == account_slices
        assert found["table:QueryEntities"] == account_slices + NEEDS + 1  # the last counts accounts by state
        assert found["table:GetEntity"] == 0
        assert found["queue:PutMessage"] == slices + RECEIVERS
        assert found["blob:PutBlob slices"] == found["blob:PutBlob results"] == slices
        assert found["blob:GetBlob slices"] == slices
        assert found["blob:GetBlob results"] == 2 * slices  # not there yet; then for the report
        assert found["blob:ListBlobs results"] <= slices + 1
    assert own(large) <= 2 * own(small)
