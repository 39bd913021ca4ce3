"""One Functions host: the app's functions, their listeners and the web server."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import LinearRetry, QueueMessage, QueueServiceClient

from sandbox.config import SandboxSettings
from sandbox.functions_host import queue_listener, timer_listener
from sandbox.functions_host.app_settings import HOST_STORAGE, AppSettings
from sandbox.functions_host.errors import HostRefusalError
from sandbox.functions_host.host_json import UNLIMITED, HostJson, read_host_json
from sandbox.functions_host.http_front import HttpFront
from sandbox.functions_host.indexing import HostedFunction, index_app
from sandbox.functions_host.invocation import THREADS_SETTING, Invoker
from sandbox.functions_host.queue_listener import QueueListener
from sandbox.functions_host.timer_listener import TimerListener
from sandbox.functions_host.timer_store import TimerStore
from sandbox.serving import Service

_HOST_ID = "AzureFunctionsWebHost__hostid"
# As long as Azure.Core for .NET tries, which the real host is built with: 0.8 s, 1.6 s, 3.2 s.
_RETRIES = LinearRetry(backoff=2, retry_total=3, random_jitter_range=0)
_log = logging.getLogger("functions_host")


class _Listener(Protocol):
    def start(self) -> None: ...

    def stop(self, drain_seconds: float) -> None: ...


class FunctionsHost:
    """The host of the app in `root`; nothing runs before `start`.

    Raises:
        HostRefusalError: the app, host.json or a setting is wrong, or asks for what this host does not know.
    """

    def __init__(self, root: Path, environment: Mapping[str, str], sandbox: SandboxSettings, port: int) -> None:
        self._settings = AppSettings(environment)
        self._options = _with_polling(read_host_json(root, self._settings), sandbox)
        self._sandbox = sandbox
        self._credential = cache(ManagedIdentityCredential)
        self.recycle = threading.Event()
        """Set once a function outlived functionTimeout: the process must be replaced."""
        threads = self._settings.get(THREADS_SETTING)
        limit = self._options.function_timeout
        self._invoker = Invoker(
            threads=int(threads) if threads else None,
            timeout_seconds=None if limit == UNLIMITED else limit,
            on_timeout=self.recycle.set,
        )
        self.functions = index_app(root, self._settings)
        digest = hashlib.sha256(str(root).encode()).hexdigest()
        host_id = self._settings.get(_HOST_ID) or f"local-{digest[:24]}"
        self._listeners = list(self._build_listeners(host_id))
        prefix = self._options.extensions.http.route_prefix
        front = HttpFront(self.functions, self._invoker, prefix=prefix, host_id=host_id, run=self._run_by_hand)
        self._service = Service(front, port=port)
        self.url = self._service.url
        self.port = self._service.port

    def start(self) -> None:
        """Serves HTTP and begins to listen."""
        self._service.start()
        for listener in self._listeners:
            listener.start()
        names = [function.name for function in self.functions]
        _log.info("host started", extra={"url": self.url, "functions": names})

    def stop(self, drain_seconds: float) -> None:
        """Stops listening; running functions get so long to end."""
        stopping = [threading.Thread(target=item.stop, args=(drain_seconds,)) for item in self._listeners]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        self._service.stop()
        self._invoker.stop()
        _log.info("host stopped", extra={"url": self.url})

    def _build_listeners(self, host_id: str) -> Iterable[_Listener]:
        for function in self.functions:
            try:
                if function.kind == "queueTrigger":
                    yield self._queue_listener(function)
                elif function.kind == "timerTrigger":
                    connection = self._settings.connection(HOST_STORAGE, "blob")
                    credential = self._credential(client_id=connection.client_id)
                    service = BlobServiceClient(connection.service_uri, credential=credential)
                    store = TimerStore(service, host_id, function.name)
                    yield TimerListener(function, store, self._invoker)
            except HostRefusalError as error:
                raise HostRefusalError(f"{function.name}: {error}") from error

    def _queue_listener(self, function: HostedFunction) -> QueueListener:
        connection = self._settings.connection(str(function.trigger.get("connection") or ""), "queue")
        credential = self._credential(client_id=connection.client_id)
        return QueueListener(
            function,
            QueueServiceClient(connection.service_uri, credential=credential, retry_policy=_RETRIES),
            self._options.extensions.queues,
            self._invoker,
            lock_seconds=self._sandbox.crash_invisibility_seconds,
        )

    def _run_by_hand(self, function: HostedFunction, text: str | None) -> None:
        """Starts a function for the admin API; how it ends is seen in the log."""
        if function.kind == "timerTrigger":
            value = timer_listener.trigger_value(None, past_due=False)
        else:
            value = queue_listener.trigger_value(
                QueueMessage(content=text, id="", dequeue_count=0, pop_receipt=""), (text or "").encode()
            )
        run = self._invoker.run
        threading.Thread(target=run, args=(function, value), kwargs={"reason": "admin"}, daemon=True).start()


def _with_polling(options: HostJson, sandbox: SandboxSettings) -> HostJson:
    """Shortens maxPollingInterval where the sandbox's settings say so."""
    interval = sandbox.max_polling_interval_seconds
    if interval is None:
        return options
    queues = options.extensions.queues.model_copy(update={"max_polling_interval": interval})
    extensions = options.extensions.model_copy(update={"queues": queues})
    return options.model_copy(update={"extensions": extensions})
