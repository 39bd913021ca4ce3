"""One request to a simulated Azure service, answered and written to the journal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response

from sandbox.journal import Authentication, Journal, JournalEntry
from sandbox.serving import elapsed_ms

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass
class Exchange:
    """A request together with what the service found out about it, for the journal."""

    request: Request
    operation: str = "unknown"
    identity: str = "anonymous"
    authentication: Authentication = "none"
    detail: dict[str, Any] = field(default_factory=dict)
    body: Any = None

    @property
    def raw_path(self) -> str:
        """Path and query exactly as sent, percent-encoding included."""
        return str(self.request.environ.get("RAW_URI") or self.request.full_path)


class Endpoint:
    """A WSGI application that answers exchanges and journals each of them, refused ones too."""

    def __init__(self, service: str, journal: Journal, answer: Callable[[Exchange], Response]) -> None:
        """`answer` is called in the connection's thread."""
        self._service = service
        self._journal = journal
        self._answer = answer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request; one that is dropped without an answer is journalled with status 0."""
        started = time.perf_counter()
        exchange = Exchange(Request(environ))
        status = 0
        try:
            response = self._answer(exchange)
            status = response.status_code
        finally:
            self._journal.record(self._entry(exchange, status, elapsed_ms(started)))
        return response(environ, start_response)

    def _entry(self, exchange: Exchange, status: int, duration_ms: float) -> JournalEntry:
        return JournalEntry(
            service=self._service,
            operation=f"{self._service}:{exchange.operation}",
            identity=exchange.identity,
            authentication=exchange.authentication,
            method=exchange.request.method,
            path=_without_secrets(exchange.raw_path),
            status=status,
            duration_ms=duration_ms,
            detail=exchange.detail,
            body=exchange.body,
        )


def _without_secrets(path: str) -> str:
    bare, _, query = path.partition("?")
    kept = [pair for pair in query.split("&") if pair and not pair.lower().startswith("sig=")]
    return f"{bare}?{'&'.join(kept)}" if kept else bare


def json_response(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer with the content type that Azure uses."""
    response = Response(
        json.dumps(body, separators=(",", ":")),
        status=status,
        content_type="application/json; charset=utf-8",
    )
    response.headers.update({"Cache-Control": "no-cache", **(headers or {})})
    return response
