"""Random worlds: none that lives, may live, is young, doubtful or somebody else's is ever deleted, and never many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.sweep.deletion import most_of
from shared.domain.sweep.machines import InstanceState
from shared.errors import PermanentError
from tests.fakes.sweep_machines import ACCOUNT, DAY, TAGS, deleting, instance_of, machine, swept, world_with


@dataclass(frozen=True)
class Life:
    """A machine and the truth about its instance; `spoilt` is what somebody made of its instance tag."""

    days: float
    status: str
    state: InstanceState
    tags: tuple[str, ...]
    multicloud: bool = False
    cloud: str = "AWS"
    spoilt: str = ""

    def may_go(self, days: float) -> bool:
        """Whether it may be deleted when it has been so for that long."""
        ours = set(TAGS) <= set(self.tags) and not self.multicloud and self.cloud == "AWS" and not self.spoilt
        return ours and self.status in {"Disconnected", "Expired"} and days >= 7 and self.state is InstanceState.GONE


WHOLE = tuple(sorted(TAGS))
ANY = st.builds(
    Life,
    days=st.floats(min_value=0, max_value=60),
    status=st.sampled_from(["Connected", "Disconnected", "Expired", "Error", "AwaitingConnection", ""]),
    state=st.sampled_from(list(InstanceState)),
    tags=st.sets(st.sampled_from(WHOLE)).map(lambda tags: tuple(sorted(tags))),
    multicloud=st.booleans(),
    cloud=st.sampled_from(["AWS", "GCP", "Azure", ""]),
    spoilt=st.sampled_from(["", "i-0ABCDEF0123456789", "i-0*", "host", "i-00000000000000000"]),
)
LIKELY = st.builds(
    Life,
    days=st.floats(min_value=5, max_value=60),
    status=st.sampled_from(["Disconnected", "Expired"]),
    state=st.sampled_from([InstanceState.GONE, InstanceState.GONE, *InstanceState]),
    tags=st.just(WHOLE),
)
LIVES = st.one_of(ANY, LIKELY)
TROUBLE = st.sampled_from(
    ["", "", "", "", "list_accounts", "list_connectors", "list_machines", "list_states", "machines", "account"]
)
gone_in_all: list[str] = []


@settings(max_examples=200, deadline=None)
@given(
    lives=st.lists(LIVES, max_size=12),
    days=st.lists(st.tuples(TROUBLE, st.sampled_from([3600.0, DAY, DAY])), min_size=5, max_size=5),
    per_run=st.integers(1, 5),
    percent=st.integers(1, 100),
    changes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 11), LIVES), max_size=6),
)
def test_no_living_unknown_foreign_or_young_machine_is_ever_deleted(
    lives: list[Life],
    days: list[tuple[str, float]],
    per_run: int,
    percent: int,
    changes: list[tuple[int, int, Life]],
) -> None:
    world = world_with(policy=deleting(machines_per_run=per_run, machines_percent=percent))
    truth: dict[str, Life] = {}

    def live(number: int, life: Life) -> None:
        made = machine(f"m{number}", status=life.status)
        tags = {name: value for name, value in made.tags.items() if name in life.tags}
        tags |= {"cloud": life.cloud} if "cloud" in tags else {}
        tags |= {"instanceid": life.spoilt} if life.spoilt and "instanceid" in tags else {}
        tags |= {"publiccloudconnectorsresourceid": "x"} if life.multicloud else {}
        since = world.clock.now() - timedelta(days=life.days)
        world.tenant.everything[made.machine_id] = replace(made, tags=tags, status_since=since)
        world.instances.states[ACCOUNT, instance_of(f"m{number}")] = life.state
        truth[made.machine_id] = life

    for number, life in enumerate(lives):
        live(number, life)
    delete = world.tenant.delete

    def watched(machine_id: str) -> None:
        since = world.tenant.everything[machine_id].status_since
        assert since is not None
        assert truth[machine_id].may_go((world.clock.now() - since).total_seconds() / 86_400), truth[machine_id]
        delete(machine_id)
        gone_in_all.append(machine_id)

    world.tenant.delete = watched  # type: ignore[method-assign]
    for day, (trouble, seconds) in enumerate(days):
        for _, number, life in (each for each in changes if each[0] == day and each[1] < len(lives)):
            if machine(f"m{number}").machine_id in world.tenant.everything:
                live(number, life)
        world.instances.unreachable = {ACCOUNT} if trouble == "account" else set()
        for each in (world.listing, world.tenant, world.stacks):
            if trouble not in {"", "account"}:
                each.failures.plan(trouble, PermanentError("for good"))
        before = len(world.tenant.deleted)
        report = swept(world, seconds=seconds)
        gone = len(world.tenant.deleted) - before
        assert gone <= most_of(report.looked.get("machines", 0), world.source.policy.deletions)
        assert report.complete or gone == 0
        for each in (world.listing, world.tenant, world.stacks):
            each.failures = type(each.failures)()


def test_some_machines_went_in_these_worlds() -> None:
    """Or the property would hold of a sweep that deletes nothing."""
    test_no_living_unknown_foreign_or_young_machine_is_ever_deleted()
    assert gone_in_all
