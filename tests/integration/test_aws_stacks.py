"""What CloudFormation refuses, rolls back or does by itself, and StackSets made by stacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.stacks import parse_template
from tests.fakes.aws_world import TEMPLATES, TENANT, AwsWorld, aws_world, wait_until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AwsWorld]:
    with aws_world(tmp_path) as world:
        world.cloud.prepare_organization()
        yield world


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"Capabilities": ["CAPABILITY_IAM"]}, "InsufficientCapabilitiesException"),
        ({"TemplateBody": "Resources: {A: {Type: 'AWS::Made::Up'}}"}, "Unrecognized resource types"),
        ({"TemplateBody": "{Transform: T, Resources: {A: {Type: 'AWS::SQS::Queue'}}}"}, "Transforms"),
    ],
)
def test_a_stack_set_that_could_not_deploy_is_refused(world: AwsWorld, changes: dict[str, Any], error: str) -> None:
    with pytest.raises(ClientError, match=error):
        world.stack_set(**changes)


def test_a_template_that_many_stacks_share_stays_as_it_was_given(world: AwsWorld) -> None:
    body = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "first"}}}})
    parse_template(body)["Resources"]["Queue"]["Properties"]["QueueName"] = "spoilt"

    cloudformation = world.client("cloudformation")
    cloudformation.create_stack(StackName="one", TemplateBody=body)

    assert cloudformation.describe_stack_resource(StackName="one", LogicalResourceId="Queue")["StackResourceDetail"]
    assert parse_template(body)["Resources"]["Queue"]["Properties"] == {"QueueName": "first"}


def test_names_are_unique_and_trusted_access_is_needed(world: AwsWorld) -> None:
    world.stack_set()
    with pytest.raises(ClientError, match="NameAlreadyExistsException"):
        world.stack_set()

    cloudformation = world.client("cloudformation")
    cloudformation.deactivate_organizations_access()
    assert cloudformation.describe_organizations_access()["Status"] == "DISABLED"
    with pytest.raises(ClientError, match="You must enable organizations access"):
        world.stack_set(StackSetName="other")
    cloudformation.activate_organizations_access()
    world.stack_set(StackSetName="other")


@pytest.mark.parametrize(
    ("targets", "error"),
    [
        ({"Accounts": ["111111111111"]}, "can only have OrganizationalUnit as target"),
        ({"OrganizationalUnitIds": ["r-abcd"], "Accounts": ["111111111111"]}, "AccountFilterType"),
        (
            {
                "OrganizationalUnitIds": ["r-abcd"],
                "Accounts": ["111111111111"],
                "AccountFilterType": "UNION",
            },
            "UNION",
        ),
    ],
)
def test_targets_that_cloudformation_refuses(world: AwsWorld, targets: dict[str, Any], error: str) -> None:
    world.stack_set()
    with pytest.raises(ClientError, match=error):
        world.deploy(DeploymentTargets=targets)


def test_an_unknown_unit_fails_the_operation(world: AwsWorld) -> None:
    world.stack_set()

    operation = world.finished(world.deploy(DeploymentTargets={"OrganizationalUnitIds": ["ou-abcd-12345678"]}))

    assert operation["Status"] == "FAILED"
    assert operation["StatusReason"] == "Target organizational unit could not be found"


def test_a_new_account_under_a_target_gets_the_stack_where_auto_deployment_is_on(world: AwsWorld) -> None:
    old = world.cloud.add_account("old")
    world.stack_set(AutoDeployment={"Enabled": True, "RetainStacksOnAccountRemoval": False})
    world.finished(world.deploy(DeploymentTargets={"OrganizationalUnitIds": [world.root()]}))

    world.client("organizations").create_account(AccountName="new", Email="new@example.com")

    listed = world.client("cloudformation").list_stack_instances
    wait_until(lambda: len(listed(StackSetName="roles")["Summaries"]) == 2)
    new = next(summary["Account"] for summary in listed(StackSetName="roles")["Summaries"] if summary["Account"] != old)
    wait_until(lambda: world.roles_in(new) == {"Monitor"})


def test_a_stack_may_hold_a_stack_set(world: AwsWorld) -> None:
    template = {
        "Resources": {
            "Roles": {
                "Type": "AWS::CloudFormation::StackSet",
                "Properties": {
                    "StackSetName": "roles",
                    "PermissionModel": "SERVICE_MANAGED",
                    "AutoDeployment": {"Enabled": False},
                    "ManagedExecution": {"Active": True},
                    "Capabilities": ["CAPABILITY_NAMED_IAM"],
                    "TemplateURL": "https://templates.s3.us-east-1.amazonaws.com/member.yaml",
                    "Parameters": [{"ParameterKey": "TenantId", "ParameterValue": TENANT}],
                },
            }
        },
        "Outputs": {"Id": {"Value": {"Ref": "Roles"}}},
    }
    world.client("s3").create_bucket(Bucket="templates")
    body = (TEMPLATES / "member.yaml").read_bytes()
    world.client("s3").put_object(Bucket="templates", Key="member.yaml", Body=body)
    cloudformation = world.client("cloudformation")

    cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(template))

    stack = cloudformation.describe_stacks(StackName="s")["Stacks"][0]
    described = cloudformation.describe_stack_set(StackSetName="roles")["StackSet"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Outputs"][0]["OutputValue"] == described["StackSetId"]
    assert described["ManagedExecution"] == {"Active": True}
    assert described["StackSetARN"].endswith(f":stackset/{described['StackSetId']}")
    account = world.cloud.add_account("member")
    assert world.finished(world.deploy(account))["Status"] == "SUCCEEDED"


def test_a_stack_whose_resource_fails_is_rolled_back_with_the_reason(world: AwsWorld) -> None:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/NoSuchPolicy"],
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
        },
    }
    resources = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}, "Role": role}
    cloudformation = world.client("cloudformation")

    cloudformation.create_stack(
        StackName="s", TemplateBody=json.dumps({"Resources": resources}), Capabilities=["CAPABILITY_IAM"]
    )

    stack = cloudformation.describe_stacks(StackName="s")["Stacks"][0]
    events = cloudformation.describe_stack_events(StackName="s")["StackEvents"]
    failed = next(event for event in events if event["ResourceStatus"] == "CREATE_FAILED")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert failed["LogicalResourceId"] == "Role"
    assert "NoSuchPolicy" in failed["ResourceStatusReason"]
    assert "QueueUrls" not in world.client("sqs").list_queues()


def test_an_unknown_resource_type_refuses_the_stack(world: AwsWorld) -> None:
    template = {"Resources": {"A": {"Type": "AWS::SQS::Queue"}, "B": {"Type": "AWS::Made::Up"}}}
    with pytest.raises(ClientError, match="Unrecognized resource types: .'AWS::Made::Up'."):
        world.client("cloudformation").create_stack(StackName="s", TemplateBody=json.dumps(template))
    assert world.client("cloudformation").describe_stacks()["Stacks"] == []


def test_no_value_leaves_lists_and_properties(world: AwsWorld) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "logs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    maybe = {"Fn::If": ["Wanted", {**statement, "Sid": "Wanted"}, {"Ref": "AWS::NoValue"}]}
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": "Writer",
            "Description": {"Fn::If": ["Wanted", "wanted", {"Ref": "AWS::NoValue"}]},
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement, maybe]},
        },
    }
    template = {
        "Parameters": {"Text": {"Type": "String", "Default": ""}},
        "Conditions": {"Wanted": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Text"}, ""]}]}},
        "Resources": {"Writer": role},
    }
    account = world.cloud.add_account("member")
    world.stack_set(TemplateBody=json.dumps(template), Parameters=[])
    for text, statements in (("", [statement]), ("some", [statement, {**statement, "Sid": "Wanted"}])):
        overrides = [{"ParameterKey": "Text", "ParameterValue": text}]
        assert world.finished(world.deploy(account, ParameterOverrides=overrides))["Status"] == "SUCCEEDED"
        found = world.member("iam", account).get_role(RoleName="Writer")["Role"]
        assert found["AssumeRolePolicyDocument"]["Statement"] == statements
        assert found.get("Description", "") == ("wanted" if text else "")
        assert world.instance(account)["ParameterOverrides"] == overrides
