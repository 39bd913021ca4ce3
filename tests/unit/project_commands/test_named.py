"""Which account or project is meant, of which cloud, and what is told of one that is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.application.onboard import onboard
from tests.fixtures.read import request
from tests.unit.project_commands.conftest import (
    CLOSED,
    MANAGEMENT_ID,
    SHOP,
    Desk,
    flat,
)
from tests.unit.test_project_policy import ORGANIZATION


@pytest.mark.parametrize("words", [("plan", "--provider", "gcp"), ("policy", "explain"), ("onboard",), ("offboard",)])
def test_a_policy_without_projects_is_told(desk: Desk, words: tuple[str, ...]) -> None:
    desk.azure.source.policy = replace(desk.azure.source.policy, gcp=None)
    told = [] if words[0] == "plan" else ["acme-shop-1"]
    said = desk.run(*words, *told, "--json")
    assert (said.code, said.document["error"]["reason"]) == (2, "the policy says nothing about projects")
    assert "section `gcp`" in said.document["error"]["remedy"]
    assert "docs/policy.md" in said.document["error"]["remedy"]
    assert desk.sent.sent == []


def test_status_shows_both_clouds_and_one_project_by_number_or_id(desk: Desk) -> None:
    desk.connect()
    desk.run("onboard", "acme-sand-1")
    onboard(request(), desk.azure.ports)
    said = desk.run("status")
    lines = said.out.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith(("account ", "project "))] == [
        ["account", "name"],
        ["project", "id"],
    ]
    assert "accounts: 1 connected" in lines
    assert "projects: 1 excluded · 2 connected" in lines
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert MANAGEMENT_ID[:20] in said.out
    only = desk.run("status", "--provider", "gcp")
    assert "account " not in only.out
    assert "projects: 1 excluded · 2 connected" in only.out
    document = desk.run("status", "--json").document
    assert document["totals_by_provider"] == {"aws": {"connected": 1}, "gcp": {"excluded": 1, "connected": 2}}
    for one in (("acme-shop-1",), (SHOP,), (SHOP, "--provider", "gcp")):
        shown = desk.run("status", *one)
        assert shown.out.startswith(f"project {SHOP}  acme-shop-1  /Shops\n")
        assert "project: https://console.cloud.google.com/welcome?project=acme-shop-1" in shown.out
        assert "cloudformation" not in shown.out
        assert desk.run("status", *one, "--json").document["provider"] == "gcp"


def test_a_number_of_both_clouds_is_never_guessed(desk: Desk) -> None:
    desk.connect()
    onboard(request(data={"hierarchy_identifier": SHOP}), desk.azure.ports)
    before = len(desk.sent.sent)
    for words in (
        ("status", SHOP),
        ("onboard", SHOP),
        ("offboard", SHOP),
        ("replay", "run", "--all", "--account", SHOP),
        ("replay", "discard", "--all", "--account", SHOP, "--reason", "x"),
    ):
        said = desk.run(*words)
        assert (said.code, "say --provider gcp for the project" in flat(said.err)) == (2, True), words
    assert len(desk.sent.sent) == before
    assert desk.run("status", SHOP, "--provider", "aws", "--json").document["provider"] == "aws"
    assert desk.run("status", SHOP, "--provider", "gcp", "--json").document["provider"] == "gcp"


@pytest.mark.parametrize("words", [("onboard",), ("offboard",), ("policy", "explain")])
def test_a_project_of_another_organization_is_told_from_one_out_of_sight(desk: Desk, words: tuple[str, ...]) -> None:
    desk.projects.elsewhere.add("acme-none-1")
    said = desk.run(*words, "acme-none-1")
    told = f"project acme-none-1 is not in the organization of the policy, {ORGANIZATION}"
    assert (said.code, told in flat(said.err)) == (1, True), said.err
    assert told not in flat(desk.run(*words, "acme-none-2").err)


@pytest.mark.parametrize("words", [("status",), ("onboard",), ("offboard",)])
def test_a_project_that_nobody_knows_is_told(desk: Desk, words: tuple[str, ...]) -> None:
    said = desk.run(*words, "acme-none-1")
    assert said.code == 1
    assert "acme-none-1" in said.err
    assert desk.sent.sent == []


@pytest.mark.parametrize(
    "words", [("status",), ("onboard",), ("offboard",), ("policy", "explain"), ("plan", "--account")]
)
def test_a_number_that_only_a_project_can_have_needs_its_cloud(desk: Desk, words: tuple[str, ...]) -> None:
    said = desk.run(*words, CLOSED)
    assert (said.code, "for a GCP project's number say --provider gcp" in flat(said.err)) == (2, True)
    assert desk.run(*words, CLOSED, "--provider", "gcp").code == (1 if words == ("status",) else 0)
