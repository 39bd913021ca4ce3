"""The policy's place in Amazon S3, for whoever publishes it. Source: S3 API 2006-03-01, PutObject."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.domain.publication import PublishedPolicy
from shared.errors import ConfigurationError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}


class S3PolicyDestination:
    """One object, written with a checksum that S3 verifies and only over the version that was read.

    Names of buckets are the world's: one that went to somebody else, S3 refuses as not `owner`'s.
    """

    def __init__(self, s3: S3Client, url: str, *, owner: Callable[[], str]) -> None:
        """`url` is `s3://bucket/key`, `owner` tells the account that the bucket has to belong to."""
        self._s3 = s3
        self._owner = owner
        self._url = url
        self._bucket, _, self._key = url.removeprefix("s3://").partition("/")

    @property
    def url(self) -> str:
        """`s3://bucket/key`."""
        return self._url

    def find(self) -> PublishedPolicy | None:
        """The object's hash and ETag. Without s3:ListBucket, S3 answers a missing object with 403."""
        with translated(f"read {self._url} of account {self._owner()}"):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, ExpectedBucketOwner=self._owner())
                content = answer["Body"].read()
            except ClientError as error:
                if error_code(error) == "NoSuchKey":
                    return None
                if error_code(error) == "NoSuchBucket":
                    raise self._no_bucket() from error
                raise
        return PublishedPolicy(content_hash=hashlib.sha256(content).hexdigest(), version=answer["ETag"])

    def put(self, content: bytes, *, over: PublishedPolicy | None) -> None:
        """PutObject with If-Match or If-None-Match."""
        condition: dict[str, Any] = {"IfMatch": over.version} if over else {"IfNoneMatch": "*"}
        with translated(f"write {self._url} of account {self._owner()}"):
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=self._key,
                    ExpectedBucketOwner=self._owner(),
                    Body=content,
                    ContentType="application/yaml",
                    ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
                    **condition,
                )
            except ClientError as error:
                if error_code(error) in _CHANGED:
                    raise TransientError(
                        f"{self._url} has changed while it was being written", remedy="Run it again."
                    ) from error
                if error_code(error) == "NoSuchBucket":
                    raise self._no_bucket() from error
                raise

    def _no_bucket(self) -> ConfigurationError:
        return ConfigurationError(
            f"there is no bucket {self._bucket}",
            setting="ROLLCALL_PUBLISH__S3",
            remedy="Make it, or correct ROLLCALL_PUBLISH__S3 or --to.",
        )
