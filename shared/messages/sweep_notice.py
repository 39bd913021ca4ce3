"""`sweep-notice/1`: that one receiver is to be told of one sweep, on the queue `sweep`."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SCHEMA: Literal["sweep-notice/1"] = "sweep-notice/1"


class SweepNotice(BaseModel):
    """Names a sweep and who is told of it, by the setting that the policy names. `attempt` counts the tries before."""

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True, populate_by_name=True)

    schema_id: Literal["sweep-notice/1"] = Field(default=SCHEMA, alias="schema")
    run: str = Field(pattern=r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$")
    receiver: str = Field(pattern=r"^ROLLCALL_NOTIFY_[A-Z0-9_]+$", max_length=100)
    attempt: int = Field(default=0, ge=0, le=1000)
    asked_at: AwareDatetime

    def to_json(self) -> str:
        """The message as it is written."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> SweepNotice:
        """Reads a message. Raises pydantic.ValidationError where it is none."""
        return cls.model_validate_json(text)
