"""Every way in which a stack instance fails: told apart, handled, and shown by `rollcall status ID`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.domain.identity_provider import ADOPTING, audiences_of
from shared.domain.instance_failures import FAILURES, diagnose_instance
from shared.domain.ledger import AccountRecord
from shared.domain.profiles import BUILT_IN
from shared.domain.roles import PROVIDER_HOST, Role
from tests.e2e.processes import Command
from tests.e2e.roll import Roll, now, running, wait_until
from tests.fixtures.read import fixture

STACK_SET = "rollcall-member-roles"
SENTINEL = "api://1462b192-27f7-4cb9-8523-0f4ecb54b47e"
PROFILE = "recommended"  # of /Workloads/Production in the sandbox's policy
LONG_AGO = "2024-02-29T08:00:00Z"
BUDGET_SECONDS = 12
OPT_IN = "OptInRequired: The AWS Access Key Id needs a subscription for the service"
DENIED = (
    "ResourceLogicalId:CspmMonitorAws, ResourceType:AWS::IAM::Role, ResourceStatusReason:User: "
    "arn:aws:sts::{}:assumed-role/stacksets-exec-0123/s is not authorized to perform: iam:CreateRole"
)
SCP = f"{DENIED} on resource: role CspmMonitorAws with an explicit deny in a service control policy."
LASTING = {
    "denied-by-scp": SCP,
    "denied-in-account": f"{DENIED}.",
    "resource-already-exists": "ResourceStatusReason:CspmMonitorAws already exists.",
    "operation-cancelled": "Cancelled since failure tolerance has exceeded",
    "iam-quota": "ResourceStatusReason:Cannot exceed quota for RolesPerAccount: 1000 (Service: Iam, Status Code: 409).",
    "instance-failed": "Resource handler returned message: something new",
}
"""Failures that are told at once, of accounts that have been there for long."""
REMEDIES = {failure.key: failure.remedy for failure in FAILURES}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The one sandbox of this module, and the folder that the command runs in."""

    roll: Roll
    folder: Path

    def status(self, account_id: str) -> dict[str, Any]:
        """What `rollcall status ID --json` says."""
        told = Command(self.folder, "status", account_id, "--json")
        assert told.code == 0, told.err
        document: dict[str, Any] = told.document
        return document

    def status_text(self, account_id: str) -> str:
        """What `rollcall status ID` prints, without its spaces and line breaks."""
        told = Command(self.folder, "status", account_id)
        assert told.code == 0, told.err
        return squeezed(told.out)

    def failed(self, account_id: str) -> AccountRecord:
        """The account's line once its failure is in the ledger."""
        return self.roll.wait_for_state(account_id, "deploy_failed")

    def wait_for_reason(self, account_id: str, words: str) -> None:
        """Waits until the ledger shows these words."""

        def told() -> bool:
            record = self.roll.record(account_id)
            return record is not None and words in record.reason

        wait_until(told, f"{account_id} is told of: {words}")

    def set_state(self, account_id: str, state: str) -> None:
        """Another state in the organization, of which no event tells."""
        for account in self.roll.sandbox.aws.organization.accounts:
            if account.id == account_id:
                account.state = account.status = state

    def update(self, *accounts: str, **preferences: Any) -> str:
        """An operation on instances that somebody else than Rollcall starts."""
        cloudformation = self.roll.client("cloudformation")
        operation = cloudformation.update_stack_instances(
            StackSetName=STACK_SET,
            DeploymentTargets={
                "OrganizationalUnitIds": [self.roll.make_unit()],
                "Accounts": list(accounts),
                "AccountFilterType": "INTERSECTION",
            },
            Regions=["us-east-1"],
            OperationPreferences=preferences,
        )
        return str(operation["OperationId"])

    def overrides(self, account_id: str) -> dict[str, str]:
        """The parameters of the account's stack instance."""
        instance = self.roll.client("cloudformation").describe_stack_instance(
            StackSetName=STACK_SET, StackInstanceAccount=account_id, StackInstanceRegion="us-east-1"
        )["StackInstance"]
        return {each["ParameterKey"]: each["ParameterValue"] for each in instance["ParameterOverrides"]}

    def connected(self, *names: str) -> list[str]:
        """Accounts that have their connector."""
        accounts = [self.roll.plant_account(name) for name in names]
        for account_id in accounts:
            self.roll.ask_onboarding(account_id)
        for account_id in accounts:
            self.roll.wait_for_state(account_id, "connected")
        return accounts


def squeezed(text: str) -> str:
    """The text, wherever it was broken into lines."""
    return "".join(text.split())


def attempts(document: dict[str, Any]) -> list[str]:
    """What the history says about attempts that were still to come."""
    return [entry["reason"] for entry in document["history"] if "not ready yet" in entry["reason"]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("failures")
    with running(folder / ".sandbox", readiness_budget_seconds=BUDGET_SECONDS) as roll:
        yield Place(roll=roll, folder=folder)


@pytest.fixture(scope="module")
def never_ready(place: Place) -> str:
    """An account whose time runs out while other things are looked at."""
    account_id = place.roll.plant_account("never-ready", joined_at=LONG_AGO)
    place.roll.seed(stack_failures=[{"account": account_id, "reason": OPT_IN}])
    place.roll.ask_onboarding(account_id)
    return account_id


@pytest.fixture(scope="module")
def lasting(place: Place, never_ready: str) -> dict[str, str]:
    """An account for each failure that is told at once; key → account id."""
    roll = place.roll
    accounts = {key: roll.plant_account(key, joined_at=LONG_AGO) for key in LASTING}
    texts = {account_id: LASTING[key].format(account_id) for key, account_id in accounts.items()}
    roll.seed(stack_failures=[{"account": account_id, "reason": text} for account_id, text in texts.items()])
    for account_id in accounts.values():
        roll.ask_onboarding(account_id)
    return accounts


@pytest.mark.parametrize("key", LASTING)
def test_a_failure_of_this_class_is_shown_with_reason_and_remedy(
    place: Place, lasting: dict[str, str], key: str
) -> None:
    account_id = lasting[key]
    place.failed(account_id)
    document = place.status(account_id)
    assert document["state"] == "deploy_failed"
    assert LASTING[key].format(account_id) in document["reason"]
    assert diagnose_instance(document["reason"]).key == key
    assert document["remedy"] == REMEDIES[key]
    assert document["history"][-1]["result"] == "failed"
    text = place.status_text(account_id)
    for label in ("reason", "remedy"):
        assert squeezed(f"{label}: {document[label]}") in text


# Not ready


@pytest.mark.parametrize("reason", [OPT_IN, f"{DENIED}."], ids=["opt-in", "denied-while-new"])
def test_an_account_that_becomes_ready_is_connected_however_often_its_failure_was_told(
    place: Place, reason: str
) -> None:
    roll, name = place.roll, f"ready-soon-{len(reason)}"
    roll.seed(stack_failures=[{"account": name, "reason": reason.format("012345678901"), "times": 1}])
    account_id = roll.create_account(name)
    place.wait_for_reason(account_id, "not ready yet, attempt 2 at ")
    roll.deliver("StackEventsQueue", *[failure_event(account_id)] * 3)
    roll.wait_for_state(account_id, "connected")
    roll.wait_until_drained()
    document = place.status(account_id)
    assert document["state"] == "connected"
    assert document["connector_id"].endswith(f"/aws-{account_id}")
    assert any("attempt 2" in told and reason[:20] in told for told in attempts(document))
    assert not any("attempt 3" in told for told in attempts(document))
    assert len(roll.operations(account_id)) == 2
    [instance] = roll.client("cloudformation").list_stack_instances(
        StackSetName=STACK_SET, StackInstanceAccount=account_id
    )["Summaries"]
    assert "-attempt-2-" in instance["LastOperationId"]
    assert len(roll.puts(account_id)) == 1


def failure_event(account_id: str) -> str:
    """The event of a failed instance, as a repeated delivery brings it."""
    event = json.loads(fixture("events/stack_instance.failed.json")) | {"time": now()}
    stack_id = event["detail"]["stack-id"].split(":")
    event["detail"]["stack-id"] = ":".join([*stack_id[:4], account_id, *stack_id[5:]])
    return json.dumps(event)


def test_an_account_that_is_not_ready_for_too_long_is_left_to_the_daily_comparison(
    place: Place, never_ready: str
) -> None:
    place.failed(never_ready)
    document = place.status(never_ready)
    assert "the daily comparison tries again" in document["reason"]
    assert OPT_IN in document["reason"]
    assert document["remedy"] == REMEDIES["instance-not-ready"]
    told = attempts(document)
    assert len(told) >= 2
    assert {entry["state"] for entry in document["history"] if entry["reason"] in told} == {"deploying"}
    assert {entry["remedy"] for entry in document["history"] if entry["reason"] in told} == {document["remedy"]}
    assert len(place.roll.operations(never_ready)) == len(told) + 1
    text = place.status_text(never_ready)
    for shown in (f"reason: {document['reason']}", f"remedy: {document['remedy']}", *told):
        assert squeezed(shown) in text


def test_none_of_them_is_tried_again_by_itself(place: Place, lasting: dict[str, str]) -> None:
    for account_id in lasting.values():
        place.failed(account_id)
    place.roll.wait_until_drained()
    tried = {key: len(place.roll.operations(account_id)) for key, account_id in lasting.items()}
    assert set(tried.values()) == {1}, tried


def test_an_account_that_is_activated_later_is_connected(place: Place) -> None:
    roll = place.roll
    account_id = roll.plant_account("pending", state="PENDING_ACTIVATION")
    roll.ask_onboarding(account_id)
    place.wait_for_reason(account_id, "the account is not activated yet")
    assert roll.operations(account_id) == []
    place.set_state(account_id, "ACTIVE")
    roll.wait_for_state(account_id, "connected")
    document = place.status(account_id)
    assert any("attempt 2" in each and "not activated yet" in each for each in attempts(document))
    assert len(roll.operations(account_id)) == 1


# Suspended, cancelled


def test_an_account_that_is_left_out_as_suspended_is_let_go(place: Place) -> None:
    roll = place.roll
    [account_id] = place.connected("suspended-later")
    place.set_state(account_id, "SUSPENDED")
    operation = place.update(account_id)
    roll.wait_for_state(account_id, "departed")
    document = place.status(account_id)
    assert document["reason"] == "the account is SUSPENDED"
    assert "Runbook: account-closed." in document["remedy"]
    cloudformation = roll.client("cloudformation")
    described = cloudformation.describe_stack_set_operation(StackSetName=STACK_SET, OperationId=operation)
    assert described["StackSetOperation"]["Status"] == "SUCCEEDED"
    wait_until(
        lambda: (
            not cloudformation.list_stack_instances(StackSetName=STACK_SET, StackInstanceAccount=account_id)[
                "Summaries"
            ]
        ),
        "the StackSet has forgotten it",
    )
    assert len(roll.connectors(account_id)) == 1


def test_an_operation_that_fails_is_logged_and_those_whose_turn_did_not_come_are_told_why(place: Place) -> None:
    roll = place.roll
    first, second = place.connected("first-in-line", "second-in-line")
    roll.seed(stack_failures=[{"account": each, "reason": "something", "times": 1} for each in (first, second)])
    operation = place.update(first, second, MaxConcurrentCount=1, FailureToleranceCount=0)
    for account_id in (first, second):
        place.failed(account_id)
    documents = [place.status(each) for each in (first, second)]
    assert {document["reason"]: document["remedy"] for document in documents} == {
        "something": REMEDIES["instance-failed"],
        "Cancelled since failure tolerance has exceeded": REMEDIES["operation-cancelled"],
    }
    log = roll.sandbox.lambdas.log_of("rollcall-stack-events")

    def told() -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if operation in line)
        return [line for line in lines if "is FAILED" in line.get("reason", "")]

    wait_until(lambda: bool(told()), "the operation's end is in the log")
    assert {line["level"] for line in told()} == {"WARNING"}


# An identity provider that was there before


@pytest.fixture(scope="module")
def sentinel_first(place: Place) -> str:
    """An account that has the provider, with Sentinel's audience only, and comes where its profile asks for much."""
    roll = place.roll
    account_id = roll.plant_account("sentinel-first", joined_at=LONG_AGO)
    roll.plant_provider(account_id, SENTINEL)
    roll.client("organizations").move_account(
        AccountId=account_id,
        SourceParentId=roll.make_unit(),
        DestinationParentId=roll.make_unit("Workloads", "Production"),
    )
    return account_id


def test_an_account_that_sentinel_was_connected_to_first_gets_its_roles_and_is_told_the_audiences(
    place: Place, sentinel_first: str
) -> None:
    roll, account_id = place.roll, sentinel_first
    profile, iam = BUILT_IN[PROFILE], place.roll.inside(account_id)
    arn = f"arn:aws:iam::{account_id}:oidc-provider/{PROVIDER_HOST}"
    roll.wait_for_state(account_id, "deferred")
    document = place.status(account_id)
    assert place.overrides(account_id)["IdentityProvider"] == "existing"
    assert {role["RoleName"] for role in iam.list_roles()["Roles"]} >= profile.roles() - {Role.DATABASE_THREATS}
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == [SENTINEL]
    assert len(roll.operations(account_id)) == 2
    assert "do not exist or are invalid" in document["reason"]
    adopting = [entry for entry in document["history"] if entry["reason"] == ADOPTING]
    assert {entry["state"] for entry in adopting} == {"deploying"}
    for audience in audiences_of(profile):
        assert audience in document["remedy"]
        assert all(audience in entry["remedy"] for entry in adopting)
    assert squeezed(f"remedy: {document['remedy']}") in place.status_text(account_id)
    for audience in audiences_of(profile):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=audience)
    roll.wait_for_state(account_id, "connected")
    document = place.status(account_id)
    assert (document["reason"], document["remedy"]) == ("", "")
    assert any(entry["reason"] == ADOPTING for entry in document["history"])


# A service control policy


def test_an_account_that_a_policy_keeps_in_quarantine_is_connected_when_it_moves_out(
    place: Place, lasting: dict[str, str]
) -> None:
    roll, account_id = place.roll, lasting["denied-by-scp"]
    place.failed(account_id)
    roll.sandbox.aws.mend_stack_instances(account_id)
    time.sleep(1)  # events tell whole seconds, and one of the second of the failed try is taken to have led to it
    roll.client("organizations").move_account(
        AccountId=account_id, SourceParentId=roll.make_unit(), DestinationParentId=roll.make_unit("Workloads")
    )
    roll.wait_for_state(account_id, "connected")
    document = place.status(account_id)
    assert (document["reason"], document["remedy"]) == ("", "")
    assert len(roll.operations(account_id)) == 2


def test_the_daily_comparison_tries_what_failed_again(place: Place, lasting: dict[str, str]) -> None:
    roll, mended, broken = place.roll, lasting["iam-quota"], lasting["instance-failed"]
    for account_id in (mended, broken):
        place.failed(account_id)
    roll.sandbox.aws.mend_stack_instances(mended)
    time.sleep(1)
    roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})
    roll.wait_for_state(mended, "connected")
    wait_until(lambda: len(roll.operations(broken)) == 2, "what is still broken was tried, too")
    wait_until(lambda: place.failed(broken).reason == LASTING["instance-failed"], "and is told again")
    assert place.status(mended)["connector_id"].endswith(f"/aws-{mended}")


def test_the_daily_comparison_leaves_an_adopted_provider_alone(place: Place, sentinel_first: str) -> None:
    roll, account_id = place.roll, sentinel_first
    operations, puts = roll.operations(account_id), roll.puts(account_id)
    seen = len(roll.history(account_id))
    roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})
    wait_until(lambda: len(roll.history(account_id)) > seen, "it was looked at")
    roll.wait_until_drained()
    assert roll.history(account_id)[-1].result == "unchanged"
    assert (roll.operations(account_id), roll.puts(account_id)) == (operations, puts)


def test_nothing_of_all_this_is_a_dead_letter(place: Place) -> None:
    place.roll.wait_until_drained()
    for queue in ("AccountEvents", "StackEvents", "Reconcile"):
        assert place.roll.messages_on(f"{queue}DeadLetterQueue") == 0
    assert place.roll.poisoned() == []
