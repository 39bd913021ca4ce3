"""A look into a member account, through the read-only role that is there: who else uses the identity providers.

Source: STS AssumeRole 2011-06-15, IAM ListRoles 2010-05-08; the providers' addresses in `infra/aws/member-roles.yaml`.
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

    def find_provider_users(self, account_id: str, *, tenant_id: str) -> tuple[str, ...] | None:
        """Names of roles that trust a provider and are not Defender's; None where we may not look.

        The member template makes two: Microsoft's, and for CIEM one on the customer's own tenant, `tenant_id`.
        """
        hosts = (PROVIDER_HOST, f"sts.windows.net/{tenant_id.lower()}/")
        with translated(f"look at the roles of account {account_id}"):
            try:
                found = sorted(name for name in _trusting(self._enter(account_id), hosts) if name not in _OURS)
            except ClientError as error:
                if error_code(error) in _DENIED:
                    return None
                raise
        return tuple(found)

    def _enter(self, account_id: str) -> IAMClient:
        arn = role_arn_of(account_id, self._role_name)
        given = self._sts.assume_role(RoleArn=arn, RoleSessionName="rollcall-offboard")["Credentials"]
        return self._make_iam(
            TemporaryKeys(
                access_key_id=given["AccessKeyId"],
                secret_access_key=given["SecretAccessKey"],
                session_token=given["SessionToken"],
            )
        )


def _trusting(iam: IAMClient, hosts: tuple[str, ...]) -> Iterator[str]:
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            document: Any = role.get("AssumeRolePolicyDocument") or {}
            if any(_names_provider(statement, hosts) for statement in _listed(document.get("Statement"))):
                yield role["RoleName"]


def _names_provider(statement: Any, hosts: tuple[str, ...]) -> bool:
    principal = statement.get("Principal") if isinstance(statement, dict) else None
    federated = principal.get("Federated") if isinstance(principal, dict) else None
    named = [str(each).lower() for each in _listed(federated)]
    return any(f"oidc-provider/{host}" in each for each in named for host in hosts)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
