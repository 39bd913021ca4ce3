"""The credential that a setting names; none of them holds a secret."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from azure.core.credentials import TokenCredential
from azure.identity import AzureCliCredential, ClientAssertionCredential, ManagedIdentityCredential

from shared.adapters.azure.timeouts import TIMEOUTS

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
RETRIES = 3  # some five seconds; the SDK's ten would outlast a Lambda function, and the queues wait better


class CredentialKind(StrEnum):
    """Who we are on Azure; chosen by a setting, never guessed."""

    MANAGED_IDENTITY = "managed-identity"
    AZURE_CLI = "azure-cli"


def make_credential(kind: CredentialKind, *, client_id: str | None = None) -> TokenCredential:
    """The credential of that kind; `client_id` chooses a user-assigned managed identity."""
    if kind is CredentialKind.MANAGED_IDENTITY:
        return ManagedIdentityCredential(client_id=client_id or None, retry_total=RETRIES, **TIMEOUTS)
    return AzureCliCredential()


def federated_credential(
    *, tenant_id: str, client_id: str, authority_host: str, assertion: Callable[[], str]
) -> TokenCredential:
    """Exchanges another cloud's token for Entra's. `assertion` returns a fresh token at every call.

    An authority other than Microsoft's is not looked up in Microsoft's list of clouds.
    """
    return ClientAssertionCredential(
        tenant_id,
        client_id,
        assertion,
        authority=authority_host,
        retry_total=RETRIES,
        disable_instance_discovery=authority_host.rstrip("/") != PUBLIC_AUTHORITY,
        **TIMEOUTS,
    )
