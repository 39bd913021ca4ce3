"""A stand-in for Azurite's queue service, which gets slower the more messages a queue holds.

It speaks the operations of the Storage REST API that SDKs use on Rollcall's way, and refuses every other with 501.
Tokens and roles are checked in front of it, as in front of Azurite (`sandbox.azure.storage`). It passes the same
suites as Azurite: `tests/contract/test_ports_queue.py` by way of Rollcall's adapter, and as the SDK sees it
`tests/contract/test_queue_services.py`. Chosen by the setting `queue_service`.

Source: Azure Storage REST API, Queue service and its error codes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import cast
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from werkzeug import Request, Response

from sandbox.azure.stored_messages import (
    NEVER,
    MessageNotFoundError,
    PopReceiptMismatchError,
    StoredMessage,
    StoredQueue,
)

_MOST_BYTES = 64 * 1024
_LONGEST_SECONDS = 7 * 24 * 3600
_MOST_AT_ONCE = 32
_SECONDS_TO_LIVE = 7 * 24 * 3600
_LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_NAME = re.compile(r"[a-z0-9](-?[a-z0-9])+\Z")
_MESSAGES: dict[str, tuple[int, str]] = {
    "AuthenticationFailed": (
        403,
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
        "including the signature.",
    ),
    "InvalidResourceName": (400, "The specified resource name contains invalid characters."),
    "InvalidXmlDocument": (400, "XML specified is not syntactically valid."),
    "MessageNotFound": (404, "The specified message does not exist."),
    "NotImplemented": (501, "The requested operation is not implemented on the specified resource."),
    "OutOfRangeQueryParameterValue": (
        400,
        "One of the query parameters specified in the request URI is outside the permissible range.",
    ),
    "PopReceiptMismatch": (
        400,
        "The specified pop receipt did not match the pop receipt for a dequeued message.",
    ),
    "QueueAlreadyExists": (409, "The specified queue already exists."),
    "QueueNotFound": (404, "The specified queue does not exist."),
    "RequestBodyTooLarge": (
        413,
        "The request body is too large and exceeds the maximum permissible limit.",
    ),
}


class _RefusedError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MemoryQueues:
    """One account's queues; `answer` does what a request that was admitted asks for."""

    def __init__(self, refusal: Callable[[str, int, str], Response]) -> None:
        """`refusal` words a code, its status and its message as Storage does."""
        self._refusal = refusal
        self._lock = threading.Lock()
        self._queues: dict[str, StoredQueue] = {}

    def create(self, name: str, metadata: Mapping[str, str] | None = None) -> int:
        """Makes a queue; the status of the answer."""
        wanted = dict(metadata or {})
        if not (3 <= len(name) <= 63 and _NAME.match(name)):
            raise _RefusedError("InvalidResourceName")
        with self._lock:
            there = self._queues.setdefault(name, made := StoredQueue(name, wanted))
        if there is made:
            return 201
        if there.metadata != wanted:
            raise _RefusedError("QueueAlreadyExists")
        return 204

    def answer(self, operation: str, segments: tuple[str, ...], request: Request) -> Response:
        """The answer to an operation as `storage_operations` names it; `segments` follow the account's name."""
        try:
            return self._act(operation, segments, request)
        except _RefusedError as refused:
            return self._refusal(refused.code, *_MESSAGES[refused.code])

    def _act(self, operation: str, segments: tuple[str, ...], request: Request) -> Response:
        if operation == "ListQueues":
            return self._list(request.args)
        if operation == "CreateQueue":
            return Response(status=self.create(segments[0], _metadata(request)))
        if operation == "DeleteQueue":
            return self._delete(segments[0])
        act = _ACTS.get(operation)
        if act is None:
            raise _RefusedError("NotImplemented")
        queue = self._queues.get(segments[0])
        if queue is None:
            raise _RefusedError("QueueNotFound")
        return act(queue, request, unquote(segments[2]) if len(segments) > 2 else "")

    def _delete(self, name: str) -> Response:
        with self._lock:
            if self._queues.pop(name, None) is None:
                raise _RefusedError("QueueNotFound")
        return Response(status=204)

    def unsigned(self) -> Response:
        """To a request with a shared key or a SAS, whose signature nobody checks here."""
        return self._refusal("AuthenticationFailed", *_MESSAGES["AuthenticationFailed"])

    def _list(self, query: Mapping[str, str]) -> Response:
        prefix, marker = query.get("prefix", ""), query.get("marker", "")
        with self._lock:
            names = sorted(name for name in self._queues if name.startswith(prefix) and name >= marker)
        most = _number(query, "maxresults", 5000, (1, 5000))
        shown, following = names[:most], names[most] if len(names) > most else ""
        queues = "".join(f"<Queue><Name>{name}</Name>{self._shown_metadata(name, query)}</Queue>" for name in shown)
        body = f"<Queues>{queues}</Queues><NextMarker>{following}</NextMarker>"
        return _xml(200, f"<EnumerationResults>{body}</EnumerationResults>")

    def _shown_metadata(self, name: str, query: Mapping[str, str]) -> str:
        if "metadata" not in query.get("include", ""):
            return ""
        pairs = self._queues[name].metadata.items()
        return f"<Metadata>{''.join(f'<{key}>{escape(value)}</{key}>' for key, value in pairs)}</Metadata>"


def _put(queue: StoredQueue, request: Request, _: str) -> Response:
    lives = _number(request.args, "messagettl", _SECONDS_TO_LIVE, (-1, 2**31))
    if lives == 0:
        raise _RefusedError("OutOfRangeQueryParameterValue")
    hidden = _number(request.args, "visibilitytimeout", 0, (0, _LONGEST_SECONDS))
    if 0 < lives <= hidden:
        raise _RefusedError("OutOfRangeQueryParameterValue")
    message = queue.put(_text(request), hidden_seconds=hidden, seconds_to_live=NEVER if lives < 0 else lives)
    return _xml(201, _listed([message], "MessageId InsertionTime ExpirationTime PopReceipt TimeNextVisible"))


def _get(queue: StoredQueue, request: Request, _: str) -> Response:
    most = _number(request.args, "numofmessages", 1, (1, _MOST_AT_ONCE))
    hidden = _number(request.args, "visibilitytimeout", 30, (1, _LONGEST_SECONDS))
    shown = "MessageId InsertionTime ExpirationTime PopReceipt TimeNextVisible DequeueCount MessageText"
    return _xml(200, _listed(queue.get(most, hidden_seconds=hidden), shown))


def _peek(queue: StoredQueue, request: Request, _: str) -> Response:
    most = _number(request.args, "numofmessages", 1, (1, _MOST_AT_ONCE))
    shown = "MessageId InsertionTime ExpirationTime DequeueCount MessageText"
    return _xml(200, _listed(queue.peek(most), shown))


def _update(queue: StoredQueue, request: Request, message_id: str) -> Response:
    hidden = _number(request.args, "visibilitytimeout", None, (0, _LONGEST_SECONDS))
    text = _text(request) if request.get_data() else None
    try:
        message = queue.update(message_id, request.args.get("popreceipt", ""), text=text, hidden_seconds=hidden)
    except MessageNotFoundError as error:
        raise _RefusedError("MessageNotFound") from error
    except PopReceiptMismatchError as error:
        raise _RefusedError("PopReceiptMismatch") from error
    headers = {"x-ms-popreceipt": message.receipt, "x-ms-time-next-visible": _written(message.visible_at)}
    return Response(status=204, headers=headers)


def _delete(queue: StoredQueue, request: Request, message_id: str) -> Response:
    try:
        queue.delete(message_id, request.args.get("popreceipt", ""))
    except MessageNotFoundError as error:
        raise _RefusedError("MessageNotFound") from error
    except PopReceiptMismatchError as error:
        raise _RefusedError("PopReceiptMismatch") from error
    return Response(status=204)


def _clear(queue: StoredQueue, _: Request, __: str) -> Response:
    queue.clear()
    return Response(status=204)


def _get_metadata(queue: StoredQueue, _: Request, __: str) -> Response:
    headers = {f"x-ms-meta-{key}": value for key, value in queue.metadata.items()}
    return Response(status=200, headers=headers | {"x-ms-approximate-messages-count": str(len(queue))})


def _set_metadata(queue: StoredQueue, request: Request, _: str) -> Response:
    queue.metadata = _metadata(request)
    return Response(status=204)


_ACTS: dict[str, Callable[[StoredQueue, Request, str], Response]] = {
    "PutMessage": _put,
    "GetMessages": _get,
    "PeekMessages": _peek,
    "UpdateMessage": _update,
    "DeleteMessage": _delete,
    "ClearMessages": _clear,
    "GetQueueMetadata": _get_metadata,
    "SetQueueMetadata": _set_metadata,
}
_FIELDS: dict[str, Callable[[StoredMessage], str]] = {
    "MessageId": lambda message: message.id,
    "InsertionTime": lambda message: _written(message.inserted_at),
    "ExpirationTime": lambda message: _written(message.expires_at),
    "PopReceipt": lambda message: message.receipt,
    "TimeNextVisible": lambda message: _written(message.visible_at),
    "DequeueCount": lambda message: str(message.dequeue_count),
    "MessageText": lambda message: escape(message.text, quote=False),
}


def _listed(messages: Iterable[StoredMessage], shown: str) -> str:
    fields = [(name, _FIELDS[name]) for name in shown.split()]
    parts = ("".join(f"<{name}>{value(message)}</{name}>" for name, value in fields) for message in messages)
    return f"<QueueMessagesList>{''.join(f'<QueueMessage>{each}</QueueMessage>' for each in parts)}</QueueMessagesList>"


def _xml(status: int, body: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="utf-8"?>{body}', status=status, content_type="application/xml")


def _written(at: float) -> str:
    moment = _LAST_MOMENT if at >= _LAST_MOMENT.timestamp() else datetime.fromtimestamp(at, UTC)
    return format_datetime(moment, usegmt=True)


def _text(request: Request) -> str:
    body = request.get_data()
    try:
        root = ET.fromstring(body)  # noqa: S314 - a message of our own clients, on loopback
    except ET.ParseError as error:
        raise _RefusedError("InvalidXmlDocument") from error
    text = root.findtext("MessageText")
    if text is None:
        raise _RefusedError("InvalidXmlDocument")
    if len(text.encode()) > _MOST_BYTES:
        raise _RefusedError("RequestBodyTooLarge")
    return text


def _number(query: Mapping[str, str], name: str, default: int | None, between: tuple[int, int]) -> int:
    text = query.get(name)
    if text is None and default is not None:
        return default
    try:
        number = int(cast(str, text))
    except (TypeError, ValueError) as error:
        raise _RefusedError("OutOfRangeQueryParameterValue") from error
    if not between[0] <= number <= between[1]:
        raise _RefusedError("OutOfRangeQueryParameterValue")
    return number


def _metadata(request: Request) -> dict[str, str]:
    prefix = "x-ms-meta-"
    return {
        name.lower().removeprefix(prefix): value
        for name, value in request.headers.items()
        if name.lower().startswith(prefix)
    }
