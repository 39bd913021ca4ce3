"""Accounts that leave, under a policy that says what may be deleted: what goes, what stays, and who comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.roll import running, wait_until
from tests.e2e.test_account_life import connected, has_instance, has_roles, move
from tests.e2e.test_checks import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("deletions")
    with running(folder / ".sandbox") as roll:
        made = Place(folder, roll)
        made.publish(
            default_profile="foundational",
            exclusions={"ou_paths": ["/Quarantine"]},
            deletions={"excluded_accounts": True, "departed_accounts": True},
        )
        yield made


def test_an_account_that_moves_into_an_excluded_unit_loses_everything_and_gets_it_back(place: Place) -> None:
    roll = place.roll
    [account_id] = connected(roll, "isolated")
    move(roll, account_id, "Quarantine")
    wait_until(lambda: not roll.connectors(account_id), "its connector is gone")
    wait_until(lambda: not has_instance(roll, account_id), "its roles are gone")
    assert not has_roles(roll, account_id)
    place.ends(account_id, "excluded", "excluded by OU path /Quarantine; removed")
    steps = [(entry.step, str(entry.result)) for entry in roll.history(account_id)]
    assert ("disconnect:excluded", "deleted") in steps
    move(roll, account_id)
    roll.wait_for_state(account_id, "connected")
    assert len(roll.connectors(account_id)) == 1
    assert has_roles(roll, account_id)


def test_a_closed_account_loses_its_connector_and_keeps_its_stack(place: Place) -> None:
    roll = place.roll
    [account_id] = connected(roll, "closed")
    roll.client("organizations").close_account(AccountId=account_id)
    wait_until(lambda: not roll.connectors(account_id), "its connector is gone")
    wait_until(lambda: not has_instance(roll, account_id), "the StackSet has forgotten it")
    assert has_roles(roll, account_id)
    place.ends(account_id, "departed", "Runbook: account-closed.")


def test_a_removed_account_loses_its_connector_and_its_owner_is_told_what_is_left(place: Place) -> None:
    roll = place.roll
    [account_id] = connected(roll, "removed")
    roll.client("organizations").remove_account_from_organization(AccountId=account_id)
    wait_until(lambda: not roll.connectors(account_id), "its connector is gone")
    place.ends(account_id, "departed", "it was removed from the organization", "StackSet-*")


def test_roles_that_cannot_be_removed_are_told_in_the_history(place: Place) -> None:
    roll = place.roll
    [account_id] = connected(roll, "sticky")
    roll.seed(stack_failures=[{"account": "sticky", "reason": "API: iam:DeleteRole Access Denied"}])
    move(roll, account_id, "Quarantine")

    def failures() -> list[str]:
        return [entry.remedy for entry in roll.history(account_id) if str(entry.result) == "failed"]

    wait_until(lambda: len(failures()) == 1, "the failure is in the history")
    assert "Runbook: roles-not-removed." in failures()[0]
    place.ends(account_id, "excluded", "iam:DeleteRole Access Denied")
    assert roll.connectors(account_id) == []
