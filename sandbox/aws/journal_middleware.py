"""The front door of the simulated AWS: authorizes, hands over to moto, and journals every request."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.aws.callers import Caller, caller_of
from sandbox.aws.fault_answers import fault_answer
from sandbox.aws.iam_enforcement import access_denied, denial
from sandbox.aws.named_accounts import accounts_of_request
from sandbox.aws.request_facts import RequestFacts, facts_of
from sandbox.aws.request_resources import resource_of
from sandbox.faults import Encounter, Faults, spoilt
from sandbox.faults import RequestFacts as Met
from sandbox.journal import Journal, JournalEntry
from sandbox.serving import elapsed_ms

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass
class _Answer:
    status: str = "0"  # of a request that is dropped without an answer
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class JournalMiddleware:
    """Wraps moto's application."""

    def __init__(self, application: WSGIApplication, journal: Journal, faults: Faults) -> None:
        self._application = application
        self._journal = journal
        self._faults = faults

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request; one that is dropped without an answer is journalled with status 0."""
        if str(environ["PATH_INFO"]).startswith("/moto-api"):
            return self._application(environ, start_response)
        started = time.perf_counter()
        facts = facts_of(environ)
        caller = caller_of(facts.access_key_id)
        detail = _detail(facts, caller)
        answer = _Answer()
        try:
            self._answer(environ, facts, caller, detail, answer)
        finally:
            self._journal.record(_entry(environ, facts, caller, detail, answer, elapsed_ms(started)))
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _answer(
        self, environ: WSGIEnvironment, facts: RequestFacts, caller: Caller, detail: dict[str, Any], answer: _Answer
    ) -> None:
        reason = denial(facts, caller)
        if reason is not None:
            detail["denied"] = reason
            answer.status, answer.headers, answer.body = access_denied(facts, reason)
            return
        encounter = self._meet(environ, facts, caller)
        if encounter.fault is not None:
            detail["fault"] = str(encounter.fault.kind)
        refusal = encounter.before()
        if refusal is not None:
            answer.status, answer.headers, answer.body = fault_answer(facts, refusal)
            return
        full = self._ask_moto(environ)
        detail["effect"] = int(full.status.split(" ")[0])  # kept where nobody hears of it
        kind = encounter.after()
        del detail["effect"]
        answer.status, answer.headers, answer.body = full.status, full.headers, full.body
        if kind is not None:
            answer.headers, answer.body = spoilt(kind, full.headers)

    def _meet(self, environ: WSGIEnvironment, facts: RequestFacts, caller: Caller) -> Encounter:
        client = str(environ.get("HTTP_USER_AGENT", ""))
        path = str(environ["PATH_INFO"])
        return self._faults.meet(
            Met(service=facts.service, operation=facts.operation, identity=caller.arn, client=client, path=path)
        )

    def _ask_moto(self, environ: WSGIEnvironment) -> _Answer:
        answer = _Answer()

        def noting(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            answer.status, answer.headers = status, headers
            return lambda data: None

        parts = self._application(environ, noting)
        answer.body = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        return answer


def _entry(  # noqa: PLR0913, PLR0917 - the parts of an entry
    environ: WSGIEnvironment,
    facts: RequestFacts,
    caller: Caller,
    detail: dict[str, Any],
    answer: _Answer,
    duration_ms: float,
) -> JournalEntry:
    return JournalEntry(
        service=facts.service,
        operation=f"{facts.service}:{facts.operation}",
        identity=caller.arn,
        authentication="none" if facts.access_key_id is None else "sigv4",
        method=str(environ["REQUEST_METHOD"]),
        path=str(environ["PATH_INFO"]),
        status=int(answer.status.split(" ")[0]),
        duration_ms=duration_ms,
        detail=detail,
    )


def _detail(facts: RequestFacts, caller: Caller) -> dict[str, Any]:
    """The accounts that are meant; of what a role asks, its session and the resource, too."""
    detail: dict[str, Any] = {}
    if accounts := accounts_of_request(facts.parameters):
        detail["accounts"] = accounts
    if caller.session is not None:
        detail["session"] = caller.session.session_name
    if caller.role is not None and (arn := resource_of(facts, caller.account_id)):
        detail["arn"] = arn
    return detail
