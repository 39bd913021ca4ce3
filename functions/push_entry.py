"""What a push of our subscription is answered with, and the one line about it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import azure.functions as func

from functions.push_gate import refusal_of
from shared.adapters.gcp.project_events import Ignored, read_push
from shared.adapters.tokens.verifier import TokenVerifier
from shared.application.accept_project_event import Accepted, ProjectEventPorts, accept_project_event, park_push
from shared.application.outcome import Outcome
from shared.domain.ledger import Result
from shared.errors import PermanentError, RollcallError, TransientError

logger = logging.getLogger(__name__)


def admitted(
    req: func.HttpRequest, verifier: TokenVerifier | None, open_ports: Callable[[], ProjectEventPorts]
) -> func.HttpResponse:
    """Answers our subscription; refuses anybody else."""
    refusal = refusal_of(req, verifier)
    return answer(req.get_body(), open_ports) if refusal is None else refusal


def answer(body: bytes, open_ports: Callable[[], ProjectEventPorts]) -> func.HttpResponse:
    """Answers a push of our subscription, without a word, and says in one line what became of it."""
    started = time.perf_counter()
    facts: dict[str, object] = {"provider": "gcp"}
    try:
        accepted = _handled(body, open_ports, facts)
    except RollcallError as error:
        told = {"outcome": str(Result.FAILED), "error_class": type(error).__name__, "error_key": error.key}
        told |= {"reason": error.reason, "remedy": error.remedy}
        passing = isinstance(error, TransientError)
        logger.log(logging.WARNING if passing else logging.CRITICAL, "push_failed", extra=facts | told)
        return func.HttpResponse(status_code=503 if passing else 500)
    facts["duration_ms"] = round((time.perf_counter() - started) * 1000)
    level = logging.ERROR if accepted.outcome.result is Result.PARKED else logging.INFO
    logger.log(level, "push_handled", extra=facts | accepted.log_fields())
    return func.HttpResponse(status_code=204)


def _handled(body: bytes, open_ports: Callable[[], ProjectEventPorts], facts: dict[str, object]) -> Accepted:
    try:
        said = read_push(body)
    except PermanentError as error:
        return Accepted(outcome=park_push(body, error, open_ports()))
    if isinstance(said, Ignored):
        return Accepted(outcome=Outcome(result=Result.SKIPPED, reason=said.reason))
    facts |= {"operation": str(said.method), "project": said.project}
    return accept_project_event(said, body, open_ports())
