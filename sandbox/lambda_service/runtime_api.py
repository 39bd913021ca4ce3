"""The HTTP interface between Lambda and one runtime process.

Source: AWS Lambda runtime API, version 2018-06-01.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.faults import Faults, RequestFacts
from sandbox.serving import ConnectionDroppedError, Service

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PREFIX = "/2018-06-01/runtime"


@dataclass(frozen=True)
class Invocation:
    """One event for one function. `timeout_seconds` starts when the runtime takes the event."""

    request_id: str
    function_arn: str
    payload: bytes
    timeout_seconds: float
    trace_id: str


@dataclass(frozen=True)
class InvocationResult:
    """What the runtime answered: the handler's JSON, or an error object when `failed`."""

    payload: bytes
    failed: bool = False

    @classmethod
    def error(cls, kind: str, message: str) -> InvocationResult:
        """An error that Lambda itself reports, in the form of a function error."""
        return cls(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)


class RuntimeApi:
    """The Runtime API of one process; it hands out one invocation at a time and dies with the process."""

    def __init__(self, faults: Faults | None = None, function: str = "") -> None:
        """`faults` may hold the answers of `function`, before or after Lambda took them."""
        self._faults = faults or Faults()
        self._function = function
        self._changed = threading.Condition()
        self._pending: Invocation | None = None
        self._taken: Invocation | None = None
        self._deadline = 0.0
        self._result: InvocationResult | None = None
        self._init_error: InvocationResult | None = None
        self._ready = False
        self._closed = False
        self._service = Service(self._application).start()
        self.address = f"127.0.0.1:{self._service.port}"

    def submit(self, invocation: Invocation) -> None:
        """Makes an invocation available to the runtime."""
        with self._changed:
            self._result = None
            self._pending = invocation
            self._deadline = time.time() + invocation.timeout_seconds
            self._changed.notify_all()

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether the runtime asked for its first event within `seconds`, or failed to start."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ready or self._init_error is not None, seconds)

    @property
    def init_error(self) -> InvocationResult | None:
        """Why the runtime could not load the handler; None where it could, or has not tried yet."""
        with self._changed:
            return self._init_error

    def wait_for_result(self, seconds: float) -> InvocationResult | None:
        """The result of the invocation; None where there is none after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._result is not None, seconds)
            return self._result

    def overdue(self) -> bool:
        """Whether the invocation has lasted for longer than the function may take."""
        with self._changed:
            return self._result is None and time.time() > self._deadline

    def close(self) -> None:
        """Ends the interface and lets a waiting runtime go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._service.stop()

    def _application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"].removeprefix(_PREFIX)
        if environ["REQUEST_METHOD"] == "GET" and path == "/invocation/next":
            invocation, deadline = self._next()
            headers = [
                ("Content-Type", "application/json"),
                ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
                ("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000))),
                ("Lambda-Runtime-Invoked-Function-Arn", invocation.function_arn),
                ("Lambda-Runtime-Trace-Id", invocation.trace_id),
            ]
            start_response("200 OK", headers)
            return [invocation.payload]
        body = environ["wsgi.input"].read()
        if path.endswith("/response"):
            answer = self._held_response(path, body)
            start_response(*answer[:2])
            return [answer[2]]
        answer = self._post(path, body) if environ["REQUEST_METHOD"] == "POST" else _refusal("NotFound")
        start_response(*answer[:2])
        return [answer[2]]

    def _held_response(self, path: str, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        facts = RequestFacts(service="lambda-runtime", operation="InvocationResponse", identity=self._function)
        self._faults.wait(facts, "before")
        answer = self._post(path, body)
        self._faults.wait(facts, "after")
        return answer

    def _next(self) -> tuple[Invocation, float]:
        with self._changed:
            self._ready = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._pending is not None or self._closed)
            if self._closed or self._pending is None:
                raise ConnectionDroppedError
            self._taken, self._pending = self._pending, None
            self._deadline = time.time() + self._taken.timeout_seconds
            return self._taken, self._deadline

    def _post(self, path: str, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        with self._changed:
            taken = self._taken.request_id if self._taken else ""
            if path == "/init/error":
                self._init_error = InvocationResult(body, failed=True)
            elif path == f"/invocation/{taken}/response":
                self._result = InvocationResult(body)
            elif path == f"/invocation/{taken}/error":
                self._result = InvocationResult(body, failed=True)
            else:
                return _refusal("InvalidRequestID" if path.startswith("/invocation/") else "NotFound")
            self._taken = None
            self._changed.notify_all()
            return "202 Accepted", [("Content-Type", "application/json")], b'{"status":"OK"}'


def _refusal(kind: str) -> tuple[str, list[tuple[str, str]], bytes]:
    body: dict[str, Any] = {"errorType": kind, "errorMessage": "the sandbox has no such request"}
    status = "404 Not Found" if kind == "NotFound" else "400 Bad Request"
    return status, [("Content-Type", "application/json")], json.dumps(body).encode()
