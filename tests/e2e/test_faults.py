"""Whatever fails on the path, longer than the SDKs try, the account ends connected.

Every service with the kinds that leave most in doubt: an answer that is lost after the effect, and silence; an eighth
of them on a day. All kinds are in the table that `make faults` prints, those requests too that Google's client treats
as others that are struck here; answers beyond reading also in `tests/contract/test_spoilt_answers.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.faults import FaultKind
from tests.e2e.fault_rows import ROWS, SILENCE
from tests.e2e.fault_table import Job, as_markdown, jobs_of, run_table

KINDS = (FaultKind.REPLY_LOST, SILENCE)
SIDE_BY_SIDE = 2
TURNS = 8


def all_jobs() -> list[Job]:
    return jobs_of([row for row in ROWS if not row.alike], KINDS)


def turn(number: int) -> list[Job]:
    """Every eighth lost reply, and silence where the next one's is; all turns have them all."""
    names = list(dict.fromkeys(row.name for row, _ in all_jobs()))
    ahead = {FaultKind.REPLY_LOST: 0, SILENCE: 1}
    return [(row, column) for row, column in all_jobs() if (names.index(row.name) + ahead[column]) % TURNS == number]


def test_eight_days_strike_everything_once() -> None:
    turns = [turn(number) for number in range(TURNS)]
    struck = sorted((row.name, column) for each in turns for row, column in each)
    assert struck == sorted((row.name, column) for row, column in all_jobs())
    assert max(map(len, turns)) - min(map(len, turns)) <= 3


@pytest.mark.timeout(900)
def test_a_fault_on_any_service_ends_with_the_account_connected() -> None:
    jobs = turn(datetime.now(UTC).toordinal() % TURNS)  # others tomorrow
    cells = run_table(jobs, workers=SIDE_BY_SIDE)
    assert len(cells) == len(jobs)
    bad = [f"{cell.row} x {cell.column}: {cell}: {cell.reason}" for cell in cells if not cell.ended_well]
    assert not bad, "\n".join([as_markdown(cells), *bad])
