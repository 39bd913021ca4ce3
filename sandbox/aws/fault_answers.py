"""How each AWS service words throttling and its own failures, in the protocol of the request.

Source: "Common Errors" of each service's API reference; Organizations' TooManyRequestsException, SQS's
RequestThrottled and EventBridge's ThrottlingException from their operations' errors; S3's error responses.
"""

from __future__ import annotations

import json
import uuid

from sandbox.aws.request_facts import RequestFacts
from sandbox.faults import Fault, FaultKind

Answer = tuple[str, list[tuple[str, str]], bytes]

_THROTTLED = {
    "events": ("400 Bad Request", "ThrottlingException"),
    "lambda": ("429 Too Many Requests", "TooManyRequestsException"),
    "organizations": ("400 Bad Request", "TooManyRequestsException"),
    "s3": ("503 Slow Down", "SlowDown"),
    "sqs": ("400 Bad Request", "RequestThrottled"),
}
_FAILED = {
    "events": "InternalException",
    "lambda": "ServiceException",
    "s3": "InternalError",
}


def fault_answer(facts: RequestFacts, fault: Fault) -> Answer:
    """Status line, headers and body for a planted throttle or error."""
    if fault.kind is FaultKind.THROTTLE:
        status, code = _THROTTLED.get(facts.service, ("400 Bad Request", "Throttling"))
        message = "Please reduce your request rate." if facts.service == "s3" else "Rate exceeded"
    else:
        status, code = "500 Internal Server Error", _FAILED.get(facts.service, "InternalFailure")
        message = "We encountered an internal error. Please try again."
    headers, body = _worded(facts, code, message, sender=status.startswith("4"))
    if fault.retry_after is not None:
        headers.append(("Retry-After", str(fault.retry_after)))
    return status, headers, body


def _worded(facts: RequestFacts, code: str, message: str, *, sender: bool) -> tuple[list[tuple[str, str]], bytes]:
    request_id = str(uuid.uuid4())
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if facts.protocol == "query":
        kind = "Sender" if sender else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type>{error}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return [("Content-Type", "text/xml")], body.encode()
    if facts.protocol == "rest-xml":
        body = f'<?xml version="1.0" encoding="UTF-8"?><Error>{error}<RequestId>{request_id}</RequestId></Error>'
        return [("Content-Type", "application/xml")], body.encode()
    if facts.protocol == "cbor":
        pairs = b"".join(_cbor_text(text) for text in ("__type", code, "message", message))
        return [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], b"\xa2" + pairs
    document = json.dumps({"__type": code, "message": message, "Message": message}).encode()
    if facts.protocol == "rest-json":
        return [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)], document
    query_error = f"{code};{'Sender' if sender else 'Receiver'}"
    return [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-query-error", query_error)], document


def _cbor_text(text: str) -> bytes:
    """A text of less than 256 bytes, as RFC 8949 writes it."""
    encoded = text.encode()
    return b"\x78" + bytes([len(encoded)]) + encoded
