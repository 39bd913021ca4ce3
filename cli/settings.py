"""The operator's settings, from environment variables or the file that a sandbox leaves."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.adapters.azure.credential_kind import CredentialKind
from shared.adapters.azure.resource_manager import PUBLIC_ENDPOINT
from shared.adapters.settings import AzureUrl, GcpSettings
from shared.application.replay_ports import HIDDEN_SECONDS

_PART = "/[^/]+"
_WORKSPACE = f"/providers/Microsoft.OperationalInsights/workspaces{_PART}"


class LedgerSettings(BaseModel):
    """`ROLLCALL_LEDGER__*`: the storage account's tables."""

    model_config = ConfigDict(frozen=True)

    tableserviceuri: str = Field(pattern=r"^https://")


class QueueSettings(BaseModel):
    """`ROLLCALL_QUEUE__*`: where an operator puts requests that need no event."""

    model_config = ConfigDict(frozen=True)

    queueserviceuri: str = Field(pattern=r"^https://")
    name: str = "onboarding"


class PublishSettings(BaseModel):
    """`ROLLCALL_PUBLISH__*`: where AWS's side and Azure's side read the policy from, and whose the bucket is."""

    model_config = ConfigDict(frozen=True)

    s3: str | None = None
    blob: str | None = None
    bucket_owner: str = Field(default="", pattern=r"^([0-9]{12})?$")


class ReplaySettings(BaseModel):
    """`ROLLCALL_REPLAY__*`: how long a message that is looked at is hidden from others."""

    model_config = ConfigDict(frozen=True)

    hidden_seconds: int = Field(default=HIDDEN_SECONDS, ge=5, le=3600)


class SweepSettings(BaseModel):
    """`ROLLCALL_SWEEP__*`: the container where sweeps keep their documents."""

    model_config = ConfigDict(frozen=True)

    container: str = Field(pattern=r"^https://")


class ReportSettings(BaseModel):
    """`ROLLCALL_REPORT__*`: the Function App that makes the report, and the application that its tokens are for."""

    model_config = ConfigDict(frozen=True)

    url: str = Field(default="", pattern=r"^$|^https://|^http://127\.0\.0\.1[:/]")  # the last is a sandbox
    audience: str = ""


class Settings(BaseSettings):
    """`ROLLCALL_*` of an operator's shell. Each command says which of those that have no default it needs."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_", env_nested_delimiter="__", frozen=True)

    credential: CredentialKind = CredentialKind.AZURE_CLI
    client_id: str | None = None
    policy: str | None = None
    publish: PublishSettings = Field(default_factory=PublishSettings)
    arm_endpoint: AzureUrl = PUBLIC_ENDPOINT
    ledger: LedgerSettings | None = None
    replay: ReplaySettings = Field(default_factory=ReplaySettings)
    queue: QueueSettings | None = None
    sweep: SweepSettings | None = None
    report: ReportSettings = Field(default_factory=ReportSettings)
    gcp: GcpSettings = Field(default_factory=GcpSettings)
    stack_name: str = "rollcall"  # of infra/aws/template.yaml
    stack_set_name: str = "rollcall-member-roles"  # the default of infra/aws/template.yaml
    management_stack_name: str = "rollcall-member-roles"  # the same
    reader_role: str = "rollcall-reader"
    workspace: str = Field(
        default="", pattern=r"(?i)^$|^/subscriptions/[^/]+/resourcegroups/[^/]+/providers/[^/]+/workspaces/[^/]+$"
    )
    """A Log Analytics workspace that machines report to; its security solution is looked for."""
