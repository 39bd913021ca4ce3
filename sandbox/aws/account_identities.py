"""What somebody who looks into an AWS account finds there: identity providers and roles.

The simulated Resource Manager asks this before it accepts a connector, as Defender for Cloud does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends

from sandbox.aws.active import PARTITION


@dataclass(frozen=True)
class OidcProvider:
    """One OIDC provider of the account; `url` with its scheme."""

    arn: str
    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]


@dataclass(frozen=True)
class AccountRole:
    """One role of the account."""

    arn: str
    name: str
    trust_policy: Mapping[str, Any]
    managed_policy_arns: tuple[str, ...]


@dataclass(frozen=True)
class AccountIdentities:
    """The providers and roles of one account; `tenant_id` is the Entra tenant on whose behalf one looks."""

    account_id: str
    tenant_id: str | None
    oidc_providers: tuple[OidcProvider, ...]
    roles: tuple[AccountRole, ...]

    def find_role(self, name: str) -> AccountRole | None:
        """The role with this name; None if absent."""
        return next((role for role in self.roles if role.name == name), None)


def inspect(account_id: str, tenant_id: str | None) -> AccountIdentities | None:
    """Reads an account as it is now; None where the sandbox has no such account."""
    if account_id != DEFAULT_ACCOUNT_ID and account_id not in organizations_backends.master_accounts:
        return None
    backend = iam_backends[account_id][PARTITION]
    providers = tuple(
        OidcProvider(
            provider.arn,
            f"https://{provider.url}",
            tuple(provider.client_id_list),
            tuple(provider.thumbprint_list),
        )
        for provider in list(backend.open_id_providers.values())
    )
    roles = tuple(
        AccountRole(
            role.arn,
            role.name,
            json.loads(role.assume_role_policy_document),
            tuple(role.managed_policies),
        )
        for role in list(backend.roles.values())
    )
    return AccountIdentities(account_id, tenant_id, providers, roles)
