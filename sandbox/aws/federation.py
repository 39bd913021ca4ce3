"""Roles that are taken with a web identity: the token, the identity provider and the trust are looked at.

AWS verifies the token with the keys that its issuer publishes; here the simulated Entra is asked, whose issuer has a
name that leads to Microsoft. Source: STS API 2011-06-15, AssumeRoleWithWebIdentity; IAM user guide, "Available keys for
OIDC federation".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.models import Role, iam_backends
from moto.sts.responses import TokenResponse

from sandbox.aws.active import PARTITION, active
from sandbox.aws.callers import find_role
from sandbox.aws.errors import AwsError
from sandbox.aws.patching import Patch
from sandbox.aws.policy_conditions import as_list, condition_holds

_moto_assume = TokenResponse.assume_role_with_web_identity


def _assume_with_web_identity(self: TokenResponse) -> ActionResult:
    role = find_role(self._get_param("RoleArn"))
    verify = active().verify_web_token
    claims = None if verify is None else verify(self._get_param("WebIdentityToken"))
    if claims is None:
        raise AwsError("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider")
    if role is None or not _trusts(role, claims):
        raise AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    return _moto_assume(self)


def _trusts(role: Role, claims: dict[str, Any]) -> bool:
    issuer = str(claims["iss"]).removeprefix("https://")
    account_id = role.arn.split(":")[4]
    provider = f"arn:{PARTITION}:iam::{account_id}:oidc-provider/{issuer}"
    known = iam_backends[account_id][PARTITION].open_id_providers.get(provider)
    if known is None or claims["aud"] not in known.client_id_list:
        return False
    context = {f"{issuer}:{name}": str(claims[name]) for name in ("aud", "sub")}
    trust = role.assume_role_policy_document
    document = json.loads(trust) if isinstance(trust, str) else trust
    return any(
        statement["Effect"] == "Allow"
        and "sts:AssumeRoleWithWebIdentity" in as_list(statement["Action"])
        and provider in as_list((statement.get("Principal") or {}).get("Federated"))
        and condition_holds(statement.get("Condition"), context)
        for statement in as_list(document["Statement"])
    )


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(TokenResponse, "assume_role_with_web_identity", _assume_with_web_identity)
