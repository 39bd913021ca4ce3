"""StackSets and CloudFormation of the sandbox, through plain boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fakes.aws_world import TENANT, AwsWorld, aws_world, wait_until


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


def unit(world: AwsWorld, parent: str, name: str) -> str:
    organizations = world.client("organizations")
    created = organizations.create_organizational_unit(ParentId=parent, Name=name)
    return str(created["OrganizationalUnit"]["Id"])


def test_an_operation_runs_in_its_time_and_tells_of_every_step(slow_world: AwsWorld) -> None:
    world = slow_world
    account = world.cloud.add_account("member")
    stack_set_id = world.stack_set()
    url = world.queue_of({"source": ["aws.cloudformation"]})

    operation_id = world.deploy(account)
    assert world.instance(account)["Status"] == "OUTDATED"
    operation = world.finished(operation_id)

    instance = world.instance(account)
    arn = f"arn:aws:cloudformation:us-east-1:{world.cloud.management_account_id}:stackset/{stack_set_id}"
    events: list[dict[str, Any]] = []

    def look() -> bool:
        events.extend(world.received(url))
        return len(events) >= 4

    wait_until(look)
    told = [event["detail"]["status-details"] for event in events]
    assert [status.get("detailed-status", status["status"]) for status in told] == [
        "RUNNING",
        "RUNNING",
        "SUCCEEDED",
        "SUCCEEDED",
    ]
    assert events[2]["detail"] == {
        "stack-set-arn": arn,
        "stack-id": instance["StackId"],
        "action": "CREATE",
        "status-details": {"status": "CURRENT", "status-reason": "", "detailed-status": "SUCCEEDED"},
    }
    assert events[3]["detail"] == {
        "stack-set-arn": arn,
        "stack-set-operation-id": operation_id,
        "status-details": {"status": "SUCCEEDED"},
    }
    assert all(event["resources"] == [arn] for event in events)
    assert instance["StackId"].split(":")[4] == account
    assert (operation["Status"], instance["Status"]) == ("SUCCEEDED", "CURRENT")
    assert world.results(operation_id)[account]["OrganizationalUnitId"] == world.root()


def test_what_the_stack_makes_stands_in_the_member_account(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    world.stack_set()
    world.finished(world.deploy(account))

    found = world.cloud.inspect_account(account)

    assert found is not None
    (provider,) = found.oidc_providers
    monitor = found.find_role("Monitor")
    assert provider.url == "https://sts.windows.net/00000000-0000-0000-0000-00000000aaaa/"
    assert provider.client_ids == ("api://monitor",)
    assert monitor is not None
    statement = monitor.trust_policy["Statement"][0]
    assert statement["Principal"] == {"Federated": provider.arn}
    assert statement["Condition"]["StringLike"] == {"sts:RoleSessionName": f"Monitor_{TENANT}"}
    assert monitor.managed_policy_arns == ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    assert world.member("iam", account).get_role(RoleName="Monitor")["Role"]["Arn"] == monitor.arn
    stacks = world.member("cloudformation", account).describe_stacks()["Stacks"]
    assert [stack["StackId"] for stack in stacks] == [world.instance(account)["StackId"]]
    assert world.cloud.inspect_account("000000000000") is None


def test_targets_follow_nested_units_and_filters(world: AwsWorld) -> None:
    world.stack_set()
    root = world.root()
    outer = unit(world, root, "outer")
    inner = unit(world, outer, "inner")
    deepest = unit(world, inner, "deepest")
    top = world.cloud.add_account("top")
    in_outer = world.cloud.add_account("in outer", parent_id=outer)
    in_deepest = world.cloud.add_account("in deepest", parent_id=deepest)

    def reached(**targets: Any) -> set[str]:
        operation_id = world.deploy(DeploymentTargets=targets)
        world.finished(operation_id)
        return set(world.results(operation_id))

    both = [top, in_deepest]
    assert reached(OrganizationalUnitIds=[outer]) == {in_outer, in_deepest}
    assert reached(OrganizationalUnitIds=[root]) == {top, in_outer, in_deepest}
    assert reached(OrganizationalUnitIds=[outer], Accounts=both, AccountFilterType="INTERSECTION") == {in_deepest}
    assert reached(OrganizationalUnitIds=[outer], Accounts=both, AccountFilterType="DIFFERENCE") == {in_outer}


def test_a_suspended_account_is_skipped_and_that_is_recorded(world: AwsWorld) -> None:
    account = world.cloud.add_account("gone", state="SUSPENDED")
    world.stack_set()

    operation = world.finished(world.deploy(account))

    instance = world.instance(account)
    assert operation["Status"] == "SUCCEEDED"
    assert instance["StackInstanceStatus"] == {"DetailedStatus": "SKIPPED_SUSPENDED_ACCOUNT"}
    assert (instance["Status"], instance["OrganizationalUnitId"]) == ("OUTDATED", "")
    assert "StackId" not in instance
    assert world.roles_in(account) == set()


def test_one_failing_account_does_not_stop_the_others(world: AwsWorld) -> None:
    good = world.cloud.add_account("good")
    bad = world.cloud.add_account("bad")
    planted = world.cloud.add_account("planted")
    world.cloud.fail_stack_instances("planted", "OptInRequired: not yet", times=1)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    world.member("iam", bad).create_role(RoleName="Monitor", AssumeRolePolicyDocument=trust)
    world.stack_set()
    url = world.queue_of({"detail": {"status-details": {"detailed-status": ["FAILED"]}}})

    operation_id = world.deploy(good, bad, planted)
    operation = world.finished(operation_id)

    found = world.results(operation_id)
    events = {event["detail"]["stack-id"].split(":")[4]: event["detail"] for event in world.received(url)}
    assert operation["Status"] == "SUCCEEDED"
    assert operation["StatusDetails"] == {"FailedStackInstancesCount": 2}
    assert {account: found[account]["Status"] for account in (good, bad, planted)} == {
        good: "SUCCEEDED",
        bad: "FAILED",
        planted: "FAILED",
    }
    assert found[bad]["StatusReason"] == (
        "ResourceLogicalId:Monitor, ResourceType:AWS::IAM::Role, "
        "ResourceStatusReason:Role with name Monitor already exists.."
    )
    assert world.instance(bad)["StackInstanceStatus"] == {"DetailedStatus": "FAILED"}
    assert events[planted]["status-details"]["status-reason"] == "OptInRequired: not yet"
    rolled_back = world.cloud.inspect_account(bad)
    assert rolled_back is not None
    assert rolled_back.oidc_providers == ()

    world.member("iam", bad).delete_role(RoleName="Monitor")
    world.finished(world.deploy(bad, planted))
    assert world.roles_in(bad) == world.roles_in(planted) == {"Monitor"}


def test_without_tolerance_the_first_failure_cancels_the_rest(world: AwsWorld) -> None:
    accounts = [world.cloud.add_account(f"account {number}") for number in range(3)]
    world.cloud.fail_stack_instances(accounts[0], "broken")
    world.stack_set()

    operation_id = world.deploy(*accounts, OperationPreferences={})
    operation = world.finished(operation_id)

    assert operation["Status"] == "FAILED"
    assert [world.results(operation_id)[account]["Status"] for account in accounts] == [
        "FAILED",
        "CANCELLED",
        "CANCELLED",
    ]


def test_the_same_operation_id_is_accepted_once(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    world.stack_set()
    world.finished(world.deploy(account, OperationId="job-1"))

    with pytest.raises(ClientError, match="OperationIdAlreadyExistsException"):
        world.deploy(account, OperationId="job-1")


def test_operations_queue_with_managed_execution(slow_world: AwsWorld) -> None:
    world = slow_world
    first, second = world.cloud.add_account("first"), world.cloud.add_account("second")
    world.stack_set()
    url = world.queue_of({"detail": {"status-details": {"status": ["QUEUED"]}}})

    running = world.deploy(first)
    waiting = world.deploy(first, second)

    described = world.client("cloudformation").describe_stack_set_operation(StackSetName="roles", OperationId=waiting)[
        "StackSetOperation"
    ]
    assert described["Status"] == "QUEUED"
    ended = world.finished(waiting)
    assert (ended["Status"], world.finished(running)["Status"]) == ("SUCCEEDED", "SUCCEEDED")
    assert ended["EndTimestamp"] > world.finished(running)["EndTimestamp"]
    assert [event["detail"]["stack-set-operation-id"] for event in world.received(url)] == [waiting]


def test_operations_are_refused_without_managed_execution(slow_world: AwsWorld) -> None:
    world = slow_world
    account = world.cloud.add_account("member")
    world.stack_set(ManagedExecution={"Active": False})
    world.deploy(account)

    with pytest.raises(ClientError, match="OperationInProgressException"):
        world.deploy(account)


def test_a_profile_change_makes_and_removes_what_its_condition_says(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    world.stack_set()
    world.finished(world.deploy(account))
    cloudformation = world.client("cloudformation")
    targets = {
        "OrganizationalUnitIds": [world.root()],
        "Accounts": [account],
        "AccountFilterType": "INTERSECTION",
    }

    for extended, expected in (("true", {"Monitor", "Extra"}), ("false", {"Monitor"})):
        overrides = [{"ParameterKey": "Extended", "ParameterValue": extended}]
        answer = cloudformation.update_stack_instances(
            StackSetName="roles",
            DeploymentTargets=targets,
            Regions=["us-east-1"],
            ParameterOverrides=overrides,
        )
        world.finished(answer["OperationId"])
        assert world.roles_in(account) == expected
        assert world.instance(account)["ParameterOverrides"] == overrides


def test_overrides_at_creation_are_honoured_and_unknown_ones_refused(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    world.stack_set()
    world.finished(world.deploy(account, ParameterOverrides=[{"ParameterKey": "Extended", "ParameterValue": "true"}]))

    assert world.roles_in(account) == {"Monitor", "Extra"}
    with pytest.raises(ClientError, match="do not exist in the template"):
        world.deploy(account, ParameterOverrides=[{"ParameterKey": "Typo", "ParameterValue": "true"}])


def test_deleting_instances_removes_their_resources(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    world.stack_set()
    world.finished(world.deploy(account))
    cloudformation = world.client("cloudformation")
    with pytest.raises(ClientError, match="StackSetNotEmptyException"):
        cloudformation.delete_stack_set(StackSetName="roles")

    answer = cloudformation.delete_stack_instances(
        StackSetName="roles",
        DeploymentTargets={"OrganizationalUnitIds": [world.root()]},
        Regions=["us-east-1"],
        RetainStacks=False,
    )
    world.finished(answer["OperationId"])

    assert world.roles_in(account) == set()
    with pytest.raises(ClientError, match="StackInstanceNotFoundException"):
        world.instance(account)
    cloudformation.delete_stack_set(StackSetName="roles")


def test_instances_are_filtered_and_paged(world: AwsWorld) -> None:
    accounts = [world.cloud.add_account(f"account {number}") for number in range(3)]
    world.cloud.fail_stack_instances(accounts[0], "broken")
    world.stack_set()
    operation_id = world.deploy(*accounts)
    world.finished(operation_id)
    cloudformation = world.client("cloudformation")

    def listed(**query: Any) -> list[str]:
        pages = cloudformation.get_paginator("list_stack_instances").paginate(
            StackSetName="roles", PaginationConfig={"PageSize": 2}, **query
        )
        return [summary["Account"] for page in pages for summary in page["Summaries"]]

    assert listed() == accounts
    assert listed(StackInstanceAccount=accounts[1]) == [accounts[1]]
    assert listed(Filters=[{"Name": "DETAILED_STATUS", "Values": "FAILED"}]) == [accounts[0]]
    assert listed(Filters=[{"Name": "LAST_OPERATION_ID", "Values": "other"}]) == []
