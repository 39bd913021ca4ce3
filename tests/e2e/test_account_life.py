"""Every way in which an account enters, moves inside and leaves the organization: from the event to the end state."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from shared.domain.ledger import Result
from shared.domain.profiles import Plan
from tests.e2e.roll import Roll, running, wait_until
from tests.fixtures.read import ACCOUNT_ID, fixture

ENTERING = [
    "account_joined.created",
    "account_joined.invited",
    "create_account_result.succeeded",
    "managed_account.created",
    "managed_account.updated",
    "move_account",
    "onboarding_requested",
    "tag_resource.account",
    "untag_resource.account",
]
CLOSING = ["close_account", "close_account_result.succeeded"]
DEPARTING = {
    "account_departed.left": "it left the organization by itself",
    "account_departed.removed": "it was removed from the organization",
    "account_departed.cleaned": "AWS removed it for good after it was closed",
    "remove_account": "it was removed from the organization",
}
IGNORED = ["managed_account.failed", "close_account_result.failed", "tag_resource.unit"]


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roll]:
    with running(tmp_path_factory.mktemp("life")) as made:
        yield made


def put(roll: Roll, name: str, account_id: str) -> None:
    """An event of the fixtures about that account, on the bus."""
    event = json.loads(fixture(f"events/{name}.json").replace(ACCOUNT_ID, account_id))
    roll.put_event(event["source"], event["detail-type"], event["detail"])


def connected(roll: Roll, *names: str, **fields: Any) -> list[str]:
    """Accounts that have their connector."""
    accounts = [roll.plant_account(name, **fields) for name in names]
    for account_id in accounts:
        roll.ask_onboarding(account_id)
    for account_id in accounts:
        roll.wait_for_state(account_id, "connected")
    return accounts


def has_instance(roll: Roll, account_id: str) -> bool:
    listed = roll.client("cloudformation").list_stack_instances(
        StackSetName="rollcall-member-roles", StackInstanceAccount=account_id
    )
    return bool(listed["Summaries"])


def has_roles(roll: Roll, account_id: str) -> bool:
    found = roll.sandbox.aws.inspect_account(account_id)
    assert found is not None
    return "CspmMonitorAws" in {role.name for role in found.roles}


def plans(roll: Roll, account_id: str) -> set[str]:
    [connector] = roll.connectors(account_id)
    return {offering["offeringType"] for offering in connector["properties"]["offerings"]}


def move(roll: Roll, account_id: str, *names: str) -> None:
    """MoveAccount, from wherever the account is; no name is the root."""
    organizations = roll.client("organizations")
    [parent] = organizations.list_parents(ChildId=account_id)["Parents"]
    organizations.move_account(
        AccountId=account_id, SourceParentId=parent["Id"], DestinationParentId=roll.make_unit(*names)
    )


# One event of each kind, from its file


@pytest.fixture(scope="module")
def entered(roll: Roll) -> dict[str, str]:
    """For each kind an account that no other event tells of."""
    accounts = {name: roll.plant_account(name.replace(".", "-")) for name in ENTERING}
    for name, account_id in accounts.items():
        put(roll, name, account_id)
    return accounts


@pytest.mark.parametrize("name", ENTERING)
def test_an_event_of_this_kind_brings_its_account_to_a_connector(
    roll: Roll, entered: dict[str, str], name: str
) -> None:
    account_id = entered[name]
    roll.wait_for_state(account_id, "connected")
    assert len(roll.puts(account_id)) == 1
    assert len(roll.operations(account_id)) == 1


@pytest.fixture(scope="module")
def closed(roll: Roll) -> dict[str, str]:
    """Connected accounts that AWS has closed, with one event of each kind."""
    accounts = dict(zip(CLOSING, connected(roll, *[f"closing-{number}" for number in range(2)]), strict=True))
    for account in roll.sandbox.aws.organization.accounts:
        if account.id in accounts.values():
            account.state = account.status = "SUSPENDED"
    for name, account_id in accounts.items():
        put(roll, name, account_id)
    return accounts


@pytest.mark.parametrize("name", CLOSING)
def test_an_event_of_this_kind_lets_a_closed_account_go(roll: Roll, closed: dict[str, str], name: str) -> None:
    account_id = closed[name]
    record = roll.wait_for_state(account_id, "departed")
    assert record.reason == "the account is SUSPENDED"
    assert "Runbook: account-closed." in record.remedy
    wait_until(lambda: not has_instance(roll, account_id), "the StackSet has forgotten it")
    assert has_roles(roll, account_id)
    assert len(roll.connectors(account_id)) == 1


@pytest.fixture(scope="module")
def departed(roll: Roll) -> dict[str, str]:
    """Connected accounts that the organization does not have any more, with one event of each kind."""
    names = [f"departing-{number}" for number in range(len(DEPARTING))]
    accounts = dict(zip(DEPARTING, connected(roll, *names), strict=True))
    for name, account_id in accounts.items():
        roll.sandbox.aws.organization.remove_account_from_organization(AccountId=account_id)
        put(roll, name, account_id)
    return accounts


@pytest.mark.parametrize("name", DEPARTING)
def test_an_event_of_this_kind_reports_that_its_account_left(roll: Roll, departed: dict[str, str], name: str) -> None:
    account_id = departed[name]
    record = roll.wait_for_state(account_id, "departed")
    assert record.reason == DEPARTING[name]
    assert "Runbook: account-departed." in record.remedy
    assert record.name.startswith("departing-")
    assert len(roll.connectors(account_id)) == 1


def test_events_that_ask_nothing_are_ignored_with_the_reason(roll: Roll) -> None:
    account_id = roll.plant_account("bystander")
    for name in IGNORED:
        put(roll, name, account_id)
    log = roll.sandbox.lambdas.log_of("rollcall-account-events")

    def told() -> set[str]:
        lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if '"event_ignored"' in line)
        return {line["reason"] for line in lines}

    expected = {
        f"Control Tower did not finish with the account {account_id}: its state is FAILED, no reason given",
        "the account was not closed: CLOSE_ACCOUNT_QUOTA_EXCEEDED",
        "tags of ou-ab12-cdefghij are not those of an account",
    }
    wait_until(lambda: expected <= told(), "the events were read")
    assert roll.record(account_id) is None


# What the organization itself tells


def test_an_account_that_moves_gets_the_profile_of_its_new_unit(roll: Roll) -> None:
    [account_id] = connected(roll, "promoted")
    assert plans(roll, account_id) == {"CspmMonitorAws"}
    move(roll, account_id, "Workloads", "Production")
    wait_until(lambda: plans(roll, account_id) == set(Plan), "it has the plans of its unit")
    assert len(roll.operations(account_id)) == 2
    move(roll, account_id)
    wait_until(lambda: plans(roll, account_id) == {"CspmMonitorAws"}, "it has the default profile again")
    roll.wait_until_drained()
    record = roll.record(account_id)
    assert record is not None
    assert (record.state, record.ou_path) == ("connected", "/")


def test_an_account_that_was_in_quarantine_is_connected_when_it_moves_out(roll: Roll) -> None:
    reason = "ResourceStatusReason: Access Denied by a service control policy."
    roll.seed(stack_failures=[{"account": "quarantined", "reason": reason}])
    account_id = roll.plant_account("quarantined", parent_id=roll.make_unit("Arrivals"))
    roll.ask_onboarding(account_id)
    assert "service control policy" in roll.wait_for_state(account_id, "deploy_failed").reason
    roll.sandbox.aws.mend_stack_instances("quarantined")
    time.sleep(1)  # events tell whole seconds, and one of the second of the failed try is taken to have led to it
    move(roll, account_id, "Workloads")
    roll.wait_for_state(account_id, "connected")


def test_an_account_that_moves_while_its_roles_are_made_gets_those_of_its_unit(roll: Roll) -> None:
    account_id = roll.plant_account("hasty")
    roll.ask_onboarding(account_id)
    wait_until(lambda: has_instance(roll, account_id), "its instance is being made")
    move(roll, account_id, "Workloads", "Production")
    wait_until(lambda: bool(roll.connectors(account_id)), "it has a connector")
    wait_until(lambda: plans(roll, account_id) == set(Plan), "it has the plans of its unit")
    roll.wait_for_state(account_id, "connected")


def test_an_account_that_moves_into_an_excluded_unit_keeps_its_connector_and_comes_back(roll: Roll) -> None:
    [account_id] = connected(roll, "isolated")
    move(roll, account_id, "Quarantine")
    record = roll.wait_for_state(account_id, "excluded")
    assert record.reason == "excluded by OU path /Quarantine"
    assert len(roll.connectors(account_id)) == 1
    assert has_instance(roll, account_id)
    move(roll, account_id)
    roll.wait_for_state(account_id, "connected")
    assert len(roll.puts(account_id)) == len(roll.operations(account_id)) == 1


def test_tags_take_an_account_out_and_let_it_in(roll: Roll) -> None:
    [account_id] = connected(roll, "tagged")
    organizations = roll.client("organizations")
    organizations.tag_resource(ResourceId=account_id, Tags=[{"Key": "defender", "Value": "exempt"}])
    assert "defender" in roll.wait_for_state(account_id, "excluded").reason
    organizations.untag_resource(ResourceId=account_id, TagKeys=["defender"])
    roll.wait_for_state(account_id, "connected")
    assert len(roll.connectors(account_id)) == 1


def test_an_account_that_is_closed_is_let_go_once(roll: Roll) -> None:
    [account_id] = connected(roll, "closed-by-api")
    roll.client("organizations").close_account(AccountId=account_id)
    roll.wait_for_state(account_id, "departed")
    wait_until(lambda: not has_instance(roll, account_id), "the StackSet has forgotten it")
    roll.wait_until_drained()

    def reasons() -> list[str]:
        return [entry.reason for entry in roll.history(account_id) if entry.step == "note:seen"]

    wait_until(lambda: reasons() == ["its stack instance is gone from the StackSet"], "the history tells of the roles")
    assert roll.wait_for_state(account_id, "departed").reason.startswith("the account is ")


def test_an_account_that_leaves_or_is_removed_is_reported(roll: Roll) -> None:
    left, removed = connected(roll, "left-by-itself", "removed-by-api")
    role = f"arn:aws:iam::{left}:role/OrganizationAccountAccessRole"
    keys = roll.client("sts").assume_role(RoleArn=role, RoleSessionName="owner")["Credentials"]
    owner = roll.sandbox.management_session().client(
        "organizations",
        endpoint_url=roll.sandbox.aws.url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    owner.leave_organization()
    roll.client("organizations").remove_account_from_organization(AccountId=removed)
    assert roll.wait_for_state(left, "departed").reason == "it left the organization by itself"
    assert roll.wait_for_state(removed, "departed").reason == "it was removed from the organization"
    for account_id in (left, removed):
        assert len(roll.connectors(account_id)) == 1
        assert {entry.result for entry in roll.history(account_id)} <= {Result.SKIPPED, Result.CREATED}


def test_no_event_of_all_these_is_a_dead_letter(
    roll: Roll, entered: dict[str, str], closed: dict[str, str], departed: dict[str, str]
) -> None:
    roll.wait_until_drained()
    for account_id in (*entered.values(), *closed.values(), *departed.values()):
        wait_until(partial(_is_known, roll, account_id), f"{account_id} is in the ledger")
    for queue in ("AccountEvents", "StackEvents"):
        assert roll.messages_on(f"{queue}DeadLetterQueue") == 0
    assert roll.poisoned() == []


def _is_known(roll: Roll, account_id: str) -> bool:
    return roll.record(account_id) is not None
