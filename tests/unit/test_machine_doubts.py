"""Orphaned Arc machines that leave a doubt are reported, and stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.accounts import Provider
from shared.domain.sweep.machine_marks import cloud_of
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.errors import PermanentError
from tests.fakes.sweep_machines import ACCOUNT, SILENT, instance_of, machine, swept, world_with


@pytest.mark.parametrize(("state", "key", "told"), SILENT)
def test_a_silent_machine_is_an_orphan_only_where_its_instance_is_gone(
    state: InstanceState, key: str, told: str
) -> None:
    world = world_with(machine("silent"))
    world.instances.states[ACCOUNT, instance_of("silent")] = state
    [tracked] = swept(world).open
    assert tracked.finding.key == key
    assert told in tracked.finding.reason


def test_only_suspects_are_asked_for_and_machines_of_one_instance_stay_together() -> None:
    alive = [machine(f"alive{number}", status="Connected") for number in range(99)]
    twins = [
        machine("twin-a", instanceid=instance_of("z"), status="Connected"),
        machine("twin-b", instanceid=instance_of("z")),
    ]
    world = world_with(*alive, *twins)
    world.instances.states[ACCOUNT, instance_of("z")] = InstanceState.RUNNING
    report = swept(world)
    assert world.instances.asked == [ACCOUNT]
    assert sorted(each.finding.key for each in report.open) == ["machine-disconnected", "machine-duplicate"]


@pytest.mark.parametrize(
    "tags",
    [
        {"instanceid": "i-0ABCDEF0123456789"},
        {"instanceid": instance_of("ghost") + " "},
        {"instanceid": "i-0*"},
        {"instanceid": "my-host"},
        {"instanceid": ""},
        {"accountid": "not an account"},
        {"accountid": f"{ACCOUNT} "},
    ],
)
def test_what_aws_never_wrote_is_not_gone(tags: dict[str, Any]) -> None:
    world = world_with(machine("ghost", **tags))
    for _ in range(3):
        report = swept(world)
        assert "machine-orphaned" not in {each.finding.key for each in report.open}
    assert world.tenant.deleted == []
    assert world.instances.asked == []


@pytest.mark.parametrize("method", ["list_accounts", "list_connectors"])
def test_without_a_listing_every_account_is_asked(method: str) -> None:
    world = world_with(machine("ghost"))
    swept(world)
    for each in (world.listing, world.tenant):
        each.failures.plan(method, PermanentError("for good"))
    report = swept(world)
    assert [each.finding.key for each in report.open if each.finding.key.startswith("machine")] == ["machine-orphaned"]
    assert world.tenant.deleted == []


def renamed(ghost: ArcMachine) -> ArcMachine:
    return replace(ghost, machine_id=ghost.machine_id.replace(ghost.instance, "server-7"))


def without_cloud(ghost: ArcMachine) -> ArcMachine:
    return replace(ghost, tags={name: value for name, value in ghost.tags.items() if name != "cloud"})


def with_a_tag_for_costs(ghost: ArcMachine) -> ArcMachine:
    return replace(ghost, tags={**without_cloud(ghost).tags, "projectid": "crm-7"})


@pytest.mark.parametrize("doubtful", [renamed, without_cloud, with_a_tag_for_costs])
def test_an_orphan_that_leaves_a_doubt_is_reported_and_stays(doubtful: Any) -> None:
    world = world_with(doubtful(machine("ghost")))
    for _ in range(3):
        report = swept(world)
        assert "machine-orphaned" in {each.finding.key for each in report.open}
    assert world.tenant.deleted == []


@pytest.mark.parametrize(
    ("tags", "provider"),
    [
        ({"accountid", "projectid"}, Provider.AWS),
        ({"instanceid", "projectnumber"}, Provider.AWS),
        ({"projectid", "instancename"}, Provider.AWS),
        ({"projectnumber"}, Provider.GCP),
        ({"machineid", "projectid"}, Provider.GCP),
    ],
)
def test_without_the_tag_cloud_a_tag_that_users_have_themselves_says_nothing(
    tags: set[str], provider: Provider
) -> None:
    assert cloud_of(dict.fromkeys(tags, "x")) is provider


def test_a_machine_beside_no_connector_of_its_account_stays() -> None:
    ghost = machine("ghost")
    elsewhere = replace(ghost, machine_id=ghost.machine_id.replace("resourceGroups/", "resourceGroups/other-"))
    world = world_with(elsewhere)
    swept(world)
    report = swept(world)
    assert (report.deleted, report.stopped_at) == ((), elsewhere.machine_id)
    assert "stands in its resource group" in report.stopped_because


@pytest.mark.parametrize("account_id", ["000000000077", "000000000002"])
def test_an_account_that_is_not_active_is_not_asked_and_its_machines_are_unknown(account_id: str) -> None:
    world = world_with(machine("ghost", accountid=account_id))
    report = swept(world)
    assert report.complete
    assert world.instances.asked == []
    assert [each.finding.key for each in report.open] == ["machine-disconnected"]
