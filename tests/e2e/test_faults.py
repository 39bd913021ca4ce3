"""One command's table: whatever fails on the path, longer than the SDKs try, the account ends connected."""

from __future__ import annotations

import pytest

from tests.e2e.fault_rows import COLUMNS, ROWS
from tests.e2e.fault_table import as_markdown, jobs_of, run_table


@pytest.mark.timeout(900)
def test_every_fault_on_every_service_ends_with_the_account_connected() -> None:
    cells = run_table()
    assert len(cells) == len(jobs_of(ROWS, COLUMNS))
    bad = [f"{cell.row} x {cell.column}: {cell}: {cell.reason}" for cell in cells if not cell.ended_well]
    assert not bad, "\n".join([as_markdown(cells), *bad])
