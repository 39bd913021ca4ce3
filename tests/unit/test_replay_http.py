"""ƒ replay_queue: what it answers, and what it refuses without a word."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from functions.operator_gate import caller_of
from functions.replay_entry import answer
from shared.adapters.tokens.verifier import TokenRefusedError, TokenVerifier
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord
from shared.domain.policy import Policy
from shared.errors import ConfigurationError, RollcallError, TransientError
from shared.messages.parked_request import ParkedRequest
from tests.fakes.clock import NOON
from tests.unit.project_commands.conftest import push
from tests.unit.test_project_policy import MEMBER, project
from tests.unit.test_replay import World, encoded


@pytest.fixture
def world(policy: Policy) -> World:
    return World(policy)


def asked(method: str, *, identifier: str = "", body: Any = None, **params: str) -> func.HttpRequest:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return func.HttpRequest(
        method=method,
        url="https://app/api/replay",
        params=params,
        route_params={"identifier": identifier} if identifier else {},
        headers={"authorization": "Bearer x"},
        body=content,
    )


def answered(world: World, request: func.HttpRequest) -> tuple[int, Any]:
    found = answer(request, world.ports)
    assert found.mimetype == "application/json"
    return found.status_code, json.loads(found.get_body())


def test_a_get_lists_and_changes_nothing(world: World) -> None:
    status, document = answered(world, asked("GET", limit="3", page="2", reason_class="scope-locked"))
    assert (status, document["count"], document["page"], len(document["messages"])) == (200, 10, 2, 3)
    assert document["totals"] == {"scope-locked": 10}
    assert (world.sender.sent, world.queue.put_bodies, len(world.queue.visible)) == ([], [], 11)


def test_a_get_of_one_shows_it(world: World) -> None:
    status, document = answered(world, asked("GET", identifier="message-3"))
    assert (status, document["message_id"], document["diagnosis"]["cause"]) == (200, "message-3", "unknown")
    assert answered(world, asked("GET", identifier="message-77"))[0] == 404
    assert answered(world, asked("GET", identifier="abc"))[0] == 400


def test_a_post_sends_back_as_the_caller(world: World) -> None:
    ports = replace(world.ports, actor="object-id-of-somebody")
    found = answer(asked("POST", body={"action": "run", "ids": ["message-3"], "per_second": 1000}), ports)
    assert found.status_code == 200
    assert json.loads(found.get_body())["done"] == 1
    assert [each.data.hierarchy_identifier for each in world.sent_back] == [f"{3:012d}"]
    assert [each.data.reason for each in world.sender.requests] == ["replayed by object-id-of-somebody"]


def test_a_post_does_no_more_than_it_says(world: World) -> None:
    order = {"action": "run", "all": True, "reason_class": "scope-locked", "limit": 4, "per_second": 1000}
    assert answered(world, asked("POST", body=order | {"dry_run": True}))[1]["done"] == 4
    assert world.queue.put_bodies == []
    assert answered(world, asked("POST", body=order))[1]["done"] == 4
    assert len(world.sent_back) == 4
    assert len(world.queue.visible) == 7


def test_a_post_discards_with_a_reason(world: World) -> None:
    order = {"action": "discard", "ids": ["message-3"], "reason": "sold"}
    assert answered(world, asked("POST", body=order))[1]["done"] == 1
    assert "message-3" not in world.queue.messages


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        [],
        {},
        {"action": "run"},
        {"action": "run", "all": True, "ids": ["message-3"]},
        {"action": "run", "ids": ["abc"]},
        {"action": "discard", "ids": ["message-3"]},
        {"action": "discard", "ids": ["message-3"], "reason": " "},
        {"action": "burn", "all": True},
        {"action": "run", "all": True, "limit": 501},
        {"action": "run", "all": True, "account": "'; drop"},
        {"action": "run", "all": True, "unknown": 1},
        {"action": "discard", "all": True, "newer_than": 24, "reason": "hours ago is what was meant"},
        {"action": "run", "all": True, "older_than": "2026-11-25"},
        {"action": "run", "all": True, "older_than": "2026-11-25T00:00:00"},
        {"action": "run", "all": True, "older_than": "24"},
        {"action": "run", "all": True, "limit": 500, "per_second": 1},
        {"action": "run", "all": True, "per_second": 1e-300},
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_done(world: World, body: Any) -> None:
    status, document = answered(world, asked("POST", body=body))
    assert status == 400
    assert document["error"]["reason"]
    assert (world.queue.put_bodies, world.sender.sent, len(world.queue.visible)) == ([], [], 11)


def park_push(world: World) -> None:
    """A push of Google's that named a project which was out of sight."""
    parked = ParkedRequest.of(push(), reason="why", remedy="Give it. Runbook: project-not-visible.", at=NOON)
    world.queue.messages["message-push"] = encoded(parked.to_json())


def test_a_push_is_listed_with_its_project_and_read_again(world: World) -> None:
    park_push(world)
    status, document = answered(world, asked("GET", account="acme-shop-1"))
    [message] = document["messages"]
    assert (status, message["provider"], message["project_id"]) == (200, "gcp", "acme-shop-1")
    order = {"action": "run", "ids": ["message-push"]}
    status, done = answered(world, asked("POST", body=order))
    [failed] = done["messages"]
    assert (status, failed["error"]["reason"]) == (200, "the policy says nothing about projects")
    world.source.policy = replace(world.source.policy, gcp=MEMBER)
    world.google.add(project("1000000000101", name="acme-shop-1"))
    assert answered(world, asked("POST", body=order))[1]["done"] == 1
    note, asked_for, told = world.sender.requests
    assert (note.data.told.included, asked_for.data.hierarchy_identifier) == (
        frozenset({"1000000000101"}),
        "1000000000101",
    )
    assert told.data.reason == "its push was read again by somebody"
    assert "message-push" not in world.queue.messages


def test_an_order_about_a_number_of_both_clouds_asks_which(world: World) -> None:
    key = AccountKey(provider=Provider.GCP, hierarchy_identifier=f"{3:012d}")
    order = {"action": "run", "all": True, "account": key.hierarchy_identifier, "per_second": 1000}
    world.ledger._records[key] = AccountRecord(key=key)
    status, document = answered(world, asked("POST", body=order))
    assert (status, document["error"]["remedy"]) == (400, "Say which is meant: provider is aws or gcp.")
    assert world.queue.put_bodies == []
    assert answered(world, asked("POST", body=order | {"provider": "gcp"}))[1]["done"] == 0
    assert answered(world, asked("POST", body=order | {"provider": "aws"}))[1]["done"] == 1


def test_a_query_that_makes_no_sense_is_refused(world: World) -> None:
    assert answered(world, asked("GET", limit="0"))[0] == 400
    assert answered(world, asked("GET", unknown="1"))[0] == 400
    assert answered(world, asked("POST", identifier="message-3", body={}))[0] == 400


def test_a_query_with_a_moment_is_understood(world: World) -> None:
    assert answered(world, asked("GET", older_than="2026-11-20T10:00:00Z"))[1]["count"] == 10
    assert answered(world, asked("GET", older_than="2026-11-20T09:59:59+00:00"))[1]["count"] == 0
    assert answered(world, asked("GET", older_than="1795647822"))[0] == 400


def test_an_order_that_ends_in_the_middle_tells_what_was_done(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.queue.failures.plan("put", None, None, ConfigurationError("no right", setting="role"))
    order = {"action": "run", "all": True, "reason_class": "scope-locked", "per_second": 1000}
    with caplog.at_level(logging.INFO, logger="functions.replay_entry"):
        status, document = answered(world, asked("POST", body=order))
    assert (status, document["error"]["reason"], document["done"]) == (500, "no right", 2)
    assert [line.message for line in caplog.records] == ["replay_failed", "replay_ordered"]


@pytest.mark.parametrize(
    ("error", "status"), [(TransientError("busy"), 503), (ConfigurationError("no right", setting="role"), 500)]
)
def test_a_queue_that_cannot_be_read_is_said(world: World, error: RollcallError, status: int) -> None:
    world.queue.failures.plan("take", error)
    found = answered(world, asked("GET"))
    assert (found[0], found[1]["error"]["reason"]) == (status, error.reason)


class Verifier(TokenVerifier):
    def __init__(self, outcome: str | Exception) -> None:
        self._outcome = outcome

    def caller(self, authorization: str | None) -> str:
        assert authorization == "Bearer x"
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def test_refusals_are_all_the_same() -> None:
    refused = [caller_of(asked("GET"), verifier) for verifier in (None, Verifier(TokenRefusedError("its issuer")))]
    for each in refused:
        assert isinstance(each, func.HttpResponse)
        assert (each.status_code, each.get_body(), dict(each.headers)) == (401, b"", {"WWW-Authenticate": "Bearer"})
    unknown = caller_of(asked("GET"), Verifier(TransientError("no keys")))
    assert isinstance(unknown, func.HttpResponse)
    assert (unknown.status_code, unknown.get_body()) == (503, b"")
    wrong = caller_of(asked("GET"), Verifier(ConfigurationError("no tenant", setting="ROLLCALL_TENANT_ID")))
    assert isinstance(wrong, func.HttpResponse)
    assert (wrong.status_code, wrong.get_body()) == (503, b"")
    assert caller_of(asked("GET"), Verifier("somebody")) == "somebody"
