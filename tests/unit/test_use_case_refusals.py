"""What the use cases themselves refuse, each with its key wherever somebody looks for it."""

from __future__ import annotations

import logging

import pytest

from functions.queue_entry import handle_request
from shared.application.account_batch import AccountSignal
from shared.application.deploy_accounts import deploy_accounts
from shared.application.onboard import onboard
from shared.application.reconcile import ReconcilePorts, Run, reconcile
from shared.application.report_instance import InstanceSignal, report_instances
from shared.application.requests import Cause
from shared.application.rewrap import RewrapPorts, rewrap
from shared.domain.ledger import Result
from shared.domain.stack_sets import InstanceState, StackInstance
from shared.errors import PermanentError, RollcallError, TransientError
from tests.fakes.aws import FakeAccountListing, FakeManagementStacks, FakeReconcileEvents
from tests.fakes.clock import NOON
from tests.fakes.ledger import FakeSweepLog
from tests.fakes.queues import FakeGivenUpQueue
from tests.fixtures.read import ACCOUNT_ID, account, request
from tests.unit.conftest import AwsSide, AzureSide

CAUSE = Cause(event_id="e", source="aws.organizations", occurred_at=NOON, correlation_id="c")
PARKED = {
    "other-organization": request(data={"organization": "o-somebodyelse"}).to_json(),
    "unreadable-message": "{}",
    "gcp-not-in-policy": request(data={"provider": "gcp"}).to_json(),
}
RETURNED: dict[str, type[RollcallError]] = {"account-not-listed": TransientError, "account-unsendable": PermanentError}
RAISED = "listing-incomplete"
REWRAPPED = "given-up"
USED_UP = "removals-used-up"
PRODUCED = [*PARKED, *RETURNED, RAISED, REWRAPPED, USED_UP]


@pytest.mark.parametrize("key", PARKED)
def test_a_refused_request_is_parked_under_its_key(
    azure: AzureSide, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="functions"):
        outcome = handle_request(PARKED[key].encode(), 1, azure.ports)
    assert (outcome.result, outcome.key) == (Result.PARKED, key)
    [parked] = azure.queue.parked
    assert parked.remedy.endswith(f"Runbook: {key}.")
    [line] = [line for line in caplog.records if line.name == "functions.queue_entry"]
    assert (line.levelname, line.__dict__["error_key"]) == ("ERROR", key)
    assert not azure.connectors.puts


def test_a_removal_beyond_the_days_share_is_parked_under_its_key(azure: AzureSide) -> None:
    onboard(request(), azure.ports)
    azure.clock.advance(1)
    others = {f"{number:012d}" for number in range(azure.policy.deletions.most_per_run)}
    azure.removals.taken["aws", f"{azure.clock.now():%Y%m%d}"] = others
    leave = {"action": "disconnect", "status": "offboarded"}
    outcome = onboard(request(data=leave, occurred_at=azure.clock.now()), azure.ports)
    assert (outcome.result, outcome.key) == (Result.PARKED, USED_UP)
    assert azure.queue.parked[0].remedy.endswith(f"Runbook: {USED_UP}.")
    assert not azure.connectors.deletes


def test_a_listing_without_the_management_account_is_refused_under_its_key(aws: AwsSide) -> None:
    ports = ReconcilePorts(
        listing=FakeAccountListing(aws.directory),
        instances=aws.stack_sets,
        management=FakeManagementStacks(),
        events=FakeReconcileEvents(),
        sender=aws.queue,
        policy=aws.source,
        clock=aws.clock,
    )
    with pytest.raises(TransientError) as refusal:
        reconcile(Run(name="daily", source="rollcall.reconcile"), ports)
    assert refusal.value.key == RAISED
    assert refusal.value.remedy.endswith(f"Runbook: {RAISED}.")


def refused(aws: AwsSide) -> RollcallError:
    found = deploy_accounts([AccountSignal(account_id=ACCOUNT_ID, cause=CAUSE)], aws.deploy)[ACCOUNT_ID]
    assert isinstance(found, RollcallError)
    return found


@pytest.mark.parametrize("key", RETURNED)
def test_a_refused_account_returns_its_event_under_its_key(aws: AwsSide, key: str) -> None:
    aws.directory.accounts.clear()
    if key == "account-unsendable":
        aws.directory.add(account(name="n" * 300))
    error = refused(aws)
    assert (type(error), error.key) == (RETURNED[key], key)
    assert error.remedy.endswith(f"Runbook: {key}.")


def test_an_instance_of_an_account_that_fits_into_no_message_fails_alone(aws: AwsSide) -> None:
    other = "012345678902"
    aws.directory.add(account(other, name="n" * 300))
    for account_id in (ACCOUNT_ID, other):
        asked = aws.wanted(account_id)
        aws.stack_sets.put(StackInstance(account_id=account_id, state=InstanceState.CURRENT, parameters=asked))
    signals = [InstanceSignal(account_id=one, reason="", cause=CAUSE) for one in (other, ACCOUNT_ID)]
    results = report_instances(signals, aws.report)
    failed = results[other]
    assert isinstance(failed, PermanentError)
    assert failed.key == "account-unsendable"
    assert [sent.data.hierarchy_identifier for sent in aws.queue.requests] == [ACCOUNT_ID]


def test_what_the_host_gave_up_is_parked_under_its_key(azure: AzureSide) -> None:
    poison = FakeGivenUpQueue(azure.clock, request().to_json())
    ports = RewrapPorts(
        poison=poison,
        queue=azure.queue,
        parking=azure.ports.parking,
        ledger=azure.ledger,
        sweeps=FakeSweepLog(),
        clock=azure.clock,
    )
    rewrap(ports)
    [parked] = azure.queue.parked
    assert parked.remedy.endswith(f"Runbook: {REWRAPPED}.")
