"""Whatever fails on the path, longer than the SDKs try, the account ends connected.

Every service with the kinds that leave most in doubt: unheard after the effect, answered beyond reading, and silence.
Refusals and the other kinds are in the whole table, which `make faults` runs.
"""

from __future__ import annotations

import pytest

from sandbox.faults import FaultKind
from tests.e2e.fault_rows import ROWS, SILENCE
from tests.e2e.fault_table import as_markdown, jobs_of, run_table

KINDS = (FaultKind.REPLY_LOST, FaultKind.EMPTY_BODY, SILENCE)
SIDE_BY_SIDE = 3


@pytest.mark.timeout(900)
def test_a_fault_on_any_service_ends_with_the_account_connected() -> None:
    cells = run_table(ROWS, KINDS, workers=SIDE_BY_SIDE)
    assert len(cells) == len(jobs_of(ROWS, KINDS))
    bad = [f"{cell.row} x {cell.column}: {cell}: {cell.reason}" for cell in cells if not cell.ended_well]
    assert not bad, "\n".join([as_markdown(cells), *bad])
