"""The credential that a setting names; none of them holds a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.identity import AzureCliCredential, ClientAssertionCredential, ManagedIdentityCredential

from shared.adapters.azure import reasons
from shared.adapters.azure.credential_kind import CredentialKind
from shared.adapters.azure.retries import BoundedRetryPolicy
from shared.adapters.azure.timeouts import TIMEOUTS

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
RETRIES = 3  # some five seconds; the SDK's ten would outlast a Lambda function, and the queues wait better


class _LegibleIdentity:
    """A managed identity whose endpoint may answer with what is no JSON object: msal would trip over it."""

    def __init__(self, inner: TokenCredential) -> None:
        self._inner = inner

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token. Raises TransientError where the answer cannot be read.

        Source: msal 1.39 managed_identity `_obtain_token_on_app_service`, which takes what json.loads gives.
        """
        try:
            return self._inner.get_token(*scopes, **options)
        except (json.JSONDecodeError, AttributeError, TypeError) as error:
            raise reasons.IDENTITY_UNAVAILABLE.error(
                f"no token: the identity endpoint's answer cannot be read ({type(error).__name__})"
            ) from error


def make_credential(kind: CredentialKind, *, client_id: str | None = None) -> TokenCredential:
    """The credential of that kind; `client_id` chooses a user-assigned managed identity."""
    if kind is CredentialKind.MANAGED_IDENTITY:
        return _LegibleIdentity(ManagedIdentityCredential(client_id=client_id or None, retry_total=RETRIES, **TIMEOUTS))
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
        retry_policy_class=BoundedRetryPolicy,
        disable_instance_discovery=authority_host.rstrip("/") != PUBLIC_AUTHORITY,
        **TIMEOUTS,
    )
