"""`sweep-slice/1`: one part of a sweep, on the queue `sweep`. Slice 0 is the planning of all others.

JSON in Base64, as the trigger expects it; what a slice looks at lies beside the sweep's other documents.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SCHEMA: Literal["sweep-slice/1"] = "sweep-slice/1"
PLANNING = 0


class SweepSlice(BaseModel):
    """Names a slice. `run` sorts by time; `asked_at` is when the sweep was asked for."""

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True, populate_by_name=True)

    schema_id: Literal["sweep-slice/1"] = Field(default=SCHEMA, alias="schema")
    run: str = Field(pattern=r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$")
    slice: int = Field(ge=PLANNING, le=1_000_000)
    asked_at: AwareDatetime

    def to_json(self) -> str:
        """The message as it is written."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> SweepSlice:
        """Reads a message. Raises pydantic.ValidationError where it is none."""
        return cls.model_validate_json(text)
