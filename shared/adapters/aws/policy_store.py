"""A policy in Amazon S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws import refusals
from shared.adapters.aws.errors import error_code, translated
from shared.adapters.policy.source import Version, is_no_document

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class S3PolicyStore:
    """One object, read with the role of the Lambda function."""

    def __init__(self, s3: S3Client, url: str) -> None:
        """`url` is `s3://bucket/key`."""
        self._s3 = s3
        self._bucket, _, self._key = url.removeprefix("s3://").partition("/")

    def fetch(self, known_etag: str | None) -> Version | None:
        """The present version, asked for with If-None-Match."""
        known: dict[str, Any] = {"IfNoneMatch": known_etag} if known_etag else {}
        with translated(f"read s3://{self._bucket}/{self._key}"):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, **known)
            except ClientError as error:
                if error_code(error) in {"304", "NotModified"}:
                    return None
                raise
            version = Version(content=answer["Body"].read(), etag=answer["ETag"])
        if is_no_document(version.content):
            place = f"s3://{self._bucket}/{self._key}"
            raise refusals.NO_ANSWER.error(f"read {place}: nothing, or a web page, instead of a policy")
        return version
