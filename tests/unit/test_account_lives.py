"""An account's life in any order, repeated, lost: after one comparison it is where its last truth asks."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.account_retries import retry_event
from shared.adapters.aws.events import Ignored
from shared.adapters.aws.stack_events import read_stack_event
from shared.adapters.policy.problems import parse_policy
from shared.application.deploy_accounts import deploy_accounts
from shared.application.onboard import onboard
from shared.application.reconcile import ReconcilePorts, Run, reconcile
from shared.application.report_instance import report_instances
from shared.domain.accounts import AccountState
from shared.domain.connectors import Connector
from shared.domain.ledger import State
from shared.domain.policy import Deletions, Policy, decide
from shared.domain.stack_sets import InstanceState
from shared.errors import RollcallError
from shared.messages.connector_request import ConnectorRequest
from tests.fakes.aws import FakeAccountListing, FakeManagementStacks, FakeReconcileEvents
from tests.fixtures.read import ACCOUNT_ID, account, fixture, request
from tests.unit.conftest import AwsSide, AzureSide

POLICY = parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")
MANAGEMENT = "100000000000"
KEY = request().key
PLANS = {"/Workloads/Prod": {"CspmMonitorAws", "DefenderCspmAws"}, "/Workloads/Dev": {"CspmMonitorAws"}}
EXCLUDED = "/Sandbox"
UNITS = [*PLANS, EXCLUDED]
CLOSED = [AccountState.SUSPENDED, AccountState.PENDING_CLOSURE, AccountState.CLOSED]
DEPARTURES = [("account_departed.left",), ("remove_account", "account_departed.removed"), ("account_departed.cleaned",)]
ROUNDS = 20
LIVES = int(os.environ.get("ROLLCALL_TEST_LIVES", "100"))


class World:
    """Both clouds, and the pools of deliveries that have not come yet."""

    def __init__(self, policy: Policy) -> None:
        self.aws = AwsSide(policy)
        self.azure = AzureSide(policy, clock=self.aws.clock, queue=self.aws.queue)
        self.clock = self.aws.clock
        self.aws.directory.accounts.clear()
        self.aws.directory.add(account(MANAGEMENT, is_management=True, ou_path="/"))
        self.bus = FakeReconcileEvents()
        self.account_events: list[str] = []
        self.stack_events: list[str] = []
        self.messages: list[tuple[datetime, str]] = []
        self._taken = 0
        self._numbers = itertools.count(1)
        self.departure_known = False  # an event that was delivered told of it, or a stack instance shows it

    # What AWS says

    @property
    def account(self) -> Any:
        """The account as it is, None where the organization does not list it."""
        return self.aws.directory.accounts.get(ACCOUNT_ID)

    def become(self, *events: str, **facts: Any) -> None:
        """The account is so from now on, and events tell of it."""
        self.aws.directory.add(replace(self.account or account(), **facts))
        self.departure_known = False
        self.tell(*events)

    def leave(self, *events: str) -> None:
        """The organization does not list the account any more."""
        del self.aws.directory.accounts[ACCOUNT_ID]
        self.tell(*events)

    def tell(self, *events: str) -> None:
        """Events of now; they lie in the pool until somebody delivers them."""
        self.account_events += [self._event(f"events/{name}.json") for name in events]
        self.clock.advance(5)

    def _event(self, name: str, **detail: Any) -> str:
        event = json.loads(fixture(name))
        event["id"] = f"0f4f5b1a-3a52-4b0e-8c55-{next(self._numbers):012d}"
        event["time"] = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        event["detail"] |= detail
        return json.dumps(event)

    def finish(self, failure: str = "") -> None:
        """CloudFormation ends what it is working on, well or with that reason, and says so."""
        instance = self.aws.stack_sets.instances.get(ACCOUNT_ID)
        if instance is not None and instance.state is InstanceState.IN_PROGRESS:
            state = InstanceState.FAILED if failure else InstanceState.CURRENT
            self.aws.stack_sets.finish(ACCOUNT_ID, state, failure)
            now = self.clock.now()
            self.aws.stack_sets.instances[ACCOUNT_ID] = replace(
                self.aws.stack_sets.instances[ACCOUNT_ID], tried_at=now if failure else None
            )
            self.stack_events.append(self._event(f"events/stack_instance.{'failed' if failure else 'succeeded'}.json"))
        self.clock.advance(5)

    # Deliveries

    def deliver_account_events(self, *bodies: str) -> None:
        """One batch of the function `account_events`."""
        self.clock.advance(2)
        signals = [signal for body in bodies if not isinstance(signal := read_account_event(body), Ignored)]
        assert len(signals) == len(bodies)
        self.departure_known |= any(signal.departed for signal in signals) and self.account is None
        gone = ACCOUNT_ID in self.aws.stack_sets.instances
        found = deploy_accounts(signals, self.aws.deploy)
        if gone and ACCOUNT_ID not in self.aws.stack_sets.instances:
            self.stack_events.append(self._event("events/stack_instance.deleted.json"))
        for result in found.values():
            assert not isinstance(result, RollcallError) or result.key == "account-not-listed", result
        self._collect()

    def deliver_stack_event(self, body: str) -> None:
        """The function `stack_events`."""
        self.clock.advance(2)
        signal = read_stack_event(body)
        assert not isinstance(signal, Ignored)
        for result in report_instances([signal], self.aws.report).values():
            assert not isinstance(result, RollcallError), result
        self._collect()

    def deliver_message(self, text: str) -> None:
        """The function `create_connector`."""
        self.clock.advance(2)
        self.azure.snapshot.refresh()
        onboard(ConnectorRequest.from_json(text), self.azure.ports)
        self._collect()

    def _collect(self) -> None:
        """What was put on the queue since, with the time from which it is to be seen."""
        now, sent = self.clock.now(), self.aws.queue.sent
        self.messages += [(now + timedelta(seconds=each.delay_seconds), each.text) for each in sent[self._taken :]]
        self._taken = len(sent)
        self.account_events += [json.dumps(retry_event(*each)) for each in self.aws.retries.asked]
        self.aws.retries.asked.clear()

    # The comparison

    def compare(self) -> None:
        """One run of `reconcile_accounts`, and everything that follows from it."""
        self.clock.advance(60)
        ports = ReconcilePorts(
            listing=FakeAccountListing(self.aws.directory),
            instances=self.aws.stack_sets,
            management=FakeManagementStacks(),
            events=self.bus,
            sender=self.aws.queue,
            policy=self.aws.source,
            clock=self.clock,
        )
        self.departure_known |= self.account is None and ACCOUNT_ID in self.aws.stack_sets.instances
        reconcile(Run(name=f"daily-{next(self._numbers)}", source="rollcall.reconcile"), ports)
        self._collect()
        self.settle()

    def settle(self) -> None:
        """Delivers what is still on its way, in order, until nothing is."""
        for _ in range(ROUNDS):
            for body in [each for each in self.account_events if '"rollcall"' in each]:
                self.account_events.remove(body)
                self.deliver_account_events(body)
            asked, self.bus.asked = self.bus.asked, []
            if asked:
                event = self._event("events/onboarding_requested.json", accountId=ACCOUNT_ID)
                assert set(asked) == {ACCOUNT_ID}
                self.deliver_account_events(event)
            self.finish()
            while self.stack_events:
                self.deliver_stack_event(self.stack_events.pop(0))
            self.messages.sort()
            while self.messages:
                due, text = self.messages.pop(0)
                self.clock.advance(max(0.0, (due - self.clock.now()).total_seconds()))
                self.deliver_message(text)
            if not (self.bus.asked or self.aws.retries.asked or self.stack_events or self.messages):
                return
        pytest.fail("messages go round in circles")

    # What has to be so

    def check(self) -> None:
        """The end that the last truth asks for."""
        record = self.azure.ledger.find(KEY)
        state = record.state if record else None
        plans = [offerings(connector) for connector in self.azure.connectors.everything()]
        instance = self.aws.stack_sets.instances.get(ACCOUNT_ID)
        may: Deletions = self.aws.source.policy.deletions
        assert self.aws.queue.parked == []
        if self.account is None:
            assert state is State.DEPARTED or (state is not State.CONNECTED and not self.departure_known)
            assert instance is None
            assert not (may.departed_accounts and state is State.DEPARTED and plans)
        elif self.account.state in CLOSED:
            assert (state, instance) == (State.DEPARTED, None)
            assert not (may.departed_accounts and plans)
        elif self.account.ou_path == EXCLUDED:
            assert state is State.EXCLUDED
            assert not (may.excluded_accounts and instance)
            assert not (may.excluded_accounts and may.departed_accounts and plans)
        else:
            assert state is State.CONNECTED
            assert plans == [PLANS[self.account.ou_path]]
            profile = decide(self.aws.source.policy, self.account).profile
            assert instance is not None
            assert (instance.state, instance.parameters) == (InstanceState.CURRENT, profile.stack_parameters())


def offerings(connector: Connector) -> set[str]:
    """The types of a connector's offerings."""
    return {offering["offeringType"] for offering in connector.body["properties"]["offerings"]}


class Lives(RuleBasedStateMachine):
    """An account's life and its deliveries, in any order, repeated or lost; ends with one comparison."""

    policy = POLICY

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.policy)
        self.world.become("create_account_result.succeeded", "account_joined.created")

    @property
    def listed(self) -> bool:
        return self.world.account is not None

    @property
    def open(self) -> bool:
        return self.listed and self.world.account.state is AccountState.ACTIVE

    @precondition(lambda self: self.open)
    @rule(unit=st.sampled_from(UNITS))
    def move(self, unit: str) -> None:
        self.world.become("move_account", ou_path=unit)

    @precondition(lambda self: self.open)
    @rule(state=st.sampled_from(CLOSED))
    def close(self, state: AccountState) -> None:
        self.world.become("close_account", "close_account_result.succeeded", state=state)

    @precondition(lambda self: self.listed and not self.open)
    @rule()
    def reopen(self) -> None:
        self.world.become(state=AccountState.ACTIVE)  # no event tells of it

    @precondition(lambda self: self.listed)
    @rule(events=st.sampled_from(DEPARTURES))
    def leave(self, events: tuple[str, ...]) -> None:
        self.world.leave(*events)

    @precondition(lambda self: not self.listed)
    @rule(unit=st.sampled_from(UNITS))
    def come_back(self, unit: str) -> None:
        self.world.become("account_joined.invited", ou_path=unit)

    @precondition(lambda self: self.world.account_events)
    @rule(data=st.data(), keep=st.booleans())
    def deliver_account_events(self, data: st.DataObject, keep: bool) -> None:
        pool = self.world.account_events
        batch = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4))
        self.world.deliver_account_events(*batch)
        if not keep:
            self.world.account_events = [body for body in pool if body not in batch]

    @precondition(lambda self: self.world.account_events)
    @rule(data=st.data())
    def lose_an_account_event(self, data: st.DataObject) -> None:
        self.world.account_events.remove(data.draw(st.sampled_from(self.world.account_events)))

    @rule(failure=st.sampled_from(["", "", "Rate exceeded", "OptInRequired: the account needs a subscription"]))
    def finish_the_operation(self, failure: str) -> None:
        self.world.finish(failure)

    @precondition(lambda self: self.world.stack_events)
    @rule(data=st.data(), keep=st.booleans())
    def deliver_a_stack_event(self, data: st.DataObject, keep: bool) -> None:
        body = data.draw(st.sampled_from(self.world.stack_events))
        self.world.deliver_stack_event(body)
        if not keep:
            self.world.stack_events.remove(body)

    @precondition(lambda self: self.world.stack_events)
    @rule(data=st.data())
    def lose_a_stack_event(self, data: st.DataObject) -> None:
        self.world.stack_events.remove(data.draw(st.sampled_from(self.world.stack_events)))

    @precondition(lambda self: self.world.messages)
    @rule(data=st.data(), keep=st.booleans())
    def deliver_a_message(self, data: st.DataObject, keep: bool) -> None:
        message = data.draw(st.sampled_from(self.world.messages))
        self.world.deliver_message(message[1])
        if not keep:
            self.world.messages.remove(message)

    @rule(seconds=st.sampled_from([1, 60, 600, 8000]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    def teardown(self) -> None:
        """The comparison, its repetition, and what comes too late."""
        world = self.world
        world.compare()
        world.check()
        done = (len(world.azure.connectors.puts), len(world.aws.stack_sets.operations))
        world.compare()
        for body in world.account_events:
            world.deliver_account_events(body)
        world.settle()
        world.check()
        assert (len(world.azure.connectors.puts), len(world.aws.stack_sets.operations)) == done


def lives_under(deletions: Deletions) -> type[Lives]:
    """The machine under a policy that allows so much to be deleted."""
    policy = replace(POLICY, deletions=deletions)
    return type("LivesUnderPolicy", (Lives,), {"policy": policy})


@pytest.mark.parametrize(
    "deletions",
    [Deletions(), Deletions(excluded_accounts=True), Deletions(excluded_accounts=True, departed_accounts=True)],
    ids=["nothing", "excluded", "everything"],
)
def test_after_one_comparison_an_account_is_where_its_last_truth_asks(deletions: Deletions) -> None:
    run_state_machine_as_test(
        lives_under(deletions), settings=settings(max_examples=LIVES, stateful_step_count=25, deadline=None)
    )
