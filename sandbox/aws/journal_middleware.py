"""The front door of the simulated AWS: authorizes, hands over to moto, and journals every request."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sandbox.aws.callers import caller_of
from sandbox.aws.iam_enforcement import access_denied, denial
from sandbox.aws.named_accounts import accounts_of_request
from sandbox.aws.request_facts import RequestFacts, facts_of
from sandbox.journal import Journal, JournalEntry
from sandbox.serving import elapsed_ms

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class JournalMiddleware:
    """Wraps moto's application."""

    def __init__(self, application: WSGIApplication, journal: Journal) -> None:
        self._application = application
        self._journal = journal

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        if str(environ["PATH_INFO"]).startswith("/moto-api"):
            return self._application(environ, start_response)
        started = time.perf_counter()
        facts = facts_of(environ)
        caller = caller_of(facts.access_key_id)
        statuses: list[str] = []

        def noting(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(status)
            return start_response(status, headers)

        reason = denial(facts, caller)
        if reason is None:
            body = self._application(environ, noting)
        else:
            status, headers, content = access_denied(facts, reason)
            noting(status, headers)
            body = [content]
        self._journal.record(
            JournalEntry(
                service=facts.service,
                operation=f"{facts.service}:{facts.operation}",
                identity=caller.arn,
                authentication="none" if facts.access_key_id is None else "sigv4",
                method=str(environ["REQUEST_METHOD"]),
                path=str(environ["PATH_INFO"]),
                status=int(statuses[0].split(" ")[0]),
                duration_ms=elapsed_ms(started),
                detail=_detail(facts, reason),
            )
        )
        return body


def _detail(facts: RequestFacts, reason: str | None) -> dict[str, Any]:
    accounts = accounts_of_request(facts.parameters)
    return ({"accounts": accounts} if accounts else {}) | ({} if reason is None else {"denied": reason})
