"""An SQS event source mapping: polls a queue, invokes a function, deletes what was handled."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.journal import Journal, JournalEntry
from sandbox.lambda_service.batches import event_of, failed_messages
from sandbox.serving import elapsed_ms

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from sandbox.lambda_service.function import Function

_logger = logging.getLogger(__name__)
_LONG_POLL_SECONDS = 1  # Lambda polls for 20 s; a shorter one lets the sandbox stop at once
_RECEIVE_LIMIT = 10  # SQS ReceiveMessage and DeleteMessageBatch


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What ListEventSourceMappings says about one SQS mapping."""

    queue_arn: str
    queue_url: str  # made from the ARN, as Lambda does: it asks for no sqs:GetQueueUrl
    function_arn: str
    batch_size: int
    window_seconds: float
    reports_failures: bool


class SqsEventSource:
    """One poller of one mapping, in a thread of its own, with the credentials of the function's role."""

    def __init__(self, mapping: Mapping, function: Function, sqs: SQSClient, journal: Journal) -> None:
        self._mapping = mapping
        self._function = function
        self._sqs = sqs
        self._journal = journal
        self._stopping = threading.Event()
        name = f"{function.configuration.name}-poller"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins to poll."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Lets the poller end after what it does now."""
        self._stopping.set()

    def join(self, timeout_seconds: float) -> None:
        """Waits until the poller ended."""
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if batch := self._gather(self._mapping.queue_url):
                    self._process(self._mapping.queue_url, batch)
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.is_set():
                    _logger.warning("polling failed", extra={"queue": self._mapping.queue_arn, "error": str(error)})
                    self._stopping.wait(1)

    def _gather(self, url: str) -> list[MessageTypeDef]:
        """A batch: complete, or as far as it got when the window after its first message closed."""
        batch: dict[str, MessageTypeDef] = {}
        closes_at = math.inf
        while len(batch) < self._mapping.batch_size and not self._stopping.is_set():
            left = closes_at - time.monotonic()
            if left <= 0:
                break
            received = self._sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(_RECEIVE_LIMIT, self._mapping.batch_size - len(batch)),
                WaitTimeSeconds=int(min(_LONG_POLL_SECONDS, left)),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if received and not batch:
                closes_at = time.monotonic() + self._mapping.window_seconds
            batch |= {message["MessageId"]: message for message in received}
            if not batch:
                return []
            if not received and left < 1:
                self._stopping.wait(min(left, 0.1))
        return list(batch.values())

    def _process(self, url: str, batch: list[MessageTypeDef]) -> None:
        started = time.perf_counter()
        request_id, result = self._function.invoke(event_of(batch, self._mapping.queue_arn))
        ids = {message["MessageId"] for message in batch}
        failed = (
            ids
            if result.failed
            else failed_messages(result.payload, ids, reports_failures=self._mapping.reports_failures)
        )
        detail: dict[str, Any] = {
            "function": self._function.configuration.name,
            "records": len(batch),
            "failures": len(failed),
            "request_id": request_id,
        }
        if result.failed:
            detail["error"] = _described(result.payload)
        self._journal.record(
            JournalEntry(
                service="lambda",
                operation="lambda:Invoke",
                identity="lambda.amazonaws.com",
                authentication="none",
                method="POST",
                path=f"/2015-03-31/functions/{self._function.configuration.name}/invocations",
                status=200,  # Invoke answers 200 for a function error too
                duration_ms=elapsed_ms(started),
                detail=detail,
            )
        )
        self._delete(url, [message for message in batch if message["MessageId"] not in failed])

    def _delete(self, url: str, messages: list[MessageTypeDef]) -> None:
        """Deletes what was handled; the rest turns up again when the queue's visibility time-out ends."""
        for start in range(0, len(messages), _RECEIVE_LIMIT):
            answer = self._sqs.delete_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages[start : start + _RECEIVE_LIMIT])
                ],
            )
            for failure in answer.get("Failed", []):
                _logger.warning("a handled message was not deleted", extra={"code": failure["Code"]})


def _described(payload: bytes) -> str:
    """`errorType: errorMessage` of a function error."""
    try:
        error = json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
    return f"{error.get('errorType')}: {error.get('errorMessage')}" if isinstance(error, dict) else str(error)
