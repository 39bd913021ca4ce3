"""ƒ gcp_project_events: a push of GCP's audit log becomes a request on `onboarding`.

Token first, body after. What is answered 2xx is forgotten by Pub/Sub, everything else comes again for days. So 204
says that the request is on the queue, that the entry asks nothing of us, or that it is parked: what can never be read,
a body beyond the limit included, would only come again. 413 would ask for just that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import azure.functions as func

from functions import bootstrap, gcp_bootstrap, telemetry
from functions.push_gate import refusal_of
from shared.adapters.gcp.project_events import Ignored, read_push
from shared.application.accept_project_event import Accepted, ProjectEventPorts, accept_project_event, park_push
from shared.application.outcome import Outcome
from shared.domain.ledger import Result
from shared.errors import PermanentError, RollcallError, TransientError

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("gcp_project_events")
@blueprint.route(route="gcp/project-events", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def gcp_project_events(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers one push."""
    verifier = bootstrap.push_verifier()
    with telemetry.invocation(context):
        refusal = refusal_of(req, verifier)
        return answer(req.get_body(), gcp_bootstrap.project_event_ports) if refusal is None else refusal


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
