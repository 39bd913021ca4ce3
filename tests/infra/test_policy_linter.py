"""Parliament finds nothing in any policy of infra/aws: of roles, their trust, queues and keys.

What it finds because it does not know better is named here, one by one, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.deployment import REPOSITORY
from tests.infra.aws_templates import ACCOUNT, as_list, load, resolved
from tests.infra.granted_rights import NEWER_THAN_THE_REFERENCE
from tests.infra.test_aws_template import ran

TEMPLATES = sorted((REPOSITORY / "infra" / "aws").glob("*.yaml"))
TEMPLATES.remove(REPOSITORY / "infra" / "aws" / "checkov.yaml")
DOCUMENTS = ("AssumeRolePolicyDocument", "KeyPolicy", "PolicyDocument")
# Entra's, which the linter knows neither as a source of federation nor by its condition keys.
PROVIDERS = (f"arn:aws:iam::{ACCOUNT}:oidc-provider/sts.windows.net/", "MDCCiemOIDCIdentityProvider")
_KEY_OF_ENTRA = re.compile(r"Unknown condition sts\.windows\.net/[0-9a-f-]{36}/:(aud|sub) for action (\S+)")
# Documented by Microsoft as whole services; no resource suits all of a service's actions.
WHOLE_SERVICES = {"ContainersK8s": {"firehose", "s3", "sqs"}, "CloudWatchToKinesis": {"firehose"}}


def policies(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Logical id, kind and document of every policy of a template."""
    resources = load(path)["Resources"]
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        found = [(kind, properties[kind]) for kind in DOCUMENTS if kind in properties]
        found += [("PolicyDocument", each["PolicyDocument"]) for each in properties.get("Policies", [])]
        for number, (kind, written) in enumerate(found):
            document = resolved(written, resources)
            yield f"{name}-{kind}-{number}", kind, json.loads(document) if isinstance(document, str) else document


def as_the_linter_reads_it(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """It wants resources, and a trust policy has none: there it is the role."""
    statements = [each for each in document["Statement"] if not NEWER_THAN_THE_REFERENCE & set(as_list(each["Action"]))]
    if kind == "AssumeRolePolicyDocument":
        statements = [each | {"Resource": f"arn:aws:iam::{ACCOUNT}:role/this"} for each in statements]
    return document | {"Statement": statements}


def findings(path: Path, folder: Path) -> list[dict[str, Any]]:
    for name, kind, document in policies(path):
        (folder / f"{name}.json").write_text(json.dumps(as_the_linter_reads_it(kind, document)), encoding="utf-8")
    assert list(folder.iterdir())
    return [json.loads(line) for line in ran("parliament", "--json", "--directory", str(folder)).splitlines()]


def accepted(finding: dict[str, Any]) -> bool:
    """Whether it is the linter that does not know better, or a role that would not work otherwise."""
    detail, (policy, kind, _) = finding["detail"], Path(finding["location"]["filepath"]).stem.split("-")
    match finding["issue"]:
        case "UNKNOWN_FEDERATION_SOURCE":
            return str(detail).startswith(PROVIDERS)
        case "UNKNOWN_CONDITION_FOR_ACTION":
            known = _KEY_OF_ENTRA.fullmatch(detail)
            return known is not None and known[2] == "sts:AssumeRoleWithWebIdentity"
        case "RESOURCE_STAR":
            return kind == "KeyPolicy"  # where it means the key. Source: KMS developer guide, "Key policies"
        case "RESOURCE_MISMATCH":
            return WHOLE_SERVICES.get(policy, set()) >= {each["action"].split(":")[0] for each in detail}
    return False


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_parliament_finds_nothing(path: Path, tmp_path: Path) -> None:
    assert [each for each in findings(path, tmp_path) if not accepted(each)] == []


def test_policies_of_every_kind_are_looked_at() -> None:
    kinds = {kind for path in TEMPLATES for _, kind, _ in policies(path)}
    assert kinds >= {"AssumeRolePolicyDocument", "PolicyDocument"}
    types = {each["Type"] for path in TEMPLATES for each in load(path)["Resources"].values()}
    assert "AWS::IAM::ManagedPolicy" not in types


@pytest.mark.parametrize(
    ("element", "value", "issue"),
    [
        ("Action", "sqs:SendMesage", "UNKNOWN_ACTION"),
        ("Resource", "arn:aws:s3:::somewhere", "RESOURCE_MISMATCH"),
        ("Condition", {"StringEqual": {"aws:SourceArn": "*"}}, "UNKNOWN_OPERATOR"),
    ],
)
def test_the_linter_finds_what_is_wrong_in_a_queue_s_policy(
    element: str, value: Any, issue: str, tmp_path: Path
) -> None:
    [template] = [path for path in TEMPLATES if path.name == "template.yaml"]
    [document] = [each for name, _, each in policies(template) if name == "StackEventsQueuePolicy-PolicyDocument-0"]
    document["Statement"][0][element] = value
    (tmp_path / "queue.json").write_text(json.dumps(document), encoding="utf-8")
    assert issue in ran("parliament", "--json", "--directory", str(tmp_path))
