"""Whatever fails on the path, longer than the SDKs try, the account ends connected.

Every service with the kinds that leave most in doubt: an answer that is lost after the effect, and silence; half of
them on a day. All kinds are in the table that `make faults` prints, those requests too that Google's client treats as
others that are struck here; answers beyond reading also in `tests/contract/test_spoilt_answers.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.faults import FaultKind
from tests.e2e.fault_rows import ROWS, SILENCE
from tests.e2e.fault_table import Job, as_markdown, jobs_of, run_table

KINDS = (FaultKind.REPLY_LOST, SILENCE)
SIDE_BY_SIDE = 2


def all_jobs() -> list[Job]:
    return jobs_of([row for row in ROWS if not row.alike], KINDS)


def turn(number: int) -> list[Job]:
    """Every other lost reply, and silence where no reply is lost; two turns have them all."""
    names = [row.name for row, column in all_jobs() if column == FaultKind.REPLY_LOST]
    lost = set(names[number::2])
    return [(row, column) for row, column in all_jobs() if (row.name in lost) == (column == FaultKind.REPLY_LOST)]


def test_two_days_strike_everything_once() -> None:
    both = sorted((row.name, column) for row, column in turn(0) + turn(1))
    assert both == sorted((row.name, column) for row, column in all_jobs())
    assert abs(len(turn(0)) - len(turn(1))) <= 3


@pytest.mark.timeout(900)
def test_a_fault_on_any_service_ends_with_the_account_connected() -> None:
    jobs = turn(datetime.now(UTC).toordinal() % 2)  # the other half tomorrow
    cells = run_table(jobs, workers=SIDE_BY_SIDE)
    assert len(cells) == len(jobs)
    bad = [f"{cell.row} x {cell.column}: {cell}: {cell.reason}" for cell in cells if not cell.ended_well]
    assert not bad, "\n".join([as_markdown(cells), *bad])
