"""Whom the Organization connector leaves alone: what AWS's side tells, and what Azure's side makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.policy.problems import parse_policy
from shared.application.account_batch import AccountSignal
from shared.application.connect import DELAYS_BEFORE_ASKING
from shared.application.deploy_accounts import deploy_accounts
from shared.application.onboard import onboard
from shared.application.outcome import Outcome
from shared.application.reconcile import reconcile, reconcile_part
from shared.application.requests import Cause
from shared.application.selection import Selection
from shared.domain.accounts import AccountState
from shared.domain.exclusions import MOST_IN_ONE_MESSAGE, Exclusions, exclusions_of
from shared.domain.ledger import AccountRecord, HistoryEntry, Result, State
from shared.domain.matching import Matcher
from shared.domain.policy import Mode, decide
from shared.domain.stack_sets import InstanceState
from shared.errors import PermanentError, TransientError
from shared.messages.connector_request import ConnectorRequest
from tests.fakes.clock import NOON
from tests.fixtures.read import ACCOUNT_ID, account, fixture, request
from tests.unit.conftest import AzureSide
from tests.unit.test_onboard_checks import MANAGEMENT, PARENT, Case
from tests.unit.test_reconcile import MANAGEMENT as ROOT
from tests.unit.test_reconcile import RUN, World, as_member, slow

BY_ID = "098765432109"  # policies/full.yaml excludes it by its id
ONE, TWO, THREE = "222222222221", "222222222222", "222222222223"
ids = st.frozensets(st.integers(0, 12).map(lambda number: f"{number:012d}"))


# The list that follows


@given(present=ids, excluded=ids, included=ids)
def test_the_list_has_who_is_excluded_and_not_who_takes_part_and_leaves_all_others(
    present: frozenset[str], excluded: frozenset[str], included: frozenset[str]
) -> None:
    told = Exclusions(excluded=excluded, included=included - excluded)
    listed = set(told.applied(present))
    assert listed >= excluded
    assert not listed & told.included
    assert listed - excluded - told.included == present - excluded - told.included
    assert told.changes(present) == listed ^ present
    assert told.changes(listed) == frozenset()


def test_what_is_too_much_for_one_message_is_told_in_pieces() -> None:
    everybody = frozenset(f"{number:012d}" for number in range(2 * MOST_IN_ONE_MESSAGE + 1))
    told = Exclusions(excluded=frozenset(sorted(everybody)[::2]), included=frozenset(sorted(everybody)[1::2]))
    pieces = list(told.pieces())
    assert [len(piece.excluded | piece.included) for piece in pieces] == [1000, 1000, 1]
    assert frozenset().union(*(piece.excluded for piece in pieces)) == told.excluded
    assert frozenset().union(*(piece.included for piece in pieces)) == told.included


def test_the_largest_message_fits_into_the_queue() -> None:
    told = {"excluded": [f"{number:012d}" for number in range(MOST_IN_ONE_MESSAGE)], "included": []}
    texts = {"name": "n" * 256, "ou_path": "/o" * 1024, "reason": "r" * 4096, "remedy": "r" * 2048}
    assert len(request(data={**texts, "exclusions": told}).to_json()) < 48 * 1024
    with pytest.raises(ValueError, match="more than 1000"):
        request(data={"exclusions": told | {"included": [ONE]}})


def test_only_decisions_about_active_accounts_mean_anything() -> None:
    policy = as_member(replace(parse_policy(fixture("policies/full.yaml").encode(), "full.yaml"), rules=()))
    states = {
        "200000000001": account(ou_path="/Sandbox"),
        "200000000002": account(),
        "200000000003": account(state=AccountState.SUSPENDED),
        "200000000004": account(ou_path="/Sandbox", state=AccountState.CLOSED),
        "200000000005": account(state=AccountState.PENDING_ACTIVATION),
        ROOT: account(is_management=True),
    }
    accounts = [replace(each, account_id=number) for number, each in states.items()]
    decided = [(each, decide(policy, each)) for each in accounts]
    told = exclusions_of(policy, decided)
    assert told == Exclusions(excluded=frozenset({"200000000001"}), included=frozenset({"200000000002"}))
    for mode in (Mode.STANDALONE, Mode.NATIVE):
        assert not exclusions_of(replace(policy, mode=mode), decided)


# AWS's side


@pytest.fixture
def world() -> World:
    """An organization of a policy in mode `member`."""
    return World(as_member(parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")))


def told_by(world: World) -> list[tuple[str, str, Sequence[str], Sequence[str]]]:
    """Of every message that tells exclusions: account, action, and both lists."""
    found = [each.data for each in world.aws.queue.requests if each.data.exclusions is not None]
    return [
        (each.hierarchy_identifier, str(each.action), each.exclusions.excluded, each.exclusions.included)
        for each in found
        if each.exclusions is not None
    ]


def test_the_comparison_tells_the_organization_connector_everybody_it_decided_about(world: World) -> None:
    world.management.stack = world.own_stack()
    excluded, included, closed = world.add(1, "excluded"), world.add(2), world.add(3, state=AccountState.SUSPENDED)
    with_roles = world.add(4, "excluded")
    world.put(with_roles, InstanceState.CURRENT)
    hidden = world.add(5)
    world.put(hidden, InstanceState.CURRENT)
    world.aws.stack_sets.failures.plan("find_instance", TransientError("throttled"))
    world.run()
    assert told_by(world) == [(ROOT, "connect", (excluded, with_roles), (included, hidden))]
    assert closed not in str(told_by(world))
    assert world.aws.queue.requests[-1].data.hierarchy_identifier == ROOT
    assert len([each for each in world.aws.queue.requests if each.data.hierarchy_identifier == ROOT]) == 1


def test_without_its_own_stack_the_management_account_is_told_all_the_same(world: World) -> None:
    excluded = world.add(1, "excluded")
    world.run()
    assert told_by(world) == [(ROOT, "note", (excluded,), ())]


def test_tags_decide_and_an_account_whose_tags_cannot_be_read_is_left_out(world: World) -> None:
    tags = Matcher(tags={"rollcall": ("exclude",)})
    world.aws.source.policy = replace(world.aws.source.policy, exclusions=tags)
    tagged, plain = world.add(1, tags={"rollcall": "exclude"}), world.add(2)
    world.run()
    assert told_by(world)[-1][2:] == ((tagged,), (plain,))
    world.aws.queue.sent.clear()
    world.listing.failures.plan("tags_of", *[TransientError("throttled")] * 2)  # the management account's, too
    world.run()
    assert told_by(world)[-1][2:] == ((), (plain,))


def test_each_part_tells_its_own_and_more_than_one_message_holds_is_several(world: World) -> None:
    world.management.stack = world.own_stack()
    numbers = [world.add(number, "excluded" if number % 2 else "included") for number in range(5)]
    for account_id in numbers:
        world.put(account_id, InstanceState.CURRENT)
    slow(world, 60)
    first = reconcile_part(replace(RUN, seconds=120), world.ports)
    assert first.after is not None
    [(_, action, *both)] = told_by(world)
    assert (action, {*both[0], *both[1]}) == ("connect", {each for each in numbers if each <= first.after})
    world.aws.queue.sent.clear()
    reconcile(replace(RUN, after=first.after), world.ports)
    [(_, action, *both)] = told_by(world)
    assert (action, {*both[0], *both[1]}) == ("note", {each for each in numbers if each > first.after})


def test_a_large_organization_is_told_in_messages_of_their_own(world: World) -> None:
    for number in range(MOST_IN_ONE_MESSAGE + 1):
        world.add(number, "excluded")
    world.run()
    sent = [each for each in world.aws.queue.requests if each.data.exclusions is not None]
    assert [len(each.data.told.excluded) for each in sent] == [MOST_IN_ONE_MESSAGE, 1]
    assert len({each.message_id for each in sent}) == 2


def test_an_incomplete_listing_a_dry_run_and_other_modes_tell_nothing(world: World) -> None:
    world.add(1, "excluded")
    world.run(replace(RUN, dry=True))
    world.listing.failures.plan("list_accounts", TransientError("the second page"))
    with pytest.raises(TransientError):
        world.run()
    world.aws.source.policy = replace(world.aws.source.policy, mode=Mode.NATIVE)
    world.run()
    assert told_by(world) == []


def test_a_unit_alone_tells_of_itself_alone(world: World) -> None:
    world.add(1, "excluded")
    development = world.add(2, "development")
    world.run(replace(RUN, selection=Selection(ou_path="/Workloads/Dev")))
    assert told_by(world) == [(ROOT, "note", (), (development,))]


def signals(*account_ids: str) -> list[AccountSignal]:
    cause = Cause(event_id="e", source="aws.organizations", occurred_at=NOON, correlation_id="c")
    return [AccountSignal(account_id=each, cause=replace(cause, event_id=f"e-{each}")) for each in account_ids]


def test_a_batch_of_events_tells_its_decisions_in_one_message(world: World) -> None:
    excluded, included, another = world.add(1, "excluded"), world.add(2), world.add(3, "excluded")
    deploy_accounts(signals(excluded, included, another, ROOT), world.aws.deploy)
    assert told_by(world) == [(ROOT, "note", (excluded, another), (included,))]


def test_where_a_batch_cannot_tell_who_is_excluded_comes_again(world: World) -> None:
    excluded, included = world.add(1, "excluded"), world.add(2)
    send = world.aws.queue.send

    def refusing(request: ConnectorRequest, *, delay_seconds: float = 0.0) -> None:
        if request.data.exclusions is not None:
            raise TransientError("the queue is busy")
        send(request, delay_seconds=delay_seconds)

    world.aws.queue.send = refusing  # type: ignore[method-assign]  # busy for one kind of message
    results = deploy_accounts(signals(excluded, included), world.aws.deploy)
    assert isinstance(results[excluded], TransientError)
    assert isinstance(results[included], Outcome)


# Azure's side


class Members(Case):
    """Azure's side in mode `member`."""

    def tell(
        self, excluded: Sequence[str] = (), included: Sequence[str] = (), *, note: bool = True, **changes: Any
    ) -> Outcome:
        data: dict[str, Any] = {"exclusions": {"excluded": excluded, "included": included}}
        data |= {"action": "note", "status": "seen"} if note else {}
        when = changes.pop("occurred_at", self.azure.clock.now())
        return self.ask(MANAGEMENT, data=data | changes.pop("data", {}), occurred_at=when, **changes)

    @property
    def listed(self) -> list[str]:
        """The list of the Organization connector."""
        [parent] = [each for each in self.azure.connectors.everything() if each.hierarchy_identifier == MANAGEMENT]
        return sorted(parent.excluded_accounts)

    def report(self, account_id: str, state: State, after: timedelta = timedelta(seconds=1)) -> None:
        at = self.azure.clock.now() + after
        entry = HistoryEntry(
            key=request(data={"hierarchy_identifier": account_id}).key,
            at=at,
            step="note",
            result=Result.SKIPPED,
            message_id="m",
            attempt=0,
            correlation_id="c",
            state=state,
            sent_at=at,
        )
        self.azure.ledger.record(entry)

    def is_free(self) -> bool:
        """Whether nobody holds the management account."""
        found = self.azure.ledger.find(request(data={"hierarchy_identifier": MANAGEMENT}).key)
        return found is None or found.claimed_by == ""


@pytest.fixture
def members(azure: AzureSide) -> Members:
    return Members(azure, {"mode": Mode.MEMBER, "organization_connector": PARENT})


def test_the_organization_connector_is_made_with_its_list_and_its_stack_set(members: Members) -> None:
    assert members.tell([ONE, TWO], [THREE], note=False).result is Result.CREATED
    [(where, body)] = members.azure.connectors.puts
    assert where.name == "aws-org"
    assert body["properties"]["environmentData"]["organizationalData"] == {
        "organizationMembershipType": "Organization",
        "stacksetName": "rollcall-roles",
        "excludedAccountIds": sorted([BY_ID, ONE, TWO]),
    }
    assert members.tell([ONE, TWO], [THREE], note=False).result is Result.UNCHANGED
    assert members.tell([ONE, TWO], [THREE]).result is Result.UNCHANGED
    assert len(members.azure.connectors.puts) == 1


@pytest.mark.parametrize("note", [True, False], ids=["note", "connect"])
def test_a_change_is_one_put_and_nobody_else_moves(members: Members, note: bool) -> None:
    members.plant_parent(ONE, TWO)
    assert members.tell([THREE], [ONE], note=note).result is Result.UPDATED
    assert members.listed == sorted([BY_ID, TWO, THREE])
    assert members.tell([THREE], [ONE], note=note).result is Result.UNCHANGED
    assert len(members.azure.connectors.puts) == 1
    assert members.is_free()


def test_a_note_changes_the_list_and_nothing_else_of_the_connector(members: Members) -> None:
    members.plant_parent()
    [before] = members.azure.connectors.everything()
    before.body["properties"]["environmentData"]["fieldOfTomorrow"] = "kept"
    before.body["properties"]["offerings"] = [{"offeringType": "CspmMonitorAws", "description": "read only"}]
    members.plant(before.connector_id, before.body | {"systemData": {}})
    assert members.tell([ONE]).result is Result.UPDATED
    [(_, body)] = members.azure.connectors.puts
    assert body["properties"]["environmentData"]["organizationalData"].pop("excludedAccountIds") == sorted([BY_ID, ONE])
    before.body["properties"]["environmentData"]["organizationalData"].pop("excludedAccountIds")
    before.body["properties"]["offerings"][0].pop("description")
    assert body == {key: before.body[key] for key in ("location", "tags", "properties")}


def test_the_last_one_that_is_taken_off_leaves_no_empty_list(members: Members) -> None:
    members.change(exclusions=Matcher())
    members.plant_parent(ONE)
    assert members.tell(included=[ONE]).result is Result.UPDATED
    assert members.listed == []
    assert "excludedAccountIds" not in str(members.azure.connectors.puts)


def test_an_account_that_is_excluded_by_its_id_stays_so_whatever_the_other_side_says(members: Members) -> None:
    members.plant_parent()
    assert members.tell(included=[BY_ID]).result is Result.UNCHANGED
    assert members.tell(included=[BY_ID], note=False).result is Result.UNCHANGED
    assert members.listed == [BY_ID]


@pytest.mark.parametrize(
    "changes", [{}, {"mode": Mode.STANDALONE}, {"mode": Mode.NATIVE}], ids=["no connector", "standalone", "native"]
)
def test_without_an_organization_connector_that_rollcall_keeps_nothing_is_done(
    members: Members, changes: dict[str, Any]
) -> None:
    if changes:
        members.plant_parent()
    members.change(**changes)
    assert members.tell([ONE]).result is Result.SKIPPED
    assert (members.azure.connectors.puts, list(members.azure.ledger.list_records())) == ([], [])


def test_another_s_organization_connector_is_left_alone(members: Members) -> None:
    members.plant_parent()
    [parent] = members.azure.connectors.everything()
    members.plant(parent.connector_id, parent.body | {"tags": {"rollcall": "o-somebodyels"}})
    assert members.tell([ONE]).result is Result.SKIPPED
    assert members.azure.connectors.puts == []


def test_a_request_about_another_organization_is_parked(members: Members) -> None:
    members.plant_parent()
    assert members.tell([ONE], data={"organization": "o-somebodyels"}).key == "other-organization"


@pytest.mark.parametrize(
    ("state", "excluded", "included", "listed"),
    [
        (State.DEPLOYED, [ONE], [], []),
        (State.DEPLOYING, [ONE], [], []),
        (State.CONNECTED, [ONE], [], []),
        (State.EXCLUDED, [ONE], [], [ONE]),
        (State.DEPARTED, [ONE], [], [ONE]),
        (State.EXCLUDED, [], [TWO], [TWO]),
        (State.DEPLOYED, [], [TWO], []),
    ],
)
@pytest.mark.parametrize("note", [True, False], ids=["note", "connect"])
def test_what_the_ledger_has_heard_since_counts_more_than_an_old_report(
    members: Members, state: State, excluded: list[str], included: list[str], listed: list[str], note: bool
) -> None:
    members.change(exclusions=Matcher())
    members.plant_parent(*included)
    for account_id in (*excluded, *included):
        members.report(account_id, state)
    members.tell(excluded, included, note=note)
    assert members.listed == listed
    assert members.is_free()


def test_what_the_ledger_heard_before_counts_less(members: Members) -> None:
    members.plant_parent()
    members.report(ONE, State.CONNECTED, after=timedelta(hours=-1))
    assert members.tell([ONE]).result is Result.UPDATED


def test_while_another_worker_holds_the_connector_the_message_waits(members: Members) -> None:
    members.plant_parent()
    key = request(data={"hierarchy_identifier": MANAGEMENT}).key
    members.azure.ledger.claim(key, owner="another", now=members.azure.clock.now(), seconds=60)
    assert members.tell([ONE]).result is Result.DEFERRED
    assert members.azure.connectors.puts == []
    members.azure.clock.advance(61)
    [later] = members.azure.queue.sent
    assert onboard(later.request, members.azure.ports).result is Result.UPDATED
    assert members.listed == sorted([BY_ID, ONE])


def test_a_leftover_of_a_message_that_is_scheduled_is_dropped(members: Members) -> None:
    members.plant_parent()
    members.azure.connectors.failures.plan("put", TransientError("busy"))
    assert members.tell([ONE]).result is Result.DEFERRED
    assert members.is_free()
    assert members.tell([ONE]).reason == "a later attempt of this request is scheduled"
    assert members.azure.connectors.puts == []


def test_a_full_budget_puts_the_message_off_with_its_turn(members: Members) -> None:
    members.plant_parent()
    members.azure.pacer.plan(60)
    assert members.tell([ONE]).reason == "the subscription's write budget is spoken for"
    assert members.is_free()


def test_what_azure_refuses_for_good_is_parked(members: Members) -> None:
    members.plant_parent()
    members.azure.connectors.failures.plan("put", PermanentError("locked", remedy="unlock", key="scope-locked"))
    assert members.tell([ONE]).key == "scope-locked"
    assert members.is_free()


def test_a_connector_that_is_gone_or_right_by_now_is_not_written(members: Members) -> None:
    members.plant_parent()
    [parent] = members.azure.connectors.everything()
    members.azure.connectors.delete(parent.connector_id)
    assert members.tell([ONE]).result is Result.SKIPPED
    members.plant_parent()
    changed = parent.body["properties"]["environmentData"]["organizationalData"]
    changed["excludedAccountIds"] = [BY_ID, ONE]
    members.azure.connectors.plant(parent.connector_id, parent.body)
    assert members.tell([ONE], message_id="5b1d6f0e-7b4c-5c0d-9a3e-000000000009").result is Result.UNCHANGED
    assert members.azure.connectors.puts == []
    assert members.is_free()


@pytest.mark.parametrize("state", [State.DEPLOY_FAILED, State.PARKED, State.CONNECTED])
def test_the_management_account_stands_as_it_stood(members: Members, state: State) -> None:
    members.plant_parent()
    members.tell(data={"status": str(state), "reason": "as it is", "exclusions": None})
    before = members.record(MANAGEMENT)
    members.azure.clock.advance(10)
    assert members.tell([ONE]).result is Result.UPDATED
    after = members.record(MANAGEMENT)

    def standing(record: AccountRecord) -> tuple[object, ...]:
        return record.state, record.reason, record.remedy, record.asked_at, record.claimed_by

    assert standing(after) == standing(before)


def test_a_note_about_its_stack_is_noted_and_its_list_kept(members: Members) -> None:
    members.plant_parent()
    assert members.tell([ONE], data={"status": "deploy_failed", "reason": "no stack"}).result is Result.UPDATED
    assert members.listed == sorted([BY_ID, ONE])
    assert (members.record(MANAGEMENT).state, members.record(MANAGEMENT).reason) == (State.DEPLOY_FAILED, "no stack")


def test_a_member_that_is_on_the_list_is_taken_off_it_before_it_is_made(members: Members) -> None:
    members.plant_parent(ACCOUNT_ID, ONE)
    for delays in range(DELAYS_BEFORE_ASKING):
        assert members.ask(attempt=delays, delays=delays).key == "excluded-at-parent"
    assert len(members.azure.queue.sent) == DELAYS_BEFORE_ASKING  # itself each time, and nobody else
    members.azure.queue.sent.clear()
    assert members.ask(attempt=DELAYS_BEFORE_ASKING, delays=DELAYS_BEFORE_ASKING).key == "excluded-at-parent"
    assert members.azure.connectors.puts == []
    asked, again = members.azure.queue.sent
    assert (asked.request.data.hierarchy_identifier, asked.delay_seconds) == (MANAGEMENT, 0)
    assert onboard(asked.request, members.azure.ports).result is Result.UPDATED
    assert members.listed == sorted([BY_ID, ONE])
    assert onboard(again.request, members.azure.ports).result is Result.CREATED
    assert len(members.azure.connectors.puts) == 2


def test_a_list_that_was_changed_meanwhile_keeps_no_member_waiting(members: Members) -> None:
    members.plant_parent(ACCOUNT_ID)
    [parent] = members.azure.connectors.everything()
    parent.body["properties"]["environmentData"]["organizationalData"]["excludedAccountIds"] = []
    members.azure.connectors.plant(parent.connector_id, parent.body)
    assert members.ask().result is Result.CREATED
