"""The operator's token goes to the Function App that was named, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.adapters.report.remote import RemoteReport
from shared.errors import ConfigurationError, PermanentError, TransientError


class Credential:
    """Gives a token and remembers for what."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """For these."""
        self.scopes += scopes
        return AccessToken("secret-token", 2**33)


class App(BaseHTTPRequestHandler):
    """Answers as it is told."""

    status = 200
    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        """One answer."""
        self.seen.append((self.path, self.headers.get("Authorization", "")))
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"<!doctype html>")

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def app() -> Iterator[tuple[type[App], RemoteReport, Credential]]:
    handler = type("Handler", (App,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    credential = Credential()
    url = f"http://127.0.0.1:{server.server_port}/"
    yield handler, RemoteReport(credential, url=url, audience="api://rollcall"), credential
    server.shutdown()
    thread.join()
    server.server_close()


def test_page_and_data_are_asked_for_with_the_token(app: tuple[type[App], RemoteReport, Credential]) -> None:
    handler, remote, credential = app
    assert remote.page() == remote.data() == b"<!doctype html>"
    assert handler.seen == [
        ("/api/report?format=html", "Bearer secret-token"),
        ("/api/report?format=json", "Bearer secret-token"),
    ]
    assert credential.scopes == ["api://rollcall/.default"] * 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ConfigurationError),
        (403, ConfigurationError),
        (404, PermanentError),
        (302, PermanentError),
        (503, TransientError),
    ],
)
def test_what_is_no_report_is_told_apart(
    app: tuple[type[App], RemoteReport, Credential], status: int, error: type[Exception]
) -> None:
    handler, remote, _ = app
    handler.status = status
    with pytest.raises(error):
        remote.page()
    assert {path for path, _ in handler.seen} == {"/api/report?format=html"}  # no redirect is followed
