"""`rollcall offboard` of a project: what goes, what stays, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from shared.application.onboard import onboard
from shared.domain.accounts import AccountState, Provider
from shared.domain.connectors import connector_id_for
from shared.domain.ledger import State
from shared.domain.offboarding import Lock
from tests.fixtures.read import request
from tests.unit.project_commands.conftest import (
    MANAGEMENT_ID,
    SHOP,
    Desk,
    flat,
    shop,
)
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, ORGANIZATION


def labels(text: str) -> set[str]:
    """What the lines begin with that are not folded ones."""
    return set(re.findall(r"^(\w+)  +", text, re.MULTILINE))


def test_offboard_says_what_goes_and_what_stays_and_then_does_it(desk: Desk) -> None:
    desk.connect()
    said = desk.run("offboard", "acme-shop-1")
    assert said.code == 0, said.err
    assert labels(said.out) == {"project", "delete", "google", "apis", "warning"}
    assert "\nnothing was changed" in said.out
    assert f"project  {SHOP} acme-shop-1" in said.out
    assert desk.sent.sent == []
    done = desk.run("offboard", "acme-shop-1", "--confirm", "--json").document
    assert (done["state"], done["provider"], done["roles_removed"]) == ("offboarded", "gcp", False)
    assert {each.hierarchy_identifier for each in desk.azure.connectors.everything()} == {MANAGEMENT}
    assert said.out.endswith("nothing was changed; --confirm does it\n")
    again = desk.run("offboard", SHOP, "--provider", "gcp")
    assert "there is nothing of ours to remove" in again.out
    assert (again.code, "--confirm" in again.out) == (0, False)


def test_offboard_promises_nothing_that_it_would_refuse(desk: Desk) -> None:
    desk.connect()
    members = desk.run("offboard", MANAGEMENT_ID)
    assert members.code == 1
    assert "delete" not in labels(members.out)
    assert members.out.endswith("--confirm would be refused, too\n")
    assert f"`rollcall offboard {MANAGEMENT} --provider gcp --confirm`" in members.out
    document = desk.run("offboard", MANAGEMENT_ID, "--json")
    assert (document.code, document.document["refused"], document.document["confirmed"]) == (1, True, False)
    desk.around.locks.append(Lock(lock_id="/subscriptions/s/locks/l", level="CanNotDelete"))
    locked = desk.run("offboard", "acme-shop-1")
    assert (locked.code, "delete" in labels(locked.out), "would be refused" in locked.out) == (1, False, True)
    desk.around.locks.clear()
    assert desk.run("offboard", "acme-shop-1", "--json").document["refused"] is False
    [mine] = [each for each in desk.azure.connectors.everything() if each.hierarchy_identifier == SHOP]
    theirs = connector_id_for(SHOP, replace(MEMBER.target, resource_group="theirs"), Provider.GCP)
    desk.azure.connectors.plant(theirs, mine.body | {"tags": {}})
    look = desk.run("offboard", "acme-shop-1")
    assert (look.code, look.out.endswith("would be refused, too\n")) == (1, True)
    refused = desk.run("offboard", "acme-shop-1", "--confirm")
    assert (refused.code, f"`rollcall onboard {SHOP} --provider gcp --adopt`" in flat(refused.err)) == (1, True)


def test_the_organization_connector_stays_while_members_stand_below_it(desk: Desk) -> None:
    desk.connect()
    refused = desk.run("offboard", MANAGEMENT_ID, "--confirm")
    assert refused.code == 1
    assert "1 member connector(s) in the tenant stand below the Organization connector" in flat(refused.err)
    assert desk.sent.sent == []
    asked = request(
        "connector-request-1.connect",
        data={
            "provider": "gcp",
            "organization": ORGANIZATION,
            "hierarchy_identifier": MANAGEMENT,
            "action": "disconnect",
            "status": "offboarded",
        },
        occurred_at=desk.azure.clock.now().isoformat(),
    )
    assert onboard(asked, desk.azure.ports).key == "organization-connector-in-use"
    parked = desk.record(MANAGEMENT)
    assert parked is not None
    assert f"`rollcall offboard {MANAGEMENT} --provider gcp --confirm`" in parked.remedy
    assert desk.azure.connectors.deletes == []
    assert desk.run("offboard", "acme-shop-1", "--confirm").code == 0
    assert desk.run("offboard", MANAGEMENT_ID, "--confirm").code == 0
    assert desk.azure.connectors.everything() == []


@pytest.mark.parametrize("gone", ["deleted", "excluded", "out of sight"])
def test_a_project_that_takes_no_part_any_more_can_be_offboarded(desk: Desk, gone: str) -> None:
    desk.connect()
    if gone == "out of sight":
        del desk.projects.projects[SHOP]
    elif gone == "deleted":
        desk.projects.add(shop(SHOP, state=AccountState.DELETE_REQUESTED))
    else:
        desk.projects.add(shop(SHOP, ou_path="/Sandbox"))
    looked = desk.run("offboard", "acme-shop-1")
    assert "warning" not in looked.out
    assert ("does not list it" in looked.out) is (gone == "out of sight")
    assert desk.run("offboard", "acme-shop-1", "--confirm").code == 0
    found = desk.record()
    assert found is not None
    assert found.state is State.OFFBOARDED
