"""The queue trigger: polls a storage queue, runs the function, retries, and sets poison messages aside.

Source: Microsoft Learn, "Azure Queue storage trigger for Azure Functions" (poison messages, polling
algorithm, concurrency, peek lock), and the WebJobs SDK's QueueListener and QueueProcessor.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from xml.etree.ElementTree import ParseError

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.functions.queue import QueueMessageInConverter
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from sandbox.functions_host.host_json import QueueOptions
from sandbox.functions_host.indexing import HostedFunction
from sandbox.functions_host.invocation import FunctionTimeoutError, Invocation, Invoker

POISON_SUFFIX = "-poison"
_MAX_QUEUE_NAME = 63
_MIN_POLLING_SECONDS = 0.1
_log = logging.getLogger("functions_host.queue")


class UndecodableMessageError(Exception):
    """The text of the message is not what messageEncoding says."""


def decode_body(text: str, options: QueueOptions) -> bytes:
    """The bytes of a message.

    Raises:
        UndecodableMessageError: messageEncoding is base64 and the text is not.
    """
    if options.message_encoding == "none":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UndecodableMessageError(str(error)) from error


def trigger_value(message: QueueMessage, body: bytes) -> object:
    """The `azure.functions.QueueMessage` that the worker hands to a function."""
    metadata = {
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(json.dumps(message.dequeue_count), "json"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
    }
    times = {
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    for name, value in times.items():
        if value is not None:
            metadata[name] = Datum(json.dumps(value.strftime("%Y-%m-%dT%H:%M:%S+00:00")), "json")
    try:
        datum = Datum(body.decode(), "string")
    except UnicodeDecodeError:
        datum = Datum(body, "bytes")
    return QueueMessageInConverter.decode(datum, trigger_metadata=metadata)


class _Lease:
    """A received message that we hide from other hosts until it is done."""

    def __init__(self, queue: QueueClient, poison: QueueClient | None, message: QueueMessage) -> None:
        self._queue = queue
        self._poison = poison
        self._lock = threading.Lock()
        self.message = message
        self.settled = False

    def renew(self, seconds: int) -> None:
        """Hides the message for another `seconds`."""
        with self._lock:
            if not self.settled:
                self.message = self._queue.update_message(self.message, visibility_timeout=seconds)

    def finish(self) -> None:
        """Deletes the message."""
        with self._lock:
            if not self.settled:
                self._queue.delete_message(self.message)
                self.settled = True

    def fail(self, options: QueueOptions) -> None:
        """Gives the message back, or sets it aside once it was tried `maxDequeueCount` times."""
        if self._poison is not None and (self.message.dequeue_count or 0) >= options.max_dequeue_count:
            self.set_aside()
            return
        with self._lock:
            if not self.settled:
                self._queue.update_message(self.message, visibility_timeout=round(options.visibility_timeout))
                self.settled = True

    def set_aside(self) -> None:
        """Copies the message, as it is, to the poison queue and deletes it."""
        with self._lock:
            if self.settled or self._poison is None:
                return
            try:
                self._poison.send_message(self.message.content)
            except ResourceNotFoundError:
                _create(self._poison)
                self._poison.send_message(self.message.content)
            self._queue.delete_message(self.message)
            self.settled = True
        _log.warning(
            "message moved to the poison queue",
            extra={
                "queue": self._queue.queue_name,
                "message_id": self.message.id,
                "dequeue_count": self.message.dequeue_count,
            },
        )


def _create(queue: QueueClient) -> None:
    try:
        queue.create_queue()
    except ResourceExistsError:
        _log.info("the poison queue was made by another host", extra={"queue": queue.queue_name})


def _report_defect(future: Future[None]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.critical("defect of the host", exc_info=error)


class QueueListener:
    """Polls one function's queue. `lock_seconds` is how long a killed host's messages stay hidden."""

    def __init__(
        self,
        function: HostedFunction,
        service: QueueServiceClient,
        options: QueueOptions,
        invoker: Invoker,
        *,
        lock_seconds: float,
    ) -> None:
        name = str(function.trigger["queueName"])
        poison = f"{name}{POISON_SUFFIX}"
        self._function = function
        self._options = options
        self._invoker = invoker
        self._lock_seconds = max(1, math.ceil(lock_seconds))
        self._queue = service.get_queue_client(name)
        has_poison = not name.endswith(POISON_SUFFIX) and len(poison) <= _MAX_QUEUE_NAME
        self._poison = service.get_queue_client(poison) if has_poison else None
        limit = options.batch_size + options.new_batch_threshold
        self._pool = ThreadPoolExecutor(limit, f"queue-{name}")
        self._thread = threading.Thread(target=self._poll, name=f"poll-{name}", daemon=True)
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._leases: set[_Lease] = set()

    def start(self) -> None:
        """Begins to poll."""
        self._thread.start()

    def stop(self, drain_seconds: float) -> None:
        """Stops polling and gives running functions so long to end; what still runs then counts as failed."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._leases, timeout=drain_seconds)
            left = list(self._leases)
        for lease in left:
            try:
                lease.fail(self._options)
            except AzureError as error:
                self._warn("message not given back", lease, error)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _poll(self) -> None:
        delay, longest = _MIN_POLLING_SECONDS, max(_MIN_POLLING_SECONDS, self._options.max_polling_interval)
        while not self._stopping.is_set():
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping.is_set() or len(self._leases) <= self._options.new_batch_threshold
                )
            if self._stopping.is_set():
                return
            if self._receive():
                delay = _MIN_POLLING_SECONDS
                continue
            self._stopping.wait(delay)
            delay = min(delay * random.uniform(1.5, 2.5), longest)  # noqa: S311 - jitter

    def _receive(self) -> int:
        """Starts work on one batch; the number of its messages."""
        try:
            pages = self._queue.receive_messages(
                messages_per_page=self._options.batch_size, visibility_timeout=self._lock_seconds
            ).by_page()
            batch = list(next(pages, ()))
        except (AzureError, ValueError, ParseError) as error:  # the SDKs let a parser's own error out
            extra = {"queue": self._queue.queue_name, "error": str(error)}
            _log.error("queue not polled", extra=extra)  # noqa: TRY400 - one line each poll, no traceback
            return 0
        leases = [_Lease(self._queue, self._poison, message) for message in batch]
        with self._changed:
            self._leases.update(leases)
        for lease in leases:
            self._pool.submit(self._process, lease).add_done_callback(_report_defect)
        return len(leases)

    def _process(self, lease: _Lease) -> None:
        try:
            self._attempt(lease)
        except AzureError as error:  # it stays hidden until the lock ends, then someone tries again
            self._warn("message not settled", lease, error)
        finally:
            with self._changed:
                self._leases.discard(lease)
                self._changed.notify_all()

    def _attempt(self, lease: _Lease) -> None:
        if self._poison is not None and (lease.message.dequeue_count or 0) > self._options.max_dequeue_count:
            lease.set_aside()
            return
        try:
            body = decode_body(str(lease.message.content), self._options)
        except UndecodableMessageError as error:
            self._warn("message cannot be decoded", lease, error)
            if self._poison is None:
                lease.fail(self._options)
            else:
                lease.set_aside()
            return
        self._run(lease, body)

    def _run(self, lease: _Lease, body: bytes) -> None:
        invocation = self._invoker.begin(
            self._function,
            trigger_value(lease.message, body),
            queue=self._queue.queue_name,
            message_id=lease.message.id,
            dequeue_count=lease.message.dequeue_count,
        )
        self._wait(lease, invocation)
        error = invocation.conclude()
        if error is None:
            lease.finish()
            return
        lease.fail(self._options)
        if isinstance(error, FunctionTimeoutError):
            self._invoker.on_timeout()

    def _wait(self, lease: _Lease, invocation: Invocation) -> None:
        """Waits for the function to end or to outlive functionTimeout, and keeps its message hidden meanwhile."""
        limit = self._invoker.timeout_seconds
        left = math.inf if limit is None else limit
        while left > 0 and not invocation.ended_within(min(left, self._lock_seconds / 2)):
            left = math.inf if limit is None else limit - invocation.elapsed_seconds()
            try:
                lease.renew(self._lock_seconds)
            except AzureError as error:  # the function goes on; another host may get the message as well
                self._warn("message not hidden any longer", lease, error)

    def _warn(self, message: str, lease: _Lease, error: Exception) -> None:
        extra = {"queue": self._queue.queue_name, "message_id": lease.message.id, "error": str(error)}
        _log.warning(message, extra=extra)
