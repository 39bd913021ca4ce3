"""`make deploy-…` goes no further, and says what to do, before anything is changed in a wrong place."""

from __future__ import annotations

import json
import re

import pytest

from deploy.outputs import Step
from tests.fakes.command_lines import ANSWERS, CommandLines
from tests.infra.test_deploy_steps import changing

KNOWN = json.loads(ANSWERS.read_text(encoding="utf-8"))


def refused(tools: CommandLines, step: str, *options: str, **environment: str) -> str:
    """Why the step goes no further; nothing was changed by it."""
    done = tools.run(step, "--apply", *options, **environment)
    assert done.code == 1, done.out
    assert changing(tools) == []
    assert f"deploy {step}: " in done.err
    return done.err


@pytest.mark.parametrize(
    ("step", "tool"), [("federation", "aws"), ("azure", "az"), ("aws", "aws"), ("gcp", "terraform")]
)
def test_a_missing_tool_is_named_with_where_to_get_it(tools: CommandLines, step: str, tool: str) -> None:
    tools.without(tool)
    assert f"{tool} is not on PATH. Install" in refused(tools, step)


def test_no_sign_in_is_told_with_how_to_sign_in(tools: CommandLines) -> None:
    tools.answers("az account show", err="ERROR: Please run 'az login' to setup account.", code=1)
    tools.answers("aws sts get-caller-identity", err="Unable to locate credentials", code=253)
    assert "az login --tenant 00000000-0000-4000-8000-0000000000f1" in refused(tools, "azure")
    assert "aws sso login" in refused(tools, "aws")
    nobody = {"GOOGLE_OAUTH_ACCESS_TOKEN": "", "CLOUDSDK_CONFIG": str(tools.folder)}
    assert "gcloud auth application-default login" in refused(tools, "gcp", **nobody)


@pytest.mark.parametrize("step", ["federation", "aws"])
def test_another_account_than_the_management_account_is_refused(tools: CommandLines, step: str) -> None:
    tools.answers("aws sts get-caller-identity", {"Account": "210987654321", "Arn": "arn:aws:iam::210987654321:user/x"})
    assert "these credentials are of account 210987654321" in refused(tools, step)


@pytest.mark.parametrize("step", ["federation", "aws"])
def test_a_member_account_is_refused_whatever_the_file_says(tools: CommandLines, step: str) -> None:
    tools.says("123456789012", "210987654321")
    tools.answers("aws sts get-caller-identity", {"Account": "210987654321", "Arn": "arn:aws:iam::210987654321:user/x"})
    assert "the management account of o-exampleorg1 is 123456789012" in refused(tools, step)


@pytest.mark.parametrize("step", ["federation", "aws"])
def test_another_region_is_refused(tools: CommandLines, step: str) -> None:
    assert "export AWS_REGION=us-east-1" in refused(tools, step, AWS_REGION="eu-west-1")
    tools.answers("aws configure get region", "eu-central-1\n")
    assert "works in eu-central-1" in refused(tools, step)
    tools.answers("aws configure get region", code=1)
    assert tools.run(step).code == 0


def test_billing_alone_and_another_partition_are_refused(tools: CommandLines) -> None:
    found = KNOWN["aws organizations describe-organization"]["Organization"]
    tools.answers(
        "aws organizations describe-organization", {"Organization": found | {"FeatureSet": "CONSOLIDATED_BILLING"}}
    )
    assert "enable-all-features" in refused(tools, "aws")
    tools.answers(
        "aws sts get-caller-identity", {"Account": "123456789012", "Arn": "arn:aws-us-gov:iam::123456789012:user/x"}
    )
    assert "commercial partition" in refused(tools, "aws")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"tenantId": "00000000-0000-4000-8000-0000000000f2"}, "az login --tenant"),
        ({"id": "00000000-0000-4000-8000-0000000000d2"}, "az account set --subscription"),
        ({"environmentName": "AzureUSGovernment"}, "az cloud set"),
    ],
)
def test_another_tenant_subscription_or_cloud_is_refused(
    tools: CommandLines, changed: dict[str, str], told: str
) -> None:
    tools.answers("az account show", KNOWN["az account show"] | changed)
    assert told in refused(tools, "azure")


@pytest.mark.parametrize("step", ["aws", "gcp"])
def test_a_step_whose_inputs_nobody_made_names_the_step_before(tools: CommandLines, step: str) -> None:
    (tools.folder / ".deploy" / "azure.json").unlink()
    assert "`make deploy-azure APPLY=1` deploys it" in refused(tools, step)


def test_an_output_that_an_older_deployment_did_not_have_is_named(tools: CommandLines) -> None:
    older = {name: each for name, each in KNOWN["az deployment sub show"].items() if name != "pushEndpoint"}
    tools.answers("az deployment sub show", older)
    tools.reaches(Step.AZURE)
    assert "the step azure gave no pushEndpoint" in refused(tools, "gcp")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('tenant = "00000000-0000-4000-8000-0000000000f1"', "", "does not say azure.tenant"),
        ('location = "westeurope"', 'location = "West Europe"', "azure.location is 'West Europe'"),
        ('location = "westeurope"', 'locatoin = "westeurope"', "nobody knows: azure.locatoin"),
        ('account = "123456789012"', "account = 123456789012", "aws.management_account is 123456789012"),
        ("# bucket = ", f'stack = "{"a" * 39}" # ', "at most 38 letters"),
        ("[aws.parameters]", "[aws.parameter]", "nobody knows: aws.parameter"),
        ("[azure.parameters]", '[azure.parameters]\nawsIssuer = "x"', "says awsIssuer of infra/azure/main.bicep"),
        ("[azure.parameters]", '[azure.parameters]\nstackSetName = "a"\n[aws.hub]\nStackSetName = "b"', "say it once"),
        ("[azure]", "[azur]", "section nobody knows: azur"),
        ("[azure]", "[azure", "is no TOML"),
    ],
)
def test_a_mistake_in_the_settings_is_named(tools: CommandLines, before: str, after: str, told: str) -> None:
    tools.says(before, after)
    assert told in refused(tools, "azure")


def test_without_settings_the_sample_is_named(tools: CommandLines) -> None:
    (tools.folder / "deploy.toml").unlink()
    assert "Copy docs/samples/deploy.toml to deploy.toml" in refused(tools, "aws")


def test_without_its_section_or_an_artefact_a_step_goes_no_further(tools: CommandLines) -> None:
    (tools.folder / "build" / "StackEventsFunction.zip").unlink()
    assert "there is no build/StackEventsFunction.zip. Run `make build`" in refused(tools, "aws")
    file = tools.folder / "deploy.toml"
    file.write_text(file.read_text(encoding="utf-8").partition("[gcp]")[0], encoding="utf-8")
    assert "has no section gcp" in refused(tools, "gcp")


def test_a_bucket_of_somebody_else_is_refused(tools: CommandLines) -> None:
    err = "An error occurred (403) when calling the HeadBucket operation: Forbidden"
    tools.answers("aws s3api head-bucket", err=err, code=254)
    told = refused(tools, "aws")
    assert "rollcall-123456789012-us-east-1 is not of account 123456789012" in told
    assert "aws.bucket in deploy.toml" in told
    assert not any("--s3-bucket" in each for each in tools.calls)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [("ROLLBACK_COMPLETE", "delete-stack"), ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback")],
)
def test_a_stack_that_can_take_no_change_is_refused_with_the_command(
    tools: CommandLines, status: str, remedy: str
) -> None:
    events = [
        {"LogicalResourceId": "rollcall", "ResourceStatus": status},
        {"LogicalResourceId": "B", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "creation cancelled"},
        {"LogicalResourceId": "A", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "the key denies it"},
        {"LogicalResourceId": "rollcall", "ResourceStatus": "CREATE_IN_PROGRESS"},
        {"LogicalResourceId": "Old", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "long ago"},
    ]
    dead = {"Stacks": [{"StackName": "rollcall", "StackStatus": status}]}
    tools.answers("aws cloudformation deploy", "No changes to deploy\n", besides="rollcall-bucket")
    tools.answers("aws cloudformation describe-stacks", dead, besides="rollcall")
    tools.answers("aws cloudformation describe-stack-events", {"StackEvents": events})
    assert f"aws cloudformation {remedy} --region us-east-1 --stack-name rollcall" in refused(tools, "aws")
    out = tools.run("aws").out
    assert "rollcall: CREATE_FAILED A: the key denies it" in out
    assert not any(word in out for word in ("cancelled", "long ago"))


def test_a_change_that_fails_tells_its_reasons(tools: CommandLines) -> None:
    events = [
        {"LogicalResourceId": "A", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "the key denies it"}
    ]
    tools.answers("aws cloudformation describe-stack-events", {"StackEvents": events})
    rolled = {"Stacks": [{"StackName": "rollcall", "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}]}
    tools.answers("aws cloudformation describe-stacks", rolled, besides="rollcall")
    done = tools.run("aws", "--apply")
    assert (done.code, "rollcall is UPDATE_ROLLBACK_COMPLETE" in done.err) == (1, True)
    assert "rollcall: UPDATE_FAILED A: the key denies it" in done.out
    assert not any("execute-change-set" in each for each in tools.calls[-1:])


@pytest.mark.parametrize(
    "change",
    [
        {"Action": "Remove"},
        {"Action": "Modify", "Replacement": "True"},
        {"Action": "Modify", "Replacement": "Conditional"},
        {"Action": "Dynamic"},
    ],
)
def test_a_stack_loses_nothing_unless_that_is_said(tools: CommandLines, change: dict[str, str]) -> None:
    resource = {"LogicalResourceId": "StackEventsQueue", "ResourceType": "AWS::SQS::Queue"}
    tools.answers("aws cloudformation describe-change-set", {"Changes": [{"ResourceChange": resource | change}]})
    unchanged = "No changes to deploy. Stack rollcall-bucket is up to date\n"
    tools.answers("aws cloudformation deploy", unchanged, besides="rollcall-bucket")
    assert re.search(r"StackEventsQueue( \(perhaps\))? would be deleted or replaced", refused(tools, "aws"))
    assert sum("delete-change-set" in each for each in tools.calls) == 1
    assert tools.run("aws").code == 0
    assert tools.run("aws", "--apply", "--replace").code == 0
    assert len(changing(tools)) == 2


def test_a_function_that_is_perhaps_replaced_is_not_refused(tools: CommandLines) -> None:
    found = {"LogicalResourceId": "Any", "ResourceType": "AWS::Lambda::Function", "Action": "Modify"}
    changes = [{"ResourceChange": found | {"Replacement": "Conditional"}}]
    tools.answers("aws cloudformation describe-change-set", {"Changes": changes})
    assert tools.run("aws", "--apply").code == 0


def test_google_loses_nothing_unless_that_is_said(tools: CommandLines) -> None:
    changes = [{"address": "google_service_account.push", "change": {"actions": ["delete", "create"]}}]
    tools.answers("terraform show", {"resource_changes": changes})
    assert "google_service_account.push would be deleted or replaced" in refused(tools, "gcp")
    assert tools.run("gcp", "--apply", "--replace").code == 0
    assert len(changing(tools)) == 1


def test_terraform_s_state_is_not_left_on_a_ci_job_s_disk(tools: CommandLines) -> None:
    assert "Terraform's state would be lost" in refused(tools, "gcp", CI="true")


def test_a_project_number_that_google_does_not_confirm_is_told(tools: CommandLines) -> None:
    tools.says('"210987654321"', '"210987654322"')
    tools.answers("terraform plan")
    assert "Correct it, then `make deploy-azure APPLY=1`" in refused(tools, "gcp")


def test_a_command_that_fails_ends_the_step_with_its_own_words(tools: CommandLines) -> None:
    denied = "An error occurred (AccessDenied) when calling the DescribeOrganizationsAccess operation: no"
    tools.answers("aws cloudformation describe-organizations-access", err=denied, code=254)
    assert denied in refused(tools, "aws")
    tools.answers("az deployment sub what-if", err="AuthorizationFailed", code=1)
    told = refused(tools, "azure")
    assert "AuthorizationFailed" in told
    assert "`az deployment sub what-if" in told
