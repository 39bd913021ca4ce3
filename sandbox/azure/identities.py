"""What Defender for Cloud finds when it looks into an AWS account: the other cloud's side, by shape only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class OidcProvider(Protocol):
    """An IAM OIDC provider."""

    @property
    def url(self) -> str:
        """The issuer, with or without `https://`."""

    @property
    def client_ids(self) -> Sequence[str]:
        """The audiences that it accepts."""


class Role(Protocol):
    """An IAM role."""

    @property
    def arn(self) -> str:
        """`arn:aws:iam::<account>:role/<name>`."""

    @property
    def trust_policy(self) -> Mapping[str, Any]:
        """The parsed AssumeRolePolicyDocument."""


class AccountIdentities(Protocol):
    """The identities of one account."""

    @property
    def oidc_providers(self) -> Sequence[OidcProvider]:
        """Its OIDC providers."""

    @property
    def roles(self) -> Sequence[Role]:
        """Its roles."""


class InspectAccount(Protocol):
    """Looks into an account of the sandbox's AWS."""

    def __call__(self, account_id: str, *, tenant_id: str) -> AccountIdentities | None:
        """The account's identities; None where there is no such account."""


class OrganizationAccount(Protocol):
    """An account of an AWS organization."""

    @property
    def id(self) -> str:
        """Its 12 digits."""

    @property
    def state(self) -> str:
        """ACTIVE, SUSPENDED or another state of the Organizations API."""


ListAccounts = Callable[[str], Sequence[OrganizationAccount]]
"""The accounts of the organization that an account manages; empty where it manages none."""


def no_accounts(_: str) -> Sequence[OrganizationAccount]:
    """A `ListAccounts` for an AWS without organizations."""
    return ()
