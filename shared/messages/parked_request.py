"""`parked-request/1`: a message that can never succeed as it is, with the reason and the way out."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

SCHEMA: Literal["parked-request/1"] = "parked-request/1"


class ParkedRequest(BaseModel):
    """Either `original`, the message as JSON, or `raw_base64`, its bytes where they are no JSON object."""

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True, populate_by_name=True)

    schema_id: Literal["parked-request/1"] = Field(default=SCHEMA, alias="schema")
    original: dict[str, Any] | None = None
    raw_base64: str | None = None
    reason: str
    remedy: str
    parked_at: AwareDatetime

    @model_validator(mode="after")
    def _has_one_original(self) -> Self:
        if (self.original is None) == (self.raw_base64 is None):
            raise ValueError("exactly one of original and raw_base64 is needed")
        return self

    @classmethod
    def of(cls, body: bytes, *, reason: str, remedy: str, at: datetime) -> ParkedRequest:
        """Parks whatever arrived, losing nothing of it."""
        original = _json_object(body)
        if original is not None:
            return cls(original=original, reason=reason, remedy=remedy, parked_at=at)
        raw = base64.b64encode(body).decode("ascii")
        return cls(raw_base64=raw, reason=reason, remedy=remedy, parked_at=at)

    def to_json(self) -> str:
        """The message as it is written."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> ParkedRequest:
        """Reads a parked message. Raises pydantic.ValidationError where it is none."""
        return cls.model_validate_json(text)


def _json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`; None where there is none that can be written again as it was."""
    try:
        found = json.loads(body)
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()  # refuses NaN, overflow, lone surrogates
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
