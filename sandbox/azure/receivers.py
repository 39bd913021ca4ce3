"""Who is told of sweeps: a workflow of Teams, and a webhook that wants a signature. Both keep what they took.

Source: Microsoft Learn, "Create incoming webhooks with Workflows for Microsoft Teams" (the message's form, 28 KB at
most); Power Automate's trigger answers 202 without a body; Standard Webhooks 1.0.0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

from werkzeug import Response

from sandbox.azure.exchange import Exchange, json_response
from sandbox.faults import Fault, FaultKind

_CARD = "application/vnd.microsoft.card.adaptive"
_MOST_BYTES = 28 * 1024
_TOLERANCE_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a receiver took: who it was sent to, and the body."""

    receiver: str
    body: Any


class Receivers:
    """Both receivers, each at an address of its own."""

    def __init__(self) -> None:
        """Makes the workflow's signature and the webhook's key."""
        self._signature = secrets.token_urlsafe(32)
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._taken: list[Taken] = []

    @property
    def teams_path(self) -> str:
        """The workflow's path and query; whoever knows it may post."""
        return f"/workflows/rollcall/triggers/manual/paths/invoke?api-version=2016-06-01&sig={self._signature}"

    @property
    def webhook_path(self) -> str:
        """The webhook's path."""
        return "/hooks/rollcall"

    @property
    def webhook_key(self) -> str:
        """The key that the webhook's sender shares with it."""
        return f"whsec_{base64.b64encode(self._key).decode()}"

    def taken(self, receiver: str) -> list[Any]:
        """The bodies that `teams` or `webhook` took, in their order."""
        with self._lock:
            return [each.body for each in self._taken if each.receiver == receiver]

    def answer(self, exchange: Exchange) -> Response:
        """Answers one request."""
        request = exchange.request
        if request.method == "POST" and request.path.startswith("/workflows/"):
            return self._teams(exchange)
        if request.method == "POST" and request.path == self.webhook_path:
            return self._webhook(exchange)
        return json_response(404, {"error": {"code": "NotFound"}})

    def _teams(self, exchange: Exchange) -> Response:
        exchange.operation = "PostToTeams"
        if exchange.raw_path != self.teams_path:
            return json_response(401, {"error": {"code": "DirectApiAuthorizationRequired"}})
        exchange.identity, exchange.authentication = "the workflow's address", "sas"
        body = exchange.request.get_data()
        if len(body) > _MOST_BYTES:
            return json_response(413, {"error": {"code": "RequestEntityTooLarge"}})
        message = _read(body)
        if not _is_a_message(message):
            return json_response(400, {"error": {"code": "TriggerInputSchemaMismatch"}})
        exchange.admitted()
        self._keep("teams", message)
        return Response(status=202)

    def _webhook(self, exchange: Exchange) -> Response:
        exchange.operation = "PostToWebhook"
        body = exchange.request.get_data()
        if not self._is_signed(exchange, body):
            return json_response(401, {"error": "the signature is not ours"})
        exchange.identity, exchange.authentication = "the webhook's key", "shared-key"
        exchange.admitted()
        self._keep("webhook", _read(body))
        return Response(status=204)

    def _is_signed(self, exchange: Exchange, body: bytes) -> bool:
        headers = exchange.request.headers
        name, at, given = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
        if not name or not at.isdigit() or abs(time.time() - int(at)) > _TOLERANCE_SECONDS:
            return False
        wanted = hmac.new(self._key, b".".join((name.encode(), at.encode(), body)), hashlib.sha256).digest()
        signatures = (each.removeprefix("v1,") for each in given.split(" ") if each.startswith("v1,"))
        return any(hmac.compare_digest(base64.b64encode(wanted).decode(), each) for each in signatures)

    def _keep(self, receiver: str, body: Any) -> None:
        with self._lock:
            self._taken.append(Taken(receiver=receiver, body=body))


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _is_a_message(message: Any) -> bool:
    """Whether it is what the template's workflow posts: a list of cards, in a message."""
    if not isinstance(message, dict) or message.get("type") != "message":
        return False
    cards = message.get("attachments")
    return (
        isinstance(cards, list)
        and bool(cards)
        and all(
            isinstance(each, dict)
            and each.get("contentType") == _CARD
            and isinstance(each.get("content"), dict)
            and each["content"].get("type") == "AdaptiveCard"
            for each in cards
        )
    )


def receivers_fault(_: Exchange, fault: Fault) -> Response:
    """429 with `Retry-After`, or 500."""
    if fault.kind is not FaultKind.THROTTLE:
        return json_response(500, {"error": {"code": "InternalServerError"}})
    wait = 1 if fault.retry_after is None else fault.retry_after
    return json_response(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": str(wait)})
