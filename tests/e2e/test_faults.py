"""Whatever fails on the path, longer than the SDKs try, the account ends connected.

Every service with the kinds that leave most in doubt: an answer that is lost after the effect, and silence. All kinds
are in the table that `make faults` prints, those requests too that Google's client treats as others that are struck
here; answers beyond reading also in `tests/contract/test_spoilt_answers.py`.
"""

from __future__ import annotations

import pytest

from sandbox.faults import FaultKind
from tests.e2e.fault_rows import ROWS, SILENCE
from tests.e2e.fault_table import as_markdown, jobs_of, run_table

KINDS = (FaultKind.REPLY_LOST, SILENCE)
SIDE_BY_SIDE = 3


@pytest.mark.timeout(900)
def test_a_fault_on_any_service_ends_with_the_account_connected() -> None:
    rows = [row for row in ROWS if not row.alike]
    cells = run_table(rows, KINDS, workers=SIDE_BY_SIDE)
    assert len(cells) == len(jobs_of(rows, KINDS))
    bad = [f"{cell.row} x {cell.column}: {cell}: {cell.reason}" for cell in cells if not cell.ended_well]
    assert not bad, "\n".join([as_markdown(cells), *bad])
