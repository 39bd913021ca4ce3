"""How deep the Storage queues are, and since when their first message waits.

Source: Queue service REST API, Get Queue Metadata (an approximation, of hidden messages too) and Peek Messages (of the
visible ones, the one at the front). The Functions host makes a poison queue when the first message is moved there.
"""

from __future__ import annotations

from collections.abc import Sequence

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceNotFoundError

from shared.adapters.azure.errors import translated
from shared.adapters.queue.storage_queue import queue_client
from shared.domain.queues import QueueDepth
from shared.errors import RollcallError


class StorageQueueGauge:
    """A queue and its poison queue."""

    def __init__(
        self, credential: TokenCredential, *, queue_endpoint: str, name: str, poison_may_be_absent: bool = False
    ) -> None:
        """`queue_endpoint` is the account's queue address, https; a poison queue that nobody made may be empty."""
        self._poison_may_be_absent = poison_may_be_absent
        self._queues = [queue_client(credential, queue_endpoint, each) for each in (name, f"{name}-poison")]

    def measure(self) -> Sequence[QueueDepth]:
        """Both."""
        return [self._depth(number) for number in range(len(self._queues))]

    def _depth(self, number: int) -> QueueDepth:
        queue, given_up = self._queues[number], number > 0
        try:
            with translated(f"look at {queue.queue_name}"):
                try:
                    waiting = queue.get_queue_properties().approximate_message_count
                    first = next(iter(queue.peek_messages()), None)
                except ResourceNotFoundError:
                    if not (given_up and self._poison_may_be_absent):
                        raise
                    waiting, first = 0, None
        except RollcallError as error:
            return QueueDepth(name=queue.queue_name, given_up=given_up, problem=error.reason)
        oldest = first.inserted_on if first else None
        return QueueDepth(name=queue.queue_name, waiting=waiting, oldest_at=oldest, given_up=given_up)
