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


class Settings(BaseSettings):
    """`ROLLCALL_*` of one function."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_", env_nested_delimiter="__", frozen=True)

    policy: str
    stack_set_name: str
    tenant_id: str
    client_id: str
    authority_host: AzureUrl = "https://login.microsoftonline.com"
    queue: QueueSettings
    aws_region: CommercialRegion = Field(validation_alias="AWS_REGION")
