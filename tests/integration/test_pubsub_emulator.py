"""Google's own Pub/Sub emulator pushes to the intake of events, and is compared with the sandbox's subscription.

It sends no token, whatever the subscription says of one: the receiver adds what Google would have signed, as a front
would, and leaves the rest of the request as it came.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from functions.push_entry import answer
from functions.push_gate import refusal_of
from sandbox.gcp.pubsub import PushSettings
from sandbox.serving import Service
from shared.adapters.policy.problems import parse_policy
from shared.domain.accounts import AccountState
from shared.domain.ledger import State
from shared.errors import TransientError
from shared.messages.connector_request import Action
from tests.fakes.gcp_intake import AUDIENCE, NUMBER, GcpSide, Pushers, project, push_token
from tests.fakes.gcp_world import gcp_world
from tests.fakes.pubsub_emulator import PROJECT, PubSubEmulator, command, pubsub_emulator
from tests.fixtures.read import fixture

QUIET_SECONDS = 2.5
"""The emulator waits a second at least before it pushes again, and no more than twice that with these settings."""
CONNECTING = (
    *("create.v1", "create.v1_without_parent", "create.v3", "create.v3_first", "create.v3_last"),
    *("undelete.v1", "undelete.v3", "move.v3"),
)
DELETING = ("delete.v1", "delete.v3")
IGNORED = ("create.failed", "set_iam_policy", "create.another_service")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubSubEmulator]:
    if command() is None:
        pytest.skip("Google's Pub/Sub emulator, or Java for it, is not on this computer")
    with pubsub_emulator(tmp_path_factory.mktemp("emulator")) as found:
        yield found


@dataclass
class Pushed:
    """One request of a push, as it came, and what it was answered."""

    headers: dict[str, str]
    body: dict[str, Any]
    status: int
    at: float = field(default_factory=time.monotonic)


class Intake:
    """The function behind HTTP; it looks for projects in memory."""

    def __init__(self, *, signed: bool = True) -> None:
        """With `signed` the receiver adds the token that the emulator leaves out."""
        self.side = GcpSide(parse_policy(fixture("policies/full.yaml").encode(), "full.yaml"))
        self.got: list[Pushed] = []
        self._signed = signed
        self._verifier = Pushers().verifier
        self._lock = threading.Lock()
        self.service = Service(self._answer).start()

    def _answer(self, environ: Any, start_response: Any) -> list[bytes]:
        headers = {name.removeprefix("HTTP_"): value for name, value in environ.items() if name.startswith("HTTP_")}
        headers |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH")}
        shown = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        body = environ["wsgi.input"].read()
        token = {"authorization": push_token()} if self._signed else {}
        request = func.HttpRequest(method=environ["REQUEST_METHOD"], url=AUDIENCE, headers=shown | token, body=body)
        with self._lock:
            refusal = refusal_of(request, self._verifier)
            found = answer(request.get_body(), lambda: self.side.ports) if refusal is None else refusal
            self.got.append(Pushed(shown, json.loads(body), found.status_code))
        start_response(f"{found.status_code} Answered", [])
        return [found.get_body()]

    def wait_for(self, pushes: int, seconds: float = 15.0) -> list[Pushed]:
        """So many requests, once they came."""
        _until(lambda: len(self.got) >= pushes, seconds)
        assert len(self.got) >= pushes, [each.status for each in self.got]
        return self.got


def _until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.fixture
def intake() -> Iterator[Intake]:
    found = Intake()
    yield found
    found.service.stop()


def entry(name: str) -> bytes:
    return fixture(f"gcp/events/{name}.json").encode()


def test_every_entry_is_taken_once_and_what_cannot_be_read_is_parked_once(
    emulator: PubSubEmulator, intake: Intake
) -> None:
    topic = emulator.subscribe("entries", intake.service.url)
    emulator.publish(topic, *(entry(name) for name in (*CONNECTING, *IGNORED)))
    intake.wait_for(len(CONNECTING) + len(IGNORED))
    queue = intake.side.queue
    asked = [(each.data.action, each.data.hierarchy_identifier) for each in queue.requests]
    assert asked == [(Action.CONNECT, NUMBER)] * len(CONNECTING)
    intake.side.projects.put(project(state=AccountState.DELETE_REQUESTED))
    emulator.publish(topic, *(entry(name) for name in DELETING))
    broken = [b"\xff\x00 no JSON", entry("create.nameless"), b"[]"]
    emulator.publish(topic, *broken)
    pushes = len(CONNECTING) + len(IGNORED) + len(DELETING) + len(broken)
    intake.wait_for(pushes)
    told = [each.data.status for each in queue.requests[len(CONNECTING) :]]
    assert told == [State.DEPARTED] * len(DELETING)
    assert [each.remedy.endswith("Runbook: unreadable-push.") for each in queue.parked] == [True] * len(broken)
    time.sleep(QUIET_SECONDS)
    assert [each.status for each in intake.got] == [204] * pushes


def test_what_is_answered_5xx_comes_again_until_it_is_taken(emulator: PubSubEmulator, intake: Intake) -> None:
    busy = TransientError("the queue is busy")
    intake.side.queue.failures.plan("send", busy, busy)
    topic = emulator.subscribe("again", intake.service.url)
    [number] = emulator.publish(topic, entry("create.v3"))
    got = intake.wait_for(3)
    time.sleep(QUIET_SECONDS)
    assert [each.status for each in got] == [503, 503, 204]
    assert {each.body["message"]["messageId"] for each in got} == {number}
    assert len(intake.side.queue.requests) == 1


def test_without_a_token_nobody_is_let_in(emulator: PubSubEmulator) -> None:
    intake = Intake(signed=False)
    try:
        account = {"serviceAccountEmail": "rollcall-push@example.iam.gserviceaccount.com", "audience": AUDIENCE}
        push = {"pushEndpoint": intake.service.url, "oidcToken": account}
        topic = emulator.subscribe("unsigned", intake.service.url, pushConfig=push)
        emulator.publish(topic, entry("create.v1"))
        got = intake.wait_for(2)
        assert {each.status for each in got} == {401}
        assert not any("authorization" in each.headers for each in got)  # else the receiver need not add one
        assert intake.side.untouched
    finally:
        intake.service.stop()


def test_the_sandbox_pushes_what_the_emulator_pushes(emulator: PubSubEmulator, intake: Intake, tmp_path: Path) -> None:
    with gcp_world(tmp_path) as world:
        ours = Intake(signed=False)
        subscription = world.cloud.push_to(
            PushSettings(url=ours.service.url, audience=AUDIENCE, service_account="push@example.com")
        )
        made = json.loads(entry("create.v1"))
        subscription.publish(made)
        [mine] = ours.wait_for(1)
        ours.service.stop()
    attributes = mine.body["message"]["attributes"]
    topic = emulator.subscribe("compared", intake.service.url)
    data = base64.b64decode(mine.body["message"]["data"])
    emulator.publish(topic, data, attributes=attributes)
    [theirs] = intake.wait_for(1)
    assert mine.body.pop("deliveryAttempt") == 1  # documented where there is a dead-letter topic; the emulator has none
    assert form(mine.body) == form(theirs.body)
    for name in ("data", "attributes"):
        assert mine.body["message"][name] == theirs.body["message"][name]
    for found in (mine, theirs):
        message = found.body["message"]
        assert (message["messageId"], message["publishTime"]) == (message["message_id"], message["publish_time"])
        assert re.fullmatch(r"projects/[^/]+/subscriptions/[^/]+", found.body["subscription"])
    assert mine.headers["content-type"] == theirs.headers["content-type"] == "application/json"
    connection = {"accept", "accept-encoding", "connection", "content-length", "host"}
    assert mine.headers.keys() - connection == {"content-type", "user-agent", "authorization"}
    assert theirs.headers.keys() - connection == {"content-type", "user-agent"}


def form(value: Any) -> Any:
    """The keys of an object and the kinds of its values, times and numbers in texts told apart."""
    if isinstance(value, dict):
        return {key: form(each) for key, each in value.items()}
    assert isinstance(value, str), value
    return "time" if _TIME.fullmatch(value) else "number" if value.isdecimal() else "text"


def test_a_seek_brings_what_was_acknowledged_once_more(emulator: PubSubEmulator, intake: Intake) -> None:
    name = "sought"
    topic = emulator.subscribe(name, intake.service.url, retainAckedMessages=True)
    emulator.publish(topic, entry("create.v1"))
    [first] = intake.wait_for(1)
    time.sleep(0.5)  # the acknowledgement has to be there, too
    before = datetime.now(UTC) - timedelta(minutes=5)
    emulator.seek(name, before.strftime("%Y-%m-%dT%H:%M:%SZ"))
    again = intake.wait_for(2)[1]
    assert again.body == first.body
    assert again.body["subscription"] == f"{PROJECT}/subscriptions/{name}"
