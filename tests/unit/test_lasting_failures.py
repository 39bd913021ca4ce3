"""A failure that may pass by itself, and the moment when it is a wrong deployment after all."""

from __future__ import annotations

import logging
from functools import partial

import pytest

from functions.queue_entry import handle_request
from shared.application.account_batch import AccountSignal
from shared.application.deploy_accounts import deploy_accounts
from shared.application.onboard import onboard
from shared.application.report_instance import InstanceSignal, report_instances
from shared.application.requests import Cause
from shared.domain.ledger import Result, State
from shared.errors import ConfigurationError, Patience, TransientError
from tests.fakes.clock import NOON
from tests.fixtures.read import ACCOUNT_ID, request
from tests.unit.conftest import AwsSide, AzureSide

AGE = 900.0
CAUSE = Cause(event_id="e", source="aws.organizations", occurred_at=NOON, correlation_id="c")


def denied() -> TransientError:
    return TransientError(
        "PUT it: 403 AuthorizationFailed",
        remedy="Assign a role.",
        key="authorization-failed",
        patience=Patience(seconds=AGE, setting="the role assignments"),
    )


def started(azure: AzureSide, age_seconds: float) -> None:
    azure.clock.advance((request().first_enqueued_at - NOON).total_seconds() + age_seconds)


def test_a_role_just_assigned_is_waited_for(azure: AzureSide) -> None:
    started(azure, AGE)
    azure.connectors.failures.plan("put", denied())
    outcome = onboard(request(), azure.ports)
    assert (outcome.result, outcome.key) == (Result.DEFERRED, "authorization-failed")
    assert onboard(azure.queue.requests[0], azure.ports).result is Result.CREATED


def test_a_role_that_is_still_missing_is_a_wrong_deployment(azure: AzureSide) -> None:
    started(azure, AGE + 1)
    azure.connectors.failures.plan("put", denied())
    with pytest.raises(ConfigurationError) as raised:
        onboard(request(), azure.ports)
    assert (raised.value.setting, raised.value.key) == ("the role assignments", "authorization-failed")
    assert not azure.queue.sent
    assert not azure.queue.parked


def test_a_wrong_deployment_is_written_down_and_lets_go_of_the_account(azure: AzureSide) -> None:
    azure.connectors.failures.plan("put", ConfigurationError("no such group", setting="target", remedy="Make it."))
    with pytest.raises(ConfigurationError):
        onboard(request(), azure.ports)
    record = azure.ledger.find(request().key)
    assert record is not None
    assert (record.state, record.reason, record.remedy) == (State.DEFERRED, "no such group", "Make it.")
    assert record.claimed_by == ""
    assert onboard(request(), azure.ports).result is Result.CREATED


def test_a_ledger_that_is_itself_missing_does_not_hide_the_first_reason(azure: AzureSide) -> None:
    azure.ledger.failures.plan("find", ConfigurationError("no table", setting="the tables"))
    azure.ledger.failures.plan("record", ConfigurationError("no table either", setting="the tables"))
    with pytest.raises(ConfigurationError, match="no table \\("):
        onboard(request(), azure.ports)


@pytest.mark.parametrize(("age", "lasting"), [(AGE, False), (AGE + 1, True)])
def test_a_sender_that_entra_does_not_know_is_judged_by_the_event_s_age(
    aws: AwsSide, age: float, lasting: bool
) -> None:
    signal = AccountSignal(account_id=ACCOUNT_ID, cause=CAUSE)
    ended = InstanceSignal(account_id=ACCOUNT_ID, reason="", cause=CAUSE)
    aws.clock.advance(age)
    for attempt in (partial(deploy_accounts, [signal], aws.deploy), partial(report_instances, [ended], aws.report)):
        aws.queue.failures.plan("send", denied())
        if lasting:
            with pytest.raises(ConfigurationError):
                attempt()
        else:
            assert isinstance(attempt()[ACCOUNT_ID], TransientError)
        aws.stack_sets.finish(ACCOUNT_ID)


def test_the_key_of_a_failure_is_in_its_log_line(azure: AzureSide, caplog: pytest.LogCaptureFixture) -> None:
    started(azure, 0)
    azure.connectors.failures.plan("put", denied())
    with caplog.at_level(logging.INFO, logger="functions"):
        handle_request(request().to_json().encode(), 1, azure.ports)
        started(azure, 2 * AGE)
        azure.connectors.failures.plan("put", denied())
        with pytest.raises(ConfigurationError):
            handle_request(azure.queue.sent[0].text.encode(), 1, azure.ports)
    keys = [line.__dict__["error_key"] for line in caplog.records if line.name == "functions.queue_entry"]
    assert keys == ["authorization-failed", "authorization-failed"]


def test_a_note_of_a_failed_instance_says_what_to_do(azure: AzureSide) -> None:
    onboard(
        request("connector-request-1.note", data={"reason": "… with an explicit deny in a service control policy"}),
        azure.ports,
    )
    record = azure.ledger.find(request("connector-request-1.note").key)
    assert record is not None
    assert "service control policy of the account's OU" in record.remedy
