"""A batch of account events becomes one StackSet operation per profile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.account_batch import AccountSignal
from shared.application.deploy_accounts import deploy_accounts
from shared.application.outcome import Outcome
from shared.application.requests import Cause
from shared.domain.accounts import AccountState
from shared.domain.identity_provider import ADOPTING, parameters_for, provider_advice
from shared.domain.ledger import Result, State
from shared.domain.policy import Deletions
from shared.domain.roles import PROVIDER_HOST
from shared.domain.stack_sets import Deployment, InstanceState, StackInstance
from shared.errors import ConfigurationError, PermanentError, TransientError
from shared.messages.connector_request import Action
from tests.fakes.clock import NOON
from tests.fixtures.profiles import CSPM_ONLY, FOUNDATIONAL
from tests.fixtures.read import ACCOUNT_ID, account
from tests.unit.conftest import AwsSide

PROVIDER_THERE = f"Provider with url https://{PROVIDER_HOST} already exists."
FULL = CSPM_ONLY.stack_parameters()
BASIC = FOUNDATIONAL.stack_parameters()
DEV = "012345678902"  # the policy gives it the profile `basic`


def signal(account_id: str = ACCOUNT_ID, event_id: str = "e1") -> AccountSignal:
    cause = Cause(
        event_id=event_id,
        source="aws.organizations",
        occurred_at=NOON - timedelta(minutes=1),
        correlation_id=f"c-{account_id}",
    )
    return AccountSignal(account_id=account_id, cause=cause)


def instance(account_id: str = ACCOUNT_ID, state: InstanceState = InstanceState.CURRENT) -> StackInstance:
    return StackInstance(account_id=account_id, state=state, parameters=FULL)


def result_of(found: object) -> Result:
    assert isinstance(found, Outcome)
    return found.result


def test_a_new_account_gets_its_roles_and_is_reported_as_deploying(aws: AwsSide) -> None:
    results = deploy_accounts([signal()], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.CREATED
    [operation] = aws.stack_sets.operations.values()
    assert (operation.account_ids, operation.parameters, operation.update) == ((ACCOUNT_ID,), FULL, False)
    [request] = aws.queue.requests
    assert (request.data.action, request.data.status) == (Action.NOTE, State.DEPLOYING)
    assert (request.data.name, request.data.ou_path) == ("payments", "/Workloads/Prod")
    assert request.policy_hash == aws.policy.content_hash
    assert request.correlation_id == f"c-{ACCOUNT_ID}"
    assert request.occurred_at == request.first_enqueued_at == NOON


def test_an_account_is_deploying_since_the_call_began_however_late_its_answer_comes(
    aws: AwsSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy = aws.stack_sets.deploy

    def slowly(deployment: Deployment) -> None:
        deploy(deployment)
        aws.clock.advance(30)  # roles and connector are there meanwhile: this report must not undo that

    monkeypatch.setattr(aws.stack_sets, "deploy", slowly)
    deploy_accounts([signal()], aws.deploy)
    [request] = aws.queue.requests
    assert (request.data.status, request.occurred_at) == (State.DEPLOYING, NOON)


def test_a_batch_is_one_operation_for_each_profile(aws: AwsSide) -> None:
    ids = [ACCOUNT_ID, DEV, "012345678903"]
    for account_id in ids[1:]:
        aws.directory.add(account(account_id))
    deploy_accounts([signal(account_id) for account_id in ids], aws.deploy)
    made = sorted((found.account_ids, found.parameters) for found in aws.stack_sets.operations.values())
    assert made == [((ACCOUNT_ID, "012345678903"), FULL), ((DEV,), BASIC)]


def test_a_template_without_parameters_makes_a_batch_one_operation(aws: AwsSide) -> None:
    aws.stack_sets.declared = frozenset()
    aws.directory.add(account(DEV))
    deploy_accounts([signal(), signal(DEV)], aws.deploy)
    [operation] = aws.stack_sets.operations.values()
    assert (operation.account_ids, operation.parameters) == ((ACCOUNT_ID, DEV), {})
    for account_id in operation.account_ids:
        aws.stack_sets.finish(account_id)
    results = deploy_accounts([signal(event_id="later"), signal(DEV, event_id="later")], aws.deploy)
    assert [result_of(found) for found in results.values()] == [Result.UNCHANGED] * 2
    assert len(aws.stack_sets.operations) == 1


def test_a_template_that_lacks_a_new_parameter_gets_the_others(aws: AwsSide) -> None:
    aws.stack_sets.declared -= {"Servers"}
    aws.stack_sets.put(instance())
    results = deploy_accounts([signal()], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.UNCHANGED
    aws.directory.add(account(DEV))
    deploy_accounts([signal(DEV)], aws.deploy)
    [operation] = aws.stack_sets.operations.values()
    assert operation.parameters == {name: value for name, value in BASIC.items() if name != "Servers"}


def test_many_events_about_one_account_act_once(aws: AwsSide) -> None:
    results = deploy_accounts([signal(event_id="e1"), signal(event_id="e2"), signal(event_id="e1")], aws.deploy)
    assert list(results) == [ACCOUNT_ID]
    assert len(aws.stack_sets.operations) == len(aws.queue.sent) == 1


def test_a_replayed_batch_starts_nothing_while_the_first_is_at_work(aws: AwsSide) -> None:
    deploy_accounts([signal()], aws.deploy)
    results = deploy_accounts([signal()], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.SKIPPED
    assert len(aws.stack_sets.operations) == len(aws.queue.sent) == 1


def test_an_account_with_its_roles_asks_for_its_connector(aws: AwsSide) -> None:
    aws.stack_sets.put(instance())
    results = deploy_accounts([signal()], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.UNCHANGED
    [request] = aws.queue.requests
    assert (request.data.action, request.data.status) == (Action.CONNECT, State.DEPLOYED)
    assert not aws.stack_sets.operations


@pytest.mark.parametrize(
    ("path", "status"),
    [("/Workloads/Prod", State.DEPLOYED), ("/Sandbox", State.EXCLUDED)],
    ids=["included", "excluded"],
)
def test_what_is_reported_is_as_old_as_the_look_at_the_account_however_late_it_is_sent(
    aws: AwsSide, monkeypatch: pytest.MonkeyPatch, path: str, status: State
) -> None:
    aws.directory.add(account(ou_path=path))
    aws.stack_sets.put(instance())
    find_instance = aws.stack_sets.find_instance

    def slowly(account_id: str) -> StackInstance | None:
        aws.clock.advance(30)  # meanwhile the account moves, and somebody else tells of that
        return find_instance(account_id)

    monkeypatch.setattr(aws.stack_sets, "find_instance", slowly)
    deploy_accounts([signal()], aws.deploy)
    [request] = aws.queue.requests
    assert (request.data.status, request.occurred_at) == (status, NOON)


def test_a_profile_change_updates_the_instance(aws: AwsSide) -> None:
    aws.directory.add(account(DEV))
    aws.stack_sets.put(instance(DEV))
    results = deploy_accounts([signal(DEV)], aws.deploy)
    assert result_of(results[DEV]) is Result.UPDATED
    [operation] = aws.stack_sets.operations.values()
    assert (operation.update, operation.parameters) == (True, BASIC)


def test_an_instance_that_failed_by_a_provider_that_is_there_is_deployed_without_one_and_stays_so(aws: AwsSide) -> None:
    failed = replace(instance(state=InstanceState.FAILED), reason=PROVIDER_THERE, tried_at=NOON)
    aws.stack_sets.put(failed)
    results = deploy_accounts([signal()], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.CREATED
    [operation] = aws.stack_sets.operations.values()
    assert (operation.update, operation.parameters) == (False, FULL | {"IdentityProvider": "existing"})
    [request] = aws.queue.requests
    assert (request.data.status, request.data.reason) == (State.DEPLOYING, ADOPTING)
    assert request.data.remedy == provider_advice(ACCOUNT_ID, CSPM_ONLY)
    aws.stack_sets.finish(ACCOUNT_ID)
    results = deploy_accounts([signal(event_id="later")], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.UNCHANGED
    [_, request] = aws.queue.requests
    assert (request.data.action, request.data.remedy) == (Action.CONNECT, provider_advice(ACCOUNT_ID, CSPM_ONLY))


def test_a_profile_change_of_an_adopted_account_leaves_its_provider_alone(aws: AwsSide) -> None:
    aws.directory.add(account(DEV))
    aws.stack_sets.put(replace(instance(DEV), parameters=FULL | {"IdentityProvider": "existing"}))
    results = deploy_accounts([signal(DEV)], aws.deploy)
    assert result_of(results[DEV]) is Result.UPDATED
    [operation] = aws.stack_sets.operations.values()
    assert (operation.update, operation.parameters) == (True, BASIC | {"IdentityProvider": "existing"})
    assert aws.queue.requests[0].data.remedy == provider_advice(DEV, FOUNDATIONAL)


@pytest.mark.parametrize("declared", [frozenset(), frozenset(FULL)], ids=["none", "an older template"])
def test_a_template_without_the_parameter_adopts_nothing(aws: AwsSide, declared: frozenset[str]) -> None:
    aws.stack_sets.declared = declared
    failed = replace(instance(state=InstanceState.FAILED), reason=PROVIDER_THERE, tried_at=NOON)
    aws.stack_sets.put(failed)
    results = deploy_accounts([signal()], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.SKIPPED
    assert not aws.stack_sets.operations


def test_new_and_changed_accounts_of_one_profile_are_two_operations(aws: AwsSide) -> None:
    aws.directory.add(account("012345678903"))
    aws.stack_sets.put(instance("012345678903", InstanceState.OUTDATED))
    deploy_accounts([signal(), signal("012345678903")], aws.deploy)
    assert sorted(found.update for found in aws.stack_sets.operations.values()) == [False, True]


def test_an_excluded_account_is_noted_and_left_alone(aws: AwsSide) -> None:
    aws.directory.add(account(ou_path="/Sandbox"))
    results = deploy_accounts([signal()], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.SKIPPED
    [request] = aws.queue.requests
    assert (request.data.status, request.data.reason) == (State.EXCLUDED, "excluded by OU path /Sandbox")
    assert not aws.stack_sets.operations


def test_tags_are_read_because_the_policy_asks_for_them(aws: AwsSide) -> None:
    aws.directory.add(account(tags={"rollcall": "exclude"}))
    deploy_accounts([signal()], aws.deploy)
    assert aws.directory.asked_for_tags == [True]
    assert aws.queue.requests[0].data.tags == {"rollcall": "exclude"}


@pytest.mark.parametrize("state", [AccountState.UNKNOWN, None])
def test_an_account_that_is_not_there_yet_is_tried_again(aws: AwsSide, state: AccountState | None) -> None:
    aws.directory.accounts.clear()
    if state is not None:
        aws.directory.add(account(state=state))
    results = deploy_accounts([signal()], aws.deploy)
    assert isinstance(results[ACCOUNT_ID], TransientError)
    assert not aws.queue.sent


def test_a_failure_of_one_account_does_not_touch_the_others(aws: AwsSide) -> None:
    aws.directory.add(account("012345678903"))
    aws.directory.failures.plan(f"find_account {ACCOUNT_ID}", PermanentError("broken"))
    results = deploy_accounts([signal(), signal("012345678903")], aws.deploy)
    assert isinstance(results[ACCOUNT_ID], PermanentError)
    assert result_of(results["012345678903"]) is Result.CREATED


def test_a_group_that_aws_refuses_is_deployed_in_halves_until_the_one_is_found(aws: AwsSide) -> None:
    ids = [ACCOUNT_ID, "012345678903", "012345678904"]
    for account_id in ids[1:]:
        aws.directory.add(account(account_id))
    aws.stack_sets.failures.plan("deploy", PermanentError("one of them"), PermanentError("this one"))
    results = deploy_accounts([signal(account_id) for account_id in ids], aws.deploy)
    refused = [account_id for account_id, found in results.items() if isinstance(found, PermanentError)]
    assert len(refused) == 1
    assert (len(aws.stack_sets.operations), len(aws.queue.sent)) == (1, 2)


def test_one_bad_account_among_many_costs_few_calls(aws: AwsSide) -> None:
    ids = [f"{number:012d}" for number in range(100, 228)]
    for account_id in ids:
        aws.directory.add(account(account_id))
    bad, calls = ids[77], []
    deploy = aws.stack_sets.deploy

    def picky(deployment: Deployment) -> None:
        calls.append(deployment)
        if bad in deployment.account_ids:
            raise PermanentError("one of them")
        deploy(deployment)

    aws.stack_sets.deploy = picky  # type: ignore[method-assign]
    results = deploy_accounts([signal(account_id) for account_id in ids], aws.deploy)
    assert [account_id for account_id, found in results.items() if isinstance(found, PermanentError)] == [bad]
    assert len(calls) == 2 * 7 + 1


def test_an_account_whose_roles_may_be_going_is_looked_at_again_where_roles_are_ever_removed(aws: AwsSide) -> None:
    """It was excluded, and is included again while its instance is still being deleted."""
    aws.source.policy = replace(aws.policy, deletions=Deletions(excluded_accounts=True))
    declared = aws.stack_sets.declared_parameters()
    parameters = parameters_for(aws.policy.default_profile, None, declared)
    going = StackInstance(account_id=ACCOUNT_ID, state=InstanceState.IN_PROGRESS, parameters=parameters)
    aws.stack_sets.put(going)
    assert result_of(deploy_accounts([signal()], aws.deploy)[ACCOUNT_ID]) is Result.DEFERRED
    [(account_id, retry)] = aws.retries.asked
    assert (account_id, retry.attempt.number) == (ACCOUNT_ID, 2)
    aws.stack_sets.instances.clear()
    aws.clock.advance(60)
    again = replace(signal(), retry=retry)
    assert result_of(deploy_accounts([again], aws.deploy)[ACCOUNT_ID]) is Result.CREATED


def test_looking_again_ends_with_its_budget(aws: AwsSide) -> None:
    aws.source.policy = replace(aws.policy, deletions=Deletions(excluded_accounts=True))
    parameters = parameters_for(aws.policy.default_profile, None, aws.stack_sets.declared_parameters())
    aws.stack_sets.put(StackInstance(account_id=ACCOUNT_ID, state=InstanceState.IN_PROGRESS, parameters=parameters))
    looks, given, used = 0, signal(), [0.0]
    while result_of(outcome := deploy_accounts([given], aws.deploy)[ACCOUNT_ID]) is Result.DEFERRED:
        looks += 1
        assert isinstance(outcome, Outcome)
        used.append(outcome.budget_used or 0.0)
        assert looks < 20
        _, retry = aws.retries.asked[-1]
        aws.clock.advance((retry.due_at - aws.clock.now()).total_seconds())
        given = replace(signal(), retry=retry)
    assert looks >= 5
    assert used == sorted(used)
    assert 0.75 <= used[-1] < 1.0


def test_a_throttled_operation_sends_all_its_accounts_back(aws: AwsSide) -> None:
    aws.directory.add(account("012345678903"))
    aws.stack_sets.failures.plan("deploy", TransientError("throttled"))
    results = deploy_accounts([signal(), signal("012345678903")], aws.deploy)
    assert all(isinstance(found, TransientError) for found in results.values())
    assert not aws.queue.sent


@pytest.mark.parametrize("error", [TransientError("no answer"), PermanentError("the message is too large")])
def test_a_report_that_fails_sends_back_its_own_account_only(
    aws: AwsSide, error: TransientError | PermanentError
) -> None:
    aws.directory.add(account("012345678903"))
    aws.queue.failures.plan("send", error)
    results = deploy_accounts([signal(), signal("012345678903")], aws.deploy)
    assert sorted(type(found).__name__ for found in results.values()) == sorted(["Outcome", type(error).__name__])
    assert len(aws.stack_sets.operations) == 1


@pytest.mark.parametrize("method", ["stack_set_id", "declared_parameters", "find_instance", "deploy"])
def test_a_wrong_deployment_fails_the_whole_batch(aws: AwsSide, method: str) -> None:
    aws.stack_sets.failures.plan(method, ConfigurationError("no StackSet", setting="ROLLCALL_STACK_SET_NAME"))
    with pytest.raises(ConfigurationError):
        deploy_accounts([signal()], aws.deploy)


def test_an_instance_that_failed_is_tried_again_for_a_new_event_only(aws: AwsSide) -> None:
    deploy_accounts([signal()], aws.deploy)
    aws.stack_sets.put(StackInstance(account_id=ACCOUNT_ID, state=InstanceState.FAILED, parameters=FULL, tried_at=NOON))
    assert result_of(deploy_accounts([signal()], aws.deploy)[ACCOUNT_ID]) is Result.SKIPPED
    later = AccountSignal(
        account_id=ACCOUNT_ID,
        cause=Cause(event_id="e9", source="rollcall", occurred_at=NOON + timedelta(minutes=5), correlation_id="c"),
    )
    assert result_of(deploy_accounts([later], aws.deploy)[ACCOUNT_ID]) is Result.CREATED
    assert len(aws.stack_sets.operations) == 2


@pytest.mark.parametrize("excluded", [True, False])
def test_an_account_that_fits_into_no_message_fails_alone(aws: AwsSide, excluded: bool) -> None:
    aws.directory.add(account(DEV, name="n" * 300, ou_path="/Sandbox" if excluded else "/Workloads/Prod"))
    results = deploy_accounts([signal(), signal(DEV)], aws.deploy)
    assert result_of(results[ACCOUNT_ID]) is Result.CREATED
    failed = results[DEV]
    assert isinstance(failed, PermanentError)
    assert failed.key == "account-unsendable"
    assert "name: String should have at most 256 characters" in failed.reason
    assert "nnn" not in failed.reason
