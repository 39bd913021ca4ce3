"""A look into a member account, through the read-only role that is there: who else uses Defender's identity provider.

Source: STS AssumeRole 2011-06-15, IAM ListRoles 2010-05-08; the provider's address as Defender's template makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.domain.roles import PROVIDER_HOST, Role, role_arn_of

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_sts.client import STSClient

_OURS = frozenset(str(role) for role in Role)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


@dataclass(frozen=True, kw_only=True)
class TemporaryKeys:
    """Credentials of a role, for an hour, kept in memory only."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


class MemberAccountRoles:
    """Reads the roles of member accounts; nothing is written."""

    def __init__(self, sts: STSClient, make_iam: Callable[[TemporaryKeys], IAMClient], *, role_name: str) -> None:
        """`make_iam` makes a client of temporary credentials; `role_name` is the read-only role."""
        self._sts = sts
        self._make_iam = make_iam
        self._role_name = role_name

    def find_provider_users(self, account_id: str) -> tuple[str, ...] | None:
        """Names of roles that trust the provider and are not Defender's; None where we may not look."""
        with translated(f"look at the roles of account {account_id}"):
            try:
                answer = self._sts.assume_role(
                    RoleArn=role_arn_of(account_id, self._role_name), RoleSessionName="rollcall-offboard"
                )
            except ClientError as error:
                if error_code(error) in _DENIED:
                    return None
                raise
            given = answer["Credentials"]
            iam = self._make_iam(
                TemporaryKeys(
                    access_key_id=given["AccessKeyId"],
                    secret_access_key=given["SecretAccessKey"],
                    session_token=given["SessionToken"],
                )
            )
            return tuple(sorted(name for name in self._trusting(iam) if name not in _OURS))

    @staticmethod
    def _trusting(iam: IAMClient) -> Iterator[str]:
        for page in iam.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                document: Any = role.get("AssumeRolePolicyDocument") or {}
                if any(_names_provider(statement) for statement in _listed(document.get("Statement"))):
                    yield role["RoleName"]


def _names_provider(statement: Any) -> bool:
    principal = statement.get("Principal") if isinstance(statement, dict) else None
    federated = principal.get("Federated") if isinstance(principal, dict) else None
    return any(f"oidc-provider/{PROVIDER_HOST}" in str(each) for each in _listed(federated))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
