"""The bucket of policy, templates and code: whose it is, and what is put into it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from deploy.aws_account import REGION
from deploy.programs import act, ask
from deploy.settings import Aws

_ABSENT, _FORBIDDEN = "404", "403"


def in_bucket(aws: Aws, key: str) -> str:
    """The address of a key, as SAM wants it."""
    return f"s3://{aws.bucket_name}/{key}"


def https(address: str) -> str:
    """The same address as CloudFormation wants that of a template."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return f"https://{bucket}.s3.{REGION}.amazonaws.com/{key}"


def digest(path: Path) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_there(aws: Aws) -> bool:
    """False where nobody has a bucket of this name. Raises RefusedError where somebody else has: it can be guessed."""
    return _found(aws, "head-bucket") is not None


def upload(aws: Aws, path: Path, key: str, *, once: bool = False) -> None:
    """Brings a file to its place. What lies there counts by its content; with `once` it stays, whatever it is."""
    there = _found(aws, "head-object", "--key", key, "--checksum-mode", "ENABLED")
    checksum = base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
    if there is not None and (once or there.get("ChecksumSHA256") == checksum):
        return
    act(
        *_called(aws, "put-object", "--key", key, "--body", str(path)),
        *("--checksum-algorithm", "SHA256", "--checksum-sha256", checksum),
    )


def _found(aws: Aws, *words: str) -> dict[str, str] | None:
    """What S3 answers; None where there is nothing."""
    remedy = (
        f"The bucket {aws.bucket_name} is not of account {aws.management_account}, or you may not look into it: "
        "name one of your own as aws.bucket in deploy.toml, or sign in as somebody who may."
    )
    found: dict[str, str] | None = ask(*_called(aws, *words), unless=(_ABSENT,), remedies={_FORBIDDEN: remedy})
    return found


def _called(aws: Aws, *words: str) -> tuple[str, ...]:
    owner = ("--bucket", aws.bucket_name, "--expected-bucket-owner", aws.management_account)
    return ("aws", "s3api", *words, *owner, "--region", REGION, "--output", "json")
