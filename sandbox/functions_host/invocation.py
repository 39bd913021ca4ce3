"""Runs functions as the Python worker does: plain ones in a thread pool, coroutines on one event loop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.functions_host.indexing import HostedFunction

THREADS_SETTING = "PYTHON_THREADPOOL_THREAD_COUNT"
current_invocation: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("invocation")
_log = logging.getLogger("functions_host.invocation")
_thread_local = threading.local()


class FunctionTimeoutError(Exception):
    """The function ran longer than functionTimeout allows."""


@dataclass(frozen=True)
class _Trace:
    Traceparent: str
    trace_parent: str
    Tracestate: str = ""
    trace_state: str = ""
    Attributes: None = None
    attributes: None = None


@dataclass(frozen=True)
class _Retry:
    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None


@dataclass(frozen=True)
class InvocationContext:
    """What a function gets that has a parameter named `context`.

    As in the worker it is no instance of `azure.functions.Context`, only shaped like one.
    """

    invocation_id: str
    function_name: str
    function_directory: str
    trace_context: _Trace
    thread_local_storage: threading.local = _thread_local
    retry_context: _Retry = _Retry()


def _new_context(invocation_id: str, function_name: str) -> InvocationContext:
    parent = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"
    return InvocationContext(invocation_id, function_name, str(Path.cwd()), _Trace(parent, parent))


class Invocation:
    """One running function."""

    def __init__(self, function: HostedFunction, future: Future[Any], details: dict[str, Any]) -> None:
        self._function = function
        self._future = future
        self._details = details
        self._started = time.monotonic()
        self.error: BaseException | None = None  # set by `conclude`

    def elapsed_seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    def ended_within(self, seconds: float | None) -> bool:
        """Waits at most so long (None: without limit); true once the function has ended."""
        return bool(wait([self._future], timeout=seconds).done)

    def conclude(self) -> BaseException | None:
        """Logs how it ended, once, and returns the error; `FunctionTimeoutError` where it still runs."""
        error: BaseException | None = (
            self._future.exception()
            if self._future.done()
            else FunctionTimeoutError(f"{self._function.name} was stopped: functionTimeout")
        )
        if error is None and self.value() is not None and not self._function.returns_response:
            error = RuntimeError(f"function {self._function.name} without a $return binding returned a value")
        outcome = "succeeded" if error is None else "failed"
        if isinstance(error, FunctionTimeoutError):
            outcome = "timed out"
        extra = self._details | {"outcome": outcome, "duration_ms": round(self.elapsed_seconds() * 1000, 1)}
        _log.log(logging.ERROR if error else logging.INFO, "function executed", extra=extra, exc_info=error)
        self.error = error
        return error

    def value(self) -> Any:
        """What the function returned; raises what it raised."""
        return self._future.result()


class Invoker:
    """The worker: a thread pool of `PYTHON_THREADPOOL_THREAD_COUNT` threads and an event loop.

    The default number of threads is the worker's: processors + 4, at most 32.
    """

    def __init__(self, *, threads: int | None, timeout_seconds: float | None, on_timeout: Callable[[], None]) -> None:
        """`on_timeout` is told when a function outlived `timeout_seconds` and its worker must be replaced."""
        self._pool = ThreadPoolExecutor(threads or min(32, (os.cpu_count() or 1) + 4), "function")
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True)
        self._loop_thread.start()
        self.timeout_seconds = timeout_seconds
        self.on_timeout = on_timeout

    def begin(self, function: HostedFunction, value: Any, **details: Any) -> Invocation:
        """Starts `function` with its trigger's value; `details` go into the invocation's log line."""
        identifier = str(uuid.uuid4())
        facts = {"function": function.name, "invocation_id": identifier}
        arguments = {function.argument: value}
        if function.wants_context:
            arguments["context"] = _new_context(identifier, function.name)
        context = contextvars.copy_context()
        context.run(current_invocation.set, facts)
        future: Future[Any]
        if function.is_async:
            coroutine = function.target(**arguments)
            future = context.run(asyncio.run_coroutine_threadsafe, coroutine, self._loop)
        else:
            future = self._pool.submit(context.run, lambda: function.target(**arguments))
        return Invocation(function, future, facts | details)

    def run(self, function: HostedFunction, value: Any, **details: Any) -> Invocation:
        """Runs `function` to its end.

        Raises:
            FunctionTimeoutError: it did not end in time. What the function itself raises stays in the result.
        """
        invocation = self.begin(function, value, **details)
        invocation.ended_within(self.timeout_seconds)
        error = invocation.conclude()
        if isinstance(error, FunctionTimeoutError):
            self.on_timeout()
            raise error
        return invocation

    def stop(self) -> None:
        """Takes no more work and lets the event loop end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop_thread.join(timeout=5)
        if not self._loop_thread.is_alive():
            self._loop.close()
