"""The HTTP interface between Lambda and one runtime process.

Source: AWS Lambda runtime API, version 2018-06-01.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass

from werkzeug import Response

from sandbox.azure.exchange import Endpoint, Exchange, json_response
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.journal import Journal
from sandbox.serving import ConnectionDroppedError, Service

SERVICE = "lambda-runtime"
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

    def __init__(self, faults: Faults | None = None, function: str = "", journal: Journal | None = None) -> None:
        """`faults` are asked about every request of `function`'s runtime, and `journal` gets it."""
        self._function = function
        self._changed = threading.Condition()
        self._pending: Invocation | None = None
        self._taken: Invocation | None = None
        self._deadline = 0.0
        self._result: InvocationResult | None = None
        self._init_error: InvocationResult | None = None
        self._ready = False
        self._answered = False
        self._closed = False
        application = Endpoint(
            SERVICE, Journal() if journal is None else journal, self._answer, faults=faults, faulted=_faulted
        )
        self._service = Service(application).start()
        self.address = f"127.0.0.1:{self._service.port}"

    def submit(self, invocation: Invocation) -> None:
        """Makes an invocation available to the runtime."""
        with self._changed:
            self._result = None
            self._pending = invocation
            self._deadline = time.time() + invocation.timeout_seconds
            self._changed.notify_all()

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether the runtime asked for an event that it has not got yet within `seconds`, or failed to start."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ready or self._init_error is not None, seconds)

    @property
    def answered(self) -> bool:
        """Whether the runtime has answered an event: its start went well."""
        with self._changed:
            return self._answered

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

    def _answer(self, exchange: Exchange) -> Response:
        request = exchange.request
        exchange.identity = self._function
        path = request.path.removeprefix(_PREFIX)
        exchange.operation = _operation(request.method, path)
        exchange.admitted()
        if exchange.operation == "NextInvocation":
            invocation, deadline = self._next()
            response = Response(invocation.payload, content_type="application/json")
            response.headers["Lambda-Runtime-Aws-Request-Id"] = invocation.request_id
            response.headers["Lambda-Runtime-Deadline-Ms"] = str(int(deadline * 1000))
            response.headers["Lambda-Runtime-Invoked-Function-Arn"] = invocation.function_arn
            response.headers["Lambda-Runtime-Trace-Id"] = invocation.trace_id
            return response
        return self._post(path, request.get_data()) if request.method == "POST" else _refusal("NotFound")

    def _next(self) -> tuple[Invocation, float]:
        with self._changed:
            self._ready = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._pending is not None or self._closed)
            if self._closed or self._pending is None:
                raise ConnectionDroppedError
            self._taken, self._pending = self._pending, None
            self._ready = False
            self._deadline = time.time() + self._taken.timeout_seconds
            return self._taken, self._deadline

    def _post(self, path: str, body: bytes) -> Response:
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
            self._answered = self._answered or self._result is not None
            self._changed.notify_all()
            return json_response(202, {"status": "OK"})


def _operation(method: str, path: str) -> str:
    if method == "GET":
        return "NextInvocation" if path == "/invocation/next" else "unknown"
    names = {"/response": "InvocationResponse", "/init/error": "InitializationError", "/error": "InvocationError"}
    return next((name for end, name in names.items() if path.endswith(end)), "unknown")


def _refusal(kind: str) -> Response:
    body = {"errorType": kind, "errorMessage": "the sandbox has no such request"}
    return json_response(404 if kind == "NotFound" else 400, body)


def _faulted(_: Exchange, fault: Fault) -> Response:
    """The documented 500, after which a runtime should end; 429 where it is throttled, which AWS never says."""
    status = 429 if fault.kind is FaultKind.THROTTLE else 500
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return json_response(status, {"errorType": "Container.Error", "errorMessage": "Container error."}, headers)
