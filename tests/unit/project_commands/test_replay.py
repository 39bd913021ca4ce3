"""Given-up messages about projects, and pushes that nobody could read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from shared.domain.ledger import State
from shared.messages.connector_request import Action
from tests.fixtures.read import ACCOUNT_ID
from tests.unit.project_commands.conftest import (
    ENTRY,
    SHOP,
    Desk,
    flat,
    key_of,
    push,
)
from tests.unit.test_project_policy import MANAGEMENT


def test_replay_lists_projects_and_pushes_with_cloud_and_id(parked: Desk) -> None:
    said = parked.run("replay", "list")
    rows = {line.split()[1] for line in said.out.splitlines() if line.startswith("message-")}
    assert rows == {ACCOUNT_ID, f"gcp-{SHOP}", "gcp"}
    assert "acme-shop-1" in said.out
    assert all(len(line.rstrip()) <= 80 for line in said.out.splitlines())
    document = parked.run("replay", "list", "--provider", "gcp", "--json").document
    assert document["totals"] == {"scope-locked": 1, "project-not-visible": 1, "unreadable-push": 1}
    assert {each["project_id"] for each in document["messages"]} == {"acme-shop-1", None}
    for who in ("acme-shop-1", SHOP):
        found = parked.run("replay", "list", "--account", who, "--json").document["messages"]
        assert {each["asks"] for each in found} >= {"connect:deployed"}
        assert {each["provider"] for each in found} == {"gcp"}
    assert parked.run("replay", "list", "--provider", "aws", "--json").document["count"] == 1


def test_replay_shows_a_push_and_whether_it_can_be_read(parked: Desk) -> None:
    broken = parked.run("replay", "show", "message-3")
    assert broken.out.startswith("a push that names no project")
    assert "cause:    remains: the message's data is not Base64" in broken.out
    seen = parked.run("replay", "show", "message-2")
    assert seen.out.startswith("project acme-shop-1  push:CreateProject")
    assert "cause:    unknown" in seen.out
    project_s = parked.run("replay", "show", "message-1", "--json").document
    assert project_s["diagnosis"] == {
        "cause": "moot",
        "why": "the project is connected; a replay changes nothing",
    }


def test_replay_says_that_the_policy_leaves_a_project_out_or_knows_none(parked: Desk) -> None:
    del parked.azure.ledger._records[key_of(SHOP)]
    gcp = parked.azure.source.policy.gcp
    assert gcp is not None
    parked.change(exclusions=replace(gcp.exclusions, names=("acme-*",)))
    left_out = parked.run("replay", "show", "message-1", "--json").document["diagnosis"]
    assert left_out["why"] == "the policy leaves the project out: excluded by project id acme-*"
    parked.azure.source.policy = replace(parked.azure.source.policy, gcp=None)
    silent = parked.run("replay", "show", "message-1", "--json").document["diagnosis"]
    assert silent == {"cause": "remains", "why": "the policy says nothing about projects"}
    done = parked.run("replay", "run", "message-2")
    assert (done.code, "the policy says nothing about projects" in flat(done.err)) == (1, True)
    assert "message-2" in parked.poison.messages


def test_replay_sends_a_projects_message_again_and_reads_a_push_again(parked: Desk) -> None:
    parked.run("offboard", "acme-shop-1", "--confirm")
    parked.azure.clock.advance(60)
    parked.sent.sent.clear()
    dry = parked.run("replay", "run", "--all", "--account", "acme-shop-1", "--dry-run", "--json").document
    assert (dry["done"], dry["failed"], parked.sent.sent) == (2, 0, [])
    done = parked.run("replay", "run", "message-2", "--json").document
    assert (done["done"], done["failed"]) == (1, 0)
    assert "message-2" not in parked.poison.messages
    told, asked, noted = parked.sent.requests
    assert (told.data.hierarchy_identifier, asked.data.hierarchy_identifier) == (MANAGEMENT, SHOP)
    assert asked.data.action is Action.CONNECT
    assert noted.data.reason == "its push was read again by somebody"
    found = parked.record()
    assert found is not None
    assert found.state is State.CONNECTED
    again = parked.run("replay", "run", "--all", "--account", SHOP, "--provider", "gcp", "--json").document
    assert (again["done"], again["failed"]) == (1, 0)
    assert len(parked.poison.put_bodies) == 1


def test_a_broken_push_is_mended_and_then_read(parked: Desk, tmp_path: Path) -> None:
    file = tmp_path / "push.json"
    assert parked.run("replay", "show", "message-3", "--export", str(file)).code == 0
    assert parked.run("replay", "run", "message-3").code == 1
    file.write_bytes(push({**ENTRY, "protoPayload": {**ENTRY["protoPayload"], "status": {"code": 7}}}))  # type: ignore[dict-item]
    refused = parked.run("replay", "run", "message-3", "--from", str(file))
    assert (refused.code, "failed with code 7" in flat(refused.err)) == (1, True)
    file.write_bytes(push())
    assert parked.run("replay", "run", "message-3", "--from", str(file)).code == 0
    assert "message-3" not in parked.poison.messages
    assert parked.sent.requests[-2].data.name == "acme-shop-1"


def test_a_push_of_a_project_that_is_still_out_of_sight_stays(parked: Desk) -> None:
    del parked.projects.projects[SHOP]
    done = parked.run("replay", "run", "message-2")
    assert (done.code, "cannot be seen" in done.err) == (1, True)
    assert "message-2" in parked.poison.messages
    assert parked.sent.sent == []


def test_a_push_is_discarded_only_with_a_file_that_keeps_it(parked: Desk, tmp_path: Path) -> None:
    assert parked.run("replay", "discard", "message-3", "--reason", "x").code == 1
    kept = tmp_path / "kept.jsonl"
    assert parked.run("replay", "discard", "message-3", "--reason", "x", "--export", str(kept)).code == 0
    assert json.loads(kept.read_text())["reason_class"] == "unreadable-push"
    assert parked.run("replay", "discard", "message-1", "--reason", "sold").code == 0
    assert "discarded by somebody: sold" in parked.sent.requests[-1].data.reason
    assert parked.sent.requests[-1].key == key_of(SHOP)
