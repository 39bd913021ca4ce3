"""How Google words throttling and its own failures. Source: AIP-193; the token services answer in the same envelope."""

from __future__ import annotations

from werkzeug import Response

from sandbox.azure.exchange import Exchange
from sandbox.faults import Fault, FaultKind
from sandbox.gcp.answers import error_info, refusal


def google_fault(exchange: Exchange, fault: Fault) -> Response:
    """429, with Retry-After where the fault names one, or 503."""
    if fault.kind is not FaultKind.THROTTLE:
        return refusal(503, "The service is currently unavailable.").response()
    service = exchange.operation.partition(".")[0]
    text = f"Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service '{service}'."
    info = error_info("RATE_LIMIT_EXCEEDED", "googleapis.com", service=f"{service}.googleapis.com")
    answer = refusal(429, text, details=[info]).response()
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer
