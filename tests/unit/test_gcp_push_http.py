"""ƒ gcp_project_events: what it answers, what it refuses without a word, and that nothing crashes it."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions import bootstrap
from functions.gcp_project_events import gcp_project_events
from functions.push_entry import answer
from functions.push_gate import refusal_of
from shared.adapters.tokens.verifier import TokenVerifier
from shared.domain.policy import Policy
from shared.errors import ConfigurationError, TransientError
from shared.messages.parked_request import MOST_BYTES as MOST_QUEUED
from tests.fakes.gcp_intake import (
    AUDIENCE,
    NUMBER,
    OTHER,
    PUSHER,
    GcpSide,
    Pushers,
    push,
    push_token,
    pushed,
    wrapped,
)
from tests.fixtures.read import fixture, loaded
from tests.unit.test_gcp_project_events import BROKEN
from tests.unit.test_push_tokens import REFUSED


class World(GcpSide):
    """The function with a verifier of its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pushers = Pushers()
        self.verifier: TokenVerifier | None = self.pushers.verifier

    def ask(self, request: func.HttpRequest) -> func.HttpResponse:
        """As the entry point does."""
        refusal = refusal_of(request, self.verifier)
        return answer(request.get_body(), lambda: self.ports) if refusal is None else refusal

    def push(self, body: bytes) -> int:
        """A push of our subscription; the answer says nothing but its status."""
        found = self.ask(push(body, authorization=push_token()))
        assert found.get_body() == b""
        return int(found.status_code)


@pytest.fixture
def world(policy: Policy) -> World:
    return World(policy)


def as_refused(found: func.HttpResponse) -> bool:
    return (found.status_code, found.get_body(), dict(found.headers)) == (401, b"", {"WWW-Authenticate": "Bearer"})


def test_an_entry_is_put_on_the_queue_and_answered_204(world: World) -> None:
    assert world.push(pushed("create.v1")) == 204
    assert [each.data.hierarchy_identifier for each in world.queue.requests] == [NUMBER]


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("body", [pushed("create.v1"), b"\x00" * 2_000_000], ids=["an entry", "2 MB"])
def test_a_forged_push_is_refused_without_a_word_and_nothing_comes_of_it(world: World, name: str, body: bytes) -> None:
    assert as_refused(world.ask(push(body, authorization=REFUSED[name]())))
    assert world.untouched
    assert world.pushers.google.asked <= 1


@pytest.mark.parametrize("name", ["token", "access_token", "id_token", "authorization", "code", "anything"])
@pytest.mark.parametrize("header", [True, False])
def test_a_token_in_the_query_is_refused_with_or_without_a_header(world: World, name: str, header: bool) -> None:
    token = push_token()
    told = {name: token.removeprefix("Bearer ")}
    authorization = token if header else None
    url = f"{AUDIENCE}?{name}={told[name]}"
    assert as_refused(world.ask(push(pushed("create.v1"), authorization=authorization, url=url, params=told)))
    assert as_refused(world.ask(push(pushed("create.v1"), authorization=authorization, url=url)))
    assert as_refused(world.ask(push(pushed("create.v1"), authorization=authorization, params=told)))
    assert world.untouched
    assert world.pushers.google.asked == 0


def test_a_token_of_the_query_is_not_written_into_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    token = push_token().removeprefix("Bearer ")
    world.ask(push(url=f"{AUDIENCE}?token={token}", params={"token": token}))
    [line] = caplog.records
    assert line.message == "caller_refused"
    assert token not in str(line.__dict__)


def test_without_settings_nobody_is_let_in(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.verifier = None
    assert as_refused(world.ask(push(pushed("create.v1"), authorization=push_token())))
    assert "ROLLCALL_GCP__PUSH_AUDIENCE" in caplog.records[0].__dict__["reason"]


def test_where_no_key_is_known_everybody_is_told_to_come_again(world: World) -> None:
    world.pushers.google.published = None
    for token in (push_token(), push_token(OTHER), push_token(OTHER, kid="two")):
        found = world.ask(push(pushed("create.v1"), authorization=token))
        assert (found.status_code, found.get_body()) == (503, b"")
    assert world.untouched
    assert world.pushers.google.asked == 1


def test_a_thousand_forged_pushes_ask_google_once_a_minute(world: World) -> None:
    for number in range(1000):
        forged = push_token(OTHER, kid=f"unknown-{number}")
        assert as_refused(world.ask(push(pushed("create.v1"), authorization=forged)))
    assert world.pushers.google.asked == 1
    assert world.untouched
    assert world.push(pushed("create.v1")) == 204


@pytest.mark.parametrize("name", BROKEN)
def test_what_can_never_be_read_is_parked_and_answered_204(
    world: World, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="functions"):
        assert world.push(BROKEN[name]) == 204
    assert world.queue.sent == []
    [parked] = world.queue.parked
    assert parked.remedy.endswith("Runbook: unreadable-push.")
    [line] = caplog.records
    assert (line.message, line.levelname, line.__dict__["error_key"]) == ("push_handled", "ERROR", "unreadable-push")


def test_a_body_of_2_mb_is_parked_as_far_as_it_can_be_kept(world: World) -> None:
    assert world.push(wrapped(b"x" * 1_500_000)) == 204
    [text] = world.queue.parked_texts
    assert len(text.encode()) <= MOST_QUEUED
    assert [len(each) for each in world.bodies.kept.values()] == [64 * 1024]
    assert world.queue.sent == []


@pytest.mark.parametrize("name", ["create.failed", "set_iam_policy", "text", "create.another_service"])
def test_what_asks_nothing_of_us_is_answered_204_and_forgotten(world: World, name: str) -> None:
    assert world.push(pushed(name)) == 204
    assert world.untouched


FAILURES: dict[str, Callable[[World, Any], None]] = {
    "policy": lambda world, error: world.source.failures.plan("current", error),
    "project": lambda world, error: world.projects.failures.plan("find", error),
    "queue": lambda world, error: world.queue.failures.plan("send", error),
}


@pytest.mark.parametrize("where", FAILURES)
@pytest.mark.parametrize(
    ("error", "status", "level"),
    [(TransientError("busy"), 503, "WARNING"), (ConfigurationError("denied", setting="x"), 500, "CRITICAL")],
)
def test_what_was_not_put_on_the_queue_is_not_answered_2xx(  # noqa: PLR0917
    world: World, where: str, error: Any, status: int, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    FAILURES[where](world, error)
    assert world.push(pushed("create.v1")) == status
    assert world.queue.sent == []
    [line] = caplog.records
    assert (line.message, line.levelname, line.__dict__["operation"]) == ("push_failed", level, "CreateProject")
    assert world.push(pushed("create.v1")) == 204
    assert len(world.queue.sent) == 1


@pytest.mark.parametrize("where", ["park", "keep"])
def test_what_could_not_be_parked_comes_again(world: World, where: str) -> None:
    owner = world.queue if where == "park" else world.bodies
    owner.failures.plan(where, TransientError("busy"))
    assert world.push(b"\xff" * 60_000) == 503
    assert world.queue.parked == []
    assert world.push(b"\xff" * 60_000) == 204
    assert len(world.queue.parked) == 1


def test_a_project_that_is_not_seen_yet_is_answered_503(world: World) -> None:
    world.projects.projects.clear()
    assert world.push(pushed("create.v3")) == 503


def test_each_push_has_one_closing_line_without_its_content(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        world.push(pushed("create.v1"))
    [line] = caplog.records
    fields = line.__dict__
    assert (line.message, fields["outcome"], fields["operation"]) == ("push_handled", "created", "CreateProject")
    [request] = world.queue.requests
    assert fields["hierarchy_identifier"] == NUMBER
    assert (fields["message_id"], fields["correlation_id"]) == (str(request.message_id), request.correlation_id)
    assert "example.com" not in str(fields)


# --- a thousand random bodies ---


def random_bodies() -> list[bytes]:
    """Noise; true pushes with bytes changed, cut, doubled; true entries with values that do not belong there."""
    chance, true = random.Random(8), pushed("create.v1")
    bodies = [chance.randbytes(chance.choice([0, 1, 7, 100, 5000, 70_000])) for _ in range(250)]
    for _ in range(250):
        broken = bytearray(true)
        for _ in range(chance.randint(1, 20)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        bodies.append(bytes(broken))
    for _ in range(250):
        begin = chance.randrange(len(true))
        bodies.append(true[:begin] if chance.random() < 0.5 else true[begin:] + true[:begin])
    for _ in range(250):
        entry = bytearray(fixture("gcp/events/create.v1.json").encode())
        entry[chance.randrange(len(entry))] = chance.randrange(256)
        bodies.append(wrapped(bytes(entry)))
    return bodies


def test_a_thousand_random_bodies_from_nobody_are_all_refused_alike(world: World) -> None:
    bodies = random_bodies()
    assert len(bodies) == 1000
    for body in bodies:
        assert as_refused(world.ask(push(body, authorization=push_token(OTHER))))
    assert world.untouched
    assert world.pushers.google.asked == 1


def test_a_thousand_random_bodies_of_our_subscription_are_parked_or_are_about_the_project(world: World) -> None:
    """A changed byte in a place that nobody reads leaves an entry what it was."""
    authorization = push_token()
    for body in random_bodies():
        before = len(world.queue.sent), len(world.queue.parked_texts)
        status = world.ask(push(body, authorization=authorization)).status_code
        new = len(world.queue.sent) - before[0], len(world.queue.parked_texts) - before[1]
        assert (status, new) in {(204, (1, 0)), (204, (0, 1)), (204, (0, 0)), (503, (0, 0))}
    assert {each.data.hierarchy_identifier for each in world.queue.requests} == {NUMBER}
    assert {each.data.organization for each in world.queue.requests} == {world.source.policy.gcp.organization}  # type: ignore[union-attr]  # set by the world
    assert len(world.queue.parked_texts) > 500
    assert world.pushers.google.asked == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PLACES = ("protoPayload", "insertId", "timestamp", "receiveTimestamp", "resource", "logName", "operation")
PARTS = ("status", "serviceName", "methodName", "resourceName", "request", "response")


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(PLACES), JSON),
    st.dictionaries(st.sampled_from(PARTS), JSON),
    st.dictionaries(st.sampled_from(("messageId", "publishTime", "attributes")), JSON),
)
def test_an_entry_with_anything_anywhere_has_an_answer(
    policy: Policy, places: dict[str, Any], parts: dict[str, Any], message: dict[str, Any]
) -> None:
    world = World(policy)
    entry = loaded("gcp/events/create.v3_last.json")
    payload = {"protoPayload": entry["protoPayload"] | parts}
    envelope = json.loads(wrapped(json.dumps(entry | payload | places).encode()))
    envelope["message"] |= message
    found = answer(json.dumps(envelope).encode(), lambda: world.ports)
    assert found.status_code in {204, 503}
    assert len(world.queue.sent) + len(world.queue.parked_texts) <= 1


# --- the entry point itself ---


SETTINGS = {
    "ROLLCALL_POLICY": "policy.yaml",
    "ROLLCALL_QUEUE__queueServiceUri": "https://account.queue.core.windows.net",
    "ROLLCALL_LEDGER__TABLESERVICEURI": "https://account.table.core.windows.net",
    "ROLLCALL_GCP__PUSH_AUDIENCE": AUDIENCE,
}


CONTEXT: Any = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=""))


@pytest.fixture
def half_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The function's settings without the service account."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    bootstrap.settings.cache_clear()
    bootstrap.push_verifier.cache_clear()
    yield monkeypatch
    bootstrap.settings.cache_clear()
    bootstrap.push_verifier.cache_clear()


def test_the_function_lets_nobody_in_who_is_not_named_in_its_settings(half_set: pytest.MonkeyPatch) -> None:
    assert as_refused(gcp_project_events(push(pushed("create.v1"), authorization=push_token()), CONTEXT))


def test_the_function_refuses_a_query_whatever_its_settings(half_set: pytest.MonkeyPatch) -> None:
    half_set.setenv("ROLLCALL_GCP__PUSH_SERVICE_ACCOUNT", PUSHER)
    assert bootstrap.push_verifier() is not None
    assert as_refused(gcp_project_events(push(authorization=push_token(), url=f"{AUDIENCE}?a=b"), CONTEXT))


@pytest.mark.parametrize("wrong", [{"PUSH_SERVICE_ACCOUNT": "nobody"}, {"CERTS_URL": "http://example.com/keys"}])
def test_wrong_settings_are_told_by_name(half_set: pytest.MonkeyPatch, wrong: dict[str, str]) -> None:
    [(name, value)] = wrong.items()
    half_set.setenv(f"ROLLCALL_GCP__{name}", value)
    with pytest.raises(ConfigurationError, match=f"ROLLCALL_GCP__{name}"):
        bootstrap.push_verifier()
