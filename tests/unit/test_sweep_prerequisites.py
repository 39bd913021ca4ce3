"""What the sweep finds about the deployment itself: plans, rights, sight, queues, and what is billed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.accounts import Provider
from shared.domain.connectors import Connector
from shared.domain.ledger import AccountKey, HistoryEntry, Result, State
from shared.domain.policy import Deletions, Mode, OnMissingOwner, OnMissingPlan, Policy, Prechecks, Rule
from shared.domain.prechecks import ASSIGN_ROLES, Permission
from shared.domain.profiles import FOUNDATIONAL, RECOMMENDED, GovernanceRule
from shared.domain.queues import QueueDepth
from shared.domain.sweep.paid_plans import PlanUse, added_up, use_of
from shared.domain.sweep.report import Standing, SweepReport
from shared.domain.sweep.rights import DELETE_MACHINES, GOVERNANCE, READS, STANDARDS, WRITES, missing_rights, scopes_of
from shared.errors import ConfigurationError, PermanentError, TransientError
from shared.messages.sweep_documents import REPORT, RESULT
from tests.fakes.clock import NOON
from tests.fakes.subscriptions import CONTRIBUTOR, OWNER
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account, fixture
from tests.unit.test_sweep import IDS, found, world

__all__ = ["world"]

READER = Permission(actions=("*/read",))
SECURITY_ADMIN = Permission(actions=("Microsoft.Security/*",))
ELSEWHERE = "00000000-0000-4000-8000-0000000000d9"
RULE = GovernanceRule(
    name="r", priority=100, severities=("High",), owner="o", owner_from_tag=True, remediation_days=7, grace_period=False
)


def scope_of(world: SweepWorld) -> str:
    target = world.source.policy.target
    return f"/subscriptions/{target.subscription_id}/resourceGroups/{target.resource_group}"


def subscription_of(world: SweepWorld) -> str:
    return world.source.policy.target.subscription_id.lower()


def open_of(report: SweepReport | None, key: str) -> list[str]:
    assert report is not None
    return [each.finding.reason for each in report.open if each.finding.key == key]


# Plans of the subscription


def test_a_plan_that_was_switched_off_is_one_finding_of_the_subscription_until_it_is_on(world: SweepWorld) -> None:
    world.subscriptions.off = {subscription_of(world): {"CloudPosture", "VirtualMachines"}}  # nobody has Servers
    report = world.sweep()
    assert found(report) == Counter([("subscription-plan-off", "")])
    [reason] = open_of(report, "subscription-plan-off")
    assert reason.startswith("7 connector(s) have defender_cspm, and plan CloudPosture")
    assert found(world.sweep(), Standing.STILL) == Counter([("subscription-plan-off", "")])
    world.subscriptions.off = {}
    assert found(world.sweep(), Standing.RESOLVED) == Counter([("subscription-plan-off", "")])


def test_each_subscription_and_plan_is_a_finding_of_its_own(world: SweepWorld) -> None:
    first = world.tenant.connectors[0]
    moved = replace(first.connector_id, subscription_id=ELSEWHERE)
    offerings = [*first.body["properties"]["offerings"], {"offeringType": "DefenderForServersAws"}]
    world.replace_body(first, offerings=offerings)
    world.tenant.connectors[0] = replace(world.tenant.connectors[0], connector_id=moved)
    everything = {"CloudPosture", "VirtualMachines", "SqlServerVirtualMachines"}
    world.subscriptions.off = {subscription_of(world): everything, ELSEWHERE: everything}
    reasons = open_of(world.sweep(), "subscription-plan-off")
    assert sorted((reason.split()[0], reason.rpartition(" and plan ")[2].split()[0]) for reason in reasons) == [
        ("1", "CloudPosture"),
        ("1", "VirtualMachines"),
        ("6", "CloudPosture"),
    ]


def test_plans_that_nobody_needs_are_not_asked_for(policy: Policy) -> None:
    free = SweepWorld(replace(policy, default_profile=FOUNDATIONAL, rules=()))
    free.add(account(IDS[0], joined_at=NOON - timedelta(days=30)))
    free.subscriptions.failures.plan("plans", TransientError("must not be asked"))
    report = free.sweep()
    assert report is not None
    assert (report.complete, report.open) == (True, ())


def test_connectors_of_somebody_else_need_nothing_of_us(world: SweepWorld) -> None:
    world.subscriptions.off = {subscription_of(world): {"CloudPosture"}}
    world.tenant.connectors = [replace(each, body=each.body | {"tags": {}}) for each in world.tenant.connectors]
    assert open_of(world.sweep(), "subscription-plan-off") == []


def test_members_that_defender_made_need_their_plan(world: SweepWorld) -> None:
    """They have no tag of ours, but stand below the management account's connector."""
    counted = world.subscriptions.holders("o-another", "")
    assert counted == {}
    first = world.tenant.connectors[0]
    environment = first.body["properties"]["environmentData"] | {
        "organizationalData": {"organizationMembershipType": "Member", "parentHierarchyId": "123456789012"}
    }
    world.replace_body(first, environmentData=environment)
    [counts] = world.subscriptions.holders("o-another", "123456789012").values()
    assert sum(counts.values()) == 1


def test_a_subscription_without_a_row_is_unknown_and_not_off(world: SweepWorld) -> None:
    world.subscriptions.off = {subscription_of(world): {"CloudPosture"}}
    first = found(world.sweep())
    world.subscriptions.no_rows = {subscription_of(world)}
    report = world.sweep()
    assert report is not None
    assert not report.complete
    assert "shows no plan of subscription" in report.gaps[0].reason
    assert found(report, Standing.UNSEEN) == first


@pytest.mark.parametrize("method", ["holders", "plans", "shown"])
def test_what_resource_graph_does_not_answer_resolves_nothing(world: SweepWorld, method: str) -> None:
    world.subscriptions.off = {subscription_of(world): {"CloudPosture"}}
    first = found(world.sweep())
    world.subscriptions.failures.plan(method, TransientError("busy"))
    report = world.sweep()
    assert report is not None
    assert [gap.reason for gap in report.gaps] == ["busy"]
    assert found(report, Standing.UNSEEN, Standing.STILL) == first
    assert found(report, Standing.RESOLVED) == Counter()


# Our own rights


def test_a_role_that_was_taken_away_names_the_actions_and_the_scope(world: SweepWorld) -> None:
    world.rights.held[scope_of(world).lower()] = (READER,)
    report = world.sweep()
    assert found(report) == Counter([("rights-missing", "")])
    [reason] = open_of(report, "rights-missing")
    assert scope_of(world) in reason
    assert "Microsoft.Security/securityConnectors/write" in reason
    assert "/read" not in reason
    world.rights.held.clear()
    assert found(world.sweep(), Standing.RESOLVED) == Counter([("rights-missing", "")])


def test_each_resource_group_is_asked_once_and_one_without_an_answer_is_a_gap(world: SweepWorld) -> None:
    first = world.tenant.connectors[0]
    moved = replace(first, connector_id=replace(first.connector_id, resource_group="RG-elsewhere"))
    upper = replace(first, connector_id=replace(first.connector_id, resource_group="rg-ELSEWHERE", name="other"))
    world.tenant.connectors = [moved, upper, *world.tenant.connectors[1:]]
    world.rights.failures.plan("list_permissions", PermanentError("403 AuthorizationFailed"))
    report = world.sweep()
    assert report is not None
    assert len(world.rights.asked) == 2
    assert {each.lower().rpartition("/")[2] for each in world.rights.asked} == {"rg-connectors", "rg-elsewhere"}
    assert [gap.reason for gap in report.gaps if not gap.told] == ["403 AuthorizationFailed"]
    assert not report.complete


def test_a_resource_group_that_is_not_there_is_told_and_hides_nothing(world: SweepWorld) -> None:
    world.rights.failures.plan("list_permissions", PermanentError("404 ResourceGroupNotFound", key="resource-missing"))
    report = world.sweep()
    assert report is not None
    assert report.complete
    [finding] = [each.finding for each in report.open if each.finding.key == "rights-missing"]
    assert finding.reason.endswith("is not there")


def test_rights_are_looked_at_where_nothing_could_be_listed(world: SweepWorld) -> None:
    world.rights.held[scope_of(world).lower()] = (READER,)
    world.tenant.failures.plan("list_connectors", ConfigurationError("denied", setting="Reader"))
    assert ("rights-missing", "") in found(world.sweep())


def with_rule(policy: Policy, **changes: object) -> Policy:
    profile = replace(RECOMMENDED, **changes)  # type: ignore[arg-type]  # by name
    return replace(policy, default_profile=FOUNDATIONAL, rules=(Rule(match=policy.exclusions, profile=profile),))


def test_what_is_needed_follows_from_the_policy(policy: Policy) -> None:
    free = replace(policy, default_profile=FOUNDATIONAL, rules=())
    [scope] = scopes_of(free, ())

    def missing(policy: Policy, *held: Permission) -> set[str]:
        return set(missing_rights(policy, scope, held))

    assert missing(free) == {*READS, *WRITES}
    assert missing(free, READER, SECURITY_ADMIN) == set()
    assert missing(with_rule(policy), READER, SECURITY_ADMIN) == {ASSIGN_ROLES}
    assert missing(with_rule(policy), CONTRIBUTOR) == {ASSIGN_ROLES}
    assert missing(with_rule(policy), OWNER) == set()
    downgrade = Prechecks(subscription_plans=OnMissingPlan.REFUSE, owner_features=OnMissingOwner.DOWNGRADE)
    assert missing(replace(with_rule(policy), prechecks=downgrade), READER, SECURITY_ADMIN) == set()
    rich = with_rule(policy, standards=("CIS",), governance=(RULE,))
    assert missing(rich, READER, Permission(actions=("Microsoft.Security/securityConnectors/*",))) == {
        STANDARDS,
        GOVERNANCE,
        ASSIGN_ROLES,
    }
    deleting = replace(free, deletions=Deletions(orphaned_machines=True))
    assert missing(deleting, READER, SECURITY_ADMIN) == {DELETE_MACHINES}
    assert missing(replace(free, mode=Mode.NATIVE), READER) == set()
    other = replace(policy.target, resource_group="rg-of-a-rule")
    placed = replace(free, rules=(Rule(match=policy.exclusions, profile=RECOMMENDED, target=other),))
    assert len(scopes_of(placed, ())) == 2
    assert missing(placed, READER, SECURITY_ADMIN) == set()  # the rule's own resource group needs more
    assert missing_rights(placed, scopes_of(placed, ())[1], (READER, SECURITY_ADMIN)) == (ASSIGN_ROLES,)


# Sight


def test_a_target_that_is_not_shown_is_a_finding_and_nothing_is_concluded(world: SweepWorld) -> None:
    lost = world.tenant.connectors.pop(0)
    first = found(world.sweep())
    assert first == Counter([("connector-missing", lost.hierarchy_identifier)])
    world.tenant.connectors.append(lost)
    world.subscriptions.hidden = {subscription_of(world)}
    report = world.sweep()
    assert report is not None
    assert not report.complete
    assert found(report) == Counter([("subscription-unseen", ""), ("sweep-incomplete", "")])
    assert found(report, Standing.UNSEEN) == first


def test_a_subscription_that_only_the_ledger_names_has_to_be_shown(world: SweepWorld) -> None:
    connector = world.tenant.connectors[0]
    elsewhere = replace(connector.connector_id, subscription_id=ELSEWHERE)
    for key, state in ((IDS[0], State.CONNECTED), (IDS[1], State.DEPARTED)):
        place = str(elsewhere if state is State.CONNECTED else replace(elsewhere, subscription_id="gone"))
        world.ledger.record(
            HistoryEntry(
                key=AccountKey(provider=Provider.AWS, hierarchy_identifier=key),
                at=NOON,
                step="connect:deployed",
                result=Result.CREATED,
                message_id="m",
                attempt=0,
                correlation_id="c",
                state=state,
                connector_id=place,
            )
        )
    [reason] = open_of(world.sweep(), "subscription-unseen")
    assert reason.startswith(f"the ledger names subscription {ELSEWHERE}")


# Queues


@pytest.mark.parametrize(
    ("queue", "severity", "told"),
    [
        ("onboarding-poison", "high", "rollcall replay list"),
        ("stack-events-dead-letters", "high", "rollcall replay list"),
        ("sweep-poison", "medium", "clear the queue `sweep-poison`"),
    ],
)
def test_the_remedy_fits_the_queue(world: SweepWorld, queue: str, severity: str, told: str) -> None:
    world.gauge.depth = QueueDepth(name=queue, waiting=2, oldest_at=NOON, given_up=True)
    report = world.sweep()
    assert report is not None
    [tracked] = report.open
    assert (tracked.finding.key, tracked.finding.severity) == ("messages-given-up", severity)
    assert told in tracked.finding.remedy
    assert f"2 message(s) of {queue} were given up, the first since {NOON:%Y-%m-%d}" in tracked.finding.reason


def test_queues_that_could_not_even_be_found_are_a_gap(world: SweepWorld) -> None:
    """AWS's side tells no single queue where it cannot be entered."""
    world.gauge.depth = QueueDepth(name="queues of AWS's side", problem="AccessDenied")
    report = world.sweep()
    assert report is not None
    assert [gap.reason for gap in report.gaps] == ["AccessDenied"]


def test_a_slice_of_prerequisites_that_is_given_up_hides_what_was_found(world: SweepWorld) -> None:
    world.rights.held[scope_of(world).lower()] = (READER,)
    first = found(world.sweep())
    world.source.failures.plan("current", None, None, *[TransientError("busy")] * 4)  # planner, accounts, then this
    report = world.sweep()
    assert report is not None
    assert not report.complete
    assert found(report, Standing.UNSEEN) == first


# What is billed


def test_paid_plans_are_counted_over_all_slices(policy: Policy) -> None:
    many = SweepWorld(policy)
    for number in range(150):
        many.add(account(f"{number:012d}", joined_at=NOON - timedelta(days=60)))
    for number, ends in ((0, "2026-10-01T00:00:00Z"), (1, "2027-01-01T00:00:00.0000000Z"), (149, "2026-10-01")):
        connector = next(each for each in many.tenant.connectors if each.hierarchy_identifier == f"{number:012d}")
        many.replace_body(connector, hierarchyIdentifierTrialEndDate=ends)
    report = many.sweep()
    assert report is not None
    assert report.slices == 3
    assert report.plans == {"defender_cspm": PlanUse(connectors=150, billed=2, on_trial=1)}
    assert REPORT.validate_json(REPORT.dump_json(report)) == report


def test_free_plans_and_plans_that_are_not_ours_are_not_counted(world: SweepWorld) -> None:
    connector = world.tenant.connectors[0]
    kinds = [{"offeringType": kind} for kind in ("CspmMonitorAws", "DefenderForDatabasesAws", "SomethingNew")]
    body = {**connector.body, "properties": {"offerings": kinds}}
    assert use_of(Connector(connector_id=connector.connector_id, body=body), NOON) == {
        "databases": PlanUse(connectors=1)
    }
    assert added_up([{"servers": PlanUse(connectors=1, billed=1)}, {"servers": PlanUse(connectors=2, on_trial=2)}]) == {
        "servers": PlanUse(connectors=3, billed=1, on_trial=2)
    }


def test_what_was_stored_before_plans_were_counted_is_readable() -> None:
    assert RESULT.validate_json(fixture("sweep/result-without-plans.json")).plans == {}
    report = REPORT.validate_json(fixture("sweep/report-without-plans.json"))
    assert (report.plans, [each.finding.key for each in report.open]) == ({}, ["connector-missing"])
