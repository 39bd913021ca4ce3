"""Queries of Resource Graph go as long as there is room for them, and wait for it where there is none."""

from __future__ import annotations

import pytest

from shared.adapters.resource_graph.quota import LONGEST_WAIT_SECONDS, Quota
from tests.fakes.clock import FakeClock


def told(remaining: object, after: str = "00:00:05") -> dict[str, str]:
    return {"x-ms-user-quota-remaining": str(remaining), "x-ms-user-quota-resets-after": after}


def test_nothing_waits_while_there_is_room() -> None:
    clock = FakeClock()
    quota = Quota(clock)
    for remaining in range(14, 0, -1):
        quota.enter()
        quota.leave(told(remaining))
    assert clock.slept == []


def test_the_next_one_waits_for_the_reset_once_the_quota_is_spent() -> None:
    clock = FakeClock()
    quota = Quota(clock)
    quota.enter()
    quota.leave(told(0))
    quota.enter()
    assert 5.0 <= sum(clock.slept) <= 5.5
    quota.leave(told(14))
    quota.enter()
    assert len(clock.slept) == 1


def test_what_is_under_way_counts_as_spent() -> None:
    clock = FakeClock()
    quota = Quota(clock)
    for _ in range(3):
        quota.enter()
    quota.leave(told(3))
    quota.enter()
    assert clock.slept == []
    quota.leave(told(2))  # for the two that are under way
    quota.enter()
    assert clock.slept != []


@pytest.mark.parametrize("headers", [{}, told(""), told("many"), told(-1)], ids=["none", "empty", "word", "negative"])
def test_an_answer_that_does_not_say_holds_nobody_up(headers: dict[str, str]) -> None:
    clock = FakeClock()
    quota = Quota(clock)
    quota.enter()
    quota.leave(headers)
    quota.enter()
    assert clock.slept == []


@pytest.mark.parametrize(("after", "seconds"), [("00:00:02", 2.0), ("soon", 5.0), ("10:00:00", LONGEST_WAIT_SECONDS)])
def test_the_wait_is_bounded(after: str, seconds: float) -> None:
    clock = FakeClock()
    quota = Quota(clock)
    quota.enter()
    quota.leave(told(0, after))
    quota.enter()
    assert seconds <= sum(clock.slept) <= seconds + 0.5
