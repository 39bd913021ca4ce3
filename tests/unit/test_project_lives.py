"""A project's life, its entries late, doubled, reordered or lost: it ends where its last truth and the policy ask.

Where every entry arrives at least once and nothing happened in silence, that is so without any comparison. Otherwise
one run of `rollcall backfill --provider gcp` is enough, and a second one, with all that comes too late, writes nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from shared.adapters.gcp.project_events import Ignored, read_push
from shared.adapters.policy.problems import parse_policy
from shared.application.accept_project_event import ProjectEventPorts, accept_project_event
from shared.application.backfill_projects import BackfillPorts, backfill_projects
from shared.application.onboard import onboard
from shared.application.reconcile import Run
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import to_create
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.placement import Placement, place
from shared.domain.policy import Deletions
from shared.messages.connector_request import ConnectorRequest
from tests.fakes.gcp_intake import NUMBER, PROJECT_ID, wrapped
from tests.fixtures.read import fixture, loaded
from tests.unit.conftest import AzureSide
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, project

WHOLE = parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")
KEY = AccountKey(provider=Provider.GCP, hierarchy_identifier=NUMBER)
INCLUDED, EXCLUDED = "/Shops", "/Sandbox"
LABELS: list[dict[str, str]] = [{}, {"defender": "exempt"}]
ROUNDS = 20
LIVES = int(os.environ.get("ROLLCALL_TEST_LIVES", "40"))


class World:
    """Google and Azure, and what has not been delivered yet."""

    def __init__(self, deletions: Deletions) -> None:
        self.policy = replace(MEMBER, rules=(), deletions=deletions, content_hash=WHOLE.content_hash)
        self.azure = AzureSide(replace(WHOLE, gcp=self.policy))
        self.clock = self.azure.clock
        self.projects = self.azure.google.of_projects
        self.projects.add(project(MANAGEMENT, name="mdc-mgmt-proj-123456789012", ou_path="/"))
        parent = self._placement(MANAGEMENT, "mdc-mgmt-proj-123456789012")
        self.organization = parent.connector_id
        self.azure.connectors.plant(parent.connector_id, to_create(parent.desired))
        self.intake = ProjectEventPorts(
            projects=self.projects,
            queue=self.azure.queue,
            bodies=self.azure.bodies,
            policy=self.azure.source,
            clock=self.clock,
        )
        self.pushes: list[bytes] = []
        self.messages: list[tuple[datetime, str]] = []
        self._taken = 0
        self._numbers = itertools.count(1)

    def _placement(self, number: str, name: str) -> Placement:
        return place(self.policy, number, self.policy.default_profile, self.policy.target, name)

    # What Google says

    @property
    def project(self) -> Account:
        return self.projects.projects[NUMBER]

    def become(self, entry: str = "", **facts: Any) -> None:
        """The project is so from now on, and an entry tells of it, if there is one."""
        there = self.projects.projects.get(NUMBER) or project(NUMBER, name=PROJECT_ID, ou_path=INCLUDED)
        self.projects.add(replace(there, **facts))
        if entry:
            told = loaded(f"gcp/events/{entry}.json")
            told["insertId"] = f"entry-{next(self._numbers)}"
            told["timestamp"] = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self.pushes.append(wrapped(json.dumps(told).encode()))
        self.clock.advance(5)

    # Deliveries

    def deliver_push(self, body: bytes) -> None:
        """The function `gcp_project_events`."""
        self.clock.advance(1)
        said = read_push(body)
        assert not isinstance(said, Ignored)
        accept_project_event(said, body, self.intake)
        self._collect()

    def deliver_message(self, text: str) -> None:
        """The function `create_connector`."""
        self.clock.advance(1)
        self.azure.snapshot.refresh()
        onboard(ConnectorRequest.from_json(text), self.azure.ports)
        self._collect()

    def _collect(self) -> None:
        now, sent = self.clock.now(), self.azure.queue.sent
        self.messages += [(now + timedelta(seconds=each.delay_seconds), each.text) for each in sent[self._taken :]]
        self._taken = len(sent)

    def compare(self) -> None:
        """One backfill, and everything that follows from it."""
        self.clock.advance(60)
        ports = BackfillPorts(
            projects=self.projects, sender=self.azure.queue, policy=self.azure.source, clock=self.clock
        )
        backfill_projects(Run(name=f"run-{next(self._numbers)}", source="rollcall backfill"), ports)
        self._collect()
        self.settle()

    def deliver_everything_twice(self, chance: random.Random) -> None:
        """What is on its way, and what comes of it, in any order, each of it twice."""
        left: list[Callable[[], None]] = [partial(self.deliver_push, body) for body in self.pushes for _ in range(2)]
        for _ in range(ROUNDS * ROUNDS):
            taken, self.messages = self.messages, []
            left += [partial(self.deliver_message, text) for _, text in taken for _ in range(2)]
            if not left:
                return
            left.pop(chance.randrange(len(left)))()
        self.settle()

    def settle(self) -> None:
        """Delivers the messages that are still there until none is."""
        for _ in range(ROUNDS):
            self.messages.sort()
            waiting, self.messages = self.messages, []
            for due, text in waiting:
                self.clock.advance(max(0.0, (due - self.clock.now()).total_seconds()))
                self.deliver_message(text)
            if not self.messages:
                return
        pytest.fail("messages go round in circles")

    # What has to be so

    @property
    def written(self) -> tuple[int, int]:
        """How many connectors were written and deleted."""
        return len(self.azure.connectors.puts), len(self.azure.connectors.deletes)

    def check(self, *, took_away: bool) -> None:
        """The end that the last truth asks for; `took_away` says whether entries, and not a backfill, told of it."""
        record: AccountRecord | None = self.azure.ledger.find(KEY)
        assert record is not None
        assert self.azure.queue.parked == []
        found = [each for each in self.azure.connectors.everything() if each.hierarchy_identifier == NUMBER]
        excluded = self.project.ou_path == EXCLUDED or bool(self.project.tags)
        may = self.policy.deletions
        if self.project.state is not AccountState.ACTIVE:
            assert record.state is State.DEPARTED
            assert not (took_away and may.departed_accounts and found)
            return
        parent = self.azure.connectors.find(self.organization)
        assert parent is not None
        assert (NUMBER in parent.excluded_accounts) is excluded
        if excluded:
            assert record.state is State.EXCLUDED
            assert not (took_away and may.excluded_accounts and found)
        else:
            assert record.state is State.CONNECTED
            [connector] = found
            wanted = self._placement(NUMBER, PROJECT_ID)
            assert connector.connector_id == wanted.connector_id
            assert connector.body["properties"] == to_create(wanted.desired)["properties"]


class Lives(RuleBasedStateMachine):
    """A project's life and its deliveries, some lost, some changes told by nobody; ends with a comparison."""

    deletions = Deletions()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.deletions)

    @initialize(entry=st.sampled_from(["create.v1", "create.v3"]))
    def create(self, entry: str) -> None:
        self.world.become(entry)

    @property
    def active(self) -> bool:
        return self.world.project.state is AccountState.ACTIVE

    @precondition(lambda self: self.active)
    @rule(folder=st.sampled_from([INCLUDED, EXCLUDED]))
    def move(self, folder: str) -> None:
        self.world.become("move.v3", ou_path=folder)

    @precondition(lambda self: self.active)
    @rule(labels=st.sampled_from(LABELS))
    def label(self, labels: dict[str, str]) -> None:
        self.world.become(tags=labels)  # no entry tells of it

    @precondition(lambda self: self.active)
    @rule(entry=st.sampled_from(["delete.v1", "delete.v3"]))
    def delete(self, entry: str) -> None:
        self.world.become(entry, state=AccountState.DELETE_REQUESTED)

    @precondition(lambda self: not self.active)
    @rule(entry=st.sampled_from(["undelete.v1", "undelete.v3"]))
    def undelete(self, entry: str) -> None:
        self.world.become(entry, state=AccountState.ACTIVE)

    @precondition(lambda self: self.world.pushes)
    @rule(data=st.data(), again=st.booleans())
    def deliver_a_push(self, data: st.DataObject, again: bool) -> None:
        body = data.draw(st.sampled_from(self.world.pushes))
        self.world.deliver_push(body)
        if not again:
            self.world.pushes.remove(body)

    @precondition(lambda self: self.world.pushes)
    @rule(data=st.data())
    def lose_a_push(self, data: st.DataObject) -> None:
        self.world.pushes.remove(data.draw(st.sampled_from(self.world.pushes)))

    @precondition(lambda self: self.world.messages)
    @rule(data=st.data(), again=st.booleans())
    def deliver_a_message(self, data: st.DataObject, again: bool) -> None:
        message = data.draw(st.sampled_from(self.world.messages))
        self.world.deliver_message(message[1])
        if not again:
            self.world.messages.remove(message)

    @rule(seconds=st.sampled_from([1, 60, 600, 8000]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    def teardown(self) -> None:
        """The comparison, its repetition, and what comes too late."""
        world = self.world
        if NUMBER not in world.projects.projects:
            return
        late = list(world.pushes)
        world.settle()
        world.compare()
        world.check(took_away=False)
        done = world.written
        world.compare()
        for body in late:
            world.deliver_push(body)
        world.settle()
        world.check(took_away=False)
        if not (world.policy.deletions.excluded_accounts or world.policy.deletions.departed_accounts):
            assert world.written == done  # else an entry that comes too late may take away what a backfill left


def lives_under(deletions: Deletions) -> type[Lives]:
    """The machine under a policy that allows so much to be deleted."""
    return type("LivesUnderPolicy", (Lives,), {"deletions": deletions})


DELETIONS = {
    "nothing": Deletions(),
    "excluded": Deletions(excluded_accounts=True),
    "everything": Deletions(excluded_accounts=True, departed_accounts=True),
}


@pytest.mark.parametrize("deletions", DELETIONS.values(), ids=DELETIONS)
def test_after_one_comparison_a_project_is_where_its_last_truth_asks(deletions: Deletions) -> None:
    run_state_machine_as_test(
        lives_under(deletions), settings=settings(max_examples=LIVES, stateful_step_count=20, deadline=None)
    )


def feasible(project_now: Account) -> list[tuple[str, dict[str, Any]]]:
    """What can happen to the project now, and the entry that tells of it."""
    if project_now.state is not AccountState.ACTIVE:
        return [(f"undelete.{version}", {"state": AccountState.ACTIVE}) for version in ("v1", "v3")]
    moves = [("move.v3", {"ou_path": folder}) for folder in (INCLUDED, EXCLUDED)]
    return [*moves, *((f"delete.{version}", {"state": AccountState.DELETE_REQUESTED}) for version in ("v1", "v3"))]


def live(world: World, chance: random.Random, changes: int) -> None:
    """So many changes; meanwhile some entries are pushed, and some messages worked on, which stay to come again."""
    world.become(chance.choice(["create.v1", "create.v3"]))
    for _ in range(changes):
        for body in [each for each in world.pushes if chance.random() < PUSHED]:
            world.deliver_push(body)  # its request tells of the project as it is before the change
        for _, text in [each for each in world.messages if chance.random() < WORKED_ON]:
            world.deliver_message(text)
        entry, facts = chance.choice(feasible(world.project))
        world.become(entry, **facts)


PUSHED, WORKED_ON = 0.6, 0.4


@pytest.mark.parametrize("deletions", DELETIONS.values(), ids=DELETIONS)
@given(seed=st.integers(0, 2**32), changes=st.integers(0, 6))
@settings(max_examples=LIVES, deadline=None)
def test_entries_late_doubled_and_in_any_order_end_where_the_last_truth_asks(
    deletions: Deletions, seed: int, changes: int
) -> None:
    world, chance = World(deletions), random.Random(seed)
    live(world, chance, changes)
    world.deliver_everything_twice(chance)
    world.check(took_away=True)
