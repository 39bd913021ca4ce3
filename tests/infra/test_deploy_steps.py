"""`make deploy-…` on command lines that are not the clouds': order, arguments, and what feeds what."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import yaml

from deploy.feeds import FEEDS, SAME, Place
from deploy.outputs import Step
from deploy.sam_template import functions, packaged
from sandbox.deployment import REPOSITORY
from tests.fakes.command_lines import CommandLines
from tests.infra.aws_templates import load
from tests.infra.azure_module import parameters, parsed
from tests.infra.gcp_module import blocks

ISSUER = "https://00000000-0000-4000-8000-000000000001.tokens.sts.global.api.aws"
CHANGES = re.compile(
    r"^aws (iam enable|cloudformation (execute|activate)|s3api put)|^terraform \S+ apply"
    r"|^az (provider register|ad \w+ create|deployment \w+ create|functionapp)"
)


def changing(tools: CommandLines) -> list[str]:
    """The calls that change something."""
    return [each for each in tools.calls if CHANGES.match(each)]


def declared() -> dict[Place, set[str]]:
    """What each place takes, by its own file."""
    aws = {place: set(load(REPOSITORY / place)["Parameters"]) for place in (Place.BUCKET, Place.TEMPLATE, Place.HUB)}
    azure = {place: set(parameters(Path(place).name)) for place in (Place.MAIN, Place.TENANT_READER)}
    return aws | azure | {Place.GOOGLE: {name for name, _ in blocks("variable")}}


def test_every_feed_and_every_twin_is_an_input_of_its_place_and_an_output_of_its_step() -> None:
    taken = declared()
    assert {each.input for each in FEEDS if each.place in taken} <= set().union(*taken.values())
    assert all(each.input in taken[each.place] for each in FEEDS if each.place in taken)
    assert all(name in taken[place] for twins in SAME for place, name in twins)
    assert {each.output for each in FEEDS if each.step is Step.AZURE} == set(parsed("main.bicep")["outputs"])


def test_without_apply_no_step_changes_anything_and_each_feeds_the_next(tools: CommandLines) -> None:
    tools.reaches(*Step)
    assert changing(tools) == []
    assert tools.kept("federation.json") == {"IssuerIdentifier": ISSUER}
    inputs = {name: each["value"] for name, each in tools.kept("azure.parameters.json")["parameters"].items()}
    assert inputs == {
        "awsIssuer": ISSUER,
        "awsManagementAccountId": "123456789012",
        "awsStackName": "rollcall",
        "gcpManagementProjectId": "mdc-mgmt-proj-123456789012",
        "gcpManagementProjectNumber": "210987654321",
        "operatorsGroupId": "00000000-0000-4000-8000-0000000000e1",
    }
    assert tools.kept("gcp.tfvars.json") == {
        "tenant_id": "00000000-0000-4000-8000-0000000000f1",
        "function_identity_object_id": "0fedcba9-8765-4321-8fed-cba987654321",
        "push_endpoint": "https://rollcall-abcdefghij.azurewebsites.net/api/gcp/project-events",
        "organization_id": "123456789012",
        "management_project_id": "mdc-mgmt-proj-123456789012",
        "mode": "member",
    }


def test_the_stacks_get_azure_s_outputs_and_only_parameters_that_they_declare(tools: CommandLines) -> None:
    tools.reaches(Step.AWS)
    bucket, main, hub = [each for each in tools.calls if each.startswith("aws cloudformation deploy ")]
    for call, place in ((bucket, Place.BUCKET), (main, Place.TEMPLATE), (hub, Place.HUB)):
        given = dict(re.findall(r" (\w+)=(\S+)", call.partition("--parameter-overrides")[2]))
        assert set(given) <= declared()[place]
        obligatory = {name for name, each in load(REPOSITORY / place)["Parameters"].items() if "Default" not in each}
        assert obligatory <= set(given)
    assert "ClientId=00000000-0000-4000-8000-0000000000c1" in main
    assert "DailyComparison=off" in main
    assert "IdentityObjectId=0fedcba9-8765-4321-8fed-cba987654321" in hub
    assert "OrganizationId=o-exampleorg1" in hub
    assert "OrganizationRootId=r-ex01" in hub
    assert re.search(
        r"ReaderTemplateUrl=https://rollcall-123456789012-us-east-1\.s3\.us-east-1\.amazonaws\.com/artefacts/", hub
    )


def test_azure_is_applied_in_order_and_its_package_is_the_built_zip(tools: CommandLines) -> None:
    tools.answers("az provider list", ["Microsoft.Security"])
    tools.answers("az provider register")
    tools.answers("az ad app list", [])
    tools.answers("az ad app create", {"appId": "00000000-0000-4000-8000-0000000000a1"})
    tools.answers("az ad sp list", [])
    tools.answers("az ad sp create")
    assert tools.run("azure", "--apply").code == 0
    done = [re.sub(r" --.*", "", each) for each in changing(tools)]
    assert list(dict.fromkeys(done)) == [
        "az provider register",
        "az ad app create",
        "az ad sp create",
        "az deployment sub create",
        "az deployment mg create",
        "az functionapp deployment source config-zip",
    ]
    assert done.count("az ad app create") == 2
    order = [each.partition(" --")[0] for each in tools.calls]
    assert order.index("az deployment sub what-if") < order.index("az deployment sub create")
    package = next(each for each in tools.calls if "config-zip" in each)
    assert "--name rollcall-abcdefghij" in package
    assert "build/FunctionApp.zip --build-remote false" in package


def test_a_what_if_of_azure_asks_for_no_right_to_write_and_one_before_a_deployment_does(tools: CommandLines) -> None:
    tools.reaches(Step.AZURE)
    shown = [each for each in tools.calls if " what-if " in each]
    assert {each.split()[2] for each in shown} == {"sub", "mg"}
    assert all("--validation-level ProviderNoRbac" in each for each in shown)
    tools.forget()
    assert tools.run("azure", "--apply").code == 0
    assert not any("--validation-level" in each for each in tools.calls)


def test_aws_is_applied_with_artefacts_by_their_hashes_before_the_stack(tools: CommandLines) -> None:
    tools.answers(
        "aws s3api head-object", err="An error occurred (404) when calling the HeadObject operation", code=254
    )
    tools.forget()
    assert tools.run("aws", "--apply").code == 0
    [bucket, *order] = [re.sub(r" --.*", "", each) for each in changing(tools)]
    assert bucket == "aws cloudformation execute-change-set"
    uploads = [each for each in tools.calls if each.startswith("aws s3api put-object")]
    names = ("AccountEventsFunction", "StackEventsFunction", "ReconcileAccountsFunction")
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    *uploaded, reader = [re.findall(r"--key (\S+)", each)[0] for each in uploads]
    assert uploaded == [*(f"artefacts/{each}.zip" for each in hashes), "member-roles.yaml"]
    assert re.fullmatch(r"artefacts/reader-role-[0-9a-f]{64}.yaml", reader)
    assert order[len(uploads) :] == ["aws cloudformation execute-change-set"] * 2
    template = (tools.folder / ".deploy" / "template.yaml").read_text(encoding="utf-8")
    assert re.findall(r"CodeUri: s3://rollcall-123456789012-us-east-1/artefacts/(\w+).zip", template) == hashes


def uploaded(tools: CommandLines) -> list[str]:
    """The keys that were written to."""
    return [re.findall(r"--key (\S+)", each)[0] for each in tools.calls if " put-object " in each]


def test_what_lies_in_the_bucket_counts_by_its_content_and_not_by_its_name(tools: CommandLines) -> None:
    name = "AccountEventsFunction"
    key = f"artefacts/{hashlib.sha256(name.encode()).hexdigest()}.zip"
    tools.forget()
    assert tools.run("aws", "--apply").code == 0
    assert uploaded(tools) == []
    tools.has(key, b"other")
    tools.has("member-roles.yaml", b"other")  # `rollcall template publish` brought it there, and it stays
    assert tools.run("aws", "--apply").code == 0
    assert uploaded(tools) == [key]
    [call] = [each for each in tools.calls if " put-object " in each]
    checksum = base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()
    assert f"--checksum-algorithm SHA256 --checksum-sha256 {checksum}" in call


def test_every_word_to_the_bucket_names_its_owner(tools: CommandLines) -> None:
    tools.answers("aws s3api head-object", err="An error occurred (404) when calling the HeadObject …", code=254)
    tools.run("aws", "--apply")
    calls = [each for each in tools.calls if each.startswith(("aws s3api ", "aws s3 "))]
    assert {each.split()[2] for each in calls} == {"head-bucket", "head-object", "put-object"}
    assert all("--expected-bucket-owner 123456789012" in each for each in calls)


def test_what_is_only_shown_is_written_beside_what_is_deployed(tools: CommandLines) -> None:
    tools.reaches(Step.AWS)
    shown = [each for each in tools.calls if "--s3-bucket" in each]
    assert len(shown) == 2
    assert all("--s3-prefix preview --force-upload" in each for each in shown)
    assert uploaded(tools) == []
    tools.forget()
    tools.answers("aws s3api head-object", err="An error occurred (404) when calling the HeadObject …", code=254)
    tools.run("aws", "--apply")
    applied = [each for each in tools.calls if "--s3-bucket" in each]
    assert len(applied) == 2
    assert all("--s3-prefix deploy --force-upload" in each for each in applied)
    assert not any(key.startswith(("deploy/", "preview/")) for key in uploaded(tools))


def test_a_change_is_waited_for_before_and_after_however_long_it_takes(tools: CommandLines) -> None:
    for status in ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"):
        under_way = {"Stacks": [{"StackName": "rollcall-reader-hub", "StackStatus": status}]}
        tools.answers("aws cloudformation describe-stacks", under_way, besides="rollcall-reader-hub", once=True)
    done = tools.run("aws", "--apply")
    assert done.code == 0, done.err
    assert "rollcall-reader-hub: UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" in done.out
    assert not any("cloudformation wait" in each for each in tools.calls)


def test_readers_that_are_not_there_are_told_account_by_account(tools: CommandLines) -> None:
    instances = [
        {"Account": "210987654321", "Status": "CURRENT"},
        {"Account": "210987654322", "Status": "OUTDATED", "StatusReason": "a policy denies iam:CreateRole"},
    ]
    tools.answers("aws cloudformation list-stack-instances", {"Summaries": instances})
    done = tools.run("aws", "--apply")
    assert "rollcall-reader: 210987654322 OUTDATED: a policy denies iam:CreateRole" in done.out
    assert "1 of 2 accounts" in done.out
    assert "210987654321" not in done.out


def test_a_deployment_of_azure_that_failed_leaves_what_is_known(tools: CommandLines) -> None:
    known = tools.kept("azure.json")
    tools.answers("az deployment sub list", ["Failed"])
    tools.answers("az deployment sub show", {"functionAppName": {"value": "of what failed"}})
    done = tools.run("azure")
    assert (done.code, "the last deployment is Failed" in done.out, "not deployed yet" in done.out) == (0, True, False)
    assert tools.kept("azure.json") == known


def test_the_template_that_is_deployed_is_ours_but_for_the_places_of_the_code() -> None:
    source = (REPOSITORY / Place.TEMPLATE).read_text(encoding="utf-8")
    code = {name: f"s3://bucket/{name}.zip" for name in functions(source)}
    assert len(code) == 3
    deployed = packaged(source, code)
    assert [each for each in deployed.splitlines() if "CodeUri" not in each] == [
        each for each in source.splitlines() if "CodeUri" not in each
    ]

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms as they stand."""

    Loader.add_multi_constructor("!", lambda loader, tag, node: (tag, str(node.value)))
    resources = yaml.load(deployed, Loader)["Resources"]  # noqa: S506 - a SafeLoader with tags as text
    served = {name: each for name, each in resources.items() if each["Type"] == "AWS::Serverless::Function"}
    assert {name: each["Properties"]["CodeUri"] for name, each in served.items()} == code


def test_google_s_plan_is_the_one_that_is_applied(tools: CommandLines) -> None:
    tools.forget()
    assert tools.run("gcp", "--apply").code == 0
    plan = str(tools.folder / ".deploy" / "gcp.tfplan")
    words = [each.split()[2] for each in tools.calls]
    assert words == ["init", "plan", "show", "apply", "output"]
    assert all(f"infra/gcp {word}" in each for word, each in zip(words, tools.calls, strict=True))
    assert f"-out={plan}" in tools.calls[1]
    assert tools.calls[3].endswith(plan)
    assert tools.kept("gcp.json")["policy"] == {"organization": "123456789012", "mode": "member"}


def test_nothing_to_change_is_said_and_executes_nothing(tools: CommandLines) -> None:
    tools.answers("aws cloudformation deploy", "No changes to deploy. Stack rollcall is up to date\n")
    tools.answers("terraform plan")
    tools.forget()
    done = tools.run("aws", "--apply")
    assert done.out.count("nothing to change") == 3
    assert tools.run("gcp", "--apply").code == 0
    assert changing(tools) == []


def test_a_change_set_that_was_only_shown_is_thrown_away(tools: CommandLines) -> None:
    tools.reaches(Step.AWS)
    assert sum("delete-change-set" in each for each in tools.calls) == 3
    tools.forget()
    tools.run("aws", "--apply")
    assert not any("delete-change-set" in each for each in tools.calls)


def test_the_first_time_federation_is_switched_on_and_azure_says_what_follows(tools: CommandLines) -> None:
    off = "An error occurred (FeatureDisabled) when calling the GetOutboundWebIdentityFederationInfo operation"
    tools.answers("aws iam get-outbound-web-identity-federation-info", err=off, code=254)
    shown = tools.run("federation")
    assert not (tools.folder / ".deploy" / "federation.json").exists()
    assert "would switch on" in shown.out
    assert tools.run("azure").err.startswith("deploy azure: nothing is known of the step federation")
    tools.answers(
        "aws iam get-outbound-web-identity-federation-info", {"IssuerIdentifier": ISSUER, "JwtVendingEnabled": True}
    )
    tools.answers("aws iam get-outbound-web-identity-federation-info", err=off, code=254, once=True)
    tools.answers("aws iam enable-outbound-web-identity-federation", {"IssuerIdentifier": ISSUER})
    assert tools.run("federation", "--apply").code == 0
    assert tools.kept("federation.json") == {"IssuerIdentifier": ISSUER}
    tools.answers("az deployment sub list", [])
    first = tools.run("azure")
    assert (first.code, "not deployed yet" in first.out) == (0, True)
    assert not (tools.folder / ".deploy" / "azure.json").exists()


def test_the_operator_s_shell_gets_the_settings_that_the_command_line_reads(tools: CommandLines) -> None:
    lines = (tools.folder / ".deploy" / "operator.env").read_text(encoding="utf-8").splitlines()
    found = dict(each.removeprefix("export ").split("=", 1) for each in lines)
    assert found["ROLLCALL_PUBLISH__S3"] == "s3://rollcall-123456789012-us-east-1/policy.yaml"
    assert found["ROLLCALL_POLICY"] == found["ROLLCALL_PUBLISH__BLOB"]
    assert {each.input for each in FEEDS if each.place is Place.SHELL} <= set(found)


def test_the_first_time_the_bucket_is_shown_alone_and_made_before_everything_else(tools: CommandLines) -> None:
    absent = "An error occurred (404) when calling the HeadBucket operation: Not Found"
    tools.answers("aws s3api head-bucket", err=absent, code=254)
    no_stack = "An error occurred (ValidationError) when calling the DescribeStacks operation: does not exist"
    tools.answers("aws cloudformation describe-stacks", err=no_stack, code=254)
    shown = tools.run("aws")
    assert (shown.code, "shown once the bucket is there" in shown.out) == (0, True)
    assert [each.split()[6] for each in tools.calls if each.startswith("aws cloudformation deploy ")] == [
        "rollcall-bucket"
    ]


def test_a_bucket_that_somebody_made_stays_as_it_is(tools: CommandLines) -> None:
    tools.says('# bucket = "example-rollcall" ', 'bucket = "example-rollcall" #')
    no_stack = "An error occurred (ValidationError) when calling the DescribeStacks operation: does not exist"
    tools.answers("aws cloudformation describe-stacks", besides="rollcall-bucket", err=no_stack, code=254)
    assert "example-rollcall: there, and not of rollcall-bucket" in tools.run("aws").out
    main, hub = [each for each in tools.calls if each.startswith("aws cloudformation deploy ")]
    assert "PolicyBucket=example-rollcall" in main
    assert "--s3-bucket example-rollcall" in hub
