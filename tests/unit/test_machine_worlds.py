"""Random worlds: none that lives, may live, is young, doubtful or somebody else's is ever deleted, and never many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.accounts import Provider
from shared.domain.sweep.deletion import most_of
from shared.domain.sweep.machine_marks import MARKS
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.errors import PermanentError
from tests.fakes.project_machines import NUMBER, both_clouds, number_of, project_machine, world_of_both
from tests.fakes.sweep import SweepWorld
from tests.fakes.sweep_machines import ACCOUNT, DAY, instance_of, machine, swept

OTHER_NUMBER = "12345"
"""Of an instance that is not there."""


@dataclass(frozen=True)
class Life:
    """A machine, where it comes from, and the truth about its instance; what somebody made of it besides.

    `spoilt` is what its instance tag says instead; `renewed`: another instance of its project has its name by now;
    `detected` is the cloud that its agent has found.
    """

    days: float
    status: str
    state: InstanceState
    tags: tuple[str, ...]
    origin: Provider = Provider.AWS
    multicloud: bool = False
    cloud: str = ""
    spoilt: str = ""
    renewed: bool = False
    detected: str = ""

    def may_go(self, days: float) -> bool:
        """Whether it may be deleted when it has been so for that long."""
        marks = MARKS[self.origin]
        ours = set(marks.needed) <= set(self.tags) and not self.multicloud and self.cloud in {"", marks.cloud}
        by_name = self.origin is Provider.GCP  # which then has to be gone, too, whatever number is named
        spoilt = self.spoilt and not (by_name and self.spoilt == OTHER_NUMBER)
        doubted = spoilt or (by_name and self.renewed) or self.detected not in {"", "N/A", marks.cloud}
        silent = self.status in {"Disconnected", "Expired"} and days >= 7
        return ours and not doubted and silent and self.state is InstanceState.GONE

    def machine(self, name: str, world: SweepWorld) -> ArcMachine:
        """The machine, with the instance behind it planted."""
        if self.origin is Provider.AWS:
            made, instance = machine(name, status=self.status), instance_of(name)
            world.instances.states[ACCOUNT, instance] = self.state
        else:
            made, instance = project_machine(name, status=self.status), number_of(name)
            named = InstanceState.RUNNING if self.renewed else self.state
            world.google.of_instances.states |= {(NUMBER, instance): self.state, (NUMBER, name): named}
        tags = {tag: value for tag, value in made.tags.items() if tag in self.tags}
        tags |= {"cloud": self.cloud} if self.cloud and "cloud" in tags else {}
        tags |= dict.fromkeys({MARKS[self.origin].instance} & tags.keys(), self.spoilt) if self.spoilt else {}
        tags |= {"publiccloudconnectorsresourceid": "x"} if self.multicloud else {}
        since = world.clock.now() - timedelta(days=self.days)
        return replace(made, tags=tags, status_since=since, detected=self.detected)


ORIGINS = st.sampled_from(list(Provider))
WHOLE = {provider: tuple(sorted(marks.needed)) for provider, marks in MARKS.items()}
ALL = sorted({tag for tags in WHOLE.values() for tag in tags})
ANY = st.builds(
    Life,
    days=st.floats(min_value=0, max_value=60),
    status=st.sampled_from(["Connected", "Disconnected", "Expired", "Error", "AwaitingConnection", ""]),
    state=st.sampled_from(list(InstanceState)),
    tags=st.sets(st.sampled_from(ALL)).map(lambda tags: tuple(sorted(tags))),
    origin=ORIGINS,
    multicloud=st.booleans(),
    cloud=st.sampled_from(["AWS", "GCP", "Azure", ""]),
    spoilt=st.sampled_from(["", "i-0ABCDEF0123456789", "i-0*", "host", "i-00000000000000000", "0", OTHER_NUMBER]),
    renewed=st.booleans(),
    detected=st.sampled_from(["", "N/A", "AWS", "GCP"]),
)
LIKELY = ORIGINS.flatmap(
    lambda origin: st.builds(
        Life,
        days=st.floats(min_value=5, max_value=60),
        status=st.sampled_from(["Disconnected", "Expired"]),
        state=st.sampled_from([InstanceState.GONE, InstanceState.GONE, *InstanceState]),
        tags=st.just(WHOLE[origin]),
        origin=st.just(origin),
        renewed=st.sampled_from([False, False, False, True]),
        detected=st.sampled_from(["", "N/A", "AWS", "GCP"]),
    )
)
LIVES = st.one_of(ANY, LIKELY)
TROUBLE = st.sampled_from(
    ["", "", "", "", "list_accounts", "list_connectors", "list_machines", "list_states", "machines", "account"]
    + ["list_projects", "project"]
)
gone_in_all: set[Provider] = set()


def make(trouble: str, world: SweepWorld) -> None:
    """The trouble of one day, and none that was left of the day before."""
    world.instances.unreachable = {ACCOUNT} if trouble == "account" else set()
    world.google.of_instances.unreachable = {NUMBER} if trouble == "project" else set()
    for each in (world.listing, world.tenant, world.stacks, world.google.of_projects):
        each.failures = type(each.failures)()
        if trouble not in {"", "account", "project"}:
            each.failures.plan(trouble, PermanentError("for good"))


@settings(max_examples=200, deadline=None)
@given(
    lives=st.lists(LIVES, max_size=12),
    days=st.lists(st.tuples(TROUBLE, st.sampled_from([3600.0, DAY, DAY])), min_size=5, max_size=5),
    per_run=st.integers(1, 5),
    percent=st.integers(1, 100),
    changes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 11), LIVES), max_size=6),
)
def live_and_sweep(
    lives: list[Life],
    days: list[tuple[str, float]],
    per_run: int,
    percent: int,
    changes: list[tuple[int, int, Life]],
) -> None:
    """One world for five days; what may not go stays."""
    world = world_of_both(policy=both_clouds(machines_per_run=per_run, machines_percent=percent))
    truth: dict[str, Life] = {}

    def live(number: int, life: Life) -> None:
        made = life.machine(f"m{number}", world)
        world.tenant.everything[made.machine_id] = made
        truth[made.machine_id] = life

    for number, life in enumerate(lives):
        live(number, life)
    delete = world.tenant.delete

    def watched(machine_id: str) -> None:
        since = world.tenant.everything[machine_id].status_since
        assert since is not None
        assert truth[machine_id].may_go((world.clock.now() - since).total_seconds() / 86_400), truth[machine_id]
        delete(machine_id)
        gone_in_all.add(truth[machine_id].origin)

    world.tenant.delete = watched  # type: ignore[method-assign]
    for day, (trouble, seconds) in enumerate(days):
        for _, number, life in (each for each in changes if each[0] == day and each[1] < len(lives)):
            there = replace(life, origin=lives[number].origin)  # a machine does not change its cloud
            if there.machine(f"m{number}", world).machine_id in world.tenant.everything:
                live(number, there)
        make(trouble, world)
        before = len(world.tenant.deleted)
        report = swept(world, seconds=seconds)
        gone = len(world.tenant.deleted) - before
        assert gone <= most_of(report.looked.get("machines", 0), world.source.policy.deletions)
        assert report.complete or gone == 0


def test_no_living_unknown_foreign_or_young_machine_is_ever_deleted() -> None:
    gone_in_all.clear()
    live_and_sweep()
    assert gone_in_all == set(Provider), "the property would hold of a sweep that deletes nothing, too"
