"""SQS that loses nothing when many use a queue at once, and that leaves invoking functions to Lambda.

moto rebuilds a queue's list of messages when one is deleted, so that a message sent at that moment is lost; two
receivers can get the same message; and SendMessage itself invokes a mapped function, in a container. For every message
that it takes or gives out moto counts all that the queue has, reading the clock for each, and for every one that is
deleted it builds their list anew: with thousands of messages that is most of what a sandbox does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from moto.core.utils import unix_time, unix_time_millis
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend

from sandbox.aws.patching import Patch

_moto_attributes = vars(Queue)["attributes"].fget
_moto_send = SQSBackend.send_message
_moto_receive = SQSBackend.receive_message
_moto_change_visibility = SQSBackend.change_message_visibility
_MAPPINGS = "lambda_event_source_mappings"


_sending = threading.local()
"""Whether this thread is at SendMessage, which asks a queue's attributes for one of them only."""


def _send(self: SQSBackend, *arguments: Any, **options: Any) -> Message:
    _sending.now = True
    try:
        return _moto_send(self, *arguments, **options)
    finally:
        _sending.now = False


def _attributes(self: Queue) -> dict[str, Any]:
    if getattr(_sending, "now", False):
        deduplicates = self.fifo_queue and self.content_based_deduplication  # type: ignore[attr-defined]  # set by name
        return {"ContentBasedDeduplication": str(bool(deduplicates)).lower()}
    found: dict[str, Any] = _moto_attributes(self)
    return found


def _messages(self: Queue) -> list[Message]:
    now = unix_time_millis()
    return [each for each in self._messages if each.visible_at < now and each.delayed_until <= now]


def _delayed(self: Queue) -> int:
    now = unix_time_millis()
    return sum(each.delayed_until > now for each in self._messages)


def _not_visible(self: Queue) -> int:
    now = unix_time_millis()
    return sum(each.visible_at >= now for each in self._messages)


def _delete(self: Queue, receipt_handle: str) -> None:
    with self._messages_lock:
        if receipt_handle in self.deleted_messages:
            return
        for position, message in enumerate(self._messages):
            if message.had_receipt_handle(receipt_handle):
                self.pending_messages.discard(message)
                self.deleted_messages.update(message.all_receipt_handles)  # type: ignore[arg-type]  # None before the first
                del self._messages[position]
                return
        raise ReceiptHandleIsInvalid


def _receive(self: SQSBackend, queue_name: str, *arguments: Any, **options: Any) -> list[Message]:
    # The lock is a condition on a reentrant lock: whoever waits for messages gives it up.
    with self.get_queue(queue_name)._messages_lock:
        return _moto_receive(self, queue_name, *arguments, **options)


def _change_visibility(self: SQSBackend, queue_name: str, *arguments: Any, **options: Any) -> None:
    with self.get_queue(queue_name)._messages_lock:
        _moto_change_visibility(self, queue_name, *arguments, **options)


def _still_kept(self: SQSBackend, queue_name: str, message: Message) -> bool:
    sent = message.sent_timestamp or 0  # milliseconds
    kept_for = self.get_queue(queue_name).message_retention_period  # type: ignore[attr-defined]  # moto sets it by name
    return bool(kept_for + sent / 1000 > unix_time())


def _no_mappings(queue: Queue) -> dict[str, Any]:
    return {}


def _keep_aside(queue: Queue, value: dict[str, Any]) -> None:
    vars(queue)[_MAPPINGS] = value


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(Queue, "delete_message", _delete)
    yield Patch(Queue, "attributes", property(_attributes))
    yield Patch(Queue, "messages", property(_messages))
    yield Patch(Queue, "approximate_number_of_messages_delayed", property(_delayed))
    yield Patch(Queue, "approximate_number_of_messages_not_visible", property(_not_visible))
    yield Patch(SQSBackend, "send_message", _send)
    yield Patch(Queue, _MAPPINGS, property(_no_mappings, _keep_aside))
    yield Patch(SQSBackend, "receive_message", _receive)
    yield Patch(SQSBackend, "is_message_valid_based_on_retention_period", _still_kept)
    yield Patch(SQSBackend, "change_message_visibility", _change_visibility)
