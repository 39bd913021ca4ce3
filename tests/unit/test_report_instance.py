"""A stack instance ended: the Azure side is asked for a connector, or told why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.outcome import Outcome
from shared.application.report_instance import InstanceSignal, report_instances
from shared.application.requests import Cause
from shared.domain.accounts import Account
from shared.domain.identity_provider import ADOPTING, audiences_of, provider_advice
from shared.domain.instance_failures import PROVIDER_EXISTS
from shared.domain.ledger import Result, State
from shared.domain.readiness import Attempt, Readiness
from shared.domain.roles import PROVIDER_HOST
from shared.domain.stack_sets import InstanceState, StackInstance
from shared.errors import ConfigurationError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest
from tests.fakes.clock import NOON
from tests.fixtures.profiles import CSPM_ONLY
from tests.fixtures.read import ACCOUNT_ID, account
from tests.unit.conftest import AwsSide

PROVIDER_THERE = f"Provider with url https://{PROVIDER_HOST} already exists."


def signal(account_id: str = ACCOUNT_ID, reason: str = "", event_id: str = "e1") -> InstanceSignal:
    cause = Cause(event_id=event_id, source="aws.cloudformation", occurred_at=NOON, correlation_id="c1")
    return InstanceSignal(account_id=account_id, reason=reason, cause=cause)


def ended(aws: AwsSide, state: InstanceState, reason: str = "", account_id: str = ACCOUNT_ID) -> None:
    asked = aws.wanted(account_id) if state in {InstanceState.CURRENT, InstanceState.OUTDATED} else {}
    aws.stack_sets.put(StackInstance(account_id=account_id, state=state, parameters=asked, reason=reason))


def reported(aws: AwsSide, given: InstanceSignal) -> tuple[Outcome, list[ConnectorRequest]]:
    found = report_instances([given], aws.report)[ACCOUNT_ID]
    assert isinstance(found, Outcome)
    return found, aws.queue.requests


def test_an_instance_that_succeeded_asks_for_a_connector(aws: AwsSide) -> None:
    ended(aws, InstanceState.CURRENT)
    outcome, [request] = reported(aws, signal())
    assert outcome.result is Result.CREATED
    assert (request.data.action, request.data.status) == (Action.CONNECT, State.DEPLOYED)
    assert (request.data.ou_path, request.data.name) == ("/Workloads/Prod", "payments")
    assert aws.queue.sent[0].delay_seconds == 0


def test_a_request_is_as_old_as_the_look_at_the_account_however_late_it_is_sent(
    aws: AwsSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(aws, InstanceState.CURRENT)
    find_account = aws.directory.find_account

    def slowly(account_id: str, *, with_tags: bool) -> Account | None:
        found = find_account(account_id, with_tags=with_tags)
        aws.clock.advance(30)  # meanwhile it leaves, and the other function tells of that
        return found

    monkeypatch.setattr(aws.directory, "find_account", slowly)
    _, [request] = reported(aws, signal())
    assert (request.data.status, request.occurred_at) == (State.DEPLOYED, NOON)


def test_an_outdated_instance_has_roles_and_asks_for_a_connector(aws: AwsSide) -> None:
    ended(aws, InstanceState.OUTDATED)
    _, [request] = reported(aws, signal())
    assert request.data.action is Action.CONNECT


def test_an_account_that_takes_no_part_any_more_is_looked_at_anew_and_not_connected(aws: AwsSide) -> None:
    aws.directory.add(account(ou_path="/Sandbox"))
    ended(aws, InstanceState.CURRENT)
    outcome, requests = reported(aws, signal())
    assert (outcome.result, requests) == (Result.SKIPPED, [])
    [(account_id, retry)] = aws.retries.asked
    assert (account_id, retry.due_at) == (ACCOUNT_ID, NOON)


def test_an_account_that_came_to_another_profile_without_a_word_is_looked_at_anew_and_not_connected(
    aws: AwsSide,
) -> None:
    other = {name: {"true": "false", "false": "true"}.get(value, value) for name, value in aws.wanted().items()}
    assert other != aws.wanted()
    aws.stack_sets.put(StackInstance(account_id=ACCOUNT_ID, state=InstanceState.CURRENT, parameters=other))
    outcome, requests = reported(aws, signal())
    assert (outcome.result, requests) == (Result.SKIPPED, [])
    assert [asked for asked, _ in aws.retries.asked] == [ACCOUNT_ID]
    assert not aws.stack_sets.operations


def test_the_present_instance_is_believed_and_not_the_event(aws: AwsSide) -> None:
    ended(aws, InstanceState.CURRENT)
    _, [request] = reported(aws, signal(reason="it failed an hour ago"))
    assert request.data.status is State.DEPLOYED


@pytest.mark.parametrize(
    ("theirs", "event", "expected"),
    [("role exists", "older", "role exists"), ("", "from the event", "from the event"), ("", "", "AWS gave no reason")],
)
def test_an_instance_that_failed_is_noted_with_its_reason(aws: AwsSide, theirs: str, event: str, expected: str) -> None:
    ended(aws, InstanceState.FAILED, theirs)
    outcome, [request] = reported(aws, signal(reason=event))
    assert outcome.result is Result.FAILED
    assert (request.data.action, request.data.status) == (Action.NOTE, State.DEPLOY_FAILED)
    assert request.data.reason == expected


def provider_failure(aws: AwsSide, parameters: dict[str, str], attempt: int = 1) -> None:
    aws.stack_sets.put(
        StackInstance(
            account_id=ACCOUNT_ID,
            state=InstanceState.FAILED,
            parameters=parameters,
            reason=PROVIDER_THERE,
            tried_at=NOON - timedelta(seconds=30),
            attempt=Attempt(number=attempt, first_at=NOON - timedelta(minutes=5)),
        )
    )


def test_a_provider_that_is_there_leads_to_another_attempt_at_once_and_its_audiences_are_told(aws: AwsSide) -> None:
    provider_failure(aws, {"Servers": "false"})
    outcome, [request] = reported(aws, signal())
    assert (outcome.result, outcome.key) == (Result.DEFERRED, "identity-provider-exists")
    assert (request.data.action, request.data.status, request.data.reason) == (Action.NOTE, State.DEPLOYING, ADOPTING)
    assert all(audience in request.data.remedy for audience in audiences_of(CSPM_ONLY))
    [(account_id, retry)] = aws.retries.asked
    assert (account_id, retry.attempt.number, retry.due_at) == (ACCOUNT_ID, 2, NOON)
    assert NOON - timedelta(seconds=30) < retry.since < NOON - timedelta(seconds=29)
    reported(aws, signal(event_id="again"))
    assert aws.retries.asked == [(account_id, retry)] * 2


def test_where_aws_keeps_the_parameters_later_attempts_come_ever_later_and_end(aws: AwsSide) -> None:
    provider_failure(aws, {}, attempt=2)
    reported(aws, signal())
    [(_, retry)] = aws.retries.asked
    assert retry.due_at == NOON + timedelta(seconds=120)
    provider_failure(aws, {}, attempt=12)
    aws.report = replace(aws.report, readiness=Readiness(budget_seconds=360))
    outcome, [*_, request] = reported(aws, signal(event_id="later"))
    assert (outcome.result, request.data.status, len(aws.retries.asked)) == (Result.FAILED, State.DEPLOY_FAILED, 1)


@pytest.mark.parametrize("cause", ["a template without the parameter", "used one already"])
def test_a_provider_that_cannot_be_adopted_is_told_with_microsofts_way_and_the_audiences(
    aws: AwsSide, cause: str
) -> None:
    provider_failure(aws, {"IdentityProvider": "existing"} if cause.startswith("used") else {})
    aws.stack_sets.declared = frozenset() if cause.startswith("a") else aws.stack_sets.declared
    outcome, [request] = reported(aws, signal())
    assert (outcome.result, request.data.status, aws.retries.asked) == (Result.FAILED, State.DEPLOY_FAILED, [])
    assert request.data.reason == PROVIDER_THERE
    assert request.data.remedy.startswith(PROVIDER_EXISTS.remedy)
    assert audiences_of(CSPM_ONLY)[0] in request.data.remedy


def test_roles_that_use_a_provider_that_was_there_are_connected_with_a_note_of_its_audiences(aws: AwsSide) -> None:
    aws.stack_sets.put(
        StackInstance(
            account_id=ACCOUNT_ID,
            state=InstanceState.CURRENT,
            parameters=aws.wanted() | {"IdentityProvider": "existing"},
        )
    )
    _, [request] = reported(aws, signal())
    assert request.data.action is Action.CONNECT
    assert "had before" in request.data.reason
    assert request.data.remedy == provider_advice(ACCOUNT_ID, CSPM_ONLY)


def test_a_reason_longer_than_a_message_may_carry_is_cut(aws: AwsSide) -> None:
    ended(aws, InstanceState.FAILED, "x" * 10_000)
    _, [request] = reported(aws, signal())
    assert len(request.data.reason) == 4096


def test_an_instance_at_work_again_or_gone_is_left_to_later_events(aws: AwsSide) -> None:
    outcome, sent = reported(aws, signal())
    assert (outcome.result, sent) == (Result.SKIPPED, [])
    ended(aws, InstanceState.IN_PROGRESS)
    outcome, sent = reported(aws, signal())
    assert (outcome.result, sent) == (Result.SKIPPED, [])


def test_an_account_that_left_is_skipped(aws: AwsSide) -> None:
    ended(aws, InstanceState.CURRENT)
    aws.directory.accounts.clear()
    outcome, sent = reported(aws, signal())
    assert (outcome.result, sent) == (Result.SKIPPED, [])


def test_the_same_event_twice_makes_the_same_message(aws: AwsSide) -> None:
    ended(aws, InstanceState.CURRENT)
    report_instances([signal()], aws.report)
    report_instances([signal()], aws.report)
    first, second = aws.queue.requests
    assert first.message_id == second.message_id
    assert first.traceparent == second.traceparent


def test_events_about_one_account_are_reported_once(aws: AwsSide) -> None:
    ended(aws, InstanceState.CURRENT)
    report_instances([signal(event_id="e1"), signal(event_id="e2")], aws.report)
    assert len(aws.queue.sent) == 1


def test_a_failure_of_one_account_does_not_touch_the_others(aws: AwsSide) -> None:
    aws.directory.add(account("012345678903"))
    for account_id in (ACCOUNT_ID, "012345678903"):
        ended(aws, InstanceState.CURRENT, account_id=account_id)
    aws.queue.failures.plan("send", TransientError("no answer"))
    results = report_instances([signal(), signal("012345678903")], aws.report)
    assert isinstance(results[ACCOUNT_ID], TransientError)
    assert isinstance(results["012345678903"], Outcome)


def test_a_queue_that_may_not_be_written_to_fails_the_batch(aws: AwsSide) -> None:
    ended(aws, InstanceState.CURRENT)
    aws.queue.failures.plan("send", ConfigurationError("forbidden", setting="the role assignments"))
    with pytest.raises(ConfigurationError):
        report_instances([signal()], aws.report)


def test_of_events_in_one_batch_the_newest_counts_whatever_their_order(aws: AwsSide) -> None:
    ended(aws, InstanceState.CURRENT)
    made = signal()
    deleted = replace(made, deletion=True, cause=replace(made.cause, occurred_at=NOON - timedelta(minutes=1)))
    found = report_instances([made, deleted], aws.report)[ACCOUNT_ID]
    assert isinstance(found, Outcome)
    assert found.result is Result.CREATED
    assert [sent.data.action for sent in aws.queue.requests] == [Action.CONNECT]


def test_a_deletion_that_was_left_out_is_not_asked_for_again(aws: AwsSide) -> None:
    aws.directory.add(account(ou_path="/Sandbox"))
    ended(aws, InstanceState.SUSPENDED)
    assert reported(aws, signal())[0].result is Result.SKIPPED
    assert aws.retries.asked == []
    outcome, [told] = reported(aws, replace(signal(), deletion=True))
    assert (outcome.result, outcome.key) == (Result.FAILED, "roles-not-removed")
    assert told.data.remedy
