"""Orphaned Arc machines: none that lives, may live, is young or somebody else's is ever deleted, and never many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.policy.problems import parse_policy
from shared.domain.policy import Deletions, Policy
from shared.domain.sweep.deletion import most_of
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.domain.sweep.report import SweepReport
from shared.errors import PermanentError, TransientError
from tests.fakes.clock import NOON
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account, fixture

ACCOUNT = "000000000001"
GROUP = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers"
POLICY = parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")
TAGS = {"accountid": ACCOUNT, "cloud": "AWS", "instanceid": "", "mdfcsecurityconnector": "true"}


def deleting(policy: Policy = POLICY, **changes: Any) -> Policy:
    return replace(policy, deletions=Deletions(**({"orphaned_machines": True, "machines_percent": 100} | changes)))


def machine(name: str, *, days: float = 30, status: str = "Disconnected", **tags: str) -> ArcMachine:
    return ArcMachine(
        machine_id=f"{GROUP}/Microsoft.HybridCompute/machines/{name}",
        status=status,
        status_since=NOON - timedelta(days=days),
        tags=TAGS | {"instanceid": f"i-{name}"} | tags,
    )


def world_with(*machines: ArcMachine, policy: Policy | None = None) -> SweepWorld:
    world = SweepWorld(policy or deleting())
    world.add(account(ACCOUNT, joined_at=NOON - timedelta(days=90)))
    world.tenant.everything = {each.machine_id: each for each in machines}
    return world


def swept(world: SweepWorld) -> SweepReport:
    report = world.sweep()
    assert report is not None
    return report


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


@pytest.mark.parametrize(
    ("state", "key", "told"),
    [
        (InstanceState.GONE, "machine-orphaned", "is gone"),
        (InstanceState.STOPPED, "machine-disconnected", "is stopped"),
        (InstanceState.RUNNING, "machine-disconnected", "is running"),
        (InstanceState.UNKNOWN, "machine-disconnected", "could not be told"),
    ],
)
def test_a_silent_machine_is_an_orphan_only_where_its_instance_is_gone(
    state: InstanceState, key: str, told: str
) -> None:
    world = world_with(machine("silent"))
    world.instances.states[ACCOUNT, "i-silent"] = state
    [tracked] = swept(world).open
    assert tracked.finding.key == key
    assert told in tracked.finding.reason


def test_only_suspects_are_asked_for_and_machines_of_one_instance_stay_together() -> None:
    alive = [machine(f"alive{number}", status="Connected") for number in range(99)]
    twins = [machine("twin-a", instanceid="i-z", status="Connected"), machine("twin-b", instanceid="i-z")]
    world = world_with(*alive, *twins)
    world.instances.states[ACCOUNT, "i-z"] = InstanceState.RUNNING
    report = swept(world)
    assert world.instances.asked == [ACCOUNT]
    assert sorted(each.finding.key for each in report.open) == ["machine-disconnected", "machine-duplicate"]


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
    world.tenant.everything[ghost.machine_id] = replace(ghost, tags={**ghost.tags, "instanceid": "i-other"})


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
    put = world.documents.put

    def killed(name: str, content: bytes, *, over: str | None = None) -> bool:
        if name.startswith("reports/") and len(world.tenant.deleted) == 3 and world.documents.failures is not None:
            world.documents.put = put  # type: ignore[method-assign]
            raise TransientError("killed")
        return put(name, content, over=over)

    world.documents.put = killed  # type: ignore[method-assign]
    report = swept(world)
    assert len(report.deleted) == len(world.tenant.deleted) == 3
    assert sorted(report.deleted) == sorted(world.tenant.deleted)


@pytest.mark.parametrize(
    ("machines", "per_run", "percent", "most"),
    [(1000, 10, 5, 10), (100, 10, 5, 5), (10, 10, 5, 1), (0, 10, 5, 1), (1000, 1000, 100, 1000), (50, 3, 100, 3)],
)
def test_both_caps_hold(machines: int, per_run: int, percent: int, most: int) -> None:
    assert most_of(machines, Deletions(machines_per_run=per_run, machines_percent=percent)) == most


@dataclass(frozen=True)
class Life:
    """A machine and the truth about its instance."""

    days: float
    status: str
    state: InstanceState
    tags: tuple[str, ...]
    multicloud: bool
    cloud: str

    @property
    def may_go(self) -> bool:
        ours = "mdfcsecurityconnector" in self.tags and not self.multicloud and self.cloud == "AWS"
        known = {"accountid", "instanceid"} <= set(self.tags)
        silent = self.status.lower() in {"disconnected", "expired"} and self.days >= 7
        return ours and known and silent and self.state is InstanceState.GONE


LIVES = st.builds(
    Life,
    days=st.floats(min_value=0, max_value=60),
    status=st.sampled_from(["Connected", "Disconnected", "Expired", "Error", "AwaitingConnection", ""]),
    state=st.sampled_from(list(InstanceState)),
    tags=st.sets(st.sampled_from(sorted(TAGS)), min_size=0).map(lambda tags: tuple(sorted(tags))),
    multicloud=st.booleans(),
    cloud=st.sampled_from(["AWS", "GCP", "Azure"]),
)
MOSTLY_WHOLE = st.one_of(
    LIVES,
    st.builds(
        Life,
        days=st.floats(min_value=5, max_value=60),
        status=st.sampled_from(["Disconnected", "Expired"]),
        state=st.sampled_from(list(InstanceState)),
        tags=st.just(tuple(sorted(TAGS))),
        multicloud=st.just(False),
        cloud=st.just("AWS"),
    ),
)
TROUBLE = st.sampled_from(
    ["", "", "list_accounts", "list_connectors", "list_machines", "list_states", "machines", "account"]
)


@settings(max_examples=200, deadline=None)
@given(
    lives=st.lists(MOSTLY_WHOLE, max_size=12),
    troubles=st.lists(TROUBLE, min_size=4, max_size=4),
    per_run=st.integers(1, 5),
    percent=st.integers(1, 100),
    changes=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11), MOSTLY_WHOLE), max_size=6),
)
def test_no_living_unknown_foreign_or_young_machine_is_ever_deleted(
    lives: list[Life],
    troubles: list[str],
    per_run: int,
    percent: int,
    changes: list[tuple[int, int, Life]],
) -> None:
    world = world_with(policy=deleting(machines_per_run=per_run, machines_percent=percent))
    truth: dict[str, Life] = {}

    def live(number: int, life: Life) -> None:
        made = machine(f"m{number}", days=life.days, status=life.status)
        tags = {name: value for name, value in made.tags.items() if name in life.tags} | {"cloud": life.cloud}
        tags |= {"publiccloudconnectorsresourceid": "x"} if life.multicloud else {}
        since = world.clock.now() - timedelta(days=life.days)
        world.tenant.everything[made.machine_id] = replace(made, tags=tags, status_since=since)
        world.instances.states[ACCOUNT, f"i-m{number}"] = life.state
        truth[made.machine_id] = life

    for number, life in enumerate(lives):
        live(number, life)
    delete = world.tenant.delete

    def watched(machine_id: str) -> None:
        assert truth[machine_id].may_go or truth[machine_id].days < 7 <= age_of(machine_id), truth[machine_id]
        delete(machine_id)

    def age_of(machine_id: str) -> float:
        """A machine grows older while the sweeps go on."""
        since = world.tenant.everything[machine_id].status_since
        assert since is not None
        life = truth[machine_id]
        older = (world.clock.now() - since).total_seconds() / 86_400
        return older if replace(life, days=older).may_go else 0.0

    world.tenant.delete = watched  # type: ignore[method-assign]
    for day, trouble in enumerate(troubles):
        for _, number, life in (each for each in changes if each[0] == day and each[1] < len(lives)):
            if f"{GROUP}/Microsoft.HybridCompute/machines/m{number}" in world.tenant.everything:
                live(number, life)
        world.instances.unreachable = {ACCOUNT} if trouble == "account" else set()
        for each in (world.listing, world.tenant, world.stacks):
            if trouble not in {"", "account"}:
                each.failures.plan(trouble, PermanentError("for good"))
        before = len(world.tenant.deleted)
        report = swept(world)
        gone = len(world.tenant.deleted) - before
        assert gone <= most_of(report.looked.get("machines", 0), world.source.policy.deletions)
        assert report.complete or gone == 0
        for each in (world.listing, world.tenant, world.stacks):
            each.failures = type(each.failures)()
        world.clock.advance(86_000)
