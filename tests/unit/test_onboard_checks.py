"""What stands before and after a connector: prechecks, modes, adoption, standards; and offboarding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.application.onboard import onboard
from shared.application.outcome import Outcome
from shared.domain.connectors import Connector, ConnectorId, connector_id_for, desired_body, to_create
from shared.domain.exclusions import Exclusions
from shared.domain.ledger import AccountRecord, HistoryEntry, Result, State
from shared.domain.placement import beside, place
from shared.domain.policy import (
    Deletions,
    Mode,
    OnMissingOwner,
    OnMissingPlan,
    OrganizationConnector,
    Policy,
    Prechecks,
)
from shared.domain.profiles import Profile
from shared.errors import PermanentError, TransientError
from tests.fakes.clock import NOON
from tests.fakes.subscriptions import CONTRIBUTOR, OWNER
from tests.fixtures.profiles import FOUNDATIONAL, FULL
from tests.fixtures.read import ACCOUNT_ID, request
from tests.unit.conftest import AzureSide
from tests.unit.test_aftercare import PROFILE

MANAGEMENT = "111111111111"
OTHER_ID = "000000000002"
PARENT = OrganizationConnector(name="aws-org", management_account=MANAGEMENT, stack_set_name="rollcall-roles")


@dataclass
class Case:
    """Azure's side under a changed policy."""

    azure: AzureSide
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.azure.source.policy = replace(self.azure.policy, rules=(), default_profile=FULL)
        self.change(**self.changes)

    @property
    def policy(self) -> Policy:
        return self.azure.source.policy

    def change(self, **changes: Any) -> None:
        self.azure.source.policy = replace(self.policy, **changes)

    def ask(self, account_id: str = ACCOUNT_ID, **changes: Any) -> Outcome:
        data = {"hierarchy_identifier": account_id, **changes.pop("data", {})}
        return onboard(request(data=data, **changes), self.azure.ports)

    def record(self, account_id: str = ACCOUNT_ID) -> AccountRecord:
        found = self.azure.ledger.find(request(data={"hierarchy_identifier": account_id}).key)
        assert found is not None
        return found

    def plant(self, connector_id: ConnectorId, body: dict[str, Any]) -> Connector:
        planted = self.azure.connectors.plant(connector_id, body)
        self.azure.snapshot.refresh()
        return planted

    def plant_parent(self, *excluded: str) -> None:
        wanted = place(self.policy, MANAGEMENT, self.policy.default_profile, self.policy.target)
        listed = beside(wanted, None, Exclusions(excluded=frozenset(excluded)))
        self.plant(wanted.connector_id, to_create(listed.desired))

    def only_parked(self) -> tuple[str, str]:
        [parked] = self.azure.queue.parked
        return parked.reason, parked.remedy


@pytest.fixture
def case(azure: AzureSide) -> Case:
    return Case(azure)


# Every kind of finding


def lacking(**lack: Any) -> Callable[[Case], Outcome]:
    def found(case: Case) -> Outcome:
        case.azure.subscriptions.present.update(lack)
        return case.ask()

    return found


def overdue(case: Case) -> Outcome:
    case.change(mode=Mode.NATIVE, organization_connector=PARENT)
    case.azure.clock.advance(24 * 3600)
    return case.ask()


def without_parent(case: Case) -> Outcome:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    return case.ask()


def in_use(case: Case) -> Outcome:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    case.plant_parent()
    member = place(case.policy, "000000000002", FULL, case.policy.target)
    case.plant(member.connector_id, to_create(member.desired))
    return case.ask(
        MANAGEMENT, data={"action": "disconnect", "status": "offboarded"}, occurred_at=case.azure.clock.now()
    )


def membership_change(case: Case) -> Outcome:
    standing = place(case.policy, ACCOUNT_ID, FULL, case.policy.target)
    case.plant(standing.connector_id, to_create(standing.desired))
    case.azure.ledger.record(
        replace(
            HistoryEntry(
                key=request().key,
                at=case.azure.clock.now() - timedelta(hours=1),
                step="connect:deployed",
                result=Result.CREATED,
                message_id="m0",
                attempt=0,
                correlation_id="c",
                state=State.CONNECTED,
            ),
            connector_id=str(standing.connector_id),
        )
    )
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    case.plant_parent()
    return case.ask()


def mode_switch(case: Case) -> Outcome:
    standing = place(case.policy, OTHER_ID, FULL, case.policy.target)
    case.plant(standing.connector_id, to_create(standing.desired))
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    case.plant_parent()
    return case.ask()


def excluded_at_parent(case: Case) -> Outcome:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    case.plant_parent(ACCOUNT_ID)
    return case.ask()


def following(profile: Profile, refuses: str = "") -> Callable[[Case], Outcome]:
    def found(case: Case) -> Outcome:
        case.change(default_profile=profile)
        case.azure.compliance.refuses = refuses
        return case.ask()

    return found


FOUND: dict[str, Callable[[Case], Outcome]] = {
    "subscription-not-enabled": lacking(state="Disabled"),
    "classic-connector": lacking(classic_connectors={ACCOUNT_ID: "/subscriptions/s/classic"}),
    "subscription-plan-off": lacking(plans=frozenset()),
    "owner-missing": lacking(permissions=(CONTRIBUTOR,)),
    "native-member-overdue": overdue,
    "organization-connector-missing": without_parent,
    "organization-connector-in-use": in_use,
    "membership-change": membership_change,
    "mode-switch": mode_switch,
    "excluded-at-parent": excluded_at_parent,
    "standard-unknown": following(replace(FULL, standards=("CIS of tomorrow",))),
    "standard-refused": following(replace(PROFILE, governance=()), refuses="too low"),
    "governance-refused": following(replace(PROFILE, standards=()), refuses="too low"),
}


@pytest.mark.parametrize("key", FOUND)
def test_every_kind_of_finding_reaches_the_ledger_under_its_key(case: Case, key: str) -> None:
    outcome = FOUND[key](case)
    assert outcome.key == key
    record = case.record(MANAGEMENT if key == "organization-connector-in-use" else ACCOUNT_ID)
    assert record.reason
    assert f"Runbook: {key}." in record.remedy


# Prechecks


@pytest.mark.parametrize(
    ("lack", "key"),
    [
        ({"state": "Disabled"}, "subscription-not-enabled"),
        ({"classic_connectors": {ACCOUNT_ID: "/subscriptions/s/classic"}}, "classic-connector"),
        ({"plans": frozenset()}, "subscription-plan-off"),
        ({"permissions": (CONTRIBUTOR,)}, "owner-missing"),
    ],
)
def test_what_a_precheck_refuses_is_parked_with_reason_and_remedy_and_nothing_is_written(
    case: Case, lack: dict[str, Any], key: str
) -> None:
    case.azure.subscriptions.present.update(lack)
    outcome = case.ask()
    assert (outcome.result, outcome.key) == (Result.PARKED, key)
    assert case.azure.connectors.puts == []
    record = case.record()
    assert record.state is State.PARKED
    assert f"Runbook: {key}" in record.remedy
    assert case.only_parked() == (record.reason, record.remedy)


def test_facts_are_read_anew_before_they_refuse_anybody(case: Case) -> None:
    case.azure.subscriptions.present["plans"] = frozenset()
    assert case.ask().result is Result.PARKED
    case.azure.clock.advance(31)
    case.azure.subscriptions.present["plans"] = frozenset(
        {"CloudPosture", "VirtualMachines", "SqlServerVirtualMachines"}
    )
    assert case.ask().result is Result.CREATED


def test_the_facts_of_a_batch_are_read_once(case: Case) -> None:
    for number in range(20):
        case.ask(f"{number:012d}")
    assert case.azure.subscriptions.reads == 1


def test_a_lenient_policy_connects_with_less_and_says_what_is_left_out(case: Case) -> None:
    case.azure.subscriptions.present |= {"permissions": (CONTRIBUTOR,), "plans": frozenset()}
    case.change(prechecks=Prechecks(subscription_plans=OnMissingPlan.WARN, owner_features=OnMissingOwner.DOWNGRADE))
    assert case.ask().result is Result.CREATED
    [(_, body)] = case.azure.connectors.puts
    servers = next(one for one in body["properties"]["offerings"] if one["offeringType"] == "DefenderForServersAws")
    assert servers["arcAutoProvisioning"] == {"enabled": False}
    record = case.record()
    assert record.state is State.CONNECTED
    assert "Arc provisioning" in record.reason
    assert "have these plans off" in record.reason or "has these plans off" in record.reason
    assert case.ask().result is Result.UNCHANGED
    assert len(case.azure.connectors.puts) == 1


def test_what_was_left_out_comes_once_the_owner_is_there(case: Case) -> None:
    case.azure.subscriptions.present["permissions"] = (CONTRIBUTOR,)
    case.change(prechecks=Prechecks(owner_features=OnMissingOwner.DOWNGRADE))
    case.ask()
    case.azure.subscriptions.present["permissions"] = (OWNER,)
    case.azure.clock.advance(301)
    assert case.ask().result is Result.UPDATED
    assert case.record().reason == ""


def test_facts_without_an_answer_are_tried_again_later(case: Case) -> None:
    case.azure.subscriptions.failures.plan("inspect", TransientError("no answer"))
    assert case.ask().result is Result.DEFERRED


# Another's connector, and adoption


def foreign(case: Case, tags: dict[str, str] | None = None) -> ConnectorId:
    target = case.policy.target
    where = ConnectorId(subscription_id=target.subscription_id, resource_group="theirs", name="portal-made")
    body = to_create(desired_body(ACCOUNT_ID, FOUNDATIONAL, target, "o-x"))
    case.plant(where, body | {"tags": tags or {}})
    return where


def test_another_s_connector_is_refused_with_its_id_and_how_to_adopt_it(case: Case) -> None:
    where = foreign(case)
    assert case.ask().key == "duplicate-connector"
    reason, remedy = case.only_parked()
    assert str(where) in reason
    assert "--adopt" in remedy


def test_a_connector_that_was_adopted_meanwhile_is_ours_whatever_the_snapshot_says(case: Case) -> None:
    where = foreign(case, {"owner": "secops"})
    case.azure.connectors.tag(where, "rollcall", case.policy.organization)
    outcome = case.ask()
    assert (outcome.result, outcome.connector_id) == (Result.UPDATED, str(where))
    [(put, body)] = case.azure.connectors.puts
    assert put == where
    assert body["tags"] == {"owner": "secops", "rollcall": case.policy.organization}


def test_another_s_connector_that_is_gone_by_now_stands_in_nobody_s_way(case: Case) -> None:
    where = foreign(case)
    case.azure.connectors.delete(where)
    assert case.ask().result is Result.CREATED


def test_a_member_that_defender_made_is_refused_in_mode_standalone_with_the_way_out(case: Case) -> None:
    member = place(
        replace(case.policy, mode=Mode.MEMBER, organization_connector=PARENT), ACCOUNT_ID, FULL, case.policy.target
    )
    case.plant(member.connector_id, to_create(member.desired) | {"tags": {}})
    case.ask()
    assert "Organization connector" in case.only_parked()[1]


# Modes


def test_a_member_waits_for_its_organization_connector(case: Case) -> None:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    outcome = case.ask()
    assert (outcome.result, outcome.key) == (Result.DEFERRED, "organization-connector-missing")
    assert case.azure.connectors.puts == []
    case.plant_parent()
    [later] = case.azure.queue.sent
    assert onboard(later.request, case.azure.ports).result is Result.CREATED
    [(where, body)] = case.azure.connectors.puts
    assert where.name == f"aws-org_{ACCOUNT_ID}"
    assert body["properties"]["environmentData"]["organizationalData"] == {
        "organizationMembershipType": "Member",
        "parentHierarchyId": MANAGEMENT,
    }


def test_the_management_account_s_connector_is_the_organization_connector(case: Case) -> None:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    assert case.ask(MANAGEMENT).result is Result.CREATED
    [(where, body)] = case.azure.connectors.puts
    assert where.name == "aws-org"
    data = body["properties"]["environmentData"]["organizationalData"]
    assert (data["organizationMembershipType"], data["stacksetName"]) == ("Organization", "rollcall-roles")
    assert data["excludedAccountIds"] == ["098765432109"]


def test_a_member_that_defender_made_first_becomes_ours_and_there_is_never_a_second(case: Case) -> None:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    case.plant_parent()
    wanted = place(case.policy, ACCOUNT_ID, FULL, case.policy.target)
    case.plant(wanted.connector_id, to_create(wanted.desired) | {"tags": {}})
    outcome = case.ask()
    assert (outcome.result, outcome.connector_id) == (Result.UPDATED, str(wanted.connector_id))
    assert len(case.azure.connectors.everything()) == 2
    assert case.ask().result is Result.UNCHANGED


def test_native_mode_writes_nothing_waits_and_says_when_a_member_is_overdue(case: Case) -> None:
    case.change(mode=Mode.NATIVE, organization_connector=PARENT)
    assert case.ask().result is Result.DEFERRED
    case.azure.clock.advance(24 * 3600)
    outcome = case.ask()
    assert (outcome.result, outcome.key) == (Result.PARKED, "native-member-overdue")
    wanted = place(case.policy, ACCOUNT_ID, FULL, case.policy.target)
    case.plant(wanted.connector_id, to_create(wanted.desired) | {"tags": {}})
    found = case.ask()
    assert (found.result, found.connector_id) == (Result.UNCHANGED, str(wanted.connector_id))
    assert case.record().state is State.CONNECTED
    assert case.azure.connectors.puts == []


def test_a_parent_that_stands_elsewhere_is_no_parent(case: Case) -> None:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    wanted = place(case.policy, MANAGEMENT, FULL, case.policy.target)
    case.plant(replace(wanted.connector_id, resource_group="elsewhere"), to_create(wanted.desired))
    assert case.ask().key == "organization-connector-missing"
    assert "elsewhere" in case.record().reason
    assert case.azure.connectors.puts == []


@pytest.mark.parametrize("back", [False, True], ids=["standalone-to-member", "member-to-standalone"])
def test_a_connector_is_never_turned_into_another_kind_in_place(case: Case, back: bool) -> None:
    member = {"mode": Mode.MEMBER, "organization_connector": PARENT}
    case.change(**member)
    case.plant_parent()
    wanted = place(case.policy, ACCOUNT_ID, FULL, case.policy.target)
    if not back:
        case.change(mode=Mode.STANDALONE)
        wanted = place(case.policy, ACCOUNT_ID, FULL, case.policy.target)
    case.plant(wanted.connector_id, to_create(wanted.desired))
    case.change(**({"mode": Mode.STANDALONE} if back else member))
    outcome = case.ask()
    assert (outcome.result, outcome.key) == (Result.PARKED, "membership-change")
    assert case.azure.connectors.puts == []


def test_accounts_that_somebody_excluded_at_the_organization_connector_stay_excluded(case: Case) -> None:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    wanted = place(case.policy, MANAGEMENT, FULL, case.policy.target)
    theirs = to_create(wanted.desired)
    theirs["properties"]["environmentData"]["organizationalData"]["excludedAccountIds"] = ["222222222222"]
    case.plant(wanted.connector_id, theirs)
    assert case.ask(MANAGEMENT).result is Result.UPDATED
    [(_, body)] = case.azure.connectors.puts
    excluded = body["properties"]["environmentData"]["organizationalData"]["excludedAccountIds"]
    assert excluded == ["098765432109", "222222222222"]
    assert case.ask(MANAGEMENT).result is Result.UNCHANGED


def test_the_prechecks_look_at_the_subscription_that_the_connector_is_in(case: Case) -> None:
    asked: list[str] = []
    inspect = case.azure.subscriptions.inspect

    def listening(target: Any, *, max_age_seconds: float) -> Any:
        asked.append(f"{target.subscription_id}/{target.resource_group}")
        return inspect(target, max_age_seconds=max_age_seconds)

    case.azure.subscriptions.inspect = listening  # type: ignore[method-assign]  # only listens
    where = ConnectorId(subscription_id="other", resource_group="theirs", name="adopted")
    body = to_create(desired_body(ACCOUNT_ID, FOUNDATIONAL, case.policy.target, case.policy.organization))
    case.plant(where, body)
    assert case.ask().result is Result.UPDATED
    assert asked == ["other/theirs"]


def test_a_connector_whose_environment_is_spelt_otherwise_is_no_reason_for_a_second(case: Case) -> None:
    made = case.ask()
    connector_id = ConnectorId.parse(made.connector_id)
    body = case.azure.connectors.find(connector_id)
    assert body is not None
    body.body["properties"]["environmentName"] = "Aws"
    case.plant(connector_id, body.body)
    assert case.ask().result is Result.UNCHANGED
    assert len(case.azure.connectors.everything()) == 1


def test_what_an_account_lacks_is_still_said_at_the_next_look(case: Case) -> None:
    case.azure.subscriptions.present["plans"] = frozenset()
    case.change(prechecks=Prechecks(subscription_plans=OnMissingPlan.WARN))
    case.ask()
    case.azure.clock.advance(1)
    assert case.ask().result is Result.UNCHANGED
    assert "plans off" in case.record().reason


def test_rights_that_were_there_a_minute_ago_are_looked_at_again_before_anything_is_switched_off(case: Case) -> None:
    case.azure.subscriptions.present["permissions"] = (CONTRIBUTOR,)
    case.change(prechecks=Prechecks(owner_features=OnMissingOwner.DOWNGRADE))
    case.azure.subscriptions.inspect(case.policy.target, max_age_seconds=0)
    case.azure.clock.advance(60)
    case.azure.subscriptions.present["permissions"] = (OWNER,)
    case.ask()
    assert case.record().reason == ""


# Standards and governance rules


def test_standards_and_rules_follow_the_connector_and_are_asked_for_once(case: Case) -> None:
    case.change(default_profile=PROFILE)
    assert case.ask().result is Result.CREATED
    assert len(case.azure.compliance.writes) == 3
    case.azure.compliance.failures.plan("list_standards", TransientError("nobody asks again"))
    assert case.ask().result is Result.UNCHANGED
    assert len(case.azure.connectors.puts) == 1


def test_standards_that_did_not_get_through_are_seen_to_by_the_next_attempt(case: Case) -> None:
    case.change(default_profile=PROFILE)
    case.azure.compliance.failures.plan("assign", TransientError("no answer"))
    assert case.ask().result is Result.DEFERRED
    [sent] = case.azure.queue.sent
    assert onboard(sent.request, case.azure.ports).result is Result.UNCHANGED
    assert len(case.azure.connectors.puts) == 1
    assert len(case.azure.compliance.assignments) == 2


def test_what_defender_refuses_leaves_the_account_connected_with_the_reason(case: Case) -> None:
    case.change(default_profile=PROFILE)
    case.azure.compliance.refuses = "the plan is too low"
    outcome = case.ask()
    assert (outcome.result, outcome.key) == (Result.CREATED, "standard-refused")
    record = case.record()
    assert record.state is State.CONNECTED
    assert "the plan is too low" in record.reason
    assert "governance-refused" in record.remedy


def test_a_connector_that_is_made_again_gets_its_standards_again(case: Case) -> None:
    case.change(default_profile=PROFILE)
    made = case.ask()
    case.azure.connectors.delete(ConnectorId.parse(made.connector_id))
    case.azure.snapshot.refresh()
    case.azure.compliance.assignments.clear()
    assert case.ask().result is Result.CREATED
    assert len(case.azure.compliance.assignments) == 2


def test_what_was_refused_is_asked_for_again_once_its_cause_is_gone(case: Case) -> None:
    case.change(default_profile=PROFILE)
    case.azure.compliance.refuses = "the plan is too low"
    case.ask()
    case.azure.compliance.refuses = ""
    case.azure.clock.advance(1)
    assert case.ask().result is Result.UNCHANGED
    assert case.record().reason == ""
    assert len(case.azure.compliance.writes) == 3


def test_a_connector_that_was_made_again_before_a_crash_still_gets_its_standards(case: Case) -> None:
    case.change(default_profile=PROFILE)
    made = case.ask()
    case.azure.connectors.delete(ConnectorId.parse(made.connector_id))
    case.azure.snapshot.refresh()
    case.azure.compliance.assignments.clear()
    case.azure.compliance.failures.plan("list_standards", TransientError("no answer"))
    case.azure.clock.advance(1)
    assert case.ask().result is Result.DEFERRED
    [later] = case.azure.queue.sent
    onboard(later.request, case.azure.ports)
    assert len(case.azure.compliance.assignments) == 2


def test_standards_that_cannot_be_read_leave_the_account_connected(case: Case) -> None:
    case.change(default_profile=PROFILE)
    case.azure.compliance.failures.plan("list_standards", PermanentError("not found"))
    outcome = case.ask()
    assert (outcome.result, outcome.key) == (Result.CREATED, "standard-refused")
    assert case.record().state is State.CONNECTED


# Offboarding


LEAVE = {"action": "disconnect", "status": "offboarded"}


def disconnect(case: Case) -> Outcome:
    return case.ask(data=LEAVE, occurred_at=case.azure.clock.now())


def test_a_request_to_disconnect_removes_what_is_ours(case: Case) -> None:
    made = case.ask()
    case.azure.clock.advance(1)
    outcome = disconnect(case)
    assert outcome.result is Result.DELETED
    assert [str(each) for each in case.azure.connectors.deletes] == [made.connector_id]
    record = case.record()
    assert (record.state, record.connector_id, record.claimed_by) == (State.OFFBOARDED, "", "")
    case.azure.clock.advance(1)
    assert disconnect(case).result is Result.UNCHANGED


def test_whoever_puts_messages_takes_so_many_connectors_in_a_day_and_no_more(case: Case) -> None:
    accounts = [f"{number:012d}" for number in range(1, 14)]
    for account_id in accounts:
        case.ask(account_id)
    case.azure.clock.advance(1)
    now = case.azure.clock.now()
    outcomes = [case.ask(account_id, data=LEAVE, occurred_at=now) for account_id in accounts]
    assert [each.result for each in outcomes] == [Result.DELETED] * 10 + [Result.PARKED] * 3
    assert {each.key for each in outcomes[10:]} == {"removals-used-up"}
    assert case.record(accounts[-1]).state is State.PARKED
    assert not case.record(accounts[-1]).claimed_by


def test_an_account_that_left_waits_for_the_next_day_when_the_share_is_used_up(case: Case) -> None:
    case.change(deletions=Deletions(departed_accounts=True, most_per_run=1))
    others = "000000000002"
    for account_id in (ACCOUNT_ID, others):
        case.ask(account_id)
    case.azure.clock.advance(1)
    left = {"action": "disconnect", "status": "departed", "reason": "it was closed"}
    first, second = (case.ask(each, data=left, occurred_at=case.azure.clock.now()) for each in (ACCOUNT_ID, others))
    assert (first.result, second.result) == (Result.DELETED, Result.DEFERRED)
    assert second.reason == "it was closed; nothing is deleted now: deletions.most_per_run is 1"
    [later] = case.azure.queue.sent
    due = case.azure.clock.now() + timedelta(seconds=later.delay_seconds)
    assert due == NOON.replace(hour=0, minute=1) + timedelta(days=1)
    case.azure.clock.advance(later.delay_seconds)
    assert onboard(later.request, case.azure.ports).result is Result.DELETED


def test_a_person_s_parked_removal_is_too_old_once_the_account_was_asked_for_again(case: Case) -> None:
    case.change(deletions=Deletions(most_per_run=1))
    others = "000000000002"
    for account_id in (ACCOUNT_ID, others):
        case.ask(account_id)
    case.azure.clock.advance(1)
    asked = case.azure.clock.now()
    case.ask(others, data=LEAVE, occurred_at=asked)
    assert case.ask(data=LEAVE, occurred_at=asked).result is Result.PARKED
    case.azure.clock.advance(3600)
    case.ask(occurred_at=case.azure.clock.now())  # the daily comparison, while the policy includes it
    case.azure.clock.advance(86_400)
    assert case.ask(data=LEAVE, occurred_at=asked).result is Result.SKIPPED


def test_a_connector_that_the_snapshot_does_not_show_yet_is_removed_too(case: Case) -> None:
    case.ask()
    case.azure.snapshot.forget(connector_id_for(ACCOUNT_ID, case.policy.target))
    assert disconnect(case).result is Result.DELETED


def test_a_late_request_to_disconnect_leaves_a_connector_alone_that_was_asked_for_since(case: Case) -> None:
    late = case.azure.clock.now()
    case.azure.clock.advance(10)
    case.ask(occurred_at=case.azure.clock.now())
    outcome = case.ask(data=LEAVE, occurred_at=late)
    assert outcome.result is Result.SKIPPED
    assert len(case.azure.connectors.everything()) == 1


def test_a_connector_is_removed_although_an_older_request_for_it_came_between(case: Case) -> None:
    asked = case.azure.clock.now()
    case.ask(occurred_at=asked)
    case.azure.clock.advance(10)
    leaves = case.azure.clock.now()
    case.azure.clock.advance(10)
    assert case.ask(occurred_at=asked).result is Result.UNCHANGED
    assert case.ask(data=LEAVE, occurred_at=leaves).result is Result.DELETED
    assert case.record().state is State.OFFBOARDED


def test_what_was_asked_for_before_an_account_left_does_not_connect_it_again(case: Case) -> None:
    asked = case.azure.clock.now()
    case.ask(occurred_at=asked)
    case.azure.clock.advance(10)
    disconnect(case)
    outcome = case.ask(occurred_at=asked)
    assert (outcome.result, outcome.reason) == (
        Result.SKIPPED,
        "the account was offboarded after this was asked for",
    )
    assert case.azure.connectors.everything() == []
    case.azure.clock.advance(10)
    assert case.ask(occurred_at=case.azure.clock.now()).result is Result.CREATED


def test_events_of_the_same_second_have_no_order(case: Case) -> None:
    case.ask(occurred_at=case.azure.clock.now())
    case.azure.clock.advance(0.9)
    assert disconnect(case).result is Result.DELETED
    assert case.ask(occurred_at=case.azure.clock.now()).result is Result.CREATED


def test_a_connector_in_another_place_than_the_policy_s_is_removed_by_the_ledger_s_word(case: Case) -> None:
    case.ask()
    case.change(target=replace(case.policy.target, resource_group="new"))
    for each in case.azure.connectors.everything():
        case.azure.snapshot.forget(each.connector_id)
    case.azure.clock.advance(1)
    assert disconnect(case).result is Result.DELETED
    assert case.azure.connectors.everything() == []


def test_a_changed_target_makes_no_second_connector_although_the_snapshot_lags(case: Case) -> None:
    made = case.ask()
    case.change(target=replace(case.policy.target, resource_group="new"))
    case.azure.snapshot.forget(ConnectorId.parse(made.connector_id))
    assert case.ask().connector_id == made.connector_id
    assert len(case.azure.connectors.everything()) == 1


def test_a_connector_that_lost_our_tag_meanwhile_is_not_removed(case: Case) -> None:
    made = case.ask()
    connector_id = ConnectorId.parse(made.connector_id)
    body = case.azure.connectors.find(connector_id)
    assert body is not None
    case.azure.connectors.plant(connector_id, body.body | {"tags": {}})
    case.azure.clock.advance(1)
    assert disconnect(case).result is Result.PARKED
    assert case.azure.connectors.deletes == []


def test_an_organization_connector_with_members_is_not_removed(case: Case) -> None:
    case.change(mode=Mode.MEMBER, organization_connector=PARENT)
    case.plant_parent()
    case.ask()
    case.azure.clock.advance(1)
    outcome = case.ask(MANAGEMENT, data=LEAVE, occurred_at=case.azure.clock.now())
    assert (outcome.result, outcome.key) == (Result.PARKED, "organization-connector-in-use")
    assert len(case.azure.connectors.everything()) == 2


def test_a_deferred_disconnect_says_so(case: Case) -> None:
    case.ask()
    case.azure.clock.advance(1)
    case.azure.connectors.failures.plan("delete", TransientError("throttled"))
    assert disconnect(case).result is Result.DEFERRED
    assert (case.record().state, "throttled" in case.record().reason) == (State.DEFERRED, True)


def test_another_s_connector_is_never_removed(case: Case) -> None:
    foreign(case)
    outcome = disconnect(case)
    assert (outcome.result, outcome.key) == (Result.PARKED, "duplicate-connector")
    assert case.azure.connectors.deletes == []


def test_a_disconnect_waits_for_whoever_works_on_the_account(case: Case) -> None:
    case.azure.ledger.claim(request().key, owner="other", now=case.azure.clock.now(), seconds=180)
    assert disconnect(case).result is Result.DEFERRED
    assert case.azure.connectors.deletes == []


def test_an_account_that_comes_back_is_connected_although_an_old_snapshot_shows_its_connector(case: Case) -> None:
    case.ask()
    other = AzureSide(
        case.azure.policy, ledger=case.azure.ledger, connectors=case.azure.connectors, clock=case.azure.clock
    )
    other.source.policy = case.policy
    case.azure.clock.advance(1)
    disconnect(case)
    case.azure.clock.advance(1)
    assert onboard(request(occurred_at=case.azure.clock.now()), other.ports).result is Result.CREATED
