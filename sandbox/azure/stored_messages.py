"""The messages of one Storage queue in memory: who sees which of them when, whatever the depth.

Source: Azure Storage REST API, Queue service (Put, Get, Peek, Update, Delete and Clear Messages).
"""

from __future__ import annotations

import heapq
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

NEVER = float("inf")


class MessageNotFoundError(Exception):
    """There is no message by that id."""


class PopReceiptMismatchError(Exception):
    """The message was given to somebody else since."""


@dataclass(frozen=True, kw_only=True)
class StoredMessage:
    """One message; `text` is the XML's text as it came. Times are seconds since the epoch."""

    id: str
    text: str
    inserted_at: float
    expires_at: float
    visible_at: float
    receipt: str
    dequeue_count: int = 0


@dataclass
class StoredQueue:
    """A queue; thread-safe. Whoever is visible longest is handed out first."""

    name: str
    metadata: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, StoredMessage] = {}
        self._turns: list[tuple[float, int, str, str]] = []  # visible at, order, id, receipt; outdated ones are skipped
        self._order = 0

    def put(self, text: str, *, hidden_seconds: float, seconds_to_live: float) -> StoredMessage:
        """Adds a message that can be seen after `hidden_seconds`."""
        now = self.clock()
        message = StoredMessage(
            id=str(uuid.uuid4()),
            text=text,
            inserted_at=now,
            expires_at=now + seconds_to_live,
            visible_at=now + hidden_seconds,
            receipt=_receipt(),
        )
        with self._lock:
            return self._keep(message)

    def get(self, most: int, *, hidden_seconds: float) -> list[StoredMessage]:
        """Hands out up to `most` messages, and hides them for so long."""
        now = self.clock()
        with self._lock:
            found = list(self._next(most, now))
            return [
                self._keep(
                    replace(
                        each,
                        visible_at=now + hidden_seconds,
                        receipt=_receipt(),
                        dequeue_count=each.dequeue_count + 1,
                    )
                )
                for each in found
            ]

    def peek(self, most: int) -> list[StoredMessage]:
        """Up to `most` visible messages, which stay as they are."""
        with self._lock:
            found = list(self._next(most, self.clock()))
            for each in found:
                self._keep(each)
            return found

    def update(self, message_id: str, receipt: str, *, text: str | None, hidden_seconds: float) -> StoredMessage:
        """Hides a message anew, with another text unless None. Raises both errors of this module."""
        with self._lock:
            message = self._held(message_id, receipt)
            changed = replace(message, visible_at=self.clock() + hidden_seconds, receipt=_receipt())
            return self._keep(changed if text is None else replace(changed, text=text))

    def delete(self, message_id: str, receipt: str) -> None:
        """Takes a message away. Raises both errors of this module."""
        with self._lock:
            self._held(message_id, receipt)
            del self._messages[message_id]

    def clear(self) -> None:
        """Takes all messages away."""
        with self._lock:
            self._messages.clear()
            self._turns.clear()

    def __len__(self) -> int:
        """How many there are, hidden ones included; of expired ones those that nobody has come across."""
        return len(self._messages)

    def _keep(self, message: StoredMessage) -> StoredMessage:
        self._messages[message.id] = message
        self._order += 1
        heapq.heappush(self._turns, (message.visible_at, self._order, message.id, message.receipt))
        return message

    def _next(self, most: int, now: float) -> Iterator[StoredMessage]:
        """Takes visible messages out of the order of turns."""
        while most and self._turns and self._turns[0][0] <= now:
            _, _, message_id, receipt = heapq.heappop(self._turns)
            message = self._messages.get(message_id)
            if message is None or message.receipt != receipt:
                continue
            if message.expires_at <= now:
                del self._messages[message_id]
                continue
            most -= 1
            yield message

    def _held(self, message_id: str, receipt: str) -> StoredMessage:
        message = self._messages.get(message_id)
        if message is None or message.expires_at <= self.clock():
            raise MessageNotFoundError
        if message.receipt != receipt:
            raise PopReceiptMismatchError
        return message


def _receipt() -> str:
    return secrets.token_urlsafe(16)
