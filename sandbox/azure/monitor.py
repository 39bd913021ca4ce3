"""Where Application Insights takes telemetry, and what has come.

Source: the exporter's own generated client (azure-monitor-opentelemetry-exporter, POST /v2.1/track: envelopes in, a
count of those that were taken out); Microsoft Learn, "Microsoft Entra authentication for Application Insights".
"""

from __future__ import annotations

import gzip
import json
import threading
from typing import Any

from werkzeug import Response

from sandbox.azure.directory import Identity, insights_scope
from sandbox.azure.entra import MONITOR_AUDIENCE
from sandbox.azure.exchange import Exchange, json_response
from sandbox.azure.tokens import TokenError, Tokens

INSTRUMENTATION_KEY = "1f3e0b5c-6d42-4a97-8c1e-5b7a90d2c4f8"
_WRITE = "Microsoft.Insights/Telemetry/Write"


class MonitorIngestion:
    """Takes telemetry from who may publish it: there are no keys."""

    def __init__(self, tokens: Tokens, subscription_id: str) -> None:
        """`tokens` is whose callers are known."""
        self._tokens = tokens
        self._scope = insights_scope(subscription_id)
        self._lock = threading.Lock()
        self._items: list[dict[str, Any]] = []

    def items(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The envelopes that came, of one `baseType` or all, each as it was sent."""
        with self._lock:
            return [each for each in self._items if kind is None or each["data"]["baseType"] == kind]

    def answer(self, exchange: Exchange) -> Response:
        """Answers one request."""
        request = exchange.request
        if request.method != "POST" or request.path != "/v2.1/track":
            return _problem(404, "Not found")
        exchange.operation = "Track"
        try:
            caller = self._tokens.identify(request.headers.get("Authorization"), (MONITOR_AUDIENCE,))
        except TokenError as error:
            return _problem(401, f"Authentication failed: {error.problem}")
        exchange.identity, exchange.authentication = caller.name, "bearer"
        if not self._may_write(caller):
            return _problem(403, "The caller may not publish telemetry")
        exchange.admitted()
        envelopes = _envelopes(request.get_data(), request.headers.get("Content-Encoding", ""))
        wrong = [number for number, each in enumerate(envelopes) if each.get("iKey") != INSTRUMENTATION_KEY]
        taken = [each for number, each in enumerate(envelopes) if number not in wrong]
        with self._lock:
            self._items.extend(taken)
        errors = [{"index": number, "statusCode": 400, "message": "Invalid instrumentation key"} for number in wrong]
        body = {"itemsReceived": len(envelopes), "itemsAccepted": len(taken), "errors": errors}
        return json_response(206 if wrong else 200, body)

    def _may_write(self, caller: Identity) -> bool:
        return self._tokens.directory.allows(caller, _WRITE, self._scope, data=True)


def _envelopes(body: bytes, encoding: str) -> list[dict[str, Any]]:
    """One JSON list, or one object in each line."""
    text = (gzip.decompress(body) if encoding == "gzip" else body).decode()
    if text.lstrip().startswith("["):
        found: list[dict[str, Any]] = json.loads(text)
        return found
    return [json.loads(line) for line in text.splitlines() if line]


def _problem(status: int, text: str) -> Response:
    errors = [{"index": 0, "statusCode": status, "message": text}]
    return json_response(status, {"itemsReceived": 0, "itemsAccepted": 0, "errors": errors})
