"""The queue `sweep`, for whoever begins a sweep, cuts it into slices or has it told."""

from __future__ import annotations

import math

from azure.core.credentials import TokenCredential

from shared.adapters.queue.storage_queue import put_message, queue_client
from shared.messages.sweep_notice import SweepNotice
from shared.messages.sweep_slice import SweepSlice

SWEEP = "sweep"


class StorageSliceQueue:
    """Puts slices; the Functions host takes them."""

    def __init__(self, credential: TokenCredential, *, queue_endpoint: str) -> None:
        """`queue_endpoint` is the account's queue address, https."""
        self._queue = queue_client(credential, queue_endpoint, SWEEP)

    def send_slice(self, message: SweepSlice) -> None:
        """Puts a slice, which never expires."""
        put_message(self._queue, message.to_json())

    def send_notice(self, message: SweepNotice, *, delay_seconds: float = 0.0) -> None:
        """Puts what a receiver is to be told, visible after `delay_seconds`."""
        put_message(self._queue, message.to_json(), visibility_timeout=math.ceil(max(delay_seconds, 0)))
