"""The look into an AWS account that Defender for Cloud takes while a connector's PUT waits.

Source: Microsoft Defender for Cloud "AWS connector authentication architecture"; the wording about the identity
provider is that of a live answer, the one about the role is reported by users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sandbox.azure.answers import connector_refusal
from sandbox.azure.identities import AccountIdentities, InspectAccount, Role

DEFENDER_TENANT_ID = "33e01921-4d64-4f8c-a055-5bdaffd5e33d"  # Microsoft's own, in every customer's trust
PROVIDER = f"sts.windows.net/{DEFENDER_TENANT_ID}/"
CSPM_AUDIENCE = "api://4d8bed1f-eee7-4d8e-b0dc-8462049a4479"
_PROVIDER_MISSING = (
    "Identity provider is missing from AWS account/s. Defender for Cloud cannot authenticate without it. "
    "Create the identity provider to complete the onboarding."
)
_ROLES_MISSING = "IAM role(s) do not exist or are invalid: {arns}."


class AwsVerification:
    """Checks that Defender's provider and roles stand in an account; of the CSPM role also whom it trusts."""

    def __init__(self, inspect_account: InspectAccount, tenant_id: str) -> None:
        self._inspect_account = inspect_account
        self._tenant_id = tenant_id

    def check(self, account_id: str, cspm_role_arn: str | None, role_arns: Sequence[str] = ()) -> None:
        """Checks one account: its provider, the CSPM role if the connector has one, and that `role_arns` exist.

        Raises:
            RefusalError: 400 in the connector's envelope, until all are there; it names the roles.
        """
        identities = self._inspect_account(account_id, tenant_id=self._tenant_id)
        if identities is None or not self._has_provider(identities):
            raise connector_refusal(_PROVIDER_MISSING)
        existing = {each.arn for each in identities.roles}
        invalid = [arn for arn in role_arns if arn not in existing]
        if cspm_role_arn is not None and not self._usable(cspm_role_arn, identities):
            invalid = [cspm_role_arn, *(arn for arn in invalid if arn != cspm_role_arn)]
        if invalid:
            raise connector_refusal(_ROLES_MISSING.format(arns=", ".join(invalid)))

    def _usable(self, cspm_role_arn: str, identities: AccountIdentities) -> bool:
        role = next((each for each in identities.roles if each.arn == cspm_role_arn), None)
        accepted = any(
            _bare(each.url) == _bare(PROVIDER) and CSPM_AUDIENCE in each.client_ids
            for each in identities.oidc_providers
        )
        return role is not None and accepted and self._trusted(role)

    @staticmethod
    def _has_provider(identities: AccountIdentities) -> bool:
        return any(_bare(each.url) == _bare(PROVIDER) for each in identities.oidc_providers)

    def _trusted(self, role: Role) -> bool:
        statements = role.trust_policy.get("Statement", ())
        if isinstance(statements, Mapping):
            statements = (statements,)
        return any(self._admits(statement) for statement in statements)

    def _admits(self, statement: Mapping[str, Any]) -> bool:
        principal = statement.get("Principal", {})
        federated = _several(principal.get("Federated", ())) if isinstance(principal, Mapping) else []
        session = f"MicrosoftDefenderForClouds_{self._tenant_id}"
        return (
            statement.get("Effect") == "Allow"
            and "sts:AssumeRoleWithWebIdentity" in _several(statement.get("Action", ()))
            and any(_bare(arn.partition(":oidc-provider/")[2]) == _bare(PROVIDER) for arn in federated)
            and _condition_holds(statement, f"{PROVIDER}:aud", CSPM_AUDIENCE)
            and _condition_holds(statement, "sts:RoleSessionName", session)
        )


def _bare(url: str) -> str:
    return url.removeprefix("https://").rstrip("/").lower()


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value]


def _condition_holds(statement: Mapping[str, Any], key: str, value: str) -> bool:
    """Whether a string condition on the key is there and accepts the value."""
    found = []
    for operator, conditions in statement.get("Condition", {}).items():
        for name, patterns in conditions.items():
            if name.lower() == key.lower():
                compare = fnmatchcase if operator == "StringLike" else str.__eq__
                exact = operator in {"StringLike", "StringEquals"}
                found.append(exact and any(compare(value, pattern) for pattern in _several(patterns)))
    return bool(found) and all(found)
