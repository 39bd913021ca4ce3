"""Every policy with principals in infra/aws, by the Service Authorization Reference: of resources, and of trust."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.infra.test_aws_template import ACCOUNT, PARAMETERS, TEMPLATES, load, ran, resolved

DOCUMENTS = ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument")
OF_MICROSOFT = "member-roles.yaml"  # its trusts are compared with documented ones in test_member_roles.py
MORE = {
    "AlarmTopic": f"arn:aws:sns:us-east-1:{ACCOUNT}:rollcall-alarms",
    "Bucket": "rollcall",
    "Audience": "api://rollcall-aws",
    "ManagementAccountId": ACCOUNT,
} | {
    "IdentityObjectId": "12345678-9abc-def0-1234-56789abcdef1",
    "OrganizationId": "o-exampleorg1",
}
WHAT_THE_LINTER_DOES_NOT_KNOW = {
    # In a key's policy the resource `*` is the key. Source: KMS developer guide, "Key policies".
    ("template.QueueKey", "RESOURCE_STAR"),
    # Entra's address as a provider, and condition keys that have it in their names.
    ("reader-hub.HubRole", "UNKNOWN_FEDERATION_SOURCE"),
    ("reader-hub.HubRole", "UNKNOWN_CONDITION_FOR_ACTION"),
}


def resource_policies() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Template and resource, the kind of document, and the document with plausible values."""
    for path in TEMPLATES:
        resources = load(path)["Resources"] if path.name != OF_MICROSOFT else {}
        for name, resource in resources.items():
            for kind in set(DOCUMENTS) & set(resource.get("Properties", {})):
                document = resolved(resource["Properties"][kind], resources)
                yield f"{path.stem}.{name}", kind, json.loads(document) if isinstance(document, str) else document


def test_parliament_finds_nothing_in_policies_with_principals(tmp_path: Path, monkeypatch: Any) -> None:
    for name, value in MORE.items():
        monkeypatch.setitem(PARAMETERS, name, value)
    kinds = set()
    for name, kind, document in resource_policies():
        kinds.add(kind)
        for number, statement in enumerate(document["Statement"]):
            without_resource = {} if "Resource" in statement else {"Resource": "*"}  # a trust has none
            policy = {"Version": "2012-10-17", "Statement": [statement | without_resource]}
            (tmp_path / f"{name}.{kind}.{number}.json").write_text(json.dumps(policy), encoding="utf-8")
    assert kinds == set(DOCUMENTS)
    assert len(list(tmp_path.iterdir())) >= 25
    lines = ran("parliament", "--json", "--directory", str(tmp_path)).splitlines()
    assert [each for each in map(json.loads, lines) if not _known(each)] == []


def _known(finding: dict[str, Any]) -> bool:
    name, kind, _ = Path(finding["location"]["filepath"]).stem.rsplit(".", 2)
    made_up = kind == "AssumeRolePolicyDocument" and finding["issue"] in {"RESOURCE_STAR", "RESOURCE_MISMATCH"}
    return made_up or (name, finding["issue"]) in WHAT_THE_LINTER_DOES_NOT_KNOW
