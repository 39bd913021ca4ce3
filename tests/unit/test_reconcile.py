"""The comparison of everything: which message each account gets, and that messages are all that it sends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.policy.problems import parse_policy
from shared.application.account_batch import AccountSignal
from shared.application.deploy_accounts import deploy_accounts
from shared.application.reconcile import (
    EVENTS_AT_ONCE,
    MOST_UNREAD,
    Looked,
    ReconcilePorts,
    Reconciliation,
    Run,
    reconcile,
    reconcile_part,
)
from shared.application.requests import Cause, correlation_id_for
from shared.application.selection import Selection
from shared.domain.accounts import Account, AccountState
from shared.domain.policy import Mode, OrganizationConnector, Policy, decide
from shared.domain.reconciliation import ManagementStack, Signal
from shared.domain.roles import PROVIDER_HOST
from shared.domain.stack_sets import InstanceState, Removal, StackInstance
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from tests.fakes.aws import FakeAccountListing, FakeManagementStacks, FakeReconcileEvents
from tests.fixtures.read import account, fixture
from tests.unit.conftest import AwsSide

MANAGEMENT = "100000000000"
RUN = Run(name="daily", source="rollcall.reconcile")
POLICY = parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")
UNITS = {"included": "/Workloads/Prod", "development": "/Workloads/Dev", "excluded": "/Sandbox"}


class World:
    """One organization, its StackSet, and where the messages go."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.aws = AwsSide(policy)
        self.aws.directory.accounts.clear()
        self.aws.directory.add(account(MANAGEMENT, is_management=True, ou_path="/"))
        self.listing = FakeAccountListing(self.aws.directory)
        self.management = FakeManagementStacks()
        self.events = FakeReconcileEvents()
        self.ports = ReconcilePorts(
            listing=self.listing,
            instances=self.aws.stack_sets,
            management=self.management,
            events=self.events,
            sender=self.aws.queue,
            policy=self.aws.source,
            clock=self.aws.clock,
        )

    def add(self, number: int, unit: str = "included", **changes: Any) -> str:
        account_id = f"2{number:011d}"
        self.aws.directory.add(account(account_id, ou_path=UNITS[unit], **changes))
        return account_id

    def parameters(self, account_id: str) -> dict[str, str]:
        return decide(self.aws.policy, self.aws.directory.accounts[account_id]).profile.stack_parameters()

    def put(self, account_id: str, state: InstanceState, parameters: Mapping[str, str] | None = None) -> None:
        given = self.parameters(account_id) if parameters is None else parameters
        self.aws.stack_sets.put(StackInstance(account_id=account_id, state=state, parameters=given))

    def own_stack(self) -> ManagementStack:
        """The management account's stack as it should be."""
        parameters = self.parameters(MANAGEMENT)
        return ManagementStack(name=self.management.name, status="CREATE_COMPLETE", parameters=parameters)

    def run(self, run: Run = RUN) -> dict[str, Looked]:
        return {looked.account_id: looked for looked in reconcile(run, self.ports).accounts}

    @property
    def sent(self) -> dict[str, tuple[str, str]]:
        """Account id → action and status of its request."""
        data = [request.data for request in self.aws.queue.requests]
        assert len({each.hierarchy_identifier for each in data}) == len(data)
        return {each.hierarchy_identifier: (str(each.action), str(each.status)) for each in data}

    def deliver(self, asked: list[str]) -> dict[str, Any]:
        """What the function `account_events` makes of the events, and the end of its operations."""
        now = self.aws.clock.now()
        signals = [
            AccountSignal(
                account_id=each,
                cause=Cause(event_id=f"e-{now}-{each}", source="rollcall", occurred_at=now, correlation_id="c"),
            )
            for each in asked
        ]
        results = deploy_accounts(signals, self.aws.deploy)
        for account_id, instance in list(self.aws.stack_sets.instances.items()):
            if instance.state is InstanceState.IN_PROGRESS:
                self.aws.stack_sets.finish(account_id)
        return results


@pytest.fixture
def world() -> World:
    return World()


CURRENT, FAILED = InstanceState.CURRENT, InstanceState.FAILED


@pytest.mark.parametrize(
    ("state", "signal"),
    [
        (None, Signal.ACCOUNT_EVENT),
        (CURRENT, Signal.CONNECT_REQUEST),
        (InstanceState.OUTDATED, Signal.ACCOUNT_EVENT),
        (FAILED, Signal.ACCOUNT_EVENT),
        (InstanceState.SUSPENDED, Signal.ACCOUNT_EVENT),
        (InstanceState.IN_PROGRESS, Signal.WAITS),
    ],
)
def test_an_included_account_gets_what_its_instance_lacks(
    world: World, state: InstanceState | None, signal: Signal
) -> None:
    account_id = world.add(1)
    if state is not None:
        world.put(account_id, state)
    looked = world.run()[account_id]
    assert looked.signal is signal
    assert looked.name == world.aws.directory.accounts[account_id].name != ""
    assert world.events.asked == ([account_id] if signal is Signal.ACCOUNT_EVENT else [])
    connect = {account_id: ("connect", "deployed")} if signal is Signal.CONNECT_REQUEST else {}
    assert world.sent == connect | {MANAGEMENT: ("note", "excluded")}


def test_a_current_instance_with_other_parameters_is_for_account_events(world: World) -> None:
    account_id = world.add(1)
    world.put(account_id, CURRENT, {"Servers": "true"})
    assert "other parameters" in world.run()[account_id].reason
    assert world.events.asked == [account_id]


def test_an_adopted_identity_provider_is_no_other_parameter_and_its_audiences_are_told(world: World) -> None:
    account_id = world.add(1)
    world.put(account_id, CURRENT, world.parameters(account_id) | {"IdentityProvider": "existing"})
    assert world.run()[account_id].signal is Signal.CONNECT_REQUEST
    assert world.events.asked == []
    [request] = [each for each in world.aws.queue.requests if each.data.hierarchy_identifier == account_id]
    assert f"oidc-provider/{PROVIDER_HOST}" in request.data.remedy


@pytest.mark.parametrize("leftovers", [{}, {"Servers": "true"}], ids=["dropped", "still shown"])
def test_a_template_without_parameters_leaves_nothing_to_compare(world: World, leftovers: dict[str, str]) -> None:
    world.aws.stack_sets.declared = frozenset()
    account_id, other = world.add(1), world.add(2, "development")
    world.put(account_id, CURRENT, leftovers)
    world.put(other, CURRENT, leftovers)
    found = world.run()
    assert found[account_id].signal is found[other].signal is Signal.CONNECT_REQUEST
    assert world.events.asked == []


def test_only_current_instances_of_included_accounts_are_read(world: World) -> None:
    wanted = world.add(1)
    world.put(wanted, CURRENT)
    world.put(world.add(2), FAILED)
    world.put(world.add(3, "excluded"), CURRENT)
    world.add(4)
    world.run()
    assert world.aws.stack_sets.read == [wanted]


def test_an_instance_that_changed_since_it_was_listed_is_taken_as_it_is_now(world: World) -> None:
    going, working = world.add(1), world.add(2)
    for account_id in (going, working):
        world.put(account_id, CURRENT)
    listed = dict(world.aws.stack_sets.list_states())
    world.aws.stack_sets.list_states = lambda: listed  # type: ignore[method-assign]  # what was read a moment ago
    world.aws.stack_sets.remove(Removal(operation_id="o", account_ids=(going,)))
    world.put(working, InstanceState.IN_PROGRESS)
    found = world.run()
    assert (found[going].signal, found[working].signal) == (Signal.ACCOUNT_EVENT, Signal.WAITS)


@pytest.mark.parametrize("state", [AccountState.PENDING_ACTIVATION, AccountState.UNKNOWN])
def test_an_account_that_is_not_activated_waits(world: World, state: AccountState) -> None:
    account_id = world.add(1, state=state)
    assert world.run()[account_id].signal is Signal.WAITS
    assert world.events.asked == []


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.PENDING_CLOSURE, AccountState.CLOSED])
def test_an_account_that_is_being_closed_is_for_account_events(world: World, state: AccountState) -> None:
    account_id = world.add(1, state=state)
    assert world.run()[account_id].signal is Signal.ACCOUNT_EVENT
    assert world.events.asked == [account_id]


def test_an_excluded_account_is_noted_and_one_with_roles_is_looked_at(world: World) -> None:
    without, with_roles = world.add(1, "excluded"), world.add(2, "excluded")
    world.put(with_roles, CURRENT)
    world.run()
    assert world.events.asked == [with_roles]
    assert world.sent[without] == ("note", "excluded")
    assert with_roles not in world.sent


def test_tags_decide_where_the_policy_asks_for_them_and_are_read_for_included_accounts_only(world: World) -> None:
    tagged, plain = world.add(1, tags={"rollcall": "exclude"}), world.add(2)
    world.add(3, "excluded")
    world.run()
    assert world.listing.tags_read == [tagged, plain]
    assert world.events.asked == [plain]
    assert world.sent[tagged] == ("note", "excluded")


def test_an_instance_whose_account_is_not_listed_is_for_account_events(world: World) -> None:
    world.aws.stack_sets.put(StackInstance(account_id="900000000000", state=CURRENT, parameters={}))
    assert world.run()["900000000000"].signal is Signal.ACCOUNT_EVENT
    assert world.events.asked == ["900000000000"]
    assert world.aws.stack_sets.removed == []


@pytest.mark.parametrize("broken", ["accounts", "instances", "management account"])
def test_an_incomplete_listing_sends_nothing(world: World, broken: str) -> None:
    world.add(1)
    world.aws.stack_sets.put(StackInstance(account_id="900000000000", state=CURRENT, parameters={}))
    if broken == "accounts":
        world.listing.failures.plan("list_accounts", TransientError("the second page"))
    elif broken == "instances":
        world.aws.stack_sets.failures.plan("list_states", TransientError("the second page"))
    else:
        del world.aws.directory.accounts[MANAGEMENT]
    with pytest.raises(TransientError):
        reconcile_part(RUN, world.ports)
    assert (world.events.asked, world.events.parts, world.aws.queue.sent) == ([], [], [])


def as_member(policy: Policy) -> Policy:
    connector = OrganizationConnector(name="organization", management_account=MANAGEMENT, stack_set_name="theirs")
    return replace(policy, mode=Mode.MEMBER, organization_connector=connector)


@pytest.mark.parametrize(
    ("status", "action", "said"),
    [
        ("CREATE_COMPLETE", ("connect", "deployed"), "is complete"),
        ("UPDATE_COMPLETE", ("connect", "deployed"), "is complete"),
        ("CREATE_IN_PROGRESS", ("note", "deploying"), "is CREATE_IN_PROGRESS"),
        ("ROLLBACK_COMPLETE", ("note", "deploy_failed"), "is ROLLBACK_COMPLETE: a role exists"),
        ("UPDATE_ROLLBACK_FAILED", ("note", "deploy_failed"), "is UPDATE_ROLLBACK_FAILED"),
        (None, ("note", "deploy_failed"), "has no stack rollcall-member-roles"),
    ],
)
def test_the_management_account_is_connected_by_its_own_stack(
    status: str | None, action: tuple[str, str], said: str
) -> None:
    world = World(as_member(POLICY))
    if status is not None:
        world.management.stack = ManagementStack(
            name=world.management.name, status=status, parameters=world.parameters(MANAGEMENT), reason="a role exists"
        )
    world.run()
    assert world.sent == {MANAGEMENT: action}
    assert said in world.aws.queue.requests[0].data.reason
    assert world.events.asked == []


def test_a_management_stack_with_other_parameters_is_told_with_those_that_differ() -> None:
    world = World(as_member(POLICY))
    wanted = world.parameters(MANAGEMENT)
    other = "false" if wanted["AgentlessScanner"] == "true" else "true"
    stack = ManagementStack(name="x", status="CREATE_COMPLETE", parameters=wanted | {"AgentlessScanner": other})
    world.management.stack = stack
    world.run()
    assert world.sent == {MANAGEMENT: ("note", "deploy_failed")}
    assert f"AgentlessScanner should be '{wanted['AgentlessScanner']}'" in world.aws.queue.requests[0].data.reason


def test_a_management_stack_of_a_template_without_parameters_is_complete() -> None:
    world = World(as_member(POLICY))
    world.management.stack = ManagementStack(name="x", status="CREATE_COMPLETE", parameters={})
    world.run()
    assert world.sent == {MANAGEMENT: ("connect", "deployed")}


def test_a_management_account_that_is_excluded_is_noted_and_its_stack_is_not_asked_for(world: World) -> None:
    world.management.failures.plan("find", ConfigurationError("nobody may look", setting="x"))
    world.run()
    assert world.sent == {MANAGEMENT: ("note", "excluded")}


def test_requests_carry_the_run_and_the_account_s_correlation_id(world: World) -> None:
    account_id = world.add(1)
    world.put(account_id, CURRENT)
    world.run()
    world.run()
    _, first, _, second = world.aws.queue.requests
    assert first.message_id == second.message_id
    assert first.correlation_id == correlation_id_for(account_id)
    assert (first.data.source, first.data.name) == ("rollcall.reconcile", "payments")


def test_events_are_put_ten_at_a_time(world: World) -> None:
    asked = [world.add(number) for number in range(25)]
    world.run()
    assert world.events.batches == [EVENTS_AT_ONCE, EVENTS_AT_ONCE, 5]
    assert world.events.asked == asked


def test_a_dry_run_looks_at_everything_and_sends_nothing(world: World) -> None:
    new, current = world.add(1), world.add(2)
    world.put(current, CURRENT)
    found = world.run(replace(RUN, dry=True))
    assert {found[new].signal, found[current].signal} == {Signal.ACCOUNT_EVENT, Signal.CONNECT_REQUEST}
    assert (world.events.asked, world.aws.queue.sent) == ([], [])


def test_a_limit_counts_new_accounts_and_neither_connected_nor_failed_ones(world: World) -> None:
    connected, failed = world.add(1), world.add(2)
    world.put(connected, CURRENT)
    world.put(failed, FAILED)
    new = [world.add(number) for number in range(3, 8)]
    limited = replace(RUN, limit=2, connected=frozenset({connected}))
    found = reconcile(limited, world.ports)
    assert world.events.asked == [failed, *new[:2]]
    assert connected in world.sent
    assert (found.left, found.after) == (3, None)
    world.deliver(world.events.asked)
    world.events.asked.clear()
    reconcile(replace(limited, connected=frozenset({connected, failed, *new[:2]})), world.ports)
    assert world.events.asked == new[2:4]


def test_a_unit_is_walked_alone_and_nothing_is_said_of_accounts_that_left(world: World) -> None:
    world.add(1)
    development = world.add(2, "development")
    world.aws.stack_sets.put(StackInstance(account_id="900000000000", state=CURRENT, parameters={}))
    assert world.run(replace(RUN, selection=Selection(ou_path="/Workloads/Dev"))).keys() == {development}
    assert world.events.asked == [development]


def test_everybody_is_told_of_as_it_goes(world: World) -> None:
    world.add(1)
    told: list[tuple[str, int]] = []
    reconcile(RUN, world.ports, tell=lambda looked, total: told.append((looked.account_id, total)))
    assert [total for _, total in told] == [2, 2]


def slow(world: World, seconds: float) -> None:
    """Every read of an instance takes so long."""
    find = world.aws.stack_sets.find_instance

    def slowly(account_id: str) -> StackInstance | None:
        world.aws.clock.advance(seconds)
        return find(account_id)

    world.aws.stack_sets.find_instance = slowly  # type: ignore[method-assign]  # a slow AWS


def parts(world: World, seconds: float) -> list[Reconciliation]:
    """One run, part by part, as its own events ask for them."""
    found = [reconcile_part(replace(RUN, seconds=seconds), world.ports)]
    while found[-1].after is not None:
        run, after = world.events.parts[-1]
        found.append(reconcile_part(replace(RUN, name=run, after=after, seconds=seconds), world.ports))
    return found


@pytest.mark.parametrize("seconds", [0.001, 120, 600])
def test_a_run_whose_time_is_up_goes_on_by_its_cursor_and_forgets_nobody(world: World, seconds: float) -> None:
    ids = [world.add(number) for number in range(25)]
    for account_id in ids:
        world.put(account_id, CURRENT)
    slow(world, 60)
    found = parts(world, seconds)
    assert [len(part.accounts) for part in found][:2] == {0.001: [2, 1], 120: [3, 2], 600: [11, 10]}[seconds]
    assert len(world.events.parts) == len(found) - 1
    assert [looked.account_id for part in found for looked in part.accounts] == [MANAGEMENT, *ids]
    assert world.sent.keys() == {MANAGEMENT, *ids}


def test_what_was_kept_back_is_sent_before_the_next_part_is_asked_for(world: World) -> None:
    new, current = world.add(1), world.add(2)
    world.put(current, CURRENT)
    world.add(3)
    slow(world, 60)
    found = reconcile_part(replace(RUN, seconds=60), world.ports)
    assert (found.after, world.events.parts) == (current, [("daily", current)])
    assert world.events.asked == [new]


def test_a_part_that_fails_asks_for_no_next_one(world: World) -> None:
    for number in range(3):
        world.add(number)
    world.events.failures.plan("request_accounts", TransientError("throttled"))
    with pytest.raises(TransientError):
        reconcile_part(replace(RUN, seconds=0.001), world.ports)
    assert world.events.parts == []


def test_an_account_that_cannot_be_read_is_left_to_account_events(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    hidden, other = world.add(1), world.add(2)
    for account_id in (hidden, other):
        world.put(account_id, CURRENT)
    world.aws.stack_sets.failures.plan("find_instance", TransientError("throttled", key="aws-throttled"))
    world.run()
    assert world.events.asked == [hidden]
    assert other in world.sent
    [line] = [line for line in caplog.records if line.message == "account_not_read"]
    assert (line.levelname, line.__dict__["error_key"]) == ("WARNING", "aws-throttled")


def test_when_aws_does_not_answer_at_all_the_part_fails(world: World) -> None:
    for number in range(MOST_UNREAD + 1):
        world.put(world.add(number), CURRENT)
    errors = [TransientError("no answer")] * (MOST_UNREAD + 1)
    world.aws.stack_sets.failures.plan("find_instance", *errors)
    with pytest.raises(TransientError, match="no answer"):
        reconcile_part(RUN, world.ports)


def test_an_account_that_fits_into_no_message_fails_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    broken, other = world.add(1, name="n" * 300), world.add(2)
    for account_id in (broken, other):
        world.put(account_id, CURRENT)
    found = reconcile(RUN, world.ports)
    assert [looked.account_id for looked in found.failed] == [broken]
    assert found.totals[Signal.CONNECT_REQUEST] == 1
    assert other in world.sent
    [line] = [line for line in caplog.records if line.message == "request_not_sent"]
    assert (line.levelname, line.__dict__["error_key"]) == ("ERROR", "account-unsendable")


def test_a_message_that_the_queue_refuses_stops_nobody_behind_it(world: World) -> None:
    others = {world.add(1), world.add(2)}
    for account_id in others:
        world.put(account_id, CURRENT)
    world.aws.queue.failures.plan("send", PermanentError("413 RequestBodyTooLarge"))
    [failed] = reconcile(RUN, world.ports).failed  # the first of all: the management account
    assert failed.account_id not in others
    assert world.sent.keys() == others


def test_an_account_that_aws_refuses_to_describe_is_left_to_account_events(world: World) -> None:
    gone, other = world.add(1), world.add(2)
    for account_id in (gone, other):
        world.put(account_id, CURRENT)
    world.aws.stack_sets.failures.plan("find_instance", PermanentError("TargetNotFoundException"))
    world.run()
    assert world.events.asked == [gone]
    assert other in world.sent


def test_a_wrong_deployment_is_raised(world: World) -> None:
    world.put(world.add(1), CURRENT)
    world.aws.stack_sets.failures.plan("find_instance", ConfigurationError("may not", setting="role"))
    with pytest.raises(ConfigurationError):
        world.run()


def test_a_part_has_one_closing_line_with_its_counts(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.add(1)
    with caplog.at_level(logging.INFO, logger="shared"):
        reconcile_part(RUN, world.ports)
    [line] = [line.__dict__ for line in caplog.records if line.message == "reconciled"]
    assert (line["run"], line["accounts"], line["after"], line["failed"]) == ("daily", 2, "", 0)
    assert {str(signal): line[str(signal)] for signal in Signal} == {
        "account_event": 1,
        "connect_request": 0,
        "note": 1,
        "waits": 0,
    }


MEMBERS = st.fixed_dictionaries(
    {
        "unit": st.sampled_from(sorted(UNITS)),
        "state": st.sampled_from(AccountState),
        "instance": st.none() | st.sampled_from(InstanceState),
        "right": st.booleans(),
        "tags": st.sampled_from([{}, {"rollcall": "exclude"}]),
        "listed": st.booleans(),
    }
)


def truth(member: dict[str, Any]) -> str:
    """What a member's present state asks for, said once more in other words."""
    if not member["listed"]:
        return "event" if member["instance"] else "silence"
    if member["state"] in {"PENDING_ACTIVATION", "UNKNOWN"}:
        return "silence"
    if member["state"] != "ACTIVE":
        return "event"
    if member["unit"] == "excluded" or member["tags"]:
        return "event" if member["instance"] else "note"
    if member["instance"] == "in_progress":
        return "silence" if member["right"] else "event"
    return "connect" if member["instance"] == "current" and member["right"] else "event"


def planted(members: list[dict[str, Any]]) -> tuple[World, dict[str, str]]:
    """A world of these members, and what each asks for."""
    world, asked = World(), {}
    for number, member in enumerate(members):
        account_id = world.add(number, member["unit"], state=member["state"], tags=member["tags"])
        if member["instance"]:
            world.put(account_id, member["instance"], None if member["right"] else {"Servers": "other"})
        if not member["listed"]:
            del world.aws.directory.accounts[account_id]
        asked[account_id] = truth(member)
    return world, asked


@given(members=st.lists(MEMBERS, max_size=12), seconds=st.none() | st.floats(1, 200))
@settings(deadline=timedelta(seconds=2))
def test_any_state_gets_exactly_the_messages_that_it_asks_for_in_however_many_parts(
    members: list[dict[str, Any]], seconds: float | None
) -> None:
    world, asked = planted(members)
    slow(world, 60)
    parts(world, 10_000 if seconds is None else seconds)
    assert sorted(world.events.asked) == [each for each, what in asked.items() if what == "event"]
    wanted = {each: ("connect", "deployed") for each, what in asked.items() if what == "connect"}
    notes = {each: ("note", "excluded") for each, what in asked.items() if what == "note"}
    assert world.sent == wanted | notes | {MANAGEMENT: ("note", "excluded")}
    assert (world.aws.stack_sets.operations, world.aws.stack_sets.removed) == ({}, [])


@given(members=st.lists(MEMBERS, max_size=12))
@settings(deadline=timedelta(seconds=2))
def test_after_the_messages_took_effect_a_second_run_asks_for_no_work_on_the_stack_set(
    members: list[dict[str, Any]],
) -> None:
    world, _ = planted(members)
    world.run()
    world.deliver(world.events.asked)
    world.aws.clock.advance(86_400)
    world.run()  # finds those that were being worked on by somebody else, with whatever parameters these chose
    world.deliver(world.events.asked)
    operations = len(world.aws.stack_sets.operations)
    world.events.asked.clear()
    world.aws.queue.sent.clear()
    world.aws.clock.advance(86_400)
    world.run()
    results = world.deliver(world.events.asked)
    assert len(world.aws.stack_sets.operations) == operations
    included = {
        each for each, found in world.aws.directory.accounts.items() if reason_to_connect(world.aws.policy, found)
    }
    assert {each for each, (action, _) in world.sent.items() if action == "connect"} == included
    assert not [each for each in results if each in included]
    assert all(
        isinstance(each, RollcallError) or each.result not in {"created", "updated"} for each in results.values()
    )


def reason_to_connect(policy: Policy, found: Account) -> bool:
    return decide(policy, found).verdict == "include"
