"""Delays between attempts, and the end of trying."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.retry import RetrySchedule, budget_spent
from tests.fakes.clock import NOON


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 30), (1, 60), (2, 120), (9, 15360), (10, 21600), (100_000, 21600)]
)
def test_delays_double_up_to_six_hours(attempt: int, seconds: float) -> None:
    assert RetrySchedule().delay(attempt) == seconds


@pytest.mark.parametrize(("asked", "seconds"), [(17.0, 17.0), (1e9, 21600.0)])
def test_a_service_s_own_word_goes_before_ours(asked: float, seconds: float) -> None:
    assert RetrySchedule().delay(5, asked) == seconds


@pytest.mark.parametrize("asked", [0.0, -5.0])
def test_a_service_that_asks_for_no_wait_gets_ours(asked: float) -> None:
    assert RetrySchedule().delay(1, asked) == 60


@given(st.integers(0, 200), st.none() | st.floats(-1e6, 1e6))
def test_a_delay_is_never_negative_or_longer_than_the_longest(attempt: int, asked: float | None) -> None:
    assert 0 <= RetrySchedule().delay(attempt, asked) <= RetrySchedule().longest_seconds


def test_the_budget_counts_from_when_the_request_was_first_enqueued() -> None:
    assert not budget_spent(NOON, NOON + timedelta(hours=48) - timedelta(seconds=1), 48)
    assert budget_spent(NOON, NOON + timedelta(hours=48), 48)
