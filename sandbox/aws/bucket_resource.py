"""Buckets made by stacks, with all that their template says, and `AWS::S3::BucketPolicy`.

moto's CloudFormation reads a bucket's encryption and tags, skips the other properties, and lacks the policy.
Source: CloudFormation template reference, AWS::S3::Bucket, AWS::S3::BucketPolicy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel
from moto.moto_api._internal import mock_random
from moto.s3.models import FakeBucket, S3Backend, s3_backends

from sandbox.aws.active import PARTITION
from sandbox.aws.patching import Patch

_KNOWN = {
    "BucketEncryption",
    "BucketName",
    "LifecycleConfiguration",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
    "VersioningConfiguration",
}
_moto_create = FakeBucket.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]  # a class method's own
_moto_update = FakeBucket.update_from_cloudformation_json.__func__  # type: ignore[attr-defined]  # a class method's own


class BucketPolicyResource(CloudFormationModel):
    """The policy of one bucket."""

    def __init__(self, bucket: str) -> None:
        self.physical_resource_id = str(mock_random.uuid4())
        self.bucket = bucket

    @staticmethod
    def cloudformation_name_type() -> str:
        """The resource has no name property."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::S3::BucketPolicy"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """`Fn::GetAtt` knows nothing of it."""
        return False

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> BucketPolicyResource:
        """Sets the bucket's policy."""
        properties = cloudformation_json["Properties"]
        document = json.dumps(properties["PolicyDocument"], default=str).encode()
        s3_backends[account_id][PARTITION].put_bucket_policy(properties["Bucket"], document)
        return cls(properties["Bucket"])

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: BucketPolicyResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> BucketPolicyResource:
        """Replaces the policy."""
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

    def delete(self, account_id: str, region_name: str) -> None:
        """Takes the policy off."""
        s3_backends[account_id][PARTITION].delete_bucket_policy(self.bucket)

    def is_created(self) -> bool:
        """Policies hold at once."""
        return True


def _create(cls: type[FakeBucket], /, name: str, template: Any, account_id: str, *where: str, **kwargs: Any) -> Any:
    properties = template.get("Properties", {})
    unknown = sorted(set(properties) - _KNOWN)
    if unknown:
        raise ValidationError(message=f"Encountered unsupported property {unknown[0]}")
    bucket = _moto_create(cls, name, template, account_id, *where, **kwargs)
    _configure(s3_backends[account_id][PARTITION], bucket.name, properties)
    return bucket


def _update(cls: type[FakeBucket], /, **given: Any) -> Any:
    updated = _moto_update(cls, **given)
    _configure(s3_backends[given["account_id"]][PARTITION], updated.name, given["cloudformation_json"]["Properties"])
    return updated


def _configure(backend: S3Backend, name: str, properties: dict[str, Any]) -> None:
    if "VersioningConfiguration" in properties:
        backend.put_bucket_versioning(name, properties["VersioningConfiguration"]["Status"])
    if "PublicAccessBlockConfiguration" in properties:
        backend.put_public_access_block(name, properties["PublicAccessBlockConfiguration"])
    if "OwnershipControls" in properties:
        [rule] = properties["OwnershipControls"]["Rules"]
        backend.put_bucket_ownership_controls(name, rule["ObjectOwnership"])
    if "LifecycleConfiguration" in properties:
        rules = [_rule(each) for each in properties["LifecycleConfiguration"]["Rules"]]
        backend.put_bucket_lifecycle_configuration(name, rules)


_RULE = {"Id", "Status", "AbortIncompleteMultipartUpload", "ExpiredObjectDeleteMarker", "NoncurrentVersionExpiration"}


def _rule(given: dict[str, Any]) -> dict[str, Any]:
    """A rule as S3's API has it, where CloudFormation says some things in another way."""
    unknown = sorted(set(given) - _RULE)
    if unknown:
        raise ValidationError(message=f"Encountered unsupported property {unknown[0]}")
    rule: dict[str, Any] = {"ID": given.get("Id"), "Status": given["Status"], "Prefix": ""}
    if "ExpiredObjectDeleteMarker" in given:
        rule["Expiration"] = {"ExpiredObjectDeleteMarker": str(given["ExpiredObjectDeleteMarker"]).lower()}
    for name in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"):
        if name in given:
            rule[name] = {key: str(value) for key, value in given[name].items()}
    return rule


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(FakeBucket, "create_from_cloudformation_json", classmethod(_create))
    yield Patch(FakeBucket, "update_from_cloudformation_json", classmethod(_update))
