"""What infra/aws says, checked without any cloud: lint, least privilege, and that its parts fit together."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from lambdas.settings import ReadinessSettings
from sandbox.deployment import MEMBER_TEMPLATE, REPOSITORY, TEMPLATE, build_artefact, transform
from shared.adapters.aws.own_events import OWN_SOURCE, RECONCILE_REQUESTED, RECONCILE_SOURCE
from shared.domain.readiness import Readiness

ACCOUNT = "111122223333"
TENANT = "12345678-9abc-def0-1234-56789abcdef0"
PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": "rollcall",
    "TenantId": TENANT,
    "PolicyBucket": "policies",
    "PolicyKey": "policy.yaml",
    "ManagementStackName": "rollcall-member-roles",
    "MemberRoles": "rollcall-member-roles:11111111-2222-3333-4444-555555555555",
}
ARNS = {
    "AWS::SQS::Queue": f"arn:aws:sqs:us-east-1:{ACCOUNT}:",
    "AWS::Logs::LogGroup": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:",
    "AWS::Events::Rule": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/",
    "AWS::KMS::Key": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/",
}
WITHOUT_RESOURCE_LEVEL = {"organizations:ListAccounts", "organizations:ListRoots", "sts:GetWebIdentityToken"}
NEWER_THAN_THE_LINTER = {"sts:GetWebIdentityToken"}  # AWS added it in November 2025
# Documented by Microsoft as whole services; no resource suits all of a service's actions.
WHOLE_SERVICES = {"ContainersK8s": {"firehose", "s3", "sqs"}, "CloudWatchToKinesis": {"firehose"}}


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml_parse(path.read_text())
    return loaded


def resolved(value: Any, resources: dict[str, Any]) -> Any:
    """A template value with its intrinsic functions replaced by plausible values."""
    if not isinstance(value, dict):
        return [resolved(item, resources) for item in value] if isinstance(value, list) else value
    if set(value) == {"Ref"}:
        return PARAMETERS.get(value["Ref"], value["Ref"])
    if set(value) == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}]+)\}", lambda found: PARAMETERS[found[1]], value["Fn::Sub"])
    if set(value) == {"Fn::GetAtt"}:
        name, attribute = value["Fn::GetAtt"]
        assert attribute == "Arn"
        suffix = ":*" if resources[name]["Type"] == "AWS::Logs::LogGroup" else ""
        return ARNS[resources[name]["Type"]] + name + suffix
    if set(value) == {"Fn::If"}:
        _, ours, _ = value["Fn::If"]
        return resolved(ours, resources)
    return {key: resolved(item, resources) for key, item in value.items()}


def inline_policies(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    resources = load(path)["Resources"]
    for name, resource in resources.items():
        for policy in resource.get("Properties", {}).get("Policies", []):
            yield name, resolved(policy["PolicyDocument"], resources)


def statements_of(path: Path) -> Iterator[dict[str, Any]]:
    for _, document in inline_policies(path):
        yield from document["Statement"]


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def ran(command: str, *arguments: str) -> str:
    """What an installed command says."""
    path = Path(sys.executable).with_name(command)
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def transformed() -> dict[str, Any]:
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    return transform(session, TEMPLATE.read_text(), bucket="artefacts", key="code.zip")


TEMPLATES = sorted(set(TEMPLATE.parent.glob("*.yaml")) - {TEMPLATE.with_name("checkov.yaml")})


def test_these_are_the_templates_of_aws() -> None:
    assert [path.stem for path in TEMPLATES] == [
        "bucket",
        "control-tower",
        "member-roles",
        "reader-hub",
        "reader-role",
        "template",
    ]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(path: Path) -> None:
    assert ran("cfn-lint", str(path)) == ""


@pytest.mark.parametrize("path", [TEMPLATE, MEMBER_TEMPLATE], ids=lambda path: path.name)
def test_parliament_finds_nothing_in_the_inline_policies(path: Path, tmp_path: Path) -> None:
    for name, document in inline_policies(path):
        known = [
            statement
            for statement in document["Statement"]
            if not NEWER_THAN_THE_LINTER & set(as_list(statement["Action"]))
        ]
        (tmp_path / f"{name}.json").write_text(json.dumps(document | {"Statement": known}))
    assert list(tmp_path.iterdir())
    findings = [json.loads(line) for line in ran("parliament", "--json", "--directory", str(tmp_path)).splitlines()]
    assert [finding for finding in findings if path != MEMBER_TEMPLATE or not accepted(finding)] == []


def accepted(finding: dict[str, Any]) -> bool:
    """Whether a finding in the member template has no remedy that Microsoft's roles would survive."""
    if finding["issue"] == "RESOURCE_STAR":  # snapshots and keys that are yet unnamed
        return True
    services = WHOLE_SERVICES.get(Path(finding["location"]["filepath"]).stem, set())
    return finding["issue"] == "RESOURCE_MISMATCH" and services >= {
        mismatch["action"].split(":")[0] for mismatch in finding["detail"]
    }


def test_no_permission_of_a_function_has_a_wildcard_action() -> None:
    for statement in statements_of(TEMPLATE):
        assert statement["Effect"] == "Allow"
        assert not [action for action in as_list(statement["Action"]) if "*" in action]


def test_every_resource_is_named_where_the_action_knows_resources() -> None:
    unbounded = [statement for statement in statements_of(TEMPLATE) if "*" in as_list(statement["Resource"])]
    assert {action for statement in unbounded for action in as_list(statement["Action"])} == WITHOUT_RESOURCE_LEVEL


def test_web_identity_tokens_are_for_entra_only_and_short_lived() -> None:
    granted = [
        statement
        for statement in statements_of(TEMPLATE)
        if as_list(statement["Action"]) == ["sts:GetWebIdentityToken"]
    ]
    assert len(granted) == 3
    for statement in granted:
        condition = statement["Condition"]
        audiences = condition["ForAllValues:StringEquals"]["sts:IdentityTokenAudience"]
        assert audiences == ["api://AzureADTokenExchange"]
        assert condition["NumericLessThanEquals"]["sts:DurationSeconds"] <= 900


def test_every_target_of_a_rule_accepts_that_rule_only() -> None:
    resources = load(TEMPLATE)["Resources"]
    policies = [
        resource["Properties"] for resource in resources.values() if resource["Type"] == "AWS::SQS::QueuePolicy"
    ]
    rules = {name: found for name, found in resources.items() if found["Type"] == "AWS::Events::Rule"}
    assert len(rules) == 3
    for name, rule in rules.items():
        for target in rule["Properties"]["Targets"]:
            for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]):
                (policy,) = [found for found in policies if found["Queues"] == [{"Ref": arn["Fn::GetAtt"][0]}]]
                allow, deny = policy["PolicyDocument"]["Statement"]
                assert allow["Principal"] == {"Service": "events.amazonaws.com"}
                assert allow["Action"] == "sqs:SendMessage"
                assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [name, "Arn"]}}}
                assert (deny["Effect"], deny["Condition"]) == (
                    "Deny",
                    {"Bool": {"aws:SecureTransport": "false"}},
                )


def test_only_those_who_meet_accounts_that_are_not_ready_may_send_to_the_queue_of_account_events() -> None:
    template = load(TEMPLATE)
    queue = {"Fn::GetAtt": ["AccountEventsQueue", "Arn"]}
    grants = {
        name: [
            statement["Resource"]
            for policy in found["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            if "sqs:SendMessage" in statement["Action"]
        ]
        for name, found in template["Resources"].items()
        if found["Type"] == "AWS::IAM::Role"
    }
    schedule = grants.pop("ReconcileScheduleRole")
    assert queue not in schedule[0]
    assert grants == {"AccountEventsRole": [queue], "StackEventsRole": [queue], "ReconcileAccountsRole": []}
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["ROLLCALL_READINESS__QUEUE_URL"] == {"Ref": "AccountEventsQueue"}


def test_an_account_that_is_not_ready_is_tried_again_as_the_code_does_by_default() -> None:
    template, settings = load(TEMPLATE), ReadinessSettings.model_fields
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    for name, parameter in (
        ("first_delay_seconds", "ReadinessFirstDelaySeconds"),
        ("budget_seconds", "ReadinessBudgetSeconds"),
    ):
        default = template["Parameters"][parameter]["Default"]
        assert default == settings[name].default == getattr(Readiness(), name)
        assert variables[f"ROLLCALL_READINESS__{name.upper()}"] == {"Ref": parameter}
    assert settings["longest_delay_seconds"].default == Readiness().longest_delay_seconds == 900


def test_every_event_queue_is_encrypted_and_gives_up_after_five_tries() -> None:
    resources = load(TEMPLATE)["Resources"]
    queues = {name: found["Properties"] for name, found in resources.items() if found["Type"] == "AWS::SQS::Queue"}
    key = {"Fn::GetAtt": ["QueueKey", "Arn"]}
    assert [properties["KmsMasterKeyId"] for properties in queues.values()] == [key] * 6
    sources = {name: properties for name, properties in queues.items() if "RedrivePolicy" in properties}
    assert set(sources) == {"AccountEventsQueue", "StackEventsQueue", "ReconcileQueue"}
    for name, properties in sources.items():
        dead_letters = name.replace("Queue", "DeadLetterQueue")
        redrive = properties["RedrivePolicy"]
        assert redrive == {"deadLetterTargetArn": {"Fn::GetAtt": [dead_letters, "Arn"]}, "maxReceiveCount": 5}


def test_stack_events_are_those_of_our_stack_set(transformed: dict[str, Any]) -> None:
    pattern = transformed["Resources"]["StackEventsRule"]["Properties"]["EventPattern"]
    (arn,) = resolved(pattern["detail"]["stack-set-arn"], {})
    assert arn == f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stackset/{PARAMETERS['MemberRoles']}"


def test_transform_yields_the_functions_and_their_event_sources(transformed: dict[str, Any]) -> None:
    resources = transformed["Resources"]
    for name, handler in (("AccountEvents", "account_events"), ("StackEvents", "stack_events")):
        function = resources[f"{name}Function"]["Properties"]
        assert function["Handler"] == f"lambdas.{handler}.handler.handler"
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert function["Code"] == {"S3Bucket": "artefacts", "S3Key": "code.zip"}
        assert "ROLLCALL_POLICY" in function["Environment"]["Variables"]
        mapping = resources[f"{name}FunctionQueue"]["Properties"]
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["EventSourceArn"] == {"Fn::GetAtt": [f"{name}Queue", "Arn"]}


def test_the_comparison_goes_on_by_events_of_its_own(transformed: dict[str, Any]) -> None:
    resources = transformed["Resources"]
    pattern = resources["ReconcileRule"]["Properties"]["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == ([RECONCILE_SOURCE], [RECONCILE_REQUESTED])
    assert "ScheduleExpression" not in resources["ReconcileRule"]["Properties"]
    assert RECONCILE_SOURCE not in resources["AccountEventsRule"]["Properties"]["EventPattern"]["$or"][-1]["source"]
    [put] = [found for found in statements_of(TEMPLATE) if found["Action"] == "events:PutEvents"]
    assert put["Condition"] == {"ForAllValues:StringEquals": {"events:source": [OWN_SOURCE, RECONCILE_SOURCE]}}


def test_our_own_events_count_from_our_own_account_only(transformed: dict[str, Any]) -> None:
    resources = transformed["Resources"]
    [own] = [
        each
        for each in resources["AccountEventsRule"]["Properties"]["EventPattern"]["$or"]
        if each["source"] == [OWN_SOURCE]
    ]
    for pattern in (own, resources["ReconcileRule"]["Properties"]["EventPattern"]):
        assert pattern["account"] == [{"Ref": "AWS::AccountId"}]


def test_the_comparison_has_time_to_end_before_lambda_ends_it(transformed: dict[str, Any]) -> None:
    parameters, function = transformed["Parameters"], transformed["Resources"]["ReconcileAccountsFunction"]
    time_out = function["Properties"]["Timeout"]
    assert parameters["ReconcileSeconds"]["Default"] == 600
    assert parameters["ReconcileSeconds"]["MaxValue"] <= time_out - 120  # the longest account and the flush
    mapping = transformed["Resources"]["ReconcileAccountsFunctionQueue"]["Properties"]
    assert mapping["BatchSize"] == 1


@pytest.mark.parametrize("name", ["AccountEvents", "StackEvents", "ReconcileAccounts"])
def test_a_failed_event_is_out_of_sight_for_six_time_outs_and_the_window(
    name: str, transformed: dict[str, Any]
) -> None:
    """Source: Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping"."""
    resources = transformed["Resources"]
    mapping = resources[f"{name}FunctionQueue"]["Properties"]
    queue = resources[mapping["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
    delay = transformed["Parameters"][queue["VisibilityTimeout"]["Ref"]]["Default"]
    time_out = resources[f"{name}Function"]["Properties"]["Timeout"]
    assert delay >= 6 * time_out + mapping.get("MaximumBatchingWindowInSeconds", 0)


@pytest.mark.parametrize("name", ["AccountEvents", "StackEvents", "ReconcileAccounts"])
def test_each_function_runs_twice_at_once_at_most(name: str, transformed: dict[str, Any]) -> None:
    resources = transformed["Resources"]
    assert resources[f"{name}FunctionQueue"]["Properties"]["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert "ReservedConcurrentExecutions" not in resources[f"{name}Function"]["Properties"]


def test_makefile_builds_every_function_of_the_template() -> None:
    functions = [
        name for name, found in load(TEMPLATE)["Resources"].items() if found["Type"] == "AWS::Serverless::Function"
    ]
    makefile = (REPOSITORY / "lambdas" / "Makefile").read_text()
    targets = set(re.search(r"^(build-.*): artefact$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]  # None fails the test
    assert targets == {f"build-{name}" for name in functions}


def test_artefact_holds_lambdas_and_shared_only_and_is_repeatable() -> None:
    artefact = build_artefact()
    names = zipfile.ZipFile(io.BytesIO(artefact)).namelist()
    assert {name.split("/")[0] for name in names} == {"lambdas", "shared"}
    assert not [name for name in names if "__pycache__" in name or name.endswith("Makefile")]
    assert build_artefact() == artefact


@pytest.mark.parametrize("function", ["AccountEventsFunction", "StackEventsFunction", "ReconcileAccountsFunction"])
def test_handler_can_be_imported_from_the_artefact_alone(function: str, tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(build_artefact())).extractall(tmp_path)
    module, name = load(TEMPLATE)["Resources"][function]["Properties"]["Handler"].rsplit(".", 1)
    packages = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    script = (
        f"import sys; sys.path[:0] = {[str(tmp_path), *packages]!r}; import {module} as module; "
        f"assert callable(module.{name}); assert module.__file__.startswith({str(tmp_path)!r}), module.__file__; "
        "assert 'sandbox' not in sys.modules"
    )
    # -I and -S: no environment, no editable installation; the checkout itself cannot be seen.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
