"""`rollcall onboard` of a project, and of the management project; taking a connector over."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.accounts import AccountState
from shared.domain.connectors import connector_id_for
from shared.domain.policy import Deletions
from shared.messages.connector_request import Action
from tests.unit.project_commands.conftest import (
    MANAGEMENT_ID,
    SAND,
    SHOP,
    Desk,
    flat,
    shop,
)
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, ORGANIZATION


def test_onboard_makes_the_organization_connector_and_tells_it_whom_to_leave_alone(desk: Desk) -> None:
    said = desk.run("onboard", MANAGEMENT_ID)
    assert said.code == 0, said.err
    [parent] = desk.azure.connectors.everything()
    assert parent.organizational_data["organizationMembershipType"] == "Organization"
    assert SAND in parent.excluded_accounts
    assert SHOP not in parent.excluded_accounts


def test_onboard_asks_for_a_project_by_id_or_number_and_the_second_time_changes_nothing(desk: Desk) -> None:
    desk.connect()
    puts = len(desk.azure.connectors.puts)
    document = desk.run("onboard", "acme-shop-1", "--json").document
    assert (document["state"], document["hierarchy_identifier"]) == ("connected", SHOP)
    assert len(desk.azure.connectors.puts) == puts
    [note, asked] = desk.sent.requests
    assert (note.data.hierarchy_identifier, note.data.told.included) == (MANAGEMENT, frozenset({SHOP}))
    assert (asked.data.action, asked.data.source, asked.data.organization) == (Action.CONNECT, "rollcall", ORGANIZATION)
    waited = desk.run("onboard", "acme-shop-1", "--wait", "0", "--json")
    assert waited.document == {"event_id": waited.document["event_id"], "hierarchy_identifier": SHOP}


@pytest.mark.parametrize(
    ("project_id", "state", "reason"),
    [
        ("acme-sand-1", "excluded", "excluded by folder path /Sandbox"),
        ("acme-gone-1", "departed", "the project is DELETE_REQUESTED"),
    ],
)
def test_onboard_of_a_project_that_takes_no_part_says_why(desk: Desk, project_id: str, state: str, reason: str) -> None:
    said = desk.run("onboard", project_id)
    assert (said.code, state in said.out, reason in said.out) == (0, True, True)
    assert desk.azure.connectors.everything() == []


@pytest.mark.parametrize(
    ("now", "state"),
    [({"ou_path": "/Sandbox"}, "excluded"), ({"state": AccountState.DELETE_REQUESTED}, "departed")],
)
def test_onboard_takes_no_connector_away_whatever_the_policy_says(desk: Desk, now: dict[str, Any], state: str) -> None:
    desk.connect()
    desk.projects.add(shop(SHOP, **now))
    desk.change(deletions=Deletions(excluded_accounts=True, departed_accounts=True))
    desk.azure.clock.advance(60)
    said = desk.run("onboard", "acme-shop-1")
    assert (said.code, said.out.startswith(state)) == (0, True), said.err
    assert SHOP in {each.hierarchy_identifier for each in desk.azure.connectors.everything()}


def test_onboard_of_a_member_that_waits_for_its_parent_says_for_what(desk: Desk) -> None:
    said = desk.run("onboard", "acme-shop-1", "--wait", "1")
    assert said.code == 1
    assert "it is deferred, there is no Organization connector" in flat(said.err)
    assert "rollcall status acme-shop-1 --provider gcp" in flat(said.err)


def test_onboard_of_a_state_that_nobody_knows_asks_for_nothing(desk: Desk) -> None:
    desk.projects.add(shop(SHOP, state=AccountState.UNKNOWN))
    assert desk.run("onboard", "acme-shop-1").code == 1
    assert desk.sent.sent == []


def test_a_single_project_s_connector_is_not_adopted_where_it_would_have_to_become_a_member(desk: Desk) -> None:
    desk.connect()
    [member] = [each for each in desk.azure.connectors.everything() if each.hierarchy_identifier == SHOP]
    data = dict(member.body["properties"]["environmentData"], organizationalData=None)
    body = {**member.body, "tags": {}, "properties": {**member.body["properties"], "environmentData": data}}
    desk.azure.connectors.plant(member.connector_id, body)
    before = len(desk.sent.sent)
    said = desk.run("onboard", SHOP, "--provider", "gcp", "--adopt")
    assert (said.code, "Runbook: membership-change" in flat(said.err)) == (1, True)
    left = desk.azure.connectors.find(member.connector_id)
    assert left is not None
    assert (left.organization, len(desk.sent.sent)) == (None, before)
    planned = desk.run("plan", "--provider", "gcp", "--account", SHOP)
    assert ("cannot be taken over" in flat(planned.out), "--adopt" in planned.out) == (True, False)


def test_adopt_takes_over_the_connector_of_a_cloud_and_of_no_other(desk: Desk) -> None:
    desk.connect()
    [parent] = [each for each in desk.azure.connectors.everything() if each.hierarchy_identifier == MANAGEMENT]
    desk.azure.connectors.plant(parent.connector_id, {**parent.body, "tags": {}})
    account_s = connector_id_for(MANAGEMENT, MEMBER.target)
    of_aws = {"hierarchyIdentifier": MANAGEMENT, "environmentName": "AWS"}
    desk.azure.connectors.plant(account_s, {"properties": of_aws})
    said = desk.run("onboard", MANAGEMENT, "--provider", "gcp", "--adopt")
    assert "adopted" in said.err
    taken = desk.azure.connectors.find(parent.connector_id)
    assert taken is not None
    assert taken.organization == ORGANIZATION
    untouched = desk.azure.connectors.find(account_s)
    assert untouched is not None
    assert untouched.organization is None
