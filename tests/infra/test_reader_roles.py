"""infra/aws/reader-hub.yaml and reader-role.yaml: who gets in, and that nobody can change anything."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from sandbox.cloud import HUB_TEMPLATE
from shared.domain.roles import PROVIDER_HOST, Role
from tests.infra.test_aws_template import ran

READER_TEMPLATE = HUB_TEMPLATE.with_name("reader-role.yaml")
READS = {
    "cloudformation:DescribeStackInstance",
    "cloudformation:DescribeStackSet",
    "cloudformation:GetTemplate",
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackInstances",
    "cloudwatch:GetMetricData",
    "ec2:DescribeInstances",
    "ec2:DescribeRegions",
    "iam:GetOpenIDConnectProvider",
    "iam:GetRole",
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListRoots",
    "organizations:ListTagsForResource",
    "sqs:GetQueueAttributes",
    "sts:AssumeRole",
}
WITHOUT_RESOURCES = {
    "cloudwatch:GetMetricData",
    "ec2:DescribeInstances",
    "ec2:DescribeRegions",
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListRoots",
}
"""Actions that know no resource. Source: Service Authorization Reference."""


def resources_of(template: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse(template.read_text(encoding="utf-8"))["Resources"]
    return found


def statements() -> list[dict[str, Any]]:
    return [
        statement
        for template in (HUB_TEMPLATE, READER_TEMPLATE)
        for resource in resources_of(template).values()
        for policy in resource["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def test_both_roles_together_may_do_what_the_sweep_calls_and_nothing_else() -> None:
    granted = [action for each in statements() for action in each["Action"] if isinstance(each["Action"], list)]
    granted += [each["Action"] for each in statements() if isinstance(each["Action"], str)]
    assert sorted(granted) == sorted(READS)
    assert {each["Effect"] for each in statements()} == {"Allow"}


def test_only_what_knows_no_resource_is_granted_on_all() -> None:
    for each in statements():
        actions = each["Action"] if isinstance(each["Action"], list) else [each["Action"]]
        assert (each["Resource"] == "*") is (set(actions) <= WITHOUT_RESOURCES)


def test_the_hub_takes_roles_of_its_organization_only() -> None:
    [taking] = [each for each in statements() if each["Action"] == "sts:AssumeRole"]
    assert taking["Condition"] == {"StringEquals": {"aws:ResourceOrgID": {"Ref": "OrganizationId"}}}


def test_one_identity_of_one_tenant_becomes_the_hub() -> None:
    trust = json.loads(resources_of(HUB_TEMPLATE)["HubRole"]["Properties"]["AssumeRolePolicyDocument"]["Fn::Sub"])
    [statement] = trust["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {
            "sts.windows.net/${TenantId}/:aud": "${Audience}",
            "sts.windows.net/${TenantId}/:sub": "${IdentityObjectId}",
        }
    }


def test_only_the_hub_of_the_same_organization_becomes_a_reader() -> None:
    [statement] = resources_of(READER_TEMPLATE)["ReaderRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"]["AWS"]["Fn::Sub"].endswith(":role/rollcall-reader-hub")
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}}}


@pytest.mark.parametrize("role", list(Role))
def test_every_role_of_defenders_may_be_looked_at(role: Role) -> None:
    [looking] = [each for each in statements() if each["Action"] == "iam:GetRole"]
    patterns = [each["Fn::Sub"].rpartition("/")[2] for each in looking["Resource"]]
    assert any(fnmatchcase(role, pattern) for pattern in patterns)


def test_only_defenders_provider_may_be_looked_at() -> None:
    [looking] = [each for each in statements() if each["Action"] == "iam:GetOpenIDConnectProvider"]
    assert looking["Resource"]["Fn::Sub"].endswith(f":oidc-provider/{PROVIDER_HOST}")


def test_only_the_stacks_of_one_stack_set_may_be_read() -> None:
    [reading] = [each for each in statements() if each["Action"] == "cloudformation:GetTemplate"]
    assert reading["Resource"]["Fn::Sub"].endswith(":stack/StackSet-${StackSetName}-*/*")
    default = yaml_parse(READER_TEMPLATE.read_text(encoding="utf-8"))["Parameters"]["StackSetName"]["Default"]
    assert default == yaml_parse(HUB_TEMPLATE.read_text(encoding="utf-8"))["Parameters"]["StackSetName"]["Default"]


def test_parliament_finds_nothing(tmp_path: Path) -> None:
    """Actions exist, and know the resources that they are granted on, by the Service Authorization Reference."""
    for number, statement in enumerate(statements()):
        resolved = {**statement, "Resource": [_plain(each) for each in _list(statement["Resource"])]}
        resolved.pop("Condition", None)  # a global key, which the linter knows of no action
        document = {"Version": "2012-10-17", "Statement": [resolved]}
        (tmp_path / f"{number}.json").write_text(json.dumps(document), encoding="utf-8")
    assert ran("parliament", "--json", "--directory", str(tmp_path)) == ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(resource: Any) -> str:
    text = resource if isinstance(resource, str) else resource["Fn::Sub"]
    names = {
        "AWS::Partition": "aws",
        "AWS::Region": "us-east-1",
        "AWS::AccountId": "012345678901",
        "OrganizationId": "o-exampleorg1",
        "ReaderRoleName": "rollcall-reader",
        "StackSetName": "rollcall-member-roles",
        "StackName": "rollcall",
    }
    for name, value in names.items():
        text = text.replace(f"${{{name}}}", value)
    return str(text)


def test_the_readers_are_made_with_the_hub_and_come_and_go_with_their_accounts() -> None:
    resources = resources_of(HUB_TEMPLATE)
    readers = resources["Readers"]["Properties"]
    assert readers["AutoDeployment"] == {"Enabled": True, "RetainStacksOnAccountRemoval": False}
    assert (readers["PermissionModel"], readers["StackSetName"]) == ("SERVICE_MANAGED", "rollcall-reader")
    assert readers["TemplateURL"] == {"Ref": "ReaderTemplateUrl"}
    of_ours = resources["ReaderOfTheManagementAccount"]["Properties"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in readers["Parameters"]}
    assert given == of_ours["Parameters"]
    assert set(given) == set(yaml_parse(READER_TEMPLATE.read_text(encoding="utf-8"))["Parameters"])
    for name in ("Readers", "ReaderOfTheManagementAccount"):
        assert (resources[name]["Condition"], resources[name]["DependsOn"]) == ("MakesReaders", "HubRole")
