"""Who else uses the identity providers of the member template: what a look into an account finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from shared.adapters.aws.account_roles import MemberAccountRoles
from shared.domain.roles import PROVIDER_HOST, Role
from shared.errors import TransientError
from tests.fixtures.read import ACCOUNT_ID

TENANT = "00000000-0000-4000-8000-0000000000f1"
OURS = f"sts.windows.net/{TENANT}/"


def refusal(code: str, operation: str, status: int = 403) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item] # a part is enough
        operation,
    )


@dataclass
class Member:
    """STS and IAM of an account: roles and the provider that each trusts, or refusals."""

    roles: dict[str, str] = field(default_factory=dict)
    assuming: ClientError | None = None
    listing: ClientError | None = None

    def assume_role(self, **_: str) -> dict[str, Any]:
        if self.assuming:
            raise self.assuming
        return {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t"}}

    def get_paginator(self, _: str) -> Member:
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        if self.listing:
            raise self.listing
        for name, host in self.roles.items():
            principal = {"Federated": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{host}"}
            statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity"}
            yield {"Roles": [{"RoleName": name, "AssumeRolePolicyDocument": {"Statement": [statement]}}]}


def users(member: Member, tenant_id: str = TENANT) -> tuple[str, ...] | None:
    roles = MemberAccountRoles(cast("Any", member), lambda _: cast("Any", member), role_name="rollcall-reader")
    return roles.find_provider_users(ACCOUNT_ID, tenant_id=tenant_id)


@pytest.mark.parametrize("tenant_id", [TENANT, TENANT.upper()])
def test_roles_on_either_provider_are_found_and_no_others(tenant_id: str) -> None:
    member = Member(
        {
            "OIDC_Sentinel": PROVIDER_HOST,
            "EntraPipelines": OURS,
            Role.CIEM_OIDC: OURS,
            Role.CSPM_MONITOR: PROVIDER_HOST,
            "Elsewhere": "sts.windows.net/00000000-0000-4000-8000-0000000000f2/",
            "GitHub": "token.actions.githubusercontent.com",
        }
    )
    assert users(member, tenant_id) == ("EntraPipelines", "OIDC_Sentinel")


@pytest.mark.parametrize(
    "member",
    [Member(assuming=refusal("AccessDenied", "AssumeRole")), Member(listing=refusal("AccessDenied", "ListRoles"))],
    ids=["assume", "list"],
)
def test_where_we_may_not_look_nothing_is_said(member: Member) -> None:
    assert users(member) is None


def test_throttling_is_not_taken_for_an_empty_account() -> None:
    with pytest.raises(TransientError):
        users(Member(listing=refusal("Throttling", "ListRoles", 400)))
