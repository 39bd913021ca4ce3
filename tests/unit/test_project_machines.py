"""Arc machines of GCE instances: compared with the instances of their project, and deleted as those of EC2 are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.accounts import AccountState
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.domain.sweep.report import Standing, SweepReport
from shared.errors import ConfigurationError
from tests.fakes.project_machines import (
    GROUP,
    NUMBER,
    PROJECT,
    both_clouds,
    number_of,
    project_machine,
    world_of_both,
)
from tests.fakes.sweep import SweepWorld
from tests.fakes.sweep_machines import ACCOUNT, SILENT, machine, swept
from tests.fixtures.read import account


def kinds(report: SweepReport) -> list[str]:
    return sorted(each.finding.key for each in report.open)


@pytest.mark.parametrize(("state", "key", "told"), SILENT)
def test_a_silent_machine_is_an_orphan_only_where_its_instance_is_gone(
    state: InstanceState, key: str, told: str
) -> None:
    world = world_of_both(project_machine("web-1"))
    world.google.of_instances.states |= dict.fromkeys([(NUMBER, number_of("web-1")), (NUMBER, "web-1")], state)
    [tracked] = swept(world).open
    assert (tracked.finding.key, tracked.finding.account) == (key, NUMBER)
    assert told in tracked.finding.reason
    assert world.instances.asked == [], "EC2 knows nothing of it"


def test_it_goes_the_day_after_it_was_reported_and_its_body_is_kept() -> None:
    ghost = project_machine("web-1")
    world = world_of_both(ghost)
    assert kinds(swept(world)) == ["machine-orphaned"]
    assert swept(world).deleted == (ghost.machine_id,)
    assert [each.content for name, each in world.documents.kept.items() if name.startswith("machines/")] == [
        repr(ghost).encode()
    ]
    assert world.google.of_instances.asked == [(NUMBER, tuple(sorted((number_of("web-1"), "web-1"))))] * 2 + [
        (NUMBER, (number_of("web-1"), "web-1"))
    ]


def test_only_suspects_are_asked_for_and_google_is_not_without_them() -> None:
    world = world_of_both(project_machine("web-1", status="Connected"), project_machine("web-2", days=3))
    assert swept(world).open == ()
    assert world.google.of_instances.asked == []


def test_the_caps_count_the_machines_of_both_clouds() -> None:
    ghosts = [project_machine(f"web-{number}", days=30 + number) for number in range(6)]
    others = [machine(f"old-{number}", days=40 + number) for number in range(6)]
    world = world_of_both(*ghosts, *others, policy=both_clouds(machines_per_run=10, machines_percent=25))
    assert swept(world).looked["machines"] == 12
    assert [len(swept(world).deleted) for _ in range(3)] == [3, 2, 1], "a quarter of those that there are"


def came_back(world: SweepWorld, ghost: ArcMachine) -> None:
    world.google.of_instances.states[NUMBER, ghost.instance] = InstanceState.RUNNING


def another_has_its_name(world: SweepWorld, _: ArcMachine) -> None:
    world.google.of_instances.states[NUMBER, "web-1"] = InstanceState.RUNNING


def does_not_answer(world: SweepWorld, _: ArcMachine) -> None:
    world.google.of_instances.unreachable.add(NUMBER)


def lost_its_connector(world: SweepWorld, _: ArcMachine) -> None:
    world.tenant.connectors = [each for each in world.tenant.connectors if each.hierarchy_identifier != NUMBER]


def is_an_account_s(world: SweepWorld, ghost: ArcMachine) -> None:
    world.tenant.everything[ghost.machine_id] = replace(ghost, tags={**ghost.tags, "cloud": "AWS", "accountid": NUMBER})


@pytest.mark.parametrize(
    "surprise", [came_back, another_has_its_name, does_not_answer, lost_its_connector, is_an_account_s]
)
def test_the_first_surprise_ends_it_for_all(surprise: Any) -> None:
    ghost = project_machine("web-1", days=40)
    world = world_of_both(ghost, project_machine("web-2"), machine("old"))
    swept(world)
    find = world.tenant.find

    def changed_meanwhile(machine_id: str) -> Any:
        surprise(world, ghost)
        return find(machine_id)

    world.tenant.find = changed_meanwhile  # type: ignore[method-assign]
    report = swept(world)
    assert (report.deleted, report.stopped_at) == ((), ghost.machine_id)
    assert world.tenant.deleted == []


@pytest.mark.parametrize(
    "tags",
    [
        {"machineid": "0"},
        {"machineid": "projects/till-prod-7/zones/europe-west1-b/instances/web-1"},
        {"machineid": "12345678-0000-4000-8000-000000000001"},
        {"machineid": ""},
        {"projectnumber": "till-prod-7"},
        {"projectnumber": ""},
    ],
)
def test_what_google_never_wrote_is_not_gone(tags: dict[str, Any]) -> None:
    world = world_of_both(project_machine("web-1", **tags), project_machine("web-2"))
    for _ in range(3):
        silent = {each.finding.evidence.get("machine"): each.finding.key for each in swept(world).open}
        assert silent.get(f"{GROUP}/Microsoft.HybridCompute/machines/web-1") == "machine-disconnected"
    assert [each.rpartition("/")[2] for each in world.tenant.deleted] == ["web-2"]
    assert all("web-1" not in wanted for _, wanted in world.google.of_instances.asked)


@pytest.mark.parametrize("in_doubt", ["called otherwise", "another cloud by its agent", "a tag is missing"])
def test_an_orphan_that_leaves_a_doubt_is_reported_and_stays(in_doubt: str) -> None:
    ghost = project_machine("web-1")
    if in_doubt == "called otherwise":
        ghost = replace(ghost, machine_id=f"{ghost.machine_id}-till-prod-7")
    elif in_doubt == "another cloud by its agent":
        ghost = replace(ghost, detected="AWS")
    else:
        ghost = replace(ghost, tags={name: value for name, value in ghost.tags.items() if name != "projectid"})
    world = world_of_both(ghost)
    for _ in range(3):
        assert "machine-orphaned" in kinds(swept(world))
    assert world.tenant.deleted == []


@pytest.mark.parametrize("detected", ["", "N/A", "GCP"])
def test_what_its_agent_says_of_its_cloud_is_no_doubt_where_it_fits(detected: str) -> None:
    world = world_of_both(replace(project_machine("web-1"), detected=detected))
    swept(world)
    assert len(swept(world).deleted) == 1


@pytest.mark.parametrize("refused", ["the project", "Google as a whole"])
def test_a_project_that_cannot_be_asked_is_a_gap_and_nothing_goes(refused: str) -> None:
    world = world_of_both(project_machine("web-1"), machine("old"))
    swept(world)
    if refused == "the project":
        world.google.of_instances.unreachable.add(NUMBER)
    else:
        denied = ConfigurationError("denied", setting="the role")
        world.google.failures.plan("open", None, *[denied] * 100)  # after the listing; slices have no order
    report = swept(world)
    assert (report.complete, report.deleted, world.tenant.deleted) == (False, (), [])
    standings = {each.finding.account: each.standing for each in report.findings if "machine" in each.finding.key}
    assert standings == {NUMBER: Standing.UNSEEN, ACCOUNT: Standing.STILL}


def test_machines_of_a_project_that_nobody_pays_for_are_unknown_and_hold_up_no_other() -> None:
    old = machine("old")
    world = world_of_both(project_machine("web-1"), old)
    world.google.of_instances.unpaid.add(NUMBER)
    report = swept(world)
    assert (report.complete, kinds(report)) == (True, ["machine-disconnected", "machine-orphaned"])
    [unknown] = [each.finding for each in report.open if each.finding.account == NUMBER]
    assert "could not be told" in unknown.reason
    assert [(gap.account, gap.told, gap.reason) for gap in report.gaps] == [
        (NUMBER, True, f"project {NUMBER} has no billing")
    ]
    assert swept(world).deleted == (old.machine_id,)


def test_the_project_of_a_gap_has_the_digits_of_an_account_whose_machines_are_told_all_the_same() -> None:
    twin = replace(machine("old"), tags={**machine("old").tags, "accountid": NUMBER})
    world = world_of_both(twin, project_machine("web-1"))
    world.add(account(NUMBER, joined_at=PROJECT.joined_at))
    world.google.of_instances.unreachable.add(NUMBER)
    assert kinds(swept(world)) == ["machine-orphaned", "sweep-incomplete"]
    assert world.instances.asked == [NUMBER]


@pytest.mark.parametrize("missing", ["deleted", "unlisted"])
def test_a_project_that_is_not_active_is_not_asked_and_its_machines_are_unknown(missing: str) -> None:
    world = world_of_both(project_machine("web-1"))
    if missing == "deleted":
        world.google.of_projects.add(replace(PROJECT, state=AccountState.DELETE_REQUESTED))
    else:
        world.google.of_projects.projects.clear()
    report = swept(world)
    assert report.complete
    assert world.google.of_instances.asked == []
    assert kinds(report) == ["connector-orphaned", "machine-disconnected"]


def test_machines_of_gcp_are_none_of_ours_where_the_policy_says_nothing_of_projects() -> None:
    world = world_of_both(project_machine("web-1"), machine("alive", status="Connected"))
    world.source.policy = replace(world.source.policy, gcp=None)
    world.tenant.connectors = [each for each in world.tenant.connectors if each.hierarchy_identifier != NUMBER]
    report = swept(world)
    assert (report.open, report.looked["machines"]) == ((), 1)
    assert world.google.opened == 0


def test_the_tags_that_are_missing_are_those_of_its_cloud() -> None:
    lacking = project_machine("web-1", status="Connected")
    lacking = replace(lacking, tags={name: lacking.tags[name] for name in ("mdfcsecurityconnector", "machineid")})
    [tracked] = swept(world_of_both(lacking)).open
    assert tracked.finding.reason == "it lacks the tags Cloud, InstanceName, ProjectId, ProjectNumber"
    assert tracked.finding.link.endswith("/quickstart-onboard-gcp")


def test_two_machines_for_one_instance_are_told_with_its_project() -> None:
    twin = project_machine("web-1-twin", status="Connected", instancename="web-1", machineid=number_of("web-1"))
    [tracked] = swept(world_of_both(project_machine("web-1", status="Connected"), twin)).open
    assert tracked.finding.key == "machine-duplicate"
    assert tracked.finding.subject == f"projects/{NUMBER}/instances/{number_of('web-1')}"
