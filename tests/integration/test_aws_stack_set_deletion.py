"""DeleteStackInstances of the sandbox, through plain boto3: what it removes, keeps, tells, and how it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.deployment import MEMBER_TEMPLATE
from sandbox.faults import Fault, FaultKind, Hold
from tests.fakes.aws_world import ALL_AT_ONCE, TENANT, AwsWorld, aws_world, wait_until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AwsWorld]:
    with aws_world(tmp_path) as world:
        world.cloud.prepare_organization()
        yield world


@pytest.fixture
def slow_world(tmp_path: Path) -> Iterator[AwsWorld]:
    """A world whose operations can be watched while they run, however busy the computer is."""
    with aws_world(tmp_path, stack_instance_seconds=1.5) as world:
        world.cloud.prepare_organization()
        yield world


def connected(world: AwsWorld, *names: str) -> list[str]:
    """Accounts with the stack instance of `roles`."""
    accounts = [world.cloud.add_account(name) for name in names]
    world.stack_set()
    world.finished(world.deploy(*accounts))
    return accounts


def delete(world: AwsWorld, *accounts: str, retain: bool = False, **changes: Any) -> str:
    """Starts to delete the instances of accounts, as the service-managed model asks for it."""
    given = {
        "StackSetName": "roles",
        "DeploymentTargets": {
            "OrganizationalUnitIds": [world.root()],
            "Accounts": list(accounts),
            "AccountFilterType": "INTERSECTION",
        },
        "Regions": ["us-east-1"],
        "RetainStacks": retain,
        "OperationPreferences": ALL_AT_ONCE,
    }
    return str(world.client("cloudformation").delete_stack_instances(**(given | changes))["OperationId"])


def has_instance(world: AwsWorld, account: str) -> bool:
    try:
        world.instance(account)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "StackInstanceNotFoundException"
        return False
    return True


def providers_of(world: AwsWorld, account: str) -> int:
    found = world.cloud.inspect_account(account)
    assert found is not None
    return len(found.oidc_providers)


def stacks_of(world: AwsWorld, account: str) -> list[str]:
    stacks = world.member("cloudformation", account).describe_stacks()["Stacks"]
    return [stack["StackStatus"] for stack in stacks]


def test_a_deletion_takes_its_time_and_tells_of_every_step(slow_world: AwsWorld) -> None:
    world = slow_world
    [account] = connected(world, "leaving")
    stack_id = world.instance(account)["StackId"]
    url = world.queue_of({"source": ["aws.cloudformation"]})

    operation_id = delete(world, account)
    described = world.client("cloudformation").describe_stack_set_operation(
        StackSetName="roles", OperationId=operation_id
    )["StackSetOperation"]
    assert (described["Action"], described["Status"], described["RetainStacks"]) == ("DELETE", "RUNNING", False)
    wait_until(lambda: world.instance(account)["Status"] == "OUTDATED")
    assert world.roles_in(account) == {"Monitor"}
    assert world.finished(operation_id)["Status"] == "SUCCEEDED"

    events: list[dict[str, Any]] = []

    def look() -> bool:
        events.extend(world.received(url))
        return len(events) >= 5

    wait_until(look)
    instance = [event["detail"] for event in events if "stack-id" in event["detail"]]
    operation = [event["detail"] for event in events if "stack-set-operation-id" in event["detail"]]
    assert {(each["stack-id"], each["action"]) for each in instance} == {(stack_id, "DELETE")}
    assert [each["status-details"]["detailed-status"] for each in instance] == [
        "PENDING",
        "RUNNING",
        "SUCCEEDED",
    ]
    assert [each["status-details"]["status"] for each in operation] == ["RUNNING", "SUCCEEDED"]
    assert {each["stack-set-operation-id"] for each in operation} == {operation_id}
    assert world.results(operation_id)[account]["Status"] == "SUCCEEDED"


def test_only_the_named_account_loses_its_resources(world: AwsWorld) -> None:
    leaving, staying = connected(world, "leaving", "staying")
    world.finished(delete(world, leaving))
    assert (has_instance(world, leaving), has_instance(world, staying)) == (False, True)
    assert (world.roles_in(leaving), world.roles_in(staying)) == (set(), {"Monitor"})
    assert (providers_of(world, leaving), providers_of(world, staying)) == (0, 1)
    assert (stacks_of(world, leaving), stacks_of(world, staying)) == ([], ["CREATE_COMPLETE"])
    [entry] = world.journal.entries(operation="cloudformation:DeleteStackInstances")
    assert (entry.detail["accounts"], entry.status) == ([leaving], 200)


def test_a_retained_stack_stays_with_its_resources_and_without_its_instance(world: AwsWorld) -> None:
    [account] = connected(world, "leaving")
    operation = world.finished(delete(world, account, retain=True))
    assert operation["RetainStacks"] is True
    assert not has_instance(world, account)
    assert world.roles_in(account) == {"Monitor"}
    assert stacks_of(world, account) == ["CREATE_COMPLETE"]
    world.client("cloudformation").delete_stack_set(StackSetName="roles")


def test_the_same_operation_id_deletes_once(world: AwsWorld) -> None:
    account, other = connected(world, "leaving", "other")
    world.finished(delete(world, account, OperationId="job-1"))
    with pytest.raises(ClientError, match="OperationIdAlreadyExistsException"):
        delete(world, account, other, OperationId="job-1")
    assert has_instance(world, other)


def test_an_account_without_an_instance_is_nothing_to_delete(world: AwsWorld) -> None:
    [account] = connected(world, "leaving")
    world.finished(delete(world, account))
    operation_id = delete(world, account)
    assert world.finished(operation_id)["Status"] == "SUCCEEDED"
    assert world.results(operation_id) == {}


def test_what_waits_behind_a_deletion_finds_the_instance_gone(slow_world: AwsWorld) -> None:
    world = slow_world
    [account] = connected(world, "leaving")
    cloudformation = world.client("cloudformation")
    first, second = delete(world, account), delete(world, account)
    targets = {"OrganizationalUnitIds": [world.root()], "Accounts": [account], "AccountFilterType": "INTERSECTION"}
    update = cloudformation.update_stack_instances(
        StackSetName="roles", DeploymentTargets=targets, Regions=["us-east-1"]
    )["OperationId"]
    assert [world.finished(each)["Status"] for each in (first, second, update)] == ["SUCCEEDED"] * 3
    assert not has_instance(world, account)
    assert world.roles_in(account) == set()
    again = world.deploy(account)
    assert world.finished(again)["Status"] == "SUCCEEDED"
    assert world.roles_in(account) == {"Monitor"}


def test_a_suspended_account_is_let_go_with_its_stack_retained(world: AwsWorld) -> None:
    [account] = connected(world, "leaving")
    for each in world.cloud.organization.accounts:
        if each.id == account:
            each.state = each.status = "SUSPENDED"
    world.finished(delete(world, account))
    assert world.instance(account)["StackInstanceStatus"] == {"DetailedStatus": "SKIPPED_SUSPENDED_ACCOUNT"}
    world.finished(delete(world, account, retain=True))
    assert not has_instance(world, account)


def test_the_instance_of_an_account_that_left_is_passed_over(world: AwsWorld) -> None:
    [account] = connected(world, "leaving")
    world.client("organizations").remove_account_from_organization(AccountId=account)
    operation_id = delete(world, account, retain=True)
    assert world.finished(operation_id)["Status"] == "SUCCEEDED"
    assert world.results(operation_id) == {}
    assert has_instance(world, account)


def test_an_instance_that_never_had_a_stack_goes_without_an_event(world: AwsWorld) -> None:
    account = world.cloud.add_account("gone", state="SUSPENDED")
    world.stack_set()
    world.finished(world.deploy(account))
    url = world.queue_of({"source": ["aws.cloudformation"]})
    world.finished(delete(world, account, retain=True))
    assert not has_instance(world, account)
    events: list[dict[str, Any]] = []

    def look() -> bool:
        events.extend(world.received(url))
        return len(events) >= 2

    wait_until(look)
    assert ["stack-id" in event["detail"] for event in events] == [False, False]


def test_a_deletion_that_fails_leaves_the_instance_inoperable(world: AwsWorld) -> None:
    bad, good = connected(world, "bad", "good")
    world.cloud.fail_stack_instances(bad, "API: iam:DeleteRole Access Denied", times=1)
    url = world.queue_of({"detail": {"action": ["DELETE"], "status-details": {"detailed-status": ["FAILED"]}}})
    operation_id = delete(world, bad, good)
    operation, results = world.finished(operation_id), world.results(operation_id)
    assert operation["StatusDetails"] == {"FailedStackInstancesCount": 1}
    assert (results[bad]["Status"], results[good]["Status"]) == ("FAILED", "SUCCEEDED")
    assert (world.instance(bad)["Status"], world.instance(bad)["StatusReason"]) == (
        "INOPERABLE",
        "API: iam:DeleteRole Access Denied",
    )
    [event] = wait_until(lambda: world.received(url))
    assert event["detail"]["status-details"]["status"] == "INOPERABLE"
    assert world.roles_in(bad) == {"Monitor"}
    world.finished(delete(world, bad))
    assert (world.roles_in(bad), has_instance(world, bad)) == (set(), False)


def test_a_deletion_can_be_struck_and_held(world: AwsWorld) -> None:
    [account] = connected(world, "leaving")
    world.cloud.faults.plant(Fault(service="cloudformation", operation="DeleteStackInstances", kind=FaultKind.THROTTLE))
    with pytest.raises(ClientError, match="Throttling"):
        delete(world, account)
    assert has_instance(world, account)
    world.cloud.faults.hold(Hold(service="cloudformation", operation="DeleteStackInstances", when="before"))
    started: list[str] = []
    worker = threading.Thread(target=lambda: started.append(delete(world, account)))
    worker.start()
    wait_until(lambda: world.cloud.faults.holds()[0]["reached"])
    assert has_instance(world, account)
    world.cloud.faults.release()
    worker.join(timeout=10)
    world.finished(started[0])
    assert not has_instance(world, account)


@pytest.mark.parametrize("extended", ["true", "false"])
def test_the_real_member_template_leaves_nothing_behind(world: AwsWorld, extended: str) -> None:
    account = world.cloud.add_account("leaving")
    parameters = {"TenantId": TENANT, "AgentlessScanner": extended, "Servers": extended, "ContainersRuntime": extended}
    world.stack_set(
        TemplateBody=MEMBER_TEMPLATE.read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    world.finished(world.deploy(account))
    assert len(world.roles_in(account)) == (7 if extended == "true" else 1)
    world.finished(delete(world, account))
    assert (world.roles_in(account), providers_of(world, account)) == (set(), 0)


def test_the_provider_goes_with_the_stack_whoever_else_trusts_it(world: AwsWorld) -> None:
    [account] = connected(world, "leaving")
    found = world.cloud.inspect_account(account)
    assert found is not None
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": found.oidc_providers[0].arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
            }
        ],
    }
    world.member("iam", account).create_role(RoleName="Sentinel", AssumeRolePolicyDocument=json.dumps(trust))
    assert world.finished(delete(world, account))["Status"] == "SUCCEEDED"
    assert providers_of(world, account) == 0
    assert world.roles_in(account) == {"Sentinel"}
