"""The queue `sweep`, for whoever begins a sweep or cuts it into slices."""

from __future__ import annotations

from azure.core.credentials import TokenCredential

from shared.adapters.queue.storage_queue import put_message, queue_client
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
