"""Defender's identity provider and roles of a member account, as they are. Source: IAM API 2010-05-08."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.domain.roles import PROVIDER_HOST
from shared.domain.sweep.identity import IdentitySeen, ProviderSeen, RoleSeen

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient

_GONE = "NoSuchEntity"


class IamIdentities:
    """Reads only."""

    def __init__(self, make_iam: Callable[[str], IAMClient]) -> None:
        """`make_iam` makes a client for an account id."""
        self._make_iam = make_iam

    def inspect(self, account_id: str, roles: Sequence[str]) -> IdentitySeen:
        """The provider and these roles. Raises where the account cannot be asked."""
        with translated(f"look at the roles of account {account_id}"):
            iam = self._make_iam(account_id)
            return IdentitySeen(provider=_provider(iam, account_id), roles={name: _role(iam, name) for name in roles})


def _provider(iam: IAMClient, account_id: str) -> ProviderSeen | None:
    arn = f"arn:aws:iam::{account_id}:oidc-provider/{PROVIDER_HOST}"
    try:
        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    except ClientError as error:
        if error_code(error) != _GONE:
            raise
        return None
    thumbprints = frozenset(each.lower() for each in found.get("ThumbprintList", []))
    return ProviderSeen(client_ids=frozenset(found.get("ClientIDList", [])), thumbprints=thumbprints)


def _role(iam: IAMClient, name: str) -> RoleSeen | None:
    try:
        document: Any = iam.get_role(RoleName=name)["Role"].get("AssumeRolePolicyDocument") or {}
    except ClientError as error:
        if error_code(error) != _GONE:
            raise
        return None
    named = [pair for statement in _listed(document.get("Statement")) for pair in _asked(statement)]
    audience = f"{PROVIDER_HOST}:aud"
    return RoleSeen(
        audiences=frozenset(value for key, value in named if key == audience),
        session_names=frozenset(value for key, value in named if key == "sts:rolesessionname"),
    )


def _asked(statement: Any) -> Iterator[tuple[str, str]]:
    """What a statement for Defender's provider asks for, by condition key in lower case."""
    principal = statement.get("Principal")
    federated = _listed(principal.get("Federated")) if isinstance(principal, dict) else []
    if statement.get("Effect") != "Allow" or not any(PROVIDER_HOST in str(each) for each in federated):
        return
    for operator, wanted in (statement.get("Condition") or {}).items():
        if operator in {"StringEquals", "StringLike"}:
            for key, values in wanted.items():
                yield from ((key.lower(), str(value)) for value in _listed(values))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
