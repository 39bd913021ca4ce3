"""What lies on `onboarding-poison`: our own `parked-request/1`, or the bare text that the Functions host moved there.

The host moves what a function failed on five times, and what it could not decode itself, as it was: Base64 in the
first case, anything at all in the second. Nothing is refused here; what is no request has a fault instead.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from shared.messages.connector_request import ConnectorRequest
from shared.messages.faults import faults_of
from shared.messages.parked_request import SCHEMA as PARKED
from shared.messages.parked_request import ParkedRequest


@dataclass(frozen=True, kw_only=True)
class PoisonMessage:
    """One message of the poison queue, read.

    `body` is what would go back to the queue; None where it is kept apart, by `digest`. `reason` and `remedy` are
    those it was parked with; a bare message has none. `request` is the body as a request, `fault` says why it is none.
    """

    body: bytes | None
    digest: str = ""
    parked: bool = False
    reason: str = ""
    remedy: str = ""
    parked_at: datetime | None = None
    request: ConnectorRequest | None = None
    fault: str = ""

    @classmethod
    def read(cls, text: str) -> PoisonMessage:
        """Reads the text of a message as the queue has it."""
        body = _decoded(text)
        parked = _parked(body)
        if parked is None:
            return cls(body=body).judged()
        if parked.original is not None:
            original: bytes | None = json.dumps(parked.original, ensure_ascii=False).encode()
        else:
            original = None if parked.raw_base64 is None else _decoded(parked.raw_base64)
        return cls(
            body=original,
            digest=parked.raw_sha256 or "",
            parked=True,
            reason=parked.reason,
            remedy=parked.remedy,
            parked_at=parked.parked_at,
        ).judged()

    def judged(self, body: bytes | None = None) -> PoisonMessage:
        """The same with `body`, where one is given, and what that says now."""
        body = self.body if body is None else body
        request, fault = (None, "its text is kept apart") if body is None else read_request(body)
        return PoisonMessage(
            body=body,
            digest=self.digest,
            parked=self.parked,
            reason=self.reason,
            remedy=self.remedy,
            parked_at=self.parked_at,
            request=request,
            fault=fault,
        )


def read_request(body: bytes) -> tuple[ConnectorRequest | None, str]:
    """The request in `body`, or why it is none."""
    try:
        return ConnectorRequest.from_json(body), ""
    except ValidationError as error:
        return None, f"not a connector-request/1: {faults_of(error)}"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # a sender that wrote plain text, or half a character
        return text.encode("utf-8", "surrogatepass")


def _parked(body: bytes) -> ParkedRequest | None:
    try:
        found = json.loads(body)
        return ParkedRequest.from_json(body) if isinstance(found, dict) and found.get("schema") == PARKED else None
    except (ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
        return None
