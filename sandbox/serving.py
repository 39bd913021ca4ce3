"""A threaded HTTP/1.1 server on loopback for one WSGI application.

Written out because the servers at hand either close the connection after every request (a TLS handshake
each) or shake hands in the accepting thread, and neither lets a simulated service reset a connection.
"""

from __future__ import annotations

import io
import socket
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"
_MAX_BODY_BYTES = 64 * 1024 * 1024


class ConnectionDroppedError(Exception):
    """Raised by an application to reset the connection instead of answering."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together; the base class flushes after each answer
    timeout = 300
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the journal is the log of the simulated services."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_BODY_BYTES:
            raise ConnectionDroppedError
        if length and self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        return self.rfile.read(length)

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "iso-8859-1"),
            "RAW_URI": self.path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.protocol_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if self.server.tls else "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key == "CONTENT_TYPE":
                environ[key] = value
            elif key not in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
                before = environ.get(f"HTTP_{key}")
                environ[f"HTTP_{key}"] = f"{before},{value}" if before else value
        return environ

    def _answer(self) -> None:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started[:] = [(status, headers)]
            return lambda data: None

        try:
            result = self.server.application(self._environ(self._body()), start_response)
            body = b"".join(result)
            if hasattr(result, "close"):
                result.close()
        except ConnectionDroppedError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        status, headers = started[0]
        code, _, phrase = status.partition(" ")
        self.send_response_only(int(code), phrase)
        for name, value in headers:
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        without_body = self.command == "HEAD" or int(code) in {204, 304}
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        if not without_body:
            self.send_header("Content-Length", str(len(body)))
        elif self.command == "HEAD" and length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if not without_body:
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_MERGE = do_OPTIONS = _answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, application: WSGIApplication, tls: ssl.SSLContext | None) -> None:
        super().__init__((HOST, port), _Handler)
        self.application = application
        self.tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shakes hands in the connection's own thread, so that one slow client holds up nobody else."""
        if self.tls is not None:
            request.settimeout(_Handler.timeout)
            request = self.tls.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            if self.tls is not None:
                request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Passes over clients that hung up or do not trust us; anything else is our own fault and shown."""
        if not isinstance(sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Service:
    """One simulated endpoint: a WSGI application served on 127.0.0.1 until `stop`."""

    def __init__(self, application: WSGIApplication, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._server = _Server(port, application, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.port: int = self._server.server_address[1]
        self.url = f"https://localhost:{self.port}" if tls else f"http://{HOST}:{self.port}"

    def start(self) -> Service:
        """Starts to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stops to answer and frees the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def elapsed_ms(started: float) -> float:
    """Milliseconds since `started`, a value of `time.perf_counter()`."""
    return round((time.perf_counter() - started) * 1000, 1)
