"""The template's object in Amazon S3. Source: S3 API 2006-03-01."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.domain.template_rollout import BucketFacts

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class S3TemplateBucket:
    """One object of one bucket. What is not `owner`'s, S3 refuses: names of buckets are the world's."""

    def __init__(self, s3: S3Client, *, bucket: str, key: str, region: str, owner: Callable[[], str]) -> None:
        """`region` is the bucket's, `owner` tells the account that it has to belong to."""
        self._s3 = s3
        self._owner = owner
        self._bucket = bucket
        self._key = key
        self._region = region

    @property
    def url(self) -> str:
        """As CloudFormation takes it for TemplateURL."""
        return f"https://{self._bucket}.s3.{self._region}.amazonaws.com/{self._key}"

    def inspect(self) -> BucketFacts:
        """Versioning and policy."""
        with translated(f"read bucket {self._bucket} of account {self._owner()}"):
            try:
                versioning = self._s3.get_bucket_versioning(Bucket=self._bucket, ExpectedBucketOwner=self._owner()).get(
                    "Status"
                )
                policy = self._policy()
            except ClientError as error:
                if error_code(error) == "NoSuchBucket":
                    return BucketFacts(name=self._bucket, exists=False)
                raise
        return BucketFacts(name=self._bucket, versioned=versioning == "Enabled", policy=policy)

    def _policy(self) -> str:
        try:
            return self._s3.get_bucket_policy(Bucket=self._bucket, ExpectedBucketOwner=self._owner())["Policy"]
        except ClientError as error:
            if error_code(error) == "NoSuchBucketPolicy":
                return ""
            raise

    def find(self) -> str:
        """The hash of the object's bytes."""
        with translated(f"read s3://{self._bucket}/{self._key} of account {self._owner()}"):
            try:
                content = self._s3.get_object(Bucket=self._bucket, Key=self._key, ExpectedBucketOwner=self._owner())[
                    "Body"
                ].read()
            except ClientError as error:
                if error_code(error) == "NoSuchKey":
                    return ""
                raise
        return hashlib.sha256(content).hexdigest()

    def put(self, content: bytes) -> None:
        """PutObject, with a checksum that S3 verifies."""
        with translated(f"write s3://{self._bucket}/{self._key} of account {self._owner()}"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._key,
                ExpectedBucketOwner=self._owner(),
                Body=content,
                ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
            )
