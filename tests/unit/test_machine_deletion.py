"""Orphaned Arc machines: reported first, asked for again, kept, deleted one by one, and the first surprise ends it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.application.merge_sweep import merge_if_last
from shared.application.sweep_store import list_runs
from shared.domain.policy import Deletions, Policy, SweepLimits
from shared.domain.sweep.deletion import most_of
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.errors import PermanentError, TransientError
from tests.fakes.sweep import SweepWorld
from tests.fakes.sweep_machines import ACCOUNT, deleting, instance_of, machine, swept, world_with


def test_a_machine_goes_the_day_after_it_was_reported_and_its_body_is_kept() -> None:
    ghost = machine("ghost")
    world = world_with(ghost)
    first = swept(world)
    assert [each.finding.key for each in first.open] == ["machine-orphaned"]
    assert (first.deleted, world.tenant.deleted) == ((), [])
    second = swept(world)
    assert second.deleted == (ghost.machine_id,)
    kept = [each.content for name, each in world.documents.kept.items() if name.startswith("machines/")]
    assert kept == [repr(ghost).encode()]
    assert [each.standing for each in swept(world).findings] == ["resolved"]


def test_instances_are_looked_for_where_the_policy_says_they_may_be() -> None:
    regions = ("eu-west-1", "us-east-1")
    world = world_with(machine("ghost"), policy=replace(deleting(), sweep=SweepLimits(instance_regions=regions)))
    swept(world)
    assert len(swept(world).deleted) == 1
    assert world.instances.regions == [regions] * 3, "in each sweep, and again before it goes"


def test_nothing_goes_where_the_policy_does_not_say_so(policy: Policy) -> None:
    world = world_with(machine("ghost"), policy=policy)
    for _ in range(3):
        swept(world)
    assert world.tenant.deleted == []


@pytest.mark.parametrize("what", ["list_accounts", "list_connectors", "list_machines", "list_states", "account"])
def test_nothing_goes_after_a_partial_listing(what: str) -> None:
    world = world_with(machine("ghost"))
    swept(world)
    if what == "account":
        world.instances.unreachable.add(ACCOUNT)
    else:
        for each in (world.listing, world.tenant, world.stacks):
            each.failures.plan(what, PermanentError("page 7 fails for good"))
    assert not swept(world).complete
    assert world.tenant.deleted == []


def came_back(world: SweepWorld, ghost: ArcMachine) -> None:
    world.tenant.everything[ghost.machine_id] = replace(ghost, status="Connected")


def reconnected_since(world: SweepWorld, ghost: ArcMachine) -> None:
    later = world.clock.now() - timedelta(days=8)
    world.tenant.everything[ghost.machine_id] = replace(ghost, status_since=later)


def became_anothers(world: SweepWorld, ghost: ArcMachine) -> None:
    tags = {**ghost.tags, "publiccloudconnectorsresourceid": "x"}
    world.tenant.everything[ghost.machine_id] = replace(ghost, tags=tags)


def stands_for_another(world: SweepWorld, ghost: ArcMachine) -> None:
    world.tenant.everything[ghost.machine_id] = replace(ghost, tags={**ghost.tags, "instanceid": instance_of("other")})


def instance_is_there(world: SweepWorld, ghost: ArcMachine) -> None:
    world.instances.states[ACCOUNT, ghost.instance] = InstanceState.STOPPED


def account_is_silent(world: SweepWorld, _: ArcMachine) -> None:
    world.instances.unreachable.add(ACCOUNT)


@pytest.mark.parametrize(
    "surprise",
    [came_back, reconnected_since, became_anothers, stands_for_another, instance_is_there, account_is_silent],
)
def test_the_first_surprise_ends_it_for_all(surprise: Any) -> None:
    """What changes between the last look and the deletion is seen before anything goes."""
    first, second = machine("a", days=40), machine("b", days=30)
    world = world_with(first, second)
    swept(world)
    find = world.tenant.find
    struck: list[str] = []

    def changed_meanwhile(machine_id: str) -> Any:
        if not struck:
            struck.append(machine_id)
            surprise(world, first)
        return find(machine_id)

    world.tenant.find = changed_meanwhile  # type: ignore[method-assign]
    assert swept(world).deleted == ()
    assert struck == [first.machine_id]
    assert world.tenant.deleted == []


def test_a_deletion_that_fails_ends_it() -> None:
    world = world_with(machine("a", days=40), machine("b", days=30))
    swept(world)
    world.tenant.failures.plan("delete", TransientError("busy"))
    assert swept(world).deleted == ()
    assert world.tenant.deleted == []


def test_killed_between_deletion_and_report_it_deletes_no_more_than_it_may() -> None:
    machines = [machine(f"m{number}", days=40 + number) for number in range(10)]
    world = world_with(*machines, policy=deleting(machines_per_run=3))
    swept(world)
    killed_once(world)
    report = swept(world)
    assert len(report.deleted) == len(world.tenant.deleted) == 3
    assert sorted(report.deleted) == sorted(world.tenant.deleted)


def killed_once(world: SweepWorld, then: Any = lambda: None) -> None:
    """The process dies when it has deleted three and is about to report; `then` happens before the next try."""
    put = world.documents.put

    def killed(name: str, content: bytes, *, over: str | None = None) -> bool:
        if name.startswith("reports/") and len(world.tenant.deleted) == 3:
            world.documents.put = put  # type: ignore[method-assign]
            then()
            raise TransientError("killed")
        return put(name, content, over=over)

    world.documents.put = killed  # type: ignore[method-assign]


def test_what_a_run_has_kept_counts_although_others_would_come_first_by_now() -> None:
    machines = [machine(f"m{number}", days=40 + number) for number in range(10)]
    world = world_with(*machines, policy=deleting(machines_per_run=3))
    swept(world)

    def turned() -> None:
        """Another run's report was made meanwhile, and ended at the machine that was first."""
        latest = world.documents.kept["latest.json"]
        changed = json.loads(latest.content) | {"stopped_at": machines[6].machine_id}
        world.documents.kept["latest.json"] = replace(latest, content=json.dumps(changed).encode())

    killed_once(world, turned)
    swept(world)
    assert len(world.tenant.deleted) == 3


def test_two_that_report_at_the_same_moment_delete_no_more_than_one_may() -> None:
    """The last two slices end together, and both see that all have ended."""
    machines = [machine(f"m{number}", days=40 + number) for number in range(10)]
    world = world_with(*machines, policy=deleting(machines_per_run=3))
    swept(world)
    find = world.tenant.find

    def overtaken(machine_id: str) -> Any:
        world.tenant.find = find  # type: ignore[method-assign]
        merge_if_last(list_runs(world.documents)[-1], world.ports)
        return find(machine_id)

    world.tenant.find = overtaken  # type: ignore[method-assign]
    report = swept(world)
    assert len(world.tenant.deleted) == 3
    assert sorted(report.deleted) == sorted(world.tenant.deleted)


def test_all_sweeps_of_a_day_together_stay_below_the_caps() -> None:
    ghosts = [machine(f"ghost{number}") for number in range(8)]
    world = world_with(*ghosts, policy=deleting(machines_per_run=3))
    swept(world)
    assert [len(swept(world, seconds=120).deleted) for _ in range(4)] == [3, 0, 0, 0]
    world.clock.advance(80_000)
    assert len(swept(world).deleted) == 3


def test_two_sweeps_on_one_day_delete_nothing() -> None:
    world = world_with(machine("ghost"))
    for _ in range(5):
        assert swept(world, seconds=3600).deleted == ()
    assert world.tenant.deleted == []


def test_what_the_sweep_before_has_not_seen_stays() -> None:
    world = world_with(machine("ghost"))
    swept(world)
    world.instances.unreachable.add(ACCOUNT)
    assert [each.standing for each in swept(world).findings if each.finding.key == "machine-orphaned"] == ["unseen"]
    world.instances.unreachable.clear()
    assert swept(world).deleted == ()
    assert len(swept(world).deleted) == 1


@pytest.mark.parametrize("changed", ["instance", "silence"])
def test_a_machine_that_is_another_by_now_is_reported_anew(changed: str) -> None:
    ghost = machine("ghost")
    world = world_with(ghost)
    swept(world)
    other = machine("other")
    if changed == "instance":
        del world.tenant.everything[ghost.machine_id]
        later = replace(other, machine_id=ghost.machine_id.replace(ghost.instance, other.instance))
    else:
        later = replace(ghost, status_since=ghost.status_since + timedelta(days=1)) if ghost.status_since else ghost
    world.tenant.everything[later.machine_id] = later
    report = swept(world)
    assert report.deleted == ()
    assert [each.standing for each in report.open] == ["new"]
    assert swept(world).deleted == (later.machine_id,)


def test_one_machine_that_cannot_go_does_not_keep_the_others_for_ever() -> None:
    locked, free = machine("locked", days=90), machine("free", days=30)
    world = world_with(locked, free)
    swept(world)
    delete = world.tenant.delete

    def refusing(machine_id: str) -> None:
        if machine_id == locked.machine_id:
            raise PermanentError("a lock")
        delete(machine_id)

    world.tenant.delete = refusing  # type: ignore[method-assign]
    stopped = swept(world)
    assert (stopped.deleted, stopped.stopped_at, stopped.stopped_because) == ((), locked.machine_id, "a lock")
    assert swept(world).deleted == (free.machine_id,)


def test_the_time_of_a_function_is_kept_to() -> None:
    machines = [machine(f"m{number}") for number in range(9)]
    world = world_with(*machines)
    swept(world)
    find = world.tenant.find

    def slow(machine_id: str) -> Any:
        world.clock.advance(100)
        return find(machine_id)

    world.tenant.find = slow  # type: ignore[method-assign]
    assert len(swept(world).deleted) == 3


@pytest.mark.parametrize(
    ("machines", "per_run", "percent", "most"),
    [(1000, 10, 5, 10), (100, 10, 5, 5), (10, 10, 5, 1), (0, 10, 5, 1), (1000, 1000, 100, 1000), (50, 3, 100, 3)],
)
def test_both_caps_hold(machines: int, per_run: int, percent: int, most: int) -> None:
    assert most_of(machines, Deletions(machines_per_run=per_run, machines_percent=percent)) == most
