"""The settings of the Lambda functions, from environment variables; none of them is a secret."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    authority_host: str = Field(default="https://login.microsoftonline.com", pattern=r"^https://")
    queue: QueueSettings
