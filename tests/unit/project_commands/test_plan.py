"""What `rollcall plan` shows of projects, for people and for scripts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli import cloud_bootstrap
from shared.domain.accounts import Provider
from shared.domain.connectors import connector_id_for, desired_project_body, to_create
from shared.domain.gcp_connector_api import Project
from shared.domain.placement import place
from shared.domain.policy import Deletions, Mode
from shared.errors import ConfigurationError
from tests.fakes.gcp import FakeProjects
from tests.fixtures.read import ACCOUNT_ID
from tests.unit.project_commands.conftest import (
    CLOSED,
    MANAGEMENT_ID,
    NAMES,
    SAND,
    SHOP,
    Desk,
    flat,
    shop,
)
from tests.unit.test_project_policy import MANAGEMENT, MEMBER


def test_plan_shows_projects_beside_accounts(desk: Desk) -> None:
    said = desk.run("plan")
    assert said.code == 0, said.err
    aws, gcp = said.out.split("GCP projects\n")
    assert aws.startswith("AWS accounts\n")
    assert f"{ACCOUNT_ID}  create" in aws
    assert f"{MANAGEMENT}  create     {MANAGEMENT_ID}" in gcp
    assert f"{SHOP}  waits      acme-shop-1  /Shops" in gcp
    assert f"the Organization connector {MEMBER.organization_connector.name} would leave alone" in gcp  # type: ignore[union-attr]
    assert SAND in gcp.split("would leave alone", 1)[1]
    assert gcp.rstrip().endswith("1 create · 1 waits · 2 excluded")


def test_plan_in_json_counts_by_provider_and_reads_nothing_but(desk: Desk) -> None:
    document = desk.run("plan", "--json").document
    totals = document["totals_by_provider"]
    assert {cloud: {k: v for k, v in each.items() if v} for cloud, each in totals.items()} == {
        "aws": {"create": 1, "excluded": 1},
        "gcp": {"create": 1, "waits": 1, "excluded": 2},
    }
    assert document["totals"]["create"] == 2
    by_id = {each["hierarchy_identifier"]: each for each in document["accounts"]}
    assert (by_id[SAND]["provider"], by_id[SAND]["reason"]) == ("gcp", "excluded by folder path /Sandbox")
    assert by_id[CLOSED]["reason"] == "the project is DELETE_REQUESTED"
    assert desk.sent.sent == []


@pytest.mark.parametrize(
    ("arguments", "clouds"),
    [
        (("--provider", "gcp"), {"gcp"}),
        (("--provider", "gcp", "--provider", "gcp"), {"gcp"}),
        (("--provider", "aws"), {"aws"}),
        (("--account", "acme-shop-1"), {"gcp"}),
        (("--account", SHOP), {"gcp", "aws"}),
        (("--account", CLOSED, "--provider", "gcp"), {"gcp"}),
        (("--ou", "/Shops"), {"gcp", "aws"}),
    ],
)
def test_plan_looks_where_the_question_may_mean_somebody(
    desk: Desk, arguments: tuple[str, ...], clouds: set[str]
) -> None:
    document = desk.run("plan", *arguments, "--json").document
    assert document["totals_by_provider"].keys() == clouds
    if "--provider" not in arguments:
        assert {each["name"] for each in document["accounts"]} == {"acme-shop-1"} | (
            {"acme-gone-1"} if "--ou" in arguments else set()
        )


def test_plan_without_google_credentials_leaves_nothing_out_in_silence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: Any) -> FakeProjects:
        raise ConfigurationError("this shell has no credentials", setting="X", remedy="Log in.")

    monkeypatch.setattr(cloud_bootstrap, "projects", none)
    said = desk.run("plan", "--json")
    assert (said.code, said.document.keys()) == (2, {"error"})
    assert said.document["error"]["remedy"] == "Log in. Or see the AWS accounts alone: --provider aws."
    assert desk.run("plan", "--provider", "gcp", "--json").document["error"]["remedy"] == "Log in."
    assert desk.run("plan", "--provider", "aws", "--json").code == 0


def test_plan_tells_what_would_change_what_is_anothers_and_what_has_left(desk: Desk) -> None:
    desk.connect()
    [parent] = [each for each in desk.azure.connectors.everything() if each.hierarchy_identifier == MANAGEMENT]
    data = parent.body["properties"]["environmentData"]["organizationalData"]
    body = {**parent.body, "properties": {**parent.body["properties"]}}
    body["properties"]["environmentData"] = {
        **parent.body["properties"]["environmentData"],
        "organizationalData": {**data, "excludedProjectNumbers": [SHOP]},
    }
    desk.azure.connectors.plant(parent.connector_id, body)
    theirs = connector_id_for(SAND, replace(MEMBER.target, resource_group="theirs"), Provider.GCP)
    foreign = desired_project_body(Project(number=SAND, project_id="x"), MEMBER.default_profile, MEMBER.target, "9")
    desk.azure.connectors.plant(theirs, to_create(foreign))
    desk.projects.add(shop(SAND, ou_path="/Shops"))
    del desk.projects.projects[SHOP]
    said = desk.run("plan", "--provider", "gcp")
    assert said.code == 1
    assert "environmentData.organizationalData.excludedProjectNumbers" in said.out
    assert "another's connector, which is not ours, has the project" in said.out
    assert "made in another mode, it cannot be taken over" in flat(said.out)
    assert "the organization does not list the project; its connector would stay" in flat(said.out)
    desk.change(deletions=Deletions(departed_accounts=True))
    [gone] = [each for each in desk.run("plan", "--json").document["accounts"] if each["hierarchy_identifier"] == SHOP]
    assert (gone["action"], gone["provider"]) == ("remove", "gcp")
    assert "batch" not in gone["reason"]


def test_plan_refuses_projects_of_another_mode(desk: Desk) -> None:
    desk.change(mode=Mode.STANDALONE, organization_connector=None)
    gcp = desk.azure.source.policy.of(Provider.GCP)
    assert gcp is not None
    alone = place(gcp, SHOP, gcp.default_profile, gcp.target, NAMES[SHOP])
    desk.azure.connectors.plant(alone.connector_id, to_create(alone.desired))
    desk.change(mode=MEMBER.mode, organization_connector=MEMBER.organization_connector)
    said = desk.run("plan", "--provider", "gcp", "--json")
    keys = {each["hierarchy_identifier"]: each["key"] for each in said.document["accounts"]}
    assert (said.code, keys[SHOP], keys[MANAGEMENT]) == (1, "membership-change", "mode-switch")
    remedies = {each["hierarchy_identifier"]: each["remedy"] for each in said.document["accounts"]}
    assert "offboard the project" in remedies[SHOP]
