"""The rate at which a subscription is written to."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.pacing import WriteRate
from tests.fakes.clock import NOON


def test_an_idle_cell_gives_its_burst_at_once_and_then_one_by_one() -> None:
    slots, following = WriteRate(writes_per_second=1, burst=3).reserve(None, NOON, 5)
    assert [(slot - NOON).total_seconds() for slot in slots] == [0, 0, 0, 1, 2]
    assert following == NOON + timedelta(seconds=5)


def test_a_cell_that_nobody_used_for_long_gives_its_burst_and_not_more() -> None:
    rate = WriteRate(writes_per_second=2, burst=2)
    slots, _ = rate.reserve(NOON - timedelta(hours=1), NOON, 4)
    assert [(slot - NOON).total_seconds() for slot in slots] == [0, 0, 0.5, 1]


@given(
    rate=st.builds(WriteRate, writes_per_second=st.sampled_from([0.5, 1.0, 4.0]), burst=st.integers(1, 25)),
    steps=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 7)), min_size=1, max_size=15),
)
def test_no_window_ever_holds_more_writes_than_burst_and_rate_allow(
    rate: WriteRate, steps: list[tuple[float, int]]
) -> None:
    cell: datetime | None = None
    now, slots = NOON, []
    for idle, count in steps:
        now += timedelta(seconds=idle)
        taken, cell = rate.reserve(cell, now, count)
        assert all(slot >= now for slot in taken)
        slots += taken
    assert slots == sorted(slots)
    for first in range(len(slots)):
        for last in range(first, len(slots)):
            window = (slots[last] - slots[first]).total_seconds()
            assert last - first + 1 <= rate.burst + window * rate.writes_per_second + 1e-3
