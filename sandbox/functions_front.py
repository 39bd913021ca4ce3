"""App Service's front end before one Functions host: forwards what is asked of its HTTP functions.

A process of its own cannot write into the sandbox's journal; what stands in front of it can, as in the cloud.
"""

from __future__ import annotations

from collections.abc import Callable

import urllib3
from werkzeug import Response

from sandbox.azure.exchange import Endpoint, Exchange
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.journal import Journal
from sandbox.serving import Service

SERVICE = "functions"
_PER_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_LONGEST_SECONDS = 230.0
"""After which the load balancer of Azure gives up. Source: Functions scale and hosting, "HTTP trigger time-out"."""


class FunctionsFront:
    """Answers for one host from the first start to the last; 503 while the host is not there."""

    def __init__(self, journal: Journal, faults: Faults, host: Callable[[], str | None]) -> None:
        """`host` says where the host listens now; None while it does not."""
        self._host = host
        self._http = urllib3.PoolManager(timeout=_LONGEST_SECONDS, retries=False)
        self._service = Service(Endpoint(SERVICE, journal, self._answer, faults=faults, faulted=_faulted))

    def start(self) -> str:
        """Starts to answer; returns the address."""
        return self._service.start().url

    def stop(self) -> None:
        """Stops to answer."""
        self._service.stop()

    def _answer(self, exchange: Exchange) -> Response:
        request = exchange.request
        exchange.operation, exchange.detail["resource"] = _asked(request.path)
        exchange.admitted()
        host = self._host()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _PER_CONNECTION}
        try:
            if host is None:
                return _unavailable()
            answer = self._http.request(
                request.method,
                f"{host}{exchange.raw_path}",
                body=request.get_data(),
                headers=headers,
                redirect=False,
                decode_content=False,
            )
        except urllib3.exceptions.HTTPError:
            return _unavailable()
        response = Response(answer.data, status=answer.status)
        response.headers.clear()
        for name, value in answer.headers.items():
            if name.lower() not in _PER_CONNECTION:
                response.headers.add(name, value)
        return response


def _asked(path: str) -> tuple[str, str]:
    """The operation, and the function or route that it is about."""
    if path == "/admin/host/status":
        return "GetHostStatus", ""
    if path.rstrip("/") == "/admin/functions":
        return "ListFunctions", ""
    if path.startswith("/admin/functions/"):
        return "RunFunction", path.rpartition("/")[2]
    return "CallFunction", path.strip("/")


def _unavailable() -> Response:
    return Response("Function host is not running.", status=503, content_type="text/plain; charset=utf-8")


def _faulted(_: Exchange, fault: Fault) -> Response:
    """429 of a host with too much to do, 503 of the front end."""
    if fault.kind is not FaultKind.THROTTLE:
        return _unavailable()
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return Response(status=429, headers=headers)
