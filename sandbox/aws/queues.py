"""SQS that loses nothing when many use a queue at once, and that leaves invoking functions to Lambda.

moto rebuilds a queue's list of messages when one is deleted, so that a message sent at that moment is lost; two
receivers can get the same message; and SendMessage itself invokes a mapped function, in a container. For every message
that it gives out moto counts all that the queue has, only to know how long it keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.core.utils import unix_time
from moto.sqs.models import Message, Queue, SQSBackend

from sandbox.aws.patching import Patch

_moto_delete = Queue.delete_message
_moto_receive = SQSBackend.receive_message
_moto_change_visibility = SQSBackend.change_message_visibility
_MAPPINGS = "lambda_event_source_mappings"


def _delete(self: Queue, receipt_handle: str) -> None:
    with self._messages_lock:
        _moto_delete(self, receipt_handle)


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
    yield Patch(Queue, _MAPPINGS, property(_no_mappings, _keep_aside))
    yield Patch(SQSBackend, "receive_message", _receive)
    yield Patch(SQSBackend, "is_message_valid_based_on_retention_period", _still_kept)
    yield Patch(SQSBackend, "change_message_visibility", _change_visibility)
