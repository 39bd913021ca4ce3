"""One command's table: whatever fails on the path, once, the account ends connected all the same."""

from __future__ import annotations

import pytest

from tests.e2e.fault_table import as_markdown, run_table


@pytest.mark.timeout(600)
def test_every_fault_on_every_service_ends_with_the_account_connected() -> None:
    cells = run_table()
    bad = [f"{cell.row} x {cell.kind}: {cell}: {cell.reason}" for cell in cells if not cell.ended_well]
    assert not bad, "\n".join([as_markdown(cells), *bad])
