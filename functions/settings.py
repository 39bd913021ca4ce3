"""The settings of the Function App, from environment variables; none of them is a secret.

What the policy's `notifications` name is read where it is used (functions/receivers.py): the platform fetches it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.adapters.azure.credential_kind import CredentialKind
from shared.adapters.azure.credentials import PUBLIC_AUTHORITY
from shared.adapters.azure.resource_manager import PUBLIC_ENDPOINT
from shared.adapters.settings import AzureUrl, GcpSettings
from shared.application.onboard_ports import CLAIM_SECONDS
from shared.domain.pacing import WriteRate
from shared.domain.retry import RetrySchedule


class QueueSettings(BaseModel):
    """`ROLLCALL_QUEUE__*`: the identity connection of the queue trigger, which our own sender shares."""

    model_config = ConfigDict(frozen=True)

    queueserviceuri: str = Field(pattern=r"^https://")
    name: str = "onboarding"


class LedgerSettings(BaseModel):
    """`ROLLCALL_LEDGER__*`: the storage account's tables."""

    model_config = ConfigDict(frozen=True)

    tableserviceuri: str = Field(pattern=r"^https://")


class RetrySettings(BaseModel):
    """`ROLLCALL_RETRY__*`: delays in seconds. The retry budget is part of the policy."""

    model_config = ConfigDict(frozen=True)

    first_seconds: float = Field(default=30.0, gt=0)
    longest_seconds: float = Field(default=6 * 3600.0, gt=0)
    contended_seconds: float = Field(default=30.0, gt=0)
    claim_seconds: float = Field(default=CLAIM_SECONDS, gt=0)

    def schedule(self) -> RetrySchedule:
        """The schedule that the use case follows."""
        return RetrySchedule(
            first_seconds=self.first_seconds,
            longest_seconds=self.longest_seconds,
            contended_seconds=self.contended_seconds,
        )


class PacingSettings(BaseModel):
    """`ROLLCALL_PACING__*`: how fast one subscription is written to."""

    model_config = ConfigDict(frozen=True)

    writes_per_second: float = Field(default=1.0, gt=0)
    burst: int = Field(default=20, ge=1)

    def rate(self) -> WriteRate:
        """The rate that the pacer keeps to."""
        return WriteRate(writes_per_second=self.writes_per_second, burst=self.burst)


class OperatorSettings(BaseModel):
    """`ROLLCALL_OPERATORS__*`: whose tokens the HTTP functions take."""

    model_config = ConfigDict(frozen=True)

    audience: str = Field(min_length=1)


class SweepSettings(BaseModel):
    """`ROLLCALL_SWEEP__*`: the daily roll call. Its schedule is read by the host."""

    model_config = ConfigDict(frozen=True)

    container: str = Field(pattern=r"^https://")


class HubSettings(BaseModel):
    """`ROLLCALL_HUB__*`: how the managed identity gets into AWS."""

    model_config = ConfigDict(frozen=True)

    role_arn: str = Field(pattern=r"^arn:aws:iam::[0-9]{12}:role/")
    audience: str = Field(default="api://rollcall-aws", min_length=1)


class Settings(BaseSettings):
    """`ROLLCALL_*` of the Function App."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_", env_nested_delimiter="__", frozen=True)

    policy: str
    arm_endpoint: AzureUrl = PUBLIC_ENDPOINT
    credential: CredentialKind = CredentialKind.MANAGED_IDENTITY
    client_id: str | None = None
    tenant_id: str | None = None
    authority_host: AzureUrl = PUBLIC_AUTHORITY
    operators: OperatorSettings | None = None
    queue: QueueSettings
    ledger: LedgerSettings
    retry: RetrySettings = Field(default_factory=RetrySettings)
    sweep: SweepSettings | None = None
    hub: HubSettings | None = None
    gcp: GcpSettings = Field(default_factory=GcpSettings)
    reader_role: str = "rollcall-reader"
    stack_name: str = "rollcall"
    stack_set_name: str = "rollcall-member-roles"
    monitor: str = Field(
        default="",
        validation_alias="APPLICATIONINSIGHTS_CONNECTION_STRING",
        pattern=r"^$|^InstrumentationKey=[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(;|$)",
    )
    """Where Azure Monitor takes telemetry: no secret where keys are switched off. The host reads the same one."""
    pacing: PacingSettings = Field(default_factory=PacingSettings)
