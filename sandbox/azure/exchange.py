"""One request to a simulated Azure service, answered and written to the journal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response

from sandbox.faults import Encounter, Fault, Faults, RequestFacts, spoilt
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
    meet: Callable[[Exchange], Encounter] | None = None
    encounter: Encounter | None = None

    def admitted(self) -> None:
        """To be called once operation and identity are known, just before the request takes effect.

        Raises:
            FaultedError: a planted fault is the answer.
            ConnectionDroppedError: a planted fault ends the connection.
        """
        if self.meet is None:
            return
        self.encounter = self.meet(self)
        if self.encounter.fault is not None:
            self.detail["fault"] = str(self.encounter.fault.kind)
        fault = self.encounter.before()
        if fault is not None:
            raise FaultedError(fault)

    @property
    def raw_path(self) -> str:
        """Path and query exactly as sent, percent-encoding included."""
        return str(self.request.environ.get("RAW_URI") or self.request.full_path)


class FaultedError(Exception):
    """A planted throttle or error, which the service words in its own way."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault.kind))
        self.fault = fault


class Endpoint:
    """A WSGI application that answers exchanges and journals each of them, refused ones too."""

    def __init__(
        self,
        service: str,
        journal: Journal,
        answer: Callable[[Exchange], Response],
        *,
        faults: Faults | None = None,
        faulted: Callable[[Exchange, Fault], Response] | None = None,
    ) -> None:
        """`answer` is called in the connection's thread; `faulted` words a planted throttle or error."""
        self._service = service
        self._journal = journal
        self._answer = answer
        self._faults = faults or Faults()
        self._faulted = faulted

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request; one that is dropped without an answer is journalled with status 0."""
        started = time.perf_counter()
        exchange = Exchange(Request(environ), meet=self._meet)
        status = 0
        try:
            response = self._answered(exchange)
            status = response.status_code
        finally:
            self._journal.record(self._entry(exchange, status, elapsed_ms(started)))
        return response(environ, start_response)

    def _meet(self, exchange: Exchange) -> Encounter:
        return self._faults.meet(
            RequestFacts(
                service=self._service,
                operation=exchange.operation,
                identity=exchange.identity,
                resource=str(exchange.detail.get("resource") or ""),
                client=exchange.request.headers.get("User-Agent", ""),
                path=exchange.raw_path,
            )
        )

    def _answered(self, exchange: Exchange) -> Response:
        try:
            response = self._answer(exchange)
        except FaultedError as error:
            if self._faulted is None:
                raise
            return self._faulted(exchange, error.fault)
        if exchange.encounter is None:
            return response
        exchange.detail["effect"] = response.status_code  # kept where nobody hears of it
        kind = exchange.encounter.after()
        del exchange.detail["effect"]
        if kind is None:
            return response
        headers, body = spoilt(kind, list(response.headers.items()))
        return Response(body, status=response.status_code, headers=headers)

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
