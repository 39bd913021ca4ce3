"""Several accounts live while ports fail, processes die and messages come twice: each ends where its truth asks.

`ROLLCALL_TEST_MACHINE` is how many lives, `ROLLCALL_TEST_SEED` their seed: another one every day, the same for
everybody. The test tells which deeds, faults and outcomes they met.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from hypothesis import event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.adapters.policy.problems import parse_policy
from shared.domain.accounts import AccountState
from shared.domain.ledger import State
from shared.domain.policy import decide
from shared.domain.stack_sets import InstanceState
from shared.errors import ConfigurationError, PermanentError, TransientError
from tests.fakes.flaky import KilledError
from tests.fakes.life import ACCOUNTS, LifeWorld, Message
from tests.fixtures.read import fixture, request
from tests.unit.test_account_lives import DEPARTURES, offerings

POLICY = parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")
STRICTER = parse_policy(
    fixture("policies/full.yaml").replace("/Workloads/Dev", "/Workloads/Prod").encode(), "full.yaml"
)
"""Another team decided: what was full is basic, and the other way round."""
UNITS = ("/Workloads/Prod", "/Workloads/Dev", "/Sandbox")
TAGS = {"rollcall": "exclude"}
MACHINES = int(os.environ.get("ROLLCALL_TEST_MACHINE", "40"))
SEED = int(os.environ.get("ROLLCALL_TEST_SEED", time.time() // 86_400))
STEPS = 40
ACCOUNT = st.sampled_from(ACCOUNTS)
FAILURES = (
    TransientError("503: try again"),
    TransientError("429: slower", retry_after_seconds=20),
    PermanentError("400: never", remedy="Mend it."),
    ConfigurationError("403: not allowed", setting="a role"),
    KilledError(),
)
"""What a call may meet; the last one ends the process."""


class Machine(RuleBasedStateMachine):
    """Deeds, trouble and deliveries in any order."""

    met: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = LifeWorld(POLICY)
        self.rivals: set[str] = set()
        self.offboarded: set[str] = set()

    def _met(self, kind: str, what: str = "") -> None:
        """Counts it, for whoever wants to see what the lives met, and for Hypothesis, to look for more of it."""
        self.met[f"{kind} {what}".strip()] += 1
        event(kind, what)

    @initialize(units=st.tuples(*[st.sampled_from(UNITS)] * len(ACCOUNTS)))
    def some_are_there(self, units: tuple[str, ...]) -> None:
        for account_id, unit in zip(ACCOUNTS, units, strict=True):
            self.world.become(account_id, "account_joined.created", ou_path=unit)

    def listed(self, account_id: str) -> bool:
        return self.world.account(account_id) is not None

    # Deeds

    @rule(account_id=ACCOUNT, unit=st.sampled_from(UNITS), told=st.booleans())
    def create_or_move(self, account_id: str, unit: str, told: bool) -> None:
        known = self.listed(account_id)
        self._met("deed", "moved" if known else "created or invited")
        names = ("move_account",) if known else ("account_joined.created", "create_account_result.succeeded")
        self.world.become(account_id, *(names if told else ()), ou_path=unit)

    @rule(account_id=ACCOUNT, exempt=st.booleans())
    def retag(self, account_id: str, exempt: bool) -> None:
        if self.listed(account_id):
            self._met("deed", "tagged" if exempt else "untagged")
            name = "tag_resource.account" if exempt else "untag_resource.account"
            self.world.become(account_id, name, tags=TAGS if exempt else {})

    @rule(account_id=ACCOUNT, closed=st.booleans())
    def close_or_reopen(self, account_id: str, closed: bool) -> None:
        if self.listed(account_id):
            self._met("deed", "closed" if closed else "reopened")
            state = AccountState.SUSPENDED if closed else AccountState.ACTIVE
            self.world.become(account_id, *(["close_account_result.succeeded"] if closed else []), state=state)

    @rule(account_id=ACCOUNT, names=st.sampled_from(DEPARTURES))
    def depart(self, account_id: str, names: tuple[str, ...]) -> None:
        if self.listed(account_id):
            self._met("deed", "departed")
            del self.world.aws.directory.accounts[account_id]
            self.world.tell(account_id, *names)

    @rule(account_id=ACCOUNT)
    def somebody_elses_connector_comes_or_goes(self, account_id: str) -> None:
        if account_id in self.rivals:
            self._met("deed", "another's connector went")
            self.rivals.discard(account_id)
            self.world.azure.connectors.delete(self.world.rival(account_id))
            self.world.azure.connectors.deletes.pop()
        elif not self.world.connectors(account_id):
            self._met("deed", "another's connector came")
            self.rivals.add(account_id)
            self.world.plant_rival(account_id)

    @rule(account_id=ACCOUNT)
    def our_connector_is_lost(self, account_id: str) -> None:
        for each in self.world.ours(account_id):
            self._met("deed", "our connector was deleted by hand")
            self.world.azure.connectors.delete(each.connector_id)
            self.world.azure.connectors.deletes.pop()

    @rule(account_id=ACCOUNT)
    def a_person_offboards(self, account_id: str) -> None:
        self._met("deed", "offboarded")
        self.offboarded.add(account_id)
        now = self.world.clock.now()
        asked = request(
            message_id=f"00000000-0000-4000-8000-{int(now.timestamp()):012d}",
            occurred_at=now.isoformat(),
            first_enqueued_at=now.isoformat(),
            data={"hierarchy_identifier": account_id, "action": "disconnect", "status": "offboarded"},
        )
        self.world.messages.append(Message(asked.to_json(), now))

    @rule(strict=st.booleans())
    def the_policy_changes(self, strict: bool) -> None:
        self._met("deed", "policy")
        policy = STRICTER if strict else POLICY
        self.world.aws.source.policy = policy
        self.world.azure.source.policy = policy

    # Trouble

    @rule(
        calls=st.lists(st.integers(0, 30), min_size=1, max_size=4), error=st.sampled_from(FAILURES), after=st.booleans()
    )
    def later_calls_fail(self, calls: list[int], error: BaseException, after: bool) -> None:
        self._met("fault", f"{type(error).__name__} {'after' if after else 'before'} its effect")
        for each in calls:
            self.world.trap.set(each, error, after=after)

    @precondition(lambda self: self.world.events)
    @rule(data=st.data())
    def an_event_is_lost(self, data: st.DataObject) -> None:
        """AWS's own only, which is best effort: a queue loses nothing."""
        lost = data.draw(st.sampled_from(self.world.events))
        if '"rollcall"' not in lost.text:
            self._met("fault", "event lost")
            self.world.events.remove(lost)

    @rule(seconds=st.sampled_from((1, 30, 200, 4000, 200_000)))
    def time_goes_by(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def the_snapshot_is_read_anew(self) -> None:
        self.world.refresh()

    # Deliveries

    def _deliver(self, pool: list[Message], data: st.DataObject, most: int, keep: bool) -> None:
        due = [each for each in pool if each.due <= self.world.clock.now()]
        if due:
            chosen = data.draw(st.lists(st.sampled_from(due), min_size=1, max_size=most, unique_by=id))
            self.world.deliver(pool, chosen, keep=keep)

    @rule(data=st.data(), keep=st.booleans())
    def deliver_events(self, data: st.DataObject, keep: bool) -> None:
        self._deliver(self.world.events, data, 4, keep)

    @rule(data=st.data(), keep=st.booleans())
    def deliver_a_stack_event(self, data: st.DataObject, keep: bool) -> None:
        self._deliver(self.world.stack_events, data, 2, keep)

    @rule(data=st.data(), keep=st.booleans())
    def deliver_a_message(self, data: st.DataObject, keep: bool) -> None:
        self._deliver(self.world.messages, data, 1, keep)

    @rule(account_id=ACCOUNT, failure=st.sampled_from(("", "", "Rate exceeded", "OptInRequired: not yet")))
    def an_operation_ends(self, account_id: str, failure: str) -> None:
        self.world.finish(account_id, failure)

    @rule(chance=st.randoms(use_true_random=False))
    def time_and_queues_go_on(self, chance: random.Random) -> None:
        """Operations end, and what is due comes in any order, some of it twice."""
        world = self.world
        for _ in range(3):
            for each in ACCOUNTS:
                world.finish(each, chance.choice(("", "", "", "Rate exceeded")))
            world.clock.advance(chance.choice((5, 40, 200)))
            if chance.random() < 0.8:
                world.azure.snapshot.refresh()
            for pool in (world.events, world.stack_events, world.messages):
                due = [each for each in pool if each.due <= world.clock.now()]
                chance.shuffle(due)
                for message in due:
                    keep = chance.random() < 0.2
                    self._met("delivered", "twice" if keep else "once")
                    world.deliver(pool, [message], keep=keep)

    @rule()
    def the_daily_comparison(self) -> None:
        self._met("comparison")
        self.world.compare()

    @rule()
    def a_person_replays(self) -> None:
        if self.world.waiting or self.world.dead_letters:
            self._met("deed", "replayed")
            self.world.replay()

    # What holds at any time

    @invariant()
    def no_account_has_two_connectors(self) -> None:
        for each in ACCOUNTS:
            assert len(self.world.connectors(each)) <= 1

    @invariant()
    def nothing_is_deleted_that_nobody_asked_for(self) -> None:
        for each in self.world.azure.connectors.deletes:
            assert each.name.removeprefix("aws-") in self.offboarded

    @invariant()
    def connected_is_who_had_a_connector(self) -> None:
        for record in self.world.azure.ledger.list_records():
            account_id = record.key.hierarchy_identifier
            assert record.state is not State.CONNECTED or account_id in self.world.was_connected

    @invariant()
    def whoever_waits_for_a_person_says_why_and_what_to_do(self) -> None:
        for parked in self.world.aws.queue.parked:
            assert parked.reason
            assert parked.remedy

    # The end

    def teardown(self) -> None:
        """Faults stop, all is delivered, what was given up is replayed, one comparison is made."""
        world = self.world
        for name in world.trap.sprung:
            self._met("struck", name)
        for name in world.results.elements():
            self._met("outcome", name)
        world.trap.clear()
        world.clock.advance(600)
        assert world.drain(), "what was on its way goes round in circles"
        world.replay()
        assert world.drain(), "what was replayed goes round in circles"
        world.compare()
        assert world.drain(), "what the comparison asked for goes round in circles"
        for each in ACCOUNTS:
            self._check(each)

    def _check(self, account_id: str) -> None:
        world = self.world
        record = world.azure.ledger.find(request(data={"hierarchy_identifier": account_id}).key)
        state, ours = record.state if record else None, world.ours(account_id)
        found, instance = world.account(account_id), world.aws.stack_sets.instances.get(account_id)
        if found is None:
            assert state in {None, *State} - {State.CONNECTED}
            assert instance is None
        elif found.state is not AccountState.ACTIVE:
            assert (state, instance) == (State.DEPARTED, None)
        elif found.ou_path == "/Sandbox" or found.tags:
            assert state is State.EXCLUDED
        elif account_id in self.rivals:
            assert (state, ours) == (State.PARKED, [])
        else:
            decision = decide(world.azure.source.policy, found)
            assert state is State.CONNECTED
            assert [offerings(each) for each in ours] == [self._wanted(found.ou_path)]
            assert instance is not None
            assert (instance.state, instance.parameters) == (
                InstanceState.CURRENT,
                decision.profile.stack_parameters(),
            )

    def _wanted(self, unit: str) -> set[str]:
        basic = "/Workloads/Prod" if self.world.azure.source.policy is STRICTER else "/Workloads/Dev"
        return {"CspmMonitorAws"} if unit == basic else {"CspmMonitorAws", "DefenderCspmAws"}


def test_whatever_fails_meanwhile_every_account_ends_where_the_last_truth_asks(
    record_property: Callable[[str, object], None],
) -> None:
    Machine.met.clear()
    run_state_machine_as_test(
        seed(SEED)(Machine), settings=settings(max_examples=MACHINES, stateful_step_count=STEPS, deadline=None)
    )
    record_property(
        "told", f"lives of seed {SEED}: {', '.join(f'{what} {count}' for what, count in sorted(Machine.met.items()))}"
    )
