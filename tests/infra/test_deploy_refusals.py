"""`make deploy-…` goes no further, and says what to do, before anything is changed in a wrong place."""

from __future__ import annotations

import json

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


@pytest.mark.parametrize("change", [{"Action": "Remove"}, {"Action": "Modify", "Replacement": "True"}])
def test_a_stack_loses_nothing_unless_that_is_said(tools: CommandLines, change: dict[str, str]) -> None:
    resource = {"LogicalResourceId": "StackEventsQueue", "ResourceType": "AWS::SQS::Queue"}
    tools.answers("aws cloudformation describe-change-set", {"Changes": [{"ResourceChange": resource | change}]})
    unchanged = "No changes to deploy. Stack rollcall-bucket is up to date\n"
    tools.answers("aws cloudformation deploy", unchanged, besides="rollcall-bucket")
    assert "StackEventsQueue would be deleted or replaced" in refused(tools, "aws")
    assert sum("delete-change-set" in each for each in tools.calls) == 1
    assert tools.run("aws").code == 0
    assert tools.run("aws", "--apply", "--replace").code == 0
    assert len(changing(tools)) == 2


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
