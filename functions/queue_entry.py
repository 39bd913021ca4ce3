"""The wrapper around every request from the queue: read, call the use case, write the one closing line."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from functions import telemetry
from shared.application.onboard import onboard, park_given_up, park_unreadable
from shared.application.onboard_ports import OnboardPorts
from shared.application.outcome import Outcome
from shared.domain.ledger import Result
from shared.domain.trace import trace_id_of
from shared.errors import RollcallError
from shared.messages.connector_request import ConnectorRequest
from shared.messages.poison import read_request
from shared.messages.probe import is_probe

logger = logging.getLogger(__name__)

LAST_TRY = 5  # maxDequeueCount of host.json: after it the host moves the bare message to the poison queue
_LEVELS = {Result.PARKED: logging.ERROR, Result.DEFERRED: logging.WARNING}


def handle_request(body: bytes, dequeue_count: int, ports: OnboardPorts) -> Outcome:
    """Does what the message asks and says so in one line. Raises what the queue has to try again.

    What the last of its tries would raise is parked, with reason and remedy; unknown exceptions stay with the host.
    """
    if is_probe(body):
        logger.info("probe_received", extra={"outcome": str(Result.SKIPPED)})
        return Outcome(result=Result.SKIPPED, reason="a probe, which asks nothing")
    request, fault = read_request(body)
    if request is None:
        return _park_unreadable(body, fault, ports)
    began = datetime.now(UTC)
    with telemetry.following("create_connector", request) as span:
        outcome = _handle(request, dequeue_count, ports)
        telemetry.tell(span, request, outcome, began=began)
    return outcome


def _handle(request: ConnectorRequest, dequeue_count: int, ports: OnboardPorts) -> Outcome:
    started = time.perf_counter()
    facts: dict[str, object] = {
        "correlation_id": request.correlation_id,
        "trace_id": trace_id_of(request.traceparent),
        "message_id": str(request.message_id),
        "attempt": request.attempt,
        "dequeue_count": dequeue_count,
        "provider": str(request.data.provider),
        "hierarchy_identifier": request.data.hierarchy_identifier,
        "operation": str(request.data.action),
    }
    try:
        outcome = onboard(request, ports)
    except RollcallError as error:
        facts |= {"error_class": type(error).__name__, "reason": error.reason, "remedy": error.remedy}
        facts["error_key"] = error.key
        logger.critical("request_failed", extra=facts | {"outcome": str(Result.FAILED)})
        if dequeue_count < LAST_TRY:
            raise
        outcome = park_given_up(request, error, ports)
    facts["duration_ms"] = round((time.perf_counter() - started) * 1000)
    logger.log(_LEVELS.get(outcome.result, logging.INFO), "request_handled", extra=facts | outcome.log_fields())
    return outcome


def _park_unreadable(body: bytes, reason: str, ports: OnboardPorts) -> Outcome:
    try:
        outcome = park_unreadable(body, reason, ports)
    except RollcallError as refused:  # the queue's own tries; then the host parks it bare
        logger.critical("request_failed", extra={"outcome": str(Result.FAILED), "reason": f"{reason}; {refused}"})
        raise
    logger.error("request_unreadable", extra=outcome.log_fields())
    return outcome
