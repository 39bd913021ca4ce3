"""infra/aws/bucket.yaml: what `rollcall template publish` and an auditor ask of the bucket."""

from __future__ import annotations

from typing import Any

from sandbox.deployment import BUCKET_TEMPLATE
from tests.infra.aws_templates import load

TEMPLATE: dict[str, Any] = load(BUCKET_TEMPLATE)
BUCKET: dict[str, Any] = TEMPLATE["Resources"]["Bucket"]


def test_the_bucket_and_its_versions_outlive_the_stack() -> None:
    assert (BUCKET["DeletionPolicy"], BUCKET["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert BUCKET["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_nobody_outside_gets_in_and_there_are_no_access_lists() -> None:
    blocked = BUCKET["Properties"]["PublicAccessBlockConfiguration"]
    assert set(blocked) == {"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"}
    assert set(blocked.values()) == {True}
    assert BUCKET["Properties"]["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_requests_without_tls_are_denied_to_everybody() -> None:
    [statement] = TEMPLATE["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert [each["Fn::Sub"].rpartition(":::")[2] for each in statement["Resource"]] == ["${Bucket}", "${Bucket}/*"]


def test_only_old_versions_go_and_the_last_ones_never() -> None:
    old, broken = BUCKET["Properties"]["LifecycleConfiguration"]["Rules"]
    assert old["NoncurrentVersionExpiration"] == {"NoncurrentDays": 365, "NewerNoncurrentVersions": 20}
    assert set(broken) == {"Id", "Status", "AbortIncompleteMultipartUpload"}
    assert "ExpirationInDays" not in old
