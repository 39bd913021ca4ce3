"""SQS messages as Lambda's event records, and which of them a handler's answer gives back.

Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS" and "Handling errors for an SQS event source".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef


def event_of(messages: Iterable[MessageTypeDef], queue_arn: str) -> bytes:
    """The event that a handler gets for a batch of messages."""
    records = [_record(message, queue_arn) for message in messages]
    return json.dumps({"Records": records}).encode()


def failed_messages(payload: bytes, message_ids: set[str], *, reports_failures: bool) -> set[str]:
    """The ids of the messages that stay on the queue after a handler answered without an error.

    Without ReportBatchItemFailures none stays. With it, an answer that is empty, null, or has an empty or
    null list keeps none; one that names an unknown message, or is of another form, keeps all of them.
    """
    if not reports_failures:
        return set()
    try:
        answer = json.loads(payload or b"null") or {"batchItemFailures": []}
        named = {item["itemIdentifier"] for item in answer["batchItemFailures"] or []}
    except (ValueError, TypeError, KeyError):
        return message_ids
    return named if named <= message_ids else message_ids


def _record(message: MessageTypeDef, queue_arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": _attributes(message.get("MessageAttributes", {})),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def _attributes(attributes: Mapping[str, MessageAttributeValueOutputTypeDef]) -> dict[str, dict[str, Any]]:
    converted: dict[str, dict[str, Any]] = {}
    for name, value in attributes.items():
        entry: dict[str, Any] = {"dataType": value["DataType"], "stringListValues": [], "binaryListValues": []}
        if "StringValue" in value:
            entry["stringValue"] = value["StringValue"]
        if "BinaryValue" in value:
            entry["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
        converted[name] = entry
    return converted
