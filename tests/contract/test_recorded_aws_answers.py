"""The overlay's answers beside real output of the same AWS operations, published by AWS and its users."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.recordings import read
from tests.fakes.aws_world import AwsWorld, aws_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    with aws_world(tmp_path_factory.mktemp("aws")) as world:
        world.cloud.prepare_organization()
        world.stack_set()
        yield world


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer as the command line prints it."""
    kept = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    document: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return document


def missing(ours: Any, theirs: Any, path: str = "") -> set[str]:
    """The recorded keys that our answer lacks, below the first element of lists."""
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return {path}
        return {
            each
            for key, value in theirs.items()
            for each in (missing(ours[key], value, f"{path}/{key}") if key in ours else {f"{path}/{key}"})
        }
    if isinstance(theirs, list) and theirs:
        return missing(ours[0], theirs[0], f"{path}[]") if ours else {path}
    return set()


def test_an_account_has_the_fields_of_2026(world: AwsWorld, evidence: Path) -> None:
    account = world.cloud.add_account("beta")
    organizations = world.client("organizations")
    described = plain(organizations.describe_account(AccountId=account))
    listed = plain(organizations.list_accounts_for_parent(ParentId=world.root()))
    one = read(evidence, "aws-organizations-describe-account-200")
    several = read(evidence, "aws-organizations-list-accounts-for-parent-200")
    assert missing(described, one.body) <= {"/Account/JoinedTimeStamp"}  # the sample's spelling; the API's is …stamp
    assert missing(listed, several.body) == set()
    paths = re.compile(r"o-\w+/r-\w+/(ou-[\w-]+/)*\d{12}/")
    assert paths.fullmatch(described["Account"]["Paths"][0])


def test_a_failed_stack_instance_tells_resource_type_and_reason(world: AwsWorld, evidence: Path) -> None:
    account = world.cloud.add_account("gamma")
    world.cloud.fail_stack_instances(account, "ResourceLogicalId:Role, ResourceType:AWS::IAM::Role, …")
    world.finished(world.deploy(account))
    described = plain({"StackInstance": world.instance(account)})
    recording = read(evidence, "aws-describe-stack-instance-outdated-200")
    assert missing(described, recording.body) <= {"/StackInstance/StackId"}  # ours never had a stack
    assert described["StackInstance"]["Status"] == recording.body["StackInstance"]["Status"] == "OUTDATED"
    summaries = plain(world.client("cloudformation").list_stack_instances(StackSetName="roles"))
    listed = read(evidence, "aws-list-stack-instances-outdated-200")
    ours = next(each for each in summaries["Summaries"] if each["Account"] == account)
    theirs = next(each for each in listed.body["Summaries"] if each["Status"] == "OUTDATED")
    assert missing(ours, theirs) <= {"/StackId"}


def test_an_operation_has_the_published_fields(world: AwsWorld, evidence: Path) -> None:
    account = world.cloud.add_account("delta")
    operation = plain({"StackSetOperation": world.finished(world.deploy(account))})
    recording = read(evidence, "aws-describe-stack-set-operation-succeeded-200")
    self_managed = {"/StackSetOperation/AdministrationRoleARN", "/StackSetOperation/ExecutionRoleName"}
    preferences = {each for each in missing(operation, recording.body) if "/OperationPreferences/" in each}
    assert missing(operation, recording.body) - preferences <= self_managed
    assert operation["StackSetOperation"]["Status"] == "SUCCEEDED"


def test_a_suspended_account_is_skipped_with_the_quoted_status(world: AwsWorld, evidence: Path) -> None:
    account = world.cloud.add_account("epsilon", state="SUSPENDED")
    world.finished(world.deploy(account))
    summaries = plain(world.client("cloudformation").list_stack_instances(StackSetName="roles"))["Summaries"]
    ours = next(each for each in summaries if each["Account"] == account)
    [theirs] = read(evidence, "aws-list-stack-instances-suspended-200").body["Summaries"]
    assert missing(ours, theirs) == set()
    for key in ("Status", "StatusReason", "StackInstanceStatus", "DriftStatus"):
        assert ours[key] == theirs[key], key
    assert "StackId" not in ours


def test_a_unit_that_does_not_exist_fails_the_operation(world: AwsWorld, evidence: Path) -> None:
    theirs = read(evidence, "aws-stack-set-operation-failed-ou-not-found").body["StackSetOperation"]
    operation = world.client("cloudformation").create_stack_instances(
        StackSetName="roles", DeploymentTargets={"OrganizationalUnitIds": ["ou-none-12345678"]}, Regions=["us-east-1"]
    )
    ours = world.finished(operation["OperationId"])
    assert (ours["Status"], ours["StatusReason"]) == (theirs["Status"], theirs["StatusReason"])
