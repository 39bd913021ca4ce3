"""`onboarding` and `onboarding-poison` through azure-storage-queue.

Messages are Base64, as the Functions queue trigger expects, and never expire.
"""

from __future__ import annotations

import logging
import math
from typing import Any
from xml.etree.ElementTree import ParseError

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.storage.queue import QueueClient, TextBase64EncodePolicy

from shared.adapters.azure.errors import translated
from shared.messages.connector_request import ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from shared.messages.probe import LIFETIME_SECONDS, probe_json

logger = logging.getLogger(__name__)

ONBOARDING = "onboarding"
NEVER_EXPIRES = -1
_CREATED = 201
_LONGEST_DELAY_SECONDS = 7 * 24 * 3600
# The SDK's own default waits 15 s and more before each retry, a refused token included; the queues wait for us.
_RETRIES: dict[str, Any] = {"retry_total": 3, "initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}
# A message is small; a Lambda function has a minute for a whole batch.
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10}


class StorageRequestQueue:
    """The queue by that name, and its poison queue."""

    def __init__(self, credential: TokenCredential, *, queue_endpoint: str, name: str = ONBOARDING) -> None:
        """`queue_endpoint` is the account's queue address, https."""
        self._requests = queue_client(credential, queue_endpoint, name)
        self._poison = queue_client(credential, queue_endpoint, f"{name}-poison")

    def send(self, request: ConnectorRequest, *, delay_seconds: float = 0.0) -> None:
        """Puts a request, visible after `delay_seconds`, at most seven days."""
        delay = min(math.ceil(max(delay_seconds, 0)), _LONGEST_DELAY_SECONDS)
        put_message(self._requests, request.to_json(), visibility_timeout=delay)

    def probe(self, sender: str) -> None:
        """Puts a probe, which is gone after a minute and asks nothing of whoever takes it."""
        put_message(self._requests, probe_json(sender), time_to_live=LIFETIME_SECONDS)

    def park(self, parked: ParkedRequest) -> None:
        """Puts a parked request where it waits for a person."""
        put_message(self._poison, parked.to_json())


def put_message(queue: QueueClient, text: str, **options: Any) -> None:
    """Puts a message. Once the service has said 201 it is there: to fail over the rest would put it again."""
    taken = False

    def note(response: Any) -> None:
        nonlocal taken
        taken = response.http_response.status_code == _CREATED

    with translated(f"put a message on {queue.queue_name}"):
        try:
            queue.send_message(text, raw_response_hook=note, **{"time_to_live": NEVER_EXPIRES, **options})
        except (ParseError, AzureError, LookupError, TypeError, AttributeError, ValueError):
            if not taken:
                raise
            logger.warning("answer_unreadable", extra={"operation": "PutMessage", "queue": queue.queue_name})


def queue_client(credential: TokenCredential, endpoint: str, name: str) -> QueueClient:
    """A client whose messages are Base64; what is read stays as it lies there."""
    return QueueClient(
        endpoint, name, credential=credential, message_encode_policy=TextBase64EncodePolicy(), **_RETRIES, **_TIMEOUTS
    )
