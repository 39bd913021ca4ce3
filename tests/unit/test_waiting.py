"""Accounts that are not ready are tried again by themselves, each failure once, and the ledger is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.application.account_batch import AccountSignal
from shared.application.deploy_accounts import deploy_accounts
from shared.application.outcome import Outcome
from shared.application.report_instance import InstanceSignal, report_instances
from shared.application.requests import Cause
from shared.domain.accounts import AccountState
from shared.domain.instance_failures import NOT_READY
from shared.domain.ledger import Result, State
from shared.domain.readiness import ACCOUNT_NOT_READY, Attempt, Retry
from shared.domain.stack_sets import InstanceState, StackInstance, attempt_of
from shared.errors import PermanentError, TransientError
from shared.messages.connector_request import Action
from tests.fakes.clock import NOON
from tests.fixtures.profiles import CSPM_ONLY
from tests.fixtures.read import ACCOUNT_ID, account
from tests.unit.conftest import AwsSide

OPT_IN = "OptInRequired: The AWS Access Key Id needs a subscription for the service"
TRIED = NOON - timedelta(seconds=40)
FIRST = Attempt(number=1, first_at=TRIED)
MOMENT = timedelta(milliseconds=1)
RETRY = Retry(attempt=Attempt(number=2, first_at=TRIED), due_at=NOON + timedelta(minutes=1), since=TRIED + MOMENT)
OTHER = "012345678903"


def cause(at: datetime = NOON, event_id: str = "e1") -> Cause:
    return Cause(event_id=event_id, source="aws.cloudformation", occurred_at=at, correlation_id="c1")


def failed(reason: str = OPT_IN, *, attempt: Attempt = FIRST, tried_at: datetime = TRIED) -> StackInstance:
    return StackInstance(
        account_id=ACCOUNT_ID,
        state=InstanceState.FAILED,
        parameters=CSPM_ONLY.stack_parameters(),
        reason=reason,
        tried_at=tried_at,
        attempt=attempt,
    )


def reported(aws: AwsSide, reason: str = "") -> Outcome:
    found = report_instances(
        [InstanceSignal(account_id=ACCOUNT_ID, reason=reason, cause=cause(), deployment=True)], aws.report
    )
    outcome = found[ACCOUNT_ID]
    assert isinstance(outcome, Outcome)
    return outcome


def signal(retry: Retry | None = RETRY, *, at: datetime = RETRY.due_at, account_id: str = ACCOUNT_ID) -> AccountSignal:
    return AccountSignal(account_id=account_id, cause=cause(at, f"e-{at}"), retry=retry)


# The stack instance failed


def test_an_account_that_is_not_ready_is_tried_again_and_reported_as_waiting(aws: AwsSide) -> None:
    aws.stack_sets.put(failed())
    outcome = reported(aws)
    assert (outcome.result, outcome.key) == (Result.DEFERRED, "instance-not-ready")
    assert outcome.budget_used == (NOON - FIRST.first_at).total_seconds() / 7200
    assert aws.retries.asked == [(ACCOUNT_ID, RETRY)]
    [request] = aws.queue.requests
    assert (request.data.action, request.data.status) == (Action.NOTE, State.DEPLOYING)
    assert request.data.reason == f"not ready yet, attempt 2 at {RETRY.due_at:%Y-%m-%dT%H:%M:%SZ}: {OPT_IN}"
    assert request.data.remedy == NOT_READY.remedy


def test_the_same_failure_told_again_later_asks_for_the_same_attempt(aws: AwsSide) -> None:
    aws.stack_sets.put(failed())
    reported(aws)
    aws.clock.advance(90)
    reported(aws)
    first, second = aws.retries.asked
    assert first == second


def test_a_report_that_fails_does_not_ask_for_the_next_attempt_once_more(aws: AwsSide) -> None:
    aws.stack_sets.put(failed())
    aws.queue.failures.plan("send", TransientError("no answer"))
    found = report_instances([InstanceSignal(account_id=ACCOUNT_ID, reason="", cause=cause())], aws.report)
    assert isinstance(found[ACCOUNT_ID], Outcome)  # the message is done: coming again, it would ask again
    assert len(aws.retries.asked) == 1
    assert aws.queue.sent == []


def test_an_attempt_that_cannot_be_asked_for_is_not_reported(aws: AwsSide) -> None:
    aws.stack_sets.put(failed())
    aws.retries.failures.plan("ask_again", TransientError("throttled"))
    found = report_instances([InstanceSignal(account_id=ACCOUNT_ID, reason="", cause=cause())], aws.report)
    assert isinstance(found[ACCOUNT_ID], TransientError)
    assert aws.queue.sent == []


def test_after_the_budget_the_daily_comparison_is_left_to_try(aws: AwsSide) -> None:
    began = NOON - timedelta(hours=2)
    aws.stack_sets.put(failed(attempt=Attempt(number=12, first_at=began)))
    outcome = reported(aws)
    assert (outcome.result, outcome.budget_used) == (Result.FAILED, 1.0)
    assert aws.retries.asked == []
    [request] = aws.queue.requests
    assert request.data.status is State.DEPLOY_FAILED
    assert "tried 12 time(s)" in request.data.reason
    assert "the daily comparison tries again" in request.data.reason
    assert OPT_IN in request.data.reason
    assert request.data.remedy == NOT_READY.remedy


@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("Access Denied by a service control policy.", "denied-by-scp"),
        ("CspmMonitorAws already exists", "resource-already-exists"),
        ("Cancelled since failure tolerance has exceeded", "operation-cancelled"),
        ("Cannot exceed quota for RolesPerAccount: 1000", "iam-quota"),
        ("words of tomorrow", "instance-failed"),
    ],
)
def test_other_failures_are_reported_and_not_tried_again(aws: AwsSide, reason: str, key: str) -> None:
    aws.directory.add(replace(account(), joined_at=NOON - timedelta(minutes=3)))
    aws.stack_sets.put(failed(reason))
    outcome = reported(aws)
    assert (outcome.result, outcome.key) == (Result.FAILED, key)
    assert aws.retries.asked == []
    [request] = aws.queue.requests
    assert (request.data.status, request.data.reason) == (State.DEPLOY_FAILED, reason)


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.PENDING_CLOSURE, AccountState.CLOSED])
@pytest.mark.parametrize("instance", [InstanceState.SUSPENDED, InstanceState.FAILED])
def test_a_closed_account_is_let_go_by_whoever_lets_accounts_go(
    aws: AwsSide, state: AccountState, instance: InstanceState
) -> None:
    aws.directory.add(replace(account(), state=state))
    aws.stack_sets.put(replace(failed("This account is suspended."), state=instance))
    assert reported(aws).result is Result.SKIPPED
    assert aws.queue.sent == []
    [(account_id, retry)] = aws.retries.asked
    assert (account_id, retry.due_at, retry.attempt.number) == (ACCOUNT_ID, NOON, 1)
    results = deploy_accounts([signal(retry, at=retry.due_at)], aws.deploy)
    assert isinstance(results[ACCOUNT_ID], Outcome)
    [request] = aws.queue.requests
    assert request.data.status is State.DEPARTED
    assert aws.stack_sets.let_go == [ACCOUNT_ID]


@pytest.mark.parametrize("changes", [{"state": AccountState.CLOSED}, {"ou_path": "/Sandbox"}])
def test_what_may_have_been_a_failed_deletion_is_not_asked_for_again(aws: AwsSide, changes: dict[str, Any]) -> None:
    aws.directory.add(replace(account(), **changes))
    aws.stack_sets.put(failed("it could not be deleted"))
    given = InstanceSignal(account_id=ACCOUNT_ID, reason="", cause=cause())  # an event without an action
    outcome = report_instances([given], aws.report)[ACCOUNT_ID]
    assert isinstance(outcome, Outcome)
    assert (outcome.result, aws.retries.asked, aws.queue.sent) == (Result.SKIPPED, [], [])


def test_an_active_account_that_was_left_out_as_suspended_is_reported_and_not_asked_for_again(aws: AwsSide) -> None:
    aws.stack_sets.put(replace(failed("This account is suspended."), state=InstanceState.SUSPENDED))
    outcome = reported(aws)
    assert (outcome.result, outcome.key) == (Result.FAILED, "account-suspended")
    assert aws.retries.asked == []
    assert aws.queue.requests[0].data.status is State.DEPLOY_FAILED


# The next attempt


def test_the_next_attempt_deploys_what_failed_and_its_operation_says_which_it_is(aws: AwsSide) -> None:
    aws.stack_sets.put(failed())
    deploy_accounts([signal()], aws.deploy)
    [operation] = aws.stack_sets.operations
    assert attempt_of(operation, NOON) == Attempt(number=2, first_at=TRIED.replace(microsecond=0))


def test_an_attempt_that_was_asked_for_twice_is_made_once(aws: AwsSide) -> None:
    aws.stack_sets.put(failed())
    deploy_accounts([signal()], aws.deploy)
    deploy_accounts([signal()], aws.deploy)
    assert len(aws.stack_sets.operations) == 1
    aws.stack_sets.put(failed(tried_at=RETRY.due_at, attempt=RETRY.attempt))  # that attempt failed, too
    results = deploy_accounts([signal()], aws.deploy)
    assert len(aws.stack_sets.operations) == 1
    outcome = results[ACCOUNT_ID]
    assert isinstance(outcome, Outcome)
    assert outcome.result is Result.SKIPPED


def test_what_somebody_else_tried_meanwhile_ends_the_attempts_before(aws: AwsSide) -> None:
    aws.stack_sets.put(failed(tried_at=TRIED + timedelta(seconds=2)))
    deploy_accounts([signal()], aws.deploy)
    assert aws.stack_sets.operations == {}


def test_an_event_that_is_newer_than_the_failure_goes_before_the_next_attempt(aws: AwsSide) -> None:
    aws.stack_sets.put(failed())
    moved = signal(None, at=TRIED + timedelta(seconds=30))
    deploy_accounts([moved, signal()], aws.deploy)
    [operation] = aws.stack_sets.operations
    assert attempt_of(operation, NOON).number == 1


def test_an_operation_is_one_attempt_for_all_its_accounts(aws: AwsSide) -> None:
    aws.directory.add(account(OTHER))
    aws.stack_sets.put(failed())
    aws.stack_sets.put(replace(failed(), account_id=OTHER))
    deploy_accounts([signal(), signal(account_id=OTHER)], aws.deploy)
    assert len(aws.stack_sets.operations) == 1
    aws.directory.add(account("012345678904"))
    later = replace(RETRY, attempt=replace(RETRY.attempt, number=3))
    aws.stack_sets.put(failed())
    aws.clock.advance(1)
    deploy_accounts(
        [signal(later, at=NOON + timedelta(minutes=3)), signal(None, account_id="012345678904")], aws.deploy
    )
    assert len(aws.stack_sets.operations) == 3


# The account itself is not activated, or AWS refuses to begin


@pytest.mark.parametrize("retry", [None, RETRY])
def test_an_account_that_is_not_activated_is_looked_at_again(aws: AwsSide, retry: Retry | None) -> None:
    aws.directory.add(replace(account(), state=AccountState.PENDING_ACTIVATION))
    results = deploy_accounts([signal(retry, at=TRIED)], aws.deploy)
    outcome = results[ACCOUNT_ID]
    assert isinstance(outcome, Outcome)
    assert outcome.result is Result.DEFERRED
    [(_, asked)] = aws.retries.asked
    number = 3 if retry else 2
    assert asked.attempt == Attempt(number=number, first_at=TRIED)
    assert asked.due_at == NOON + timedelta(minutes=number - 1)
    [request] = aws.queue.requests
    assert request.data.status is State.DEPLOYING
    assert request.data.reason.endswith("the account is not activated yet")
    assert not aws.stack_sets.operations


def test_an_account_that_is_activated_meanwhile_is_deployed(aws: AwsSide) -> None:
    deploy_accounts([signal()], aws.deploy)
    [operation] = aws.stack_sets.operations.values()
    assert operation.account_ids == (ACCOUNT_ID,)


def test_an_account_that_is_never_activated_ends_with_reason_and_remedy(aws: AwsSide) -> None:
    aws.directory.add(replace(account(), state=AccountState.PENDING_ACTIVATION))
    last = replace(RETRY, attempt=Attempt(number=12, first_at=NOON - timedelta(hours=2)))
    deploy_accounts([signal(last)], aws.deploy)
    assert aws.retries.asked == []
    [request] = aws.queue.requests
    assert (request.data.status, request.data.remedy) == (State.DEPLOY_FAILED, NOT_READY.remedy)


def test_an_operation_that_aws_refuses_for_an_account_that_is_not_ready_is_asked_for_again(aws: AwsSide) -> None:
    aws.stack_sets.failures.plan("deploy", TransientError(OPT_IN, key=ACCOUNT_NOT_READY))
    results = deploy_accounts([signal(None, at=TRIED)], aws.deploy)
    outcome = results[ACCOUNT_ID]
    assert isinstance(outcome, Outcome)
    assert outcome.result is Result.DEFERRED
    [(_, asked)] = aws.retries.asked
    assert asked.attempt == Attempt(number=2, first_at=TRIED)


def test_a_report_of_it_that_fails_sends_back_its_own_account_only(aws: AwsSide) -> None:
    aws.directory.add(account(OTHER))
    aws.stack_sets.failures.plan("deploy", TransientError(OPT_IN, key=ACCOUNT_NOT_READY))
    aws.retries.failures.plan("ask_again", PermanentError("no"))
    results = deploy_accounts([signal(None), signal(None, account_id=OTHER)], aws.deploy)
    assert sorted(isinstance(found, Outcome) for found in results.values()) == [False, True]
