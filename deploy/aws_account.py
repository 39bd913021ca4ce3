"""Whose credentials the AWS CLI has: anything but the management account in us-east-1 is refused."""

from __future__ import annotations

import os
from dataclasses import dataclass

from deploy.programs import ask, need, signed_in, text_of
from deploy.refusal import RefusedError
from deploy.settings import Aws

REGION = "us-east-1"
"""Organizations sends its events nowhere else."""


@dataclass(frozen=True)
class Organization:
    """The organization of the management account."""

    organization_id: str
    root_id: str


def check_account(aws: Aws) -> Organization:
    """The organization. Raises RefusedError where sign-in, account, region or the organization's features are wrong."""
    need("aws")
    _check_region()
    caller = signed_in(
        "Sign in, for example with `aws sso login` and AWS_PROFILE.", *_called("sts", "get-caller-identity")
    )
    if caller["Account"] != aws.management_account:
        raise RefusedError(
            f"these credentials are of account {caller['Account']}, and deploy.toml says {aws.management_account}",
            remedy="Sign in to the management account, for example with `aws sso login` and AWS_PROFILE.",
        )
    if not caller["Arn"].startswith("arn:aws:"):
        raise RefusedError(f"{caller['Arn']} is not of the commercial partition", remedy="Defender supports no other.")
    found = ask(*_called("organizations", "describe-organization"))["Organization"]
    if found["MasterAccountId"] != aws.management_account:
        raise RefusedError(
            f"the management account of {found['Id']} is {found['MasterAccountId']}, not {aws.management_account}",
            remedy="Rollcall is deployed in the management account: correct aws.management_account, sign in there.",
        )
    if found["FeatureSet"] != "ALL":
        raise RefusedError(
            f"{found['Id']} has consolidated billing only",
            remedy="Run `aws organizations enable-all-features`; every member account has to agree.",
        )
    [root] = ask(*_called("organizations", "list-roots"))["Roots"]
    return Organization(organization_id=found["Id"], root_id=root["Id"])


def _called(*words: str) -> tuple[str, ...]:
    return ("aws", *words, "--region", REGION, "--output", "json")


def _check_region() -> None:
    """The shell's region is `rollcall`'s, too, so it is refused and not overruled."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    found = named or text_of("aws", "configure", "get", "region", may_be_empty=True).strip()
    if found not in {REGION, ""}:
        raise RefusedError(
            f"the AWS CLI works in {found}", remedy=f"Rollcall is deployed in {REGION}: export AWS_REGION={REGION}"
        )
