"""Accounts that AWS has not readied: which failures say so, when they are tried again, and when no more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared.domain.readiness import Attempt, Readiness
from shared.domain.stack_sets import attempt_of, operation_id
from tests.fakes.clock import NOON
from tests.fixtures.read import account

FIRST = Attempt(number=1, first_at=NOON)
ROLE = "arn:aws:sts::012345678901:assumed-role/stacksets-exec-0123/s"
DENIED = f"ResourceStatusReason:User: {ROLE} is not authorized to perform: iam:CreateRole"
NO_ROLE = "Account 012345678901 should have 'stacksets-exec-0123' role with trust relationship to Role 'x'."


def test_the_delays_double_up_to_a_quarter_of_an_hour_and_end_with_the_budget() -> None:
    readiness, attempt, tried_at, minutes = Readiness(), FIRST, NOON, []
    while (retry := readiness.next_retry(attempt, tried_at=tried_at, failed_at=tried_at)) is not None:
        attempt, tried_at = retry.attempt, retry.due_at
        minutes.append((tried_at - NOON).total_seconds() / 60)
    assert minutes == [1, 3, 7, 15, 30, 45, 60, 75, 90, 105, 120]
    assert (attempt.number, attempt.first_at) == (12, NOON)


def test_the_delay_begins_when_the_attempt_had_failed() -> None:
    told = Readiness().next_retry(FIRST, tried_at=NOON, failed_at=NOON + timedelta(minutes=5))
    assert told is not None
    assert told.due_at == NOON + timedelta(minutes=6)
    assert NOON < told.since < told.due_at


def test_without_a_budget_nothing_is_tried_again() -> None:
    assert Readiness(budget_seconds=0).next_retry(FIRST, tried_at=NOON, failed_at=NOON) is None


@pytest.mark.parametrize(("minutes", "used"), [(-1, 0.0), (0, 0.0), (90, 0.75), (120, 1.0), (500, 1.0)])
def test_the_share_of_the_budget_grows_with_the_time_since_the_first_attempt(minutes: int, used: float) -> None:
    assert Readiness().used(FIRST, at=NOON + timedelta(minutes=minutes)) == used
    assert Readiness(budget_seconds=0).used(FIRST, at=NOON) == 1.0


@pytest.mark.parametrize(
    ("reason", "age", "expected"),
    [
        ("OptInRequired: needs a subscription for the service", timedelta(days=900), True),
        ("SubscriptionRequiredException", None, True),
        (DENIED, timedelta(minutes=3), True),
        (NO_ROLE, timedelta(minutes=3), True),
        (DENIED, timedelta(hours=3), False),
        (DENIED, None, False),
        (f"{DENIED} with an explicit deny in a service control policy", timedelta(minutes=3), False),
        (f"{DENIED} because no service control policy allows it", timedelta(minutes=3), False),
        (f"{DENIED} with an explicit deny", timedelta(minutes=3), False),
        ("User: arn:aws:iam::012345678901:user/somebody is not authorized", timedelta(minutes=3), False),
        ("CspmMonitorAws already exists", timedelta(minutes=3), False),
        ("words of tomorrow", timedelta(minutes=3), False),
    ],
)
def test_a_new_account_that_refuses_stack_sets_is_not_ready(reason: str, age: timedelta | None, expected: bool) -> None:
    joined: datetime | None = None if age is None else NOON - age
    assert Readiness().is_not_ready(account(joined_at=joined), FIRST, reason) is expected


def test_an_account_that_was_new_at_the_first_attempt_stays_so_until_the_last() -> None:
    late = Attempt(number=9, first_at=NOON)
    assert Readiness().is_not_ready(account(joined_at=NOON - timedelta(hours=1, minutes=59)), late, DENIED)


def test_an_operation_s_id_keeps_which_attempt_it_is() -> None:
    attempt = Attempt(number=3, first_at=NOON)
    made = operation_id("s", [("012345678901", "e")], update=False, attempt=attempt)
    assert attempt_of(made, NOON + timedelta(minutes=7)) == attempt
    assert len(made) <= 128
    assert made.replace("-", "").isalnum()


def test_an_operation_that_says_nothing_is_the_first_attempt() -> None:
    made = operation_id("s", [("012345678901", "e")], update=False)
    for operation in (made, "by-hand", ""):
        assert attempt_of(operation, NOON) == Attempt(number=1, first_at=NOON)
