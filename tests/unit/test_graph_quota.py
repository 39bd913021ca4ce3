"""Queries of Resource Graph go as long as there is room for them, and wait for it where there is none."""

from __future__ import annotations

import threading
from collections import deque
from datetime import timedelta

import pytest

from shared.adapters.resource_graph.quota import LONGEST_WAIT_SECONDS, QUERIES, WINDOW_SECONDS, Quota
from tests.fakes.clock import FakeClock

WINDOW = timedelta(seconds=WINDOW_SECONDS)


def told(remaining: object, after: str = "00:00:05") -> dict[str, str]:
    return {"x-ms-user-quota-remaining": str(remaining), "x-ms-user-quota-resets-after": after}


class Service:
    """A window that moves, as the service keeps it; `others` is what other processes use of it all the time."""

    def __init__(self, clock: FakeClock, size: int = QUERIES, others: int = 0) -> None:
        self.clock, self.size, self.others = clock, size, others
        self.counted: deque[float] = deque()
        self.refused = 0

    def answer(self) -> tuple[dict[str, str], bool]:
        now = self.clock.now().timestamp()
        while self.counted and now - self.counted[0] > WINDOW_SECONDS:
            self.counted.popleft()
        refused = len(self.counted) + self.others >= self.size
        self.refused += refused
        if not refused:
            self.counted.append(now)
        return told(self.size - self.others - len(self.counted), "00:00:02"), refused


def ask(quota: Quota, service: Service, seconds: float = 0.05) -> bool:
    """One query that takes so long; whether it was answered."""
    entered = quota.enter()
    headers, refused = service.answer()
    service.clock.advance(seconds)
    quota.leave(entered, headers, refused=refused)
    return not refused


def test_nothing_waits_while_there_is_room() -> None:
    clock = FakeClock()
    quota, service = Quota(clock), Service(clock)
    assert all(ask(quota, service) for _ in range(QUERIES))
    assert clock.slept == []


@pytest.mark.parametrize(("size", "others"), [(15, 0), (15, 6), (30, 0), (15, 14)])
def test_all_of_the_quota_is_used_and_hardly_a_query_refused(size: int, others: int) -> None:
    clock = FakeClock()
    quota, service = Quota(clock), Service(clock, size=size, others=others)
    started, answered = clock.now(), 0
    while answered < 300:
        answered += ask(quota, service, seconds=0.02)
    took = (clock.now() - started).total_seconds()
    least = (300 // (size - others) - 1) * WINDOW_SECONDS
    assert service.refused <= 3
    assert least <= took <= least * 1.05 + 2 * LONGEST_WAIT_SECONDS


def test_of_many_threads_no_more_go_than_the_window_has_room_for() -> None:
    clock = FakeClock()
    quota = Quota(clock)
    entered = []

    def ask_once() -> None:
        entered.append(quota.enter())
        quota.leave(entered[-1], {})

    threads = [threading.Thread(target=ask_once, daemon=True) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(entered) == 40
    assert all(
        later - earlier >= WINDOW for earlier, later in zip(sorted(entered), sorted(entered)[QUERIES:], strict=False)
    )


def test_the_next_one_waits_for_the_reset_that_a_refusal_names() -> None:
    clock = FakeClock()
    quota = Quota(clock)
    quota.leave(quota.enter(), told(0, "00:00:03"), refused=True)
    quota.enter()
    assert 3.0 <= sum(clock.slept) <= 3.5


def test_a_refused_query_is_none_of_those_that_were_let_go() -> None:
    clock = FakeClock()
    quota = Quota(clock)
    for _ in range(5):
        quota.leave(quota.enter(), told(0, "00:00:01"), refused=True)
    quota.leave(quota.enter(), told(1))  # this one and one more in a window: the five were not counted
    clock.slept.clear()
    quota.leave(quota.enter(), {})
    assert clock.slept == []
    quota.enter()
    assert sum(clock.slept) == pytest.approx(WINDOW_SECONDS, abs=0.2)


def test_what_others_use_is_left_to_them() -> None:
    clock = FakeClock()
    quota = Quota(clock)
    quota.leave(quota.enter(), told(1))  # the one that was asked and one more may go in a window
    quota.enter()
    assert clock.slept == []
    quota.enter()
    assert sum(clock.slept) == pytest.approx(WINDOW_SECONDS, abs=0.2)


@pytest.mark.parametrize("headers", [{}, told(""), told("many"), told(-1)], ids=["none", "empty", "word", "negative"])
def test_an_answer_that_does_not_say_holds_nobody_up(headers: dict[str, str]) -> None:
    clock = FakeClock()
    quota = Quota(clock)
    quota.leave(quota.enter(), headers)
    quota.enter()
    assert clock.slept == []


@pytest.mark.parametrize(("after", "seconds"), [("00:00:02", 2.0), ("soon", 5.0), ("10:00:00", LONGEST_WAIT_SECONDS)])
def test_the_wait_is_bounded(after: str, seconds: float) -> None:
    clock = FakeClock()
    quota = Quota(clock)
    quota.leave(quota.enter(), told(0, after), refused=True)
    quota.enter()
    assert seconds <= sum(clock.slept) <= seconds + 0.5
