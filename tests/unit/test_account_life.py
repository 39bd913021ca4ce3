"""Accounts that leave: what the present state decides, what is taken from them, and what Azure's side makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.account_batch import AccountSignal
from shared.application.deploy_accounts import deploy_accounts
from shared.application.onboard import onboard
from shared.application.outcome import Outcome
from shared.application.report_instance import InstanceSignal, report_instances
from shared.application.requests import Cause
from shared.domain.accounts import AccountState
from shared.domain.ledger import Result, State
from shared.domain.policy import Deletions, Policy
from shared.domain.stack_sets import InstanceState, StackInstance, Step, next_step
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest
from tests.fakes.clock import NOON
from tests.fixtures.profiles import CSPM_ONLY
from tests.fixtures.read import ACCOUNT_ID, account, request
from tests.unit.conftest import AwsSide, AzureSide

CLOSED = [AccountState.SUSPENDED, AccountState.PENDING_CLOSURE, AccountState.CLOSED]
KEY = request().key


def signal(account_id: str = ACCOUNT_ID, departed: str = "", seconds: int = 0) -> AccountSignal:
    cause = Cause(
        event_id=f"e-{account_id}-{seconds}",
        source="aws.organizations",
        occurred_at=NOON + timedelta(seconds=seconds),
        correlation_id=f"c-{account_id}",
    )
    return AccountSignal(account_id=account_id, cause=cause, departed=departed)


def instance(account_id: str = ACCOUNT_ID, state: InstanceState = InstanceState.CURRENT) -> StackInstance:
    return StackInstance(account_id=account_id, state=state, parameters=CSPM_ONLY.stack_parameters())


def allow(aws: AwsSide, **deletions: object) -> None:
    aws.source.policy = replace(aws.source.policy, deletions=Deletions(**deletions))  # type: ignore[arg-type]  # by name


def ended(aws: AwsSide, *signals: AccountSignal) -> Outcome:
    found = deploy_accounts(signals, aws.deploy)[ACCOUNT_ID]
    assert isinstance(found, Outcome), found
    return found


def only(aws: AwsSide) -> ConnectorRequest:
    [sent] = aws.queue.requests
    return sent


def touched(aws: AwsSide) -> tuple[list[str], list[str]]:
    """The accounts whose roles were deleted, and those whose instance was let go."""
    return aws.stack_sets.removed, aws.stack_sets.let_go


# Excluded


def test_an_account_that_becomes_excluded_keeps_connector_and_roles(aws: AwsSide) -> None:
    aws.directory.add(account(ou_path="/Sandbox"))
    aws.stack_sets.put(instance())
    assert ended(aws, signal()).result is Result.SKIPPED
    sent = only(aws)
    assert (sent.data.action, sent.data.status, sent.data.reason) == (
        Action.NOTE,
        State.EXCLUDED,
        "excluded by OU path /Sandbox",
    )
    assert touched(aws) == ([], [])


def test_an_account_that_becomes_excluded_loses_both_where_the_policy_says_so(aws: AwsSide) -> None:
    allow(aws, excluded_accounts=True)
    aws.directory.add(account(ou_path="/Sandbox"))
    aws.stack_sets.put(instance())
    assert ended(aws, signal()).result is Result.DELETED
    assert (only(aws).data.action, only(aws).data.status) == (Action.DISCONNECT, State.EXCLUDED)
    assert touched(aws) == ([ACCOUNT_ID], [])
    assert ended(aws, signal(seconds=5)).result is Result.SKIPPED
    assert aws.queue.requests[1].data.action is Action.NOTE


@pytest.mark.parametrize("management", [True, False])
def test_an_excluded_account_that_never_had_our_roles_loses_nothing(aws: AwsSide, management: bool) -> None:
    allow(aws, excluded_accounts=True, departed_accounts=True)
    aws.directory.add(account(ou_path="/Sandbox", is_management=management))
    ended(aws, signal())
    assert (only(aws).data.action, only(aws).data.status) == (Action.NOTE, State.EXCLUDED)
    assert touched(aws) == ([], [])


def test_in_one_batch_no_more_is_deleted_than_the_policy_allows(aws: AwsSide) -> None:
    allow(aws, excluded_accounts=True, departed_accounts=True, most_per_run=2)
    ids = [f"01234567890{number}" for number in range(5)]
    for account_id in ids:
        state = AccountState.SUSPENDED if account_id == ids[4] else AccountState.ACTIVE
        aws.directory.add(account(account_id, ou_path="/Sandbox", state=state))
        aws.stack_sets.put(instance(account_id))
    deploy_accounts([signal(account_id) for account_id in ids], aws.deploy)
    told = sorted(aws.queue.requests, key=lambda sent: sent.data.hierarchy_identifier)  # they are sent side by side
    assert [(sent.data.action, sent.data.status) for sent in told] == [
        (Action.DISCONNECT, State.EXCLUDED),
        (Action.DISCONNECT, State.EXCLUDED),
        (Action.NOTE, State.EXCLUDED),
        (Action.NOTE, State.EXCLUDED),
        (Action.NOTE, State.DEPARTED),
    ]
    assert touched(aws) == (ids[:2], [ids[4]])
    for sent in told[2:]:
        assert "deletions.most_per_run is 2" in sent.data.reason


def test_accounts_that_lose_nothing_do_not_count(aws: AwsSide) -> None:
    allow(aws, excluded_accounts=True, most_per_run=1)
    ids = [f"01234567890{number}" for number in range(3)]
    for account_id in ids:
        aws.directory.add(account(account_id, ou_path="/Sandbox"))
    aws.stack_sets.put(instance(ids[0]))
    deploy_accounts([signal(account_id) for account_id in ids], aws.deploy)
    assert [sent.data.reason for sent in aws.queue.requests] == ["excluded by OU path /Sandbox"] * 3


# Closed and departed


@pytest.mark.parametrize("state", CLOSED)
@pytest.mark.parametrize("may", [True, False])
def test_a_closed_account_is_let_go_and_its_connector_only_where_the_policy_says_so(
    aws: AwsSide, state: AccountState, may: bool
) -> None:
    allow(aws, departed_accounts=may)
    aws.directory.add(account(state=state))
    aws.stack_sets.put(instance())
    assert ended(aws, signal()).result is Result.DELETED
    sent = only(aws)
    assert (sent.data.action, sent.data.status) == (Action.DISCONNECT if may else Action.NOTE, State.DEPARTED)
    assert sent.data.reason == f"the account is {state}"
    assert "Runbook: account-closed." in sent.data.remedy
    assert f"`rollcall offboard {ACCOUNT_ID} --confirm`" in sent.data.remedy
    assert touched(aws) == ([], [ACCOUNT_ID])


@pytest.mark.parametrize("may", [True, False])
@pytest.mark.parametrize(("said", "has_instance"), [("it left", True), ("it left", False), ("", True)])
def test_an_account_that_left_is_let_go_on_the_word_of_an_event_or_of_its_instance(
    aws: AwsSide, may: bool, said: str, has_instance: bool
) -> None:
    allow(aws, departed_accounts=may)
    aws.directory.accounts.clear()
    if has_instance:
        aws.stack_sets.put(instance())
    assert ended(aws, signal(departed=said)).result is (Result.DELETED if has_instance else Result.SKIPPED)
    sent = only(aws)
    assert (sent.data.action, sent.data.status) == (Action.DISCONNECT if may else Action.NOTE, State.DEPARTED)
    assert sent.data.reason == (said or "the organization does not list it any more")
    assert "Runbook: account-departed." in sent.data.remedy
    assert f"`rollcall offboard {ACCOUNT_ID} --confirm`" in sent.data.remedy
    assert (sent.data.name, sent.data.ou_path) == ("", "")
    assert touched(aws) == ([], [ACCOUNT_ID] if has_instance else [])


def test_an_account_that_nobody_knows_is_refused_as_ever(aws: AwsSide) -> None:
    aws.directory.accounts.clear()
    found = deploy_accounts([signal()], aws.deploy)[ACCOUNT_ID]
    assert isinstance(found, TransientError)
    assert found.key == "account-not-listed"
    assert aws.queue.sent == []


@pytest.mark.parametrize("first", [0, 1])
def test_a_departure_counts_whichever_event_of_the_batch_told_it(aws: AwsSide, first: int) -> None:
    aws.directory.accounts.clear()
    signals = [signal(departed="it left", seconds=first), signal(seconds=1 - first)]
    ended(aws, *signals)
    assert only(aws).data.reason == "it left"


def test_a_departure_of_an_account_that_is_there_again_is_no_departure(aws: AwsSide) -> None:
    assert ended(aws, signal(departed="it left")).result is Result.CREATED
    assert len(aws.stack_sets.operations) == 1


def test_what_is_reported_comes_before_what_is_taken(aws: AwsSide) -> None:
    allow(aws, departed_accounts=True)
    aws.directory.accounts.clear()
    aws.stack_sets.put(instance())
    aws.queue.failures.plan("send", TransientError("no answer"))
    assert isinstance(deploy_accounts([signal()], aws.deploy)[ACCOUNT_ID], TransientError)
    assert touched(aws) == ([], [])
    ended(aws, signal())
    assert touched(aws) == ([], [ACCOUNT_ID])


def test_a_deletion_that_fails_for_now_comes_back_and_says_the_same_again(aws: AwsSide) -> None:
    aws.directory.accounts.clear()
    aws.stack_sets.put(instance())
    aws.stack_sets.failures.plan("remove", TransientError("throttled"))
    assert isinstance(deploy_accounts([signal()], aws.deploy)[ACCOUNT_ID], TransientError)
    ended(aws, signal())
    first, second = aws.queue.requests
    assert first.message_id == second.message_id


def refused(aws: AwsSide) -> ConnectorRequest:
    aws.directory.accounts.clear()
    aws.stack_sets.put(instance())
    aws.stack_sets.failures.plan("remove", PermanentError("no such target"))
    outcome = ended(aws, signal(departed="it left"))
    assert (outcome.result, outcome.key) == (Result.FAILED, "roles-not-removed")
    return aws.queue.requests[-1]


def test_an_instance_that_aws_does_not_let_go_is_told_with_what_to_do(aws: AwsSide) -> None:
    sent = refused(aws)
    assert (sent.data.action, sent.data.status) == (Action.NOTE, State.SEEN)
    assert sent.data.reason == "its stack instance is still there: no such target"
    assert "Runbook: roles-not-removed." in sent.data.remedy
    assert aws.queue.requests[0].data.status is State.DEPARTED


def test_accounts_that_leave_together_are_one_operation_for_each_way_out(aws: AwsSide) -> None:
    closed, isolated = [ACCOUNT_ID, "012345678903"], ["012345678904", "012345678905"]
    for account_id in closed:
        aws.directory.add(replace(account(account_id), state=AccountState.SUSPENDED))
    for account_id in isolated:
        aws.directory.add(replace(account(account_id), ou_path="/Sandbox"))
    for account_id in closed + isolated:
        aws.stack_sets.put(instance(account_id))
    allow(aws, excluded_accounts=True)
    deploy_accounts([signal(account_id) for account_id in closed + isolated], aws.deploy)
    made = [(removal.account_ids, removal.retain_stacks) for removal in aws.stack_sets.removals]
    assert made == [(tuple(closed), True), (tuple(isolated), False)]


def test_an_account_that_aws_refuses_to_let_go_leaves_alone_and_the_others_go(aws: AwsSide) -> None:
    others = ["012345678903", "012345678904"]
    for account_id in [ACCOUNT_ID, *others]:
        aws.directory.add(replace(account(account_id), state=AccountState.CLOSED))
        aws.stack_sets.put(instance(account_id))
    aws.stack_sets.refused_accounts = {ACCOUNT_ID}
    results = deploy_accounts([signal(account_id) for account_id in [ACCOUNT_ID, *others]], aws.deploy)
    assert aws.stack_sets.let_go == others
    refused = results[ACCOUNT_ID]
    assert isinstance(refused, Outcome)
    assert (refused.result, refused.key) == (Result.FAILED, "roles-not-removed")


def test_a_failure_of_one_leaving_account_does_not_touch_the_others(aws: AwsSide) -> None:
    other = "012345678903"
    for account_id in (ACCOUNT_ID, other):
        aws.directory.add(account(account_id, state=AccountState.SUSPENDED))
        aws.stack_sets.put(instance(account_id))
    aws.queue.failures.plan("send", TransientError("no answer"))
    results = deploy_accounts([signal(), signal(other)], aws.deploy)
    assert sorted(isinstance(found, RollcallError) for found in results.values()) == [False, True]
    assert len(aws.stack_sets.let_go) == 1


def test_a_wrong_deployment_fails_the_batch_of_leaving_accounts_too(aws: AwsSide) -> None:
    aws.directory.add(account(state=AccountState.SUSPENDED))
    aws.stack_sets.put(instance())
    wrong = ConfigurationError("may not delete", setting="the role")
    aws.stack_sets.failures.plan("remove", wrong)
    with pytest.raises(ConfigurationError):
        deploy_accounts([signal()], aws.deploy)


# Moves


def test_an_instance_at_work_towards_another_profile_is_updated_next() -> None:
    parameters = CSPM_ONLY.stack_parameters()
    at_work = replace(instance(state=InstanceState.IN_PROGRESS), parameters=parameters | {"Other": "true"})
    assert next_step(at_work, parameters, NOON) is Step.UPDATE
    assert next_step(replace(at_work, parameters=parameters), parameters, NOON) is Step.WAIT
    assert next_step(replace(at_work, parameters={}), parameters, NOON) is Step.WAIT  # AWS does not tell yet


# Stack instances that are deleted


def told(aws: AwsSide, reason: str = "") -> tuple[Outcome, list[ConnectorRequest]]:
    cause = Cause(event_id="e1", source="aws.cloudformation", occurred_at=NOON, correlation_id="c1")
    given = InstanceSignal(account_id=ACCOUNT_ID, reason=reason, cause=cause, deletion=True)
    found = report_instances([given], aws.report)[ACCOUNT_ID]
    assert isinstance(found, Outcome)
    return found, aws.queue.requests


@pytest.mark.parametrize("listed", [True, False])
def test_a_deleted_instance_is_told_for_the_history(aws: AwsSide, listed: bool) -> None:
    if not listed:
        aws.directory.accounts.clear()
    outcome, [sent] = told(aws)
    assert (outcome.result, sent.data.action, sent.data.status) == (Result.DELETED, Action.NOTE, State.SEEN)
    assert (sent.data.reason, sent.data.remedy) == ("its stack instance is gone from the StackSet", "")
    assert sent.data.name == ("payments" if listed else "")


@pytest.mark.parametrize(
    ("theirs", "event", "expected"), [("denied", "older", "denied"), ("", "older", "older"), ("", "", "no reason")]
)
def test_a_deletion_that_failed_is_told_with_its_reason(aws: AwsSide, theirs: str, event: str, expected: str) -> None:
    aws.stack_sets.put(replace(instance(state=InstanceState.FAILED), reason=theirs))
    outcome, [sent] = told(aws, event)
    assert (outcome.result, outcome.key, sent.data.status) == (Result.FAILED, "roles-not-removed", State.SEEN)
    assert expected in sent.data.reason
    assert "Runbook: roles-not-removed." in sent.data.remedy


@pytest.mark.parametrize("state", [InstanceState.CURRENT, InstanceState.IN_PROGRESS, InstanceState.OUTDATED])
def test_an_instance_that_is_there_again_is_not_told_to_be_gone(aws: AwsSide, state: InstanceState) -> None:
    aws.stack_sets.put(instance(state=state))
    outcome, sent = told(aws)
    assert (outcome.result, sent) == (Result.SKIPPED, [])


# Azure's side


def said(azure: AzureSide, action: Action, status: State, seconds: float = 0, **data: object) -> Outcome:
    """A message of AWS's side that was written `seconds` after noon, worked on a second after it came."""
    written = NOON + timedelta(seconds=seconds)
    body = {"action": action, "status": status, "reason": f"it is {status}", **data}
    made = request(
        message_id=f"00000000-0000-4000-8000-{int(seconds):012d}",
        occurred_at=written,
        first_enqueued_at=written,
        data=body,
    )
    azure.clock.advance(1)
    return onboard(made, azure.ports)


def connected(azure: AzureSide) -> AzureSide:
    assert said(azure, Action.CONNECT, State.DEPLOYED).result is Result.CREATED
    azure.clock.advance(10)
    return azure


def opt_in(azure: AzureSide, **deletions: object) -> None:
    policy: Policy = azure.source.policy
    azure.source.policy = replace(policy, deletions=Deletions(**deletions))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("status", [State.DEPARTED, State.EXCLUDED])
def test_a_note_about_an_account_that_left_keeps_its_connector_in_the_ledger(azure: AzureSide, status: State) -> None:
    said(connected(azure), Action.NOTE, status, 10, remedy="do it")
    record = azure.ledger.find(KEY)
    assert record is not None
    assert (record.state, record.reason, record.remedy) == (status, f"it is {status}", "do it")
    assert record.connector_id
    assert len(azure.connectors.everything()) == 1


@pytest.mark.parametrize(
    ("status", "setting", "data"),
    [
        (State.DEPARTED, "departed_accounts", {"ou_path": "", "name": ""}),
        (State.EXCLUDED, "excluded_accounts", {"ou_path": "/Sandbox"}),
    ],
)
def test_an_account_that_left_loses_its_connector_where_both_sides_allow_it(
    azure: AzureSide, status: State, setting: str, data: dict[str, str]
) -> None:
    opt_in(connected(azure), **{setting: True})
    outcome = said(azure, Action.DISCONNECT, status, 10, remedy="do it", **data)
    assert outcome.result is Result.DELETED
    record = azure.ledger.find(KEY)
    assert record is not None
    assert (record.state, record.remedy, record.connector_id) == (status, "do it", "")
    assert record.reason.startswith(f"it is {status}; removed /subscriptions/")
    assert record.name == "payments"
    assert azure.connectors.everything() == []


@pytest.mark.parametrize(
    ("status", "deletions", "ou_path"),
    [
        (State.DEPARTED, {"excluded_accounts": True}, ""),
        (State.EXCLUDED, {"departed_accounts": True}, "/Sandbox"),
        (State.EXCLUDED, {"excluded_accounts": True}, "/Workloads/Prod"),
    ],
)
def test_what_azure_s_policy_does_not_allow_is_only_noted(
    azure: AzureSide, status: State, deletions: dict[str, bool], ou_path: str
) -> None:
    opt_in(connected(azure), **deletions)
    outcome = said(azure, Action.DISCONNECT, status, 10, ou_path=ou_path)
    assert (outcome.result, outcome.reason) == (Result.SKIPPED, f"noted: {status}")
    record = azure.ledger.find(KEY)
    assert record is not None
    assert (record.state, bool(record.connector_id)) == (status, True)
    assert len(azure.connectors.everything()) == 1


@pytest.mark.parametrize("status", [State.DEPARTED, State.EXCLUDED])
def test_who_was_asked_for_before_it_left_is_not_connected_after_it(azure: AzureSide, status: State) -> None:
    said(azure, Action.NOTE, status, 10)
    outcome = said(azure, Action.CONNECT, State.DEPLOYED, 5)
    assert (outcome.result, outcome.reason) == (Result.SKIPPED, f"the account was {status} after this was asked for")
    assert azure.connectors.everything() == []


def test_an_old_request_does_not_undo_what_a_newer_one_has_connected(azure: AzureSide) -> None:
    said(azure, Action.CONNECT, State.DEPLOYED, 20)
    [before] = azure.connectors.everything()
    outcome = said(azure, Action.CONNECT, State.DEPLOYED, 5, ou_path="/Elsewhere")
    assert (outcome.result, outcome.reason) == (Result.SKIPPED, "the account was connected after this was asked for")
    assert azure.connectors.everything() == [before]
    record = azure.ledger.find(KEY)
    assert record is not None
    assert record.ou_path != "/Elsewhere"


@pytest.mark.parametrize("status", [State.DEPARTED, State.EXCLUDED])
def test_an_account_that_comes_back_is_connected_again(azure: AzureSide, status: State) -> None:
    opt_in(connected(azure), departed_accounts=True, excluded_accounts=True)
    path = "/Sandbox" if status is State.EXCLUDED else ""
    assert said(azure, Action.DISCONNECT, status, 10, ou_path=path).result is Result.DELETED
    azure.clock.advance(10)
    assert said(azure, Action.CONNECT, State.DEPLOYED, 20).result is Result.CREATED
    record = azure.ledger.find(KEY)
    assert record is not None
    assert record.state is State.CONNECTED


def test_a_departure_from_before_an_account_came_back_takes_nothing(azure: AzureSide) -> None:
    opt_in(azure, departed_accounts=True)
    said(azure, Action.CONNECT, State.DEPLOYED, 20)
    outcome = said(azure, Action.DISCONNECT, State.DEPARTED, 10)
    assert (outcome.result, outcome.reason) == (
        Result.SKIPPED,
        "the account was connected after this was asked for",
    )
    assert len(azure.connectors.everything()) == 1


def test_what_was_merely_seen_changes_no_state_and_stands_in_the_history(azure: AzureSide) -> None:
    said(connected(azure), Action.NOTE, State.SEEN, 10)
    said(azure, Action.NOTE, State.SEEN, 20, remedy="look")
    record = azure.ledger.find(KEY)
    assert record is not None
    assert record.state is State.CONNECTED
    failed, done, _ = azure.ledger.history(KEY)
    assert (failed.step, failed.result, failed.remedy) == ("note:seen", Result.FAILED, "look")
    assert (done.result, done.remedy) == (Result.SKIPPED, "")


def test_a_request_excluded_by_azure_s_own_policy_outdates_nothing(azure: AzureSide) -> None:
    before = azure.source.policy
    azure.source.policy = replace(before, exclusions=replace(before.exclusions, account_ids=frozenset({ACCOUNT_ID})))
    said(azure, Action.CONNECT, State.DEPLOYED, 20)
    azure.source.policy = before
    assert said(azure, Action.CONNECT, State.DEPLOYED, 5).result is Result.CREATED


# Findings


def _remedy_of_departed(aws: AwsSide) -> str:
    aws.directory.accounts.clear()
    ended(aws, signal(departed="it left"))
    return only(aws).data.remedy


def _remedy_of_closed(aws: AwsSide) -> str:
    aws.directory.add(account(state=AccountState.SUSPENDED))
    ended(aws, signal())
    return only(aws).data.remedy


LEAVING: dict[str, Callable[[AwsSide], str]] = {
    "account-closed": _remedy_of_closed,
    "account-departed": _remedy_of_departed,
    "roles-not-removed": lambda aws: refused(aws).data.remedy,
}


@pytest.mark.parametrize("key", LEAVING)
def test_every_kind_of_leaving_reaches_the_ledger_under_its_key(aws: AwsSide, azure: AzureSide, key: str) -> None:
    assert f"Runbook: {key}." in LEAVING[key](aws)
    onboard(aws.queue.requests[-1], azure.ports)
    [newest] = azure.ledger.history(KEY)
    assert f"Runbook: {key}." in newest.remedy
