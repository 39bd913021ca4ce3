"""Looks at accounts that are to come, as delayed messages of the queue `account-events`. Source: SQS API 2012-11-05.

They have the shape of our own event and go past EventBridge, since only SQS can delay.
"""

from __future__ import annotations

import json
import math
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.adapters.aws.errors import translated
from shared.adapters.aws.own_events import ONBOARD_REQUESTED, OWN_SOURCE
from shared.application.ports import Clock
from shared.domain.readiness import Retry

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

_LONGEST_DELAY_SECONDS = 900  # the most that SendMessage takes
_NAMESPACE = uuid.UUID("b1c9e2f4-3a76-5d18-8f0e-9d2c4b7a6e51")


class SqsAccountRetries:
    """Puts messages on the queue that `account_events` reads."""

    def __init__(self, sqs: SQSClient, clock: Clock, *, queue_url: str) -> None:
        """`queue_url` is that of the queue `account-events`."""
        self._client = sqs
        self._clock = clock
        self._queue_url = queue_url

    def ask_again(self, account_id: str, retry: Retry) -> None:
        """Sends the event of that retry, to be seen when it is due."""
        left = math.ceil((retry.due_at - self._clock.now()).total_seconds())
        with translated(f"ask again for account {account_id}"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps(retry_event(account_id, retry)),
                DelaySeconds=min(max(left, 0), _LONGEST_DELAY_SECONDS),
            )


def retry_event(account_id: str, retry: Retry) -> dict[str, Any]:
    """The event that asks for that retry; its id is the same whenever it is made."""
    attempt = retry.attempt
    name = f"{account_id}|{attempt.first_at.isoformat()}|{attempt.number}"
    return {
        "version": "0",
        "id": str(uuid.uuid5(_NAMESPACE, name)),
        "detail-type": ONBOARD_REQUESTED,
        "source": OWN_SOURCE,
        "time": _written(retry.due_at),
        "resources": [],
        "detail": {
            "accountId": account_id,
            "attempt": attempt.number,
            "firstTriedAt": _written(attempt.first_at),
            "failedSince": _written(retry.since),
        },
    }


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
