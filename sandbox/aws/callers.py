"""Who signed a request: moto's access keys as IAM identities."""

from __future__ import annotations

from dataclasses import dataclass

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Role, iam_backends
from moto.sts.models import AssumedRole, sts_backends

from sandbox.aws.access_keys import account_of
from sandbox.aws.active import PARTITION


@dataclass(frozen=True)
class Caller:
    """The identity behind an access key.

    `arn` is the role's ARN for a session of a role (never the session's), else a user or the account's root.
    Keys that moto never issued belong to the management account's root: they stand for its administrator.
    """

    account_id: str
    arn: str
    session: AssumedRole | None = None
    role: Role | None = None


def caller_of(access_key_id: str | None) -> Caller:
    """The caller that signs with `access_key_id`; None = an unsigned request."""
    if access_key_id is None:
        return Caller("", "anonymous")
    account_id = account_of(access_key_id)
    key = iam_backends[account_id][PARTITION].access_keys.get(access_key_id)
    if key is not None and key.role_arn:
        session = sts_backends[account_id][PARTITION].get_assumed_role_from_access_key(access_key_id)
        return Caller(account_id, key.role_arn, session, find_role(key.role_arn))
    if key is not None:
        user = iam_backends[account_id][PARTITION].get_user_from_access_key_id(access_key_id)
        if user is not None:
            return Caller(account_id, user.arn)
    return Caller(account_id or DEFAULT_ACCOUNT_ID, f"arn:aws:iam::{account_id}:root")


def find_role(role_arn: str) -> Role | None:
    """The role with this ARN, in whatever account; None if absent."""
    account_id = role_arn.split(":")[4]
    try:
        return iam_backends[account_id][PARTITION].get_role_by_arn(role_arn)
    except NotFoundException:
        return None
