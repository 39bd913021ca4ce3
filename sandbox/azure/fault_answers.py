"""How each Azure service words throttling and its own failures.

Source: Azure Resource Manager throttling guide; Azure Storage status and error codes; Microsoft Entra error
codes AADSTS90055 and AADSTS90033; App Service REST endpoint reference for managed identities.
"""

from __future__ import annotations

import time
import uuid

from werkzeug import Response

from sandbox.azure.answers import gateway_refusal
from sandbox.azure.exchange import Exchange, json_response
from sandbox.faults import Fault, FaultKind

_DEFAULT_RETRY_AFTER = 1


def _throttles(fault: Fault) -> bool:
    return fault.kind is FaultKind.THROTTLE


def _retry_after(fault: Fault) -> dict[str, str]:
    seconds = _DEFAULT_RETRY_AFTER if fault.retry_after is None else fault.retry_after
    return {"Retry-After": str(seconds)} if _throttles(fault) else {}


def resource_manager_fault(exchange: Exchange, fault: Fault) -> Response:
    """429 or 500 of Resource Manager; Resource Graph has a code of its own for its quota."""
    headers = _retry_after(fault)
    if not _throttles(fault):
        text = "The server encountered an internal error. Please retry the request."
        return gateway_refusal(500, "InternalServerError", text).response()
    if exchange.operation == "QueryResources":
        quota = {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:01"}
        text = "Client application has been throttled. Please see https://aka.ms/resourcegraph-throttling for help."
        return gateway_refusal(429, "RateLimiting", text, headers=headers | quota).response()
    text = (
        f"Number of requests for action '{exchange.operation}' exceeded the limit for its time interval. "
        f"Please try again after '{headers['Retry-After']}' seconds."
    )
    return gateway_refusal(429, "ResourceRequestsThrottled", text, headers=headers).response()


def entra_fault(_: Exchange, fault: Fault) -> Response:
    """429 for a throttled tenant, 503 where the directory service is not there."""
    status, code, text = (
        (429, 90055, "There are too many incoming requests.")
        if _throttles(fault)
        else (503, 90033, "A transient error has occurred. Please try again.")
    )
    trace = str(uuid.uuid4())
    body = {
        "error": "temporarily_unavailable",
        "error_description": f"AADSTS{code}: {text} Trace ID: {trace}",
        "error_codes": [code],
        "timestamp": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
        "trace_id": trace,
    }
    return json_response(status, body, _retry_after(fault))


def managed_identity_fault(_: Exchange, fault: Fault) -> Response:
    """429 or 500 of the identity endpoint."""
    status = 429 if _throttles(fault) else 500
    text = "Too many requests." if _throttles(fault) else "An unexpected error occurred while fetching the AAD token."
    body = {"statusCode": status, "message": text, "correlationId": str(uuid.uuid4())}
    return json_response(status, body, _retry_after(fault))


def monitor_fault(_: Exchange, fault: Fault) -> Response:
    """429 beyond the quota, 500 otherwise; the exporter tries both again."""
    status, text = (429, "Too many requests") if _throttles(fault) else (500, "Internal server error")
    body = {"itemsReceived": 0, "itemsAccepted": 0, "errors": [{"index": 0, "statusCode": status, "message": text}]}
    return json_response(status, body, headers=_retry_after(fault))
