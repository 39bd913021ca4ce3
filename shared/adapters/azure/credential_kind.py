"""Which credential a setting names; apart from the credentials, so that reading settings loads no SDK."""

from __future__ import annotations

from enum import StrEnum


class CredentialKind(StrEnum):
    """Who we are on Azure; chosen by a setting, never guessed."""

    MANAGED_IDENTITY = "managed-identity"
    AZURE_CLI = "azure-cli"
