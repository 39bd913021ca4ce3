"""The templates of infra/aws as data: parsed, with plausible values for parameters and references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

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
    "ManagementAccountId": ACCOUNT,
    "OrganizationId": "o-exampleorg1",
    "ReaderRoleName": "rollcall-reader",
    "StackName": "rollcall",
    "StackSetName": "rollcall-member-roles",
}
ARNS = {
    "AWS::SQS::Queue": f"arn:aws:sqs:us-east-1:{ACCOUNT}:",
    "AWS::Logs::LogGroup": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:",
    "AWS::Events::Rule": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/",
    "AWS::IAM::OIDCProvider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/",
    "AWS::KMS::Key": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/",
}


def load(path: Path) -> dict[str, Any]:
    """A template, its functions as `{"Ref": …}` and `{"Fn::…": …}`."""
    loaded: dict[str, Any] = yaml_parse(path.read_text(encoding="utf-8"))
    return loaded


def resolved(value: Any, resources: dict[str, Any]) -> Any:
    """A template value with its intrinsic functions replaced by plausible values."""
    if not isinstance(value, dict):
        return [resolved(item, resources) for item in value] if isinstance(value, list) else value
    if set(value) == {"Ref"}:
        name = value["Ref"]
        topic = resources.get(name, {}).get("Type") == "AWS::SNS::Topic"  # of which Ref gives the ARN
        return f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}" if topic else PARAMETERS.get(name, name)
    if set(value) == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}]+)\}", lambda found: PARAMETERS.get(found[1], found[1]), value["Fn::Sub"])
    if set(value) == {"Fn::GetAtt"}:
        name, attribute = value["Fn::GetAtt"]
        assert attribute == "Arn"
        suffix = ":*" if resources[name]["Type"] == "AWS::Logs::LogGroup" else ""
        return ARNS.get(resources[name]["Type"], f"arn:aws:other:us-east-1:{ACCOUNT}:") + name + suffix
    if set(value) == {"Fn::If"}:
        _, ours, _ = value["Fn::If"]
        return resolved(ours, resources)
    return {key: resolved(item, resources) for key, item in value.items()}


def policies_of(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Logical id of a role, and one of its inline policies."""
    resources = template["Resources"]
    for name, resource in resources.items():
        for policy in resource.get("Properties", {}).get("Policies", []):
            yield name, resolved(policy["PolicyDocument"], resources)


def inline_policies(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """As `policies_of`, of a file."""
    return policies_of(load(path))


def statements_of(path: Path) -> Iterator[dict[str, Any]]:
    """Every statement of the inline policies of a file."""
    for _, document in inline_policies(path):
        yield from document["Statement"]


def as_list(value: Any) -> list[Any]:
    """A policy element that may be one value or a list, as a list."""
    return value if isinstance(value, list) else [value]
