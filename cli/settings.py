"""The operator's settings, from environment variables or the file that a sandbox leaves."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.adapters.azure.credentials import CredentialKind


class LedgerSettings(BaseModel):
    """`ROLLCALL_LEDGER__*`: the storage account's tables."""

    model_config = ConfigDict(frozen=True)

    tableserviceuri: str = Field(pattern=r"^https://")


class PublishSettings(BaseModel):
    """`ROLLCALL_PUBLISH__*`: where AWS's side and Azure's side read the policy from."""

    model_config = ConfigDict(frozen=True)

    s3: str | None = None
    blob: str | None = None


class PolicySettings(BaseSettings):
    """`ROLLCALL_*` of an operator's shell, as far as `rollcall policy` needs them: nothing is obligatory."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_", env_nested_delimiter="__", frozen=True)

    credential: CredentialKind = CredentialKind.AZURE_CLI
    client_id: str | None = None
    policy: str | None = None
    publish: PublishSettings = Field(default_factory=PublishSettings)


class Settings(BaseSettings):
    """`ROLLCALL_*` of an operator's shell."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_", env_nested_delimiter="__", frozen=True)

    credential: CredentialKind = CredentialKind.AZURE_CLI
    client_id: str | None = None
    ledger: LedgerSettings
