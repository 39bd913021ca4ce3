"""A notice on its way: over TLS to receivers that take it, refuse it, are slow, wrong, or not there."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from werkzeug import Response

from functions.receivers import Unseen
from sandbox.azure.exchange import Endpoint, Exchange
from sandbox.azure.receivers import Receivers, receivers_fault
from sandbox.certificates import Certificates
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.journal import Journal
from sandbox.serving import Service
from sandbox.trust import trusting
from shared.adapters.clock import SystemClock
from shared.adapters.notify import straight
from shared.adapters.notify.post import Receiving, keep_addresses_out_of_the_log
from shared.adapters.notify.teams import TeamsChannel
from shared.adapters.notify.webhook import Webhook
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from tests.unit.test_notice_bodies import ORDINARY

SETTING = "ROLLCALL_NOTIFY_TEAMS"


class World:
    """Both receivers, and whoever speaks to them."""

    def __init__(self, folder: Path) -> None:
        self.certificates = Certificates(folder)
        self.receivers, self.faults, self.journal = Receivers(), Faults(), Journal()
        endpoint = Endpoint(
            "receivers", self.journal, self.receivers.answer, faults=self.faults, faulted=receivers_fault
        )
        self.service = Service(endpoint, tls=self.certificates.server_context()).start()

    @property
    def teams_address(self) -> str:
        return f"{self.service.url}{self.receivers.teams_path}"

    @property
    def teams(self) -> TeamsChannel:
        return TeamsChannel(self.teams_address, setting=SETTING)

    def webhook(self, key: str = "") -> Webhook:
        return Webhook(
            f"{self.service.url}{self.receivers.webhook_path}",
            key or self.receivers.webhook_key,
            setting="ROLLCALL_NOTIFY_WEBHOOK",
            key_setting="ROLLCALL_NOTIFY_WEBHOOK_KEY",
            clock=SystemClock(),
        )

    def strike(self, **fault: Any) -> None:
        self.faults.clear()
        self.faults.plant(Fault(service="receivers", **fault))


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("receivers"))
    with trusting(world.certificates.bundle_path):
        yield world
    world.service.stop()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    yield shared_world
    shared_world.faults.clear()


def refused(world: World, receiver: Any) -> RollcallError:
    before = len(world.receivers.taken("teams")) + len(world.receivers.taken("webhook"))
    with pytest.raises(RollcallError) as error:
        receiver.tell(ORDINARY)
    assert len(world.receivers.taken("teams")) + len(world.receivers.taken("webhook")) == before
    return error.value


def test_a_workflow_of_teams_takes_the_card(world: World) -> None:
    world.teams.tell(ORDINARY)
    [card] = world.receivers.taken("teams")[-1]["attachments"]
    assert card["content"]["fallbackText"] == "Rollcall: 4 new, 1 resolved"


def test_a_webhook_takes_the_notice_and_verifies_its_signature(world: World) -> None:
    world.webhook().tell(ORDINARY)
    assert world.receivers.taken("webhook")[-1]["run"] == ORDINARY.run
    error = refused(world, world.webhook("whsec_" + "QUJD" * 8))
    assert isinstance(error, ConfigurationError), "a receiver that does not know the key"


def test_nobody_knows_a_workflow_by_its_host_alone(world: World) -> None:
    error = refused(world, TeamsChannel(f"{world.teams_address}x", setting=SETTING))
    assert isinstance(error, ConfigurationError)
    assert error.setting == SETTING


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        ({"kind": FaultKind.THROTTLE, "retry_after": 17}, 17.0),
        ({"kind": FaultKind.ERROR}, None),
        ({"kind": FaultKind.RESET}, None),
    ],
)
def test_what_passes_by_itself_is_transient_and_keeps_the_wait_that_was_asked_for(
    world: World, fault: dict[str, Any], wait: float | None
) -> None:
    world.strike(**fault)
    error = refused(world, world.teams)
    assert isinstance(error, TransientError)
    assert error.retry_after_seconds == wait


def test_a_receiver_that_says_nothing_is_waited_for_within_bounds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(straight, "ANSWER_SECONDS", 0.5)
    world.strike(kind=FaultKind.TIMEOUT, seconds=3)
    begun = time.monotonic()
    assert isinstance(refused(world, world.teams), TransientError)
    assert time.monotonic() - begun < 3


def test_nobody_there_and_a_certificate_of_somebody_else_are_no_answer(world: World, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gone = TeamsChannel(f"https://127.0.0.1:{port}/x?sig=secret", setting=SETTING)
    error = refused(world, gone)
    assert isinstance(error, TransientError)
    assert error.__cause__ is None, "the library's error knows the address"
    assert error.__suppress_context__
    stranger = World(tmp_path)
    try:
        assert isinstance(refused(stranger, stranger.teams), TransientError)
    finally:
        stranger.service.stop()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://127.0.0.1/x?sig=5ecret",
        "ftp://hooks.example/5ecret",
        "https://",
        "https://[::1/5ecret",
        "https://hooks.example:port/5ecret",
        "//5ecret",
        "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/5ecret/)",
        "https://\udcff.example/5ecret",
        f"https://{'a' * 300}.example/5ecret",
        "https://hooks .example/5ecret",
    ],
)
def test_what_is_no_address_is_a_wrong_setting_and_is_not_quoted(address: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Receiving(address, setting=SETTING).post(b"{}")
    assert "5ecret" not in f"{error.value} {error.value.remedy}"
    assert error.value.setting == SETTING


def test_no_error_and_no_line_tells_an_address(world: World, caplog: pytest.LogCaptureFixture) -> None:
    signature = world.receivers.teams_path.rpartition("sig=")[2]
    told = []
    keep_addresses_out_of_the_log()
    with caplog.at_level(logging.DEBUG):
        for kind in (FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.RESET):
            world.strike(kind=kind)
            error = refused(world, world.teams)
            told += ["".join(traceback.format_exception(error))]
        world.faults.clear()
        world.teams.tell(ORDINARY)
    lines = [f"{line.getMessage()} {line.args}" for line in caplog.records]
    assert not [text for text in (*told, *lines) if signature in text]


@contextmanager
def saying(world: World, talk: Callable[[ssl.SSLSocket], None]) -> Iterator[TeamsChannel]:
    """A receiver that reads one request and then says what `talk` writes, until nobody listens any more."""

    def serve() -> None:
        try:
            taken, _ = listening.accept()
            with world.certificates.server_context().wrap_socket(taken, server_side=True) as stream:
                stream.settimeout(5)
                with stream.makefile("rb") as request:
                    request.readline()
                    request.read(int(http.client.parse_headers(request)["Content-Length"]))
                talk(stream)
        except OSError:  # the sender has hung up
            return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        thread = threading.Thread(target=serve)
        thread.start()
        yield TeamsChannel(f"https://127.0.0.1:{listening.getsockname()[1]}/hook?sig=5ecret", setting=SETTING)
        thread.join(10)
        assert not thread.is_alive(), "the sender has hung up"


ACCEPTED = b"HTTP/1.1 202 Accepted\r\n"
MOVED = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example/\r\n\r\n"


def drips(begun: bytes, again: bytes) -> Callable[[ssl.SSLSocket], None]:
    """Begins, and goes on for five seconds without a pause that would be too long."""

    def talk(stream: ssl.SSLSocket) -> None:
        stream.sendall(begun)
        for _ in range(100):
            stream.sendall(again)
            time.sleep(0.05)

    return talk


@pytest.mark.parametrize(
    "talk",
    [drips(b"HTTP/1.1 2", b"0"), drips(ACCEPTED + b"X-Slow: ", b"x"), drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["the status", "a header", "what comes before"],
)
def test_an_answer_that_drips_is_waited_for_no_longer_than_one_that_does_not_come(
    world: World, monkeypatch: pytest.MonkeyPatch, talk: Callable[[ssl.SSLSocket], None]
) -> None:
    monkeypatch.setattr(straight, "ANSWER_SECONDS", 0.5)
    with saying(world, talk) as channel:
        begun = time.monotonic()
        assert isinstance(refused(world, channel), TransientError)
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(("begun", "kind"), [(ACCEPTED + b"\r\n", None), (MOVED, PermanentError)])
def test_a_body_without_an_end_is_not_read(world: World, begun: bytes, kind: type[RollcallError] | None) -> None:
    sent = []

    def talk(stream: ssl.SSLSocket) -> None:
        stream.sendall(begun)
        for _ in range(50):
            stream.sendall(bytes(1 << 20))
            sent.append(1)

    with saying(world, talk) as channel:
        if kind is None:
            channel.tell(ORDINARY)
        else:
            assert type(refused(world, channel)) is kind
    assert len(sent) < 20, "what the system's buffers hold, and no more"


def test_a_malformed_answer_brings_no_address_into_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    keep_addresses_out_of_the_log()
    with saying(world, lambda stream: stream.sendall(ACCEPTED + b"no header\r\nX: y\r\n\r\n")) as channel:
        channel.tell(ORDINARY)
    assert not [line for line in caplog.records if "5ecret" in f"{line.getMessage()} {line.args}"]


def test_a_redirect_is_not_followed(world: World) -> None:
    def elsewhere(_: Exchange) -> Response:
        return Response(status=307, headers={"Location": world.teams_address})

    service = Service(Endpoint("receivers", Journal(), elsewhere), tls=world.certificates.server_context()).start()
    try:
        error = refused(world, TeamsChannel(f"{service.url}/moved", setting=SETTING))
    finally:
        service.stop()
    assert isinstance(error, PermanentError)
    assert "redirect" in error.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, None), (202, None), (204, None), (400, PermanentError), (401, ConfigurationError), (404, ConfigurationError)]
    + [(408, TransientError), (410, ConfigurationError), (413, PermanentError), (503, TransientError)]
    + [(403, ConfigurationError), (425, TransientError), (507, TransientError), (522, TransientError)],
)
def test_what_each_status_means(world: World, status: int, kind: type[RollcallError] | None) -> None:
    endpoint = Endpoint("receivers", Journal(), lambda _: Response(status=status))
    service = Service(endpoint, tls=world.certificates.server_context()).start()
    channel = TeamsChannel(f"{service.url}/hook?sig=secret", setting=SETTING)
    try:
        if kind is None:
            channel.tell(ORDINARY)
        else:
            assert type(refused(world, channel)) is kind
    finally:
        service.stop()


def test_no_span_tells_an_address_either(world: World) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumented = RequestsInstrumentor()
    instrumented.instrument(tracer_provider=provider)
    try:
        Unseen(world.teams).tell(ORDINARY)
        assert exporter.get_finished_spans() == ()
        world.teams.tell(ORDINARY)
        assert len(exporter.get_finished_spans()) == 1, "else there was nothing to hide"
    finally:
        instrumented.uninstrument()
