"""The settings of the Lambda functions, from environment variables; none of them is a secret."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.adapters.settings import AzureUrl, CommercialRegion


class QueueSettings(BaseModel):
    """`ROLLCALL_QUEUE__*`: the Storage queue that takes our requests."""

    model_config = ConfigDict(frozen=True)

    queueserviceuri: str = Field(pattern=r"^https://")
    name: str = "onboarding"


class ReconcileSettings(BaseModel):
    """`ROLLCALL_RECONCILE__*`: the daily comparison."""

    model_config = ConfigDict(frozen=True)

    seconds: float = Field(default=600.0, gt=0)
    """After how long a part of a run ends and asks for the next; well below the function's time-out."""
    management_stack_name: str = "rollcall-member-roles"


class ReadinessSettings(BaseModel):
    """`ROLLCALL_READINESS__*`: accounts that AWS has not readied yet, which are tried again."""

    model_config = ConfigDict(frozen=True)

    queue_url: str = Field(pattern=r"^https?://")
    """The queue `account-events`, which takes the delayed messages."""
    first_delay_seconds: float = Field(default=60.0, ge=1, le=900)
    longest_delay_seconds: float = Field(default=900.0, ge=1, le=900)
    budget_seconds: float = Field(default=7200.0, ge=0)


class Settings(BaseSettings):
    """`ROLLCALL_*` of one function."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_", env_nested_delimiter="__", frozen=True)

    policy: str
    stack_set_name: str
    tenant_id: str
    client_id: str
    authority_host: AzureUrl = "https://login.microsoftonline.com"
    queue: QueueSettings
    readiness: ReadinessSettings
    reconcile: ReconcileSettings = Field(default_factory=ReconcileSettings)
    aws_region: CommercialRegion = Field(validation_alias="AWS_REGION")
