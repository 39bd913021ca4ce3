"""`parked-request/1`: a message that can never succeed as it is, with the reason and the way out."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

SCHEMA: Literal["parked-request/1"] = "parked-request/1"
MOST_BYTES = 48 * 1024
"""What one message of a Storage queue holds: 64 KiB in Base64."""


class ParkedRequest(BaseModel):
    """`original`, the message as JSON; or `raw_base64`, its bytes, where they are no JSON object.

    A message that leaves no room for its reason is kept apart, by `raw_sha256`, the SHA-256 of its bytes in
    hexadecimal: see `ParkedBodies`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True, populate_by_name=True)

    schema_id: Literal["parked-request/1"] = Field(default=SCHEMA, alias="schema")
    original: dict[str, Any] | None = None
    raw_base64: str | None = None
    raw_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    reason: str
    remedy: str
    parked_at: AwareDatetime

    @model_validator(mode="after")
    def _has_one_original(self) -> Self:
        if [self.original, self.raw_base64, self.raw_sha256].count(None) != 2:  # noqa: PLR2004
            raise ValueError("exactly one of original, raw_base64 and raw_sha256 is needed")
        return self

    @classmethod
    def of(cls, body: bytes, *, reason: str, remedy: str, at: datetime) -> ParkedRequest:
        """Parks whatever arrived, losing nothing of it."""
        original = _json_object(body)
        if original is not None:
            parked = cls(original=original, reason=reason, remedy=remedy, parked_at=at)
            if parked._can_be_read_back():
                return parked
        raw = base64.b64encode(body).decode("ascii")
        return cls(raw_base64=raw, reason=reason, remedy=remedy, parked_at=at)

    @classmethod
    def apart(cls, body: bytes, *, reason: str, remedy: str, at: datetime) -> ParkedRequest:
        """Parks what is kept apart."""
        return cls(raw_sha256=hashlib.sha256(body).hexdigest(), reason=reason, remedy=remedy, parked_at=at)

    @property
    def fits(self) -> bool:
        """Whether the queue takes it."""
        return len(self.to_json().encode()) <= MOST_BYTES

    def _can_be_read_back(self) -> bool:
        """Whether it is the same again after the queue: no NaN, half a character, or nesting that readers refuse."""
        try:
            return self.from_json(self.to_json()) == self
        except ValueError:  # pydantic's ValidationError and PydanticSerializationError are both
            return False

    def to_json(self) -> str:
        """The message as it is written."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> ParkedRequest:
        """Reads a parked message. Raises pydantic.ValidationError where it is none."""
        return cls.model_validate_json(text)


def _json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`; None where there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
