"""The daily sweep and GCP projects: found where a connector is missing, drifted or left over, and asked for again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.application.backfill_projects import BackfillPorts
from shared.application.onboard import onboard
from shared.application.plan_sweep import ask_for_sweep
from shared.application.request_project import request_project
from shared.application.requests import correlation_id_of
from shared.application.sweep_slice import sweep_slice
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import Connector, excluding
from shared.domain.ledger import AccountKey, State
from shared.domain.policy import Policy, Repairs
from shared.domain.sweep.health import HealthIssue, HealthReport
from shared.domain.sweep.report import Standing, SweepReport
from shared.errors import ConfigurationError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest
from tests.fakes.clock import NOON
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account
from tests.unit.conftest import AzureSide
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, NUMBER, project
from tests.unit.test_sweep import OLD, found

OTHER = "345678901239"
ACCOUNT = "000000000001"


def old(number: str = NUMBER, **changes: Any) -> Account:
    return project(number, **{"joined_at": OLD, "name": f"shop-{number[-3:]}", **changes})


@pytest.fixture
def both_clouds(policy: Policy) -> Policy:
    return replace(policy, gcp=replace(MEMBER, content_hash=policy.content_hash))


def plant(world: SweepWorld, each: Account, *, connected: bool = True) -> None:
    world.google.of_projects.add(each)
    if connected:
        world.connect(each)


@pytest.fixture
def world(both_clouds: Policy) -> SweepWorld:
    """An account, the management project and another project, all as the policy wants them."""
    made = SweepWorld(both_clouds)
    made.add(account(ACCOUNT, joined_at=OLD))
    plant(made, old(MANAGEMENT, name="mdc-mgmt-proj-123456789012"))
    plant(made, old())
    return made


def whole(world: SweepWorld) -> SweepReport:
    report = world.sweep()
    assert report is not None
    return report


def about(world: SweepWorld, number: str) -> list[ConnectorRequest]:
    return [each for each in world.sender.requests if each.data.hierarchy_identifier == number]


def connector_of(world: SweepWorld, number: str) -> Connector:
    return next(each for each in world.tenant.connectors if each.hierarchy_identifier == number)


def test_projects_in_order_are_looked_at_beside_the_accounts_and_have_no_findings(world: SweepWorld) -> None:
    report = whole(world)
    assert (report.complete, report.open, report.asked) == (True, (), ())
    assert report.looked == {"accounts": 1, "projects": 2, "connectors": 3}
    assert MANAGEMENT not in world.listing.tags_read
    assert NUMBER not in world.listing.tags_read


def test_google_is_not_asked_where_the_policy_says_nothing_of_projects(world: SweepWorld) -> None:
    world.source.policy = replace(world.source.policy, gcp=None)
    assert "projects" not in whole(world).looked
    assert world.google.opened == 0


def test_a_project_without_its_connector_is_asked_for_with_what_it_is_now(world: SweepWorld) -> None:
    plant(world, old(OTHER, ou_path="/Shops/North", tags={"team": "till"}), connected=False)
    report = whole(world)
    assert (found(report), report.asked) == (Counter([("connector-missing", OTHER)]), (OTHER,))
    assert report.names == {OTHER: f"shop-{OTHER[-3:]}"}
    [asked] = world.sender.requests
    key = AccountKey(provider=Provider.GCP, hierarchy_identifier=OTHER)
    assert (asked.key, asked.data.action, asked.data.status) == (key, Action.CONNECT, State.DEPLOYED)
    assert (asked.data.name, asked.data.ou_path, asked.data.tags) == ("shop-239", "/Shops/North", {"team": "till"})
    assert (asked.data.organization, asked.data.source) == (MEMBER.organization, "sweep")
    assert asked.correlation_id == correlation_id_of(key)


def test_a_drifted_connector_is_asked_for_again(world: SweepWorld) -> None:
    world.replace_body(connector_of(world, NUMBER), offerings=[])
    report = whole(world)
    assert (found(report), report.asked) == (Counter([("connector-drifted", NUMBER)]), (NUMBER,))


def test_the_policy_may_leave_projects_to_people(world: SweepWorld) -> None:
    assert world.source.policy.gcp is not None
    projects = replace(world.source.policy.gcp, repairs=Repairs(missing_connectors=False, drifted_connectors=False))
    world.source.policy = replace(world.source.policy, gcp=projects)
    world.replace_body(connector_of(world, NUMBER), offerings=[])
    plant(world, old(OTHER), connected=False)
    report = whole(world)
    assert report.asked == ()
    assert found(report) == Counter([("connector-drifted", NUMBER), ("connector-missing", OTHER)])


@pytest.mark.parametrize(
    "now",
    [
        {"state": AccountState.DELETE_REQUESTED},
        {"ou_path": "/Sandbox/Anna"},
        {"tags": {"defender": "exempt"}},
        None,
    ],
)
def test_a_connector_that_is_left_of_a_project_is_told_and_stays(world: SweepWorld, now: dict[str, Any] | None) -> None:
    world.google.of_projects.projects.pop(NUMBER)
    if now is not None:
        plant(world, old(**now), connected=False)
    report = whole(world)
    assert ("connector-orphaned", NUMBER) in found(report)
    [orphaned] = [each.finding for each in report.open if each.finding.key == "connector-orphaned"]
    assert f"`rollcall offboard {NUMBER} --provider gcp`" in orphaned.remedy
    assert NUMBER not in report.asked
    assert "account" not in next(each.finding for each in report.open if each.finding.account == NUMBER).reason


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ({"state": AccountState.DELETE_REQUESTED}, State.DEPARTED),
        ({"ou_path": "/Sandbox"}, State.EXCLUDED),
        ({"state": AccountState.UNKNOWN}, None),
    ],
)
def test_the_ledger_is_told_once_of_a_project_that_takes_no_part(
    both_clouds: Policy, now: dict[str, Any], state: State | None
) -> None:
    azure = AzureSide(both_clouds)
    world = SweepWorld(both_clouds, clock=azure.clock, ledger=azure.ledger, manager=azure.connectors)
    world.google = azure.google
    plant(world, old(**now), connected=False)
    key = AccountKey(provider=Provider.GCP, hierarchy_identifier=NUMBER)
    for sent in (0 if state is None else 1, 0):
        report = whole(world)
        assert (report.complete, report.asked, len(world.sender.requests)) == (True, (), sent)
        for asked in world.sender.requests:
            assert asked.data.action is Action.NOTE
            onboard(asked, azure.ports)
        world.sender.sent.clear()
    record = azure.ledger.find(key)
    assert (record.state if record is not None else None) == state


def test_a_project_that_came_back_since_the_listing_was_made_is_not_noted(world: SweepWorld) -> None:
    projects = world.google.of_projects
    stale = [*projects.projects.values(), old(OTHER, state=AccountState.DELETE_REQUESTED)]
    projects.add(old(OTHER))
    projects.list_projects = lambda: iter(stale)  # type: ignore[method-assign] # a search is behind
    assert whole(world).complete
    assert world.sender.requests == []


def test_a_project_that_cannot_be_looked_at_again_is_unseen(world: SweepWorld) -> None:
    plant(world, old(OTHER, ou_path="/Sandbox"), connected=False)
    world.google.of_projects.failures.plan(f"find {OTHER}", ConfigurationError("denied", setting="the role"))
    report = whole(world)
    assert [(gap.account, gap.reason) for gap in report.gaps] == [(OTHER, "denied")]
    assert about(world, OTHER) == []


def test_what_its_number_or_id_excludes_is_noted_without_another_look(world: SweepWorld) -> None:
    [by_number, by_id] = ["345678901234", "000000000200"]
    plant(world, old(by_number), connected=False)
    plant(world, old(by_id, name="sys-12345678901234567890123456"), connected=False)
    for number in (by_number, by_id):
        world.google.of_projects.failures.plan(f"find {number}", ConfigurationError("asked", setting="-"))
    assert whole(world).complete
    for number in (by_number, by_id):
        assert [each.data.status for each in about(world, number)] == [State.EXCLUDED]


def test_after_a_look_that_is_throttled_there_is_none_and_the_others_are_asked_for(world: SweepWorld) -> None:
    later = "345678901240"
    for number in (OTHER, later):
        plant(world, old(number, ou_path="/Sandbox"), connected=False)
    plant(world, old("345678901241"), connected=False)
    failures = world.google.of_projects.failures
    failures.plan(f"find {OTHER}", TransientError("quota"))
    failures.plan(f"find {later}", ConfigurationError("asked", setting="-"))
    report = whole(world)
    assert [(gap.account, gap.reason) for gap in report.gaps] == [(OTHER, "quota"), (later, "quota")]
    assert set(report.asked) == {MANAGEMENT, "345678901241"}
    assert about(world, OTHER) + about(world, later) == []


def test_projects_are_looked_at_again_for_the_time_of_a_slice(world: SweepWorld) -> None:
    numbers = [f"{number:012d}" for number in range(201, 207)]
    for number in numbers:
        plant(world, old(number, ou_path="/Sandbox"), connected=False)
    really = world.google.of_projects.find

    def find(project: str) -> Account | None:
        world.clock.advance(61)
        return really(project)

    world.google.of_projects.find = find  # type: ignore[method-assign] # Google is slow
    report = whole(world)
    assert [gap.account for gap in report.gaps] == numbers[4:]
    assert {gap.reason for gap in report.gaps} == {"the time of a slice was over"}
    noted = [each.data.hierarchy_identifier for each in world.sender.requests if each.data.action is Action.NOTE]
    assert noted == numbers[:4]


def test_a_new_project_is_not_missed_for_an_hour(world: SweepWorld) -> None:
    plant(world, old(OTHER, joined_at=NOON - timedelta(minutes=59)), connected=False)
    assert found(whole(world)) == Counter()
    world.clock.advance(120)
    assert found(whole(world)) == Counter([("connector-missing", OTHER)])


def test_the_organization_connector_is_told_whom_to_leave_alone(world: SweepWorld) -> None:
    plant(world, old(OTHER, tags={"defender": "exempt"}), connected=False)
    parent = connector_of(world, MANAGEMENT)
    wrong = excluding(parent.body, ("345678901234", NUMBER))
    world.replace_body(parent, **wrong["properties"])
    report = whole(world)
    assert (found(report), report.asked) == (Counter([("connector-drifted", MANAGEMENT)]), (MANAGEMENT,))
    [asked] = about(world, MANAGEMENT)
    assert asked.data.told.applied(("345678901234", NUMBER)) == ("345678901234", OTHER)


def test_a_project_that_takes_part_since_the_sweep_was_planned_is_not_excluded_again(both_clouds: Policy) -> None:
    azure = AzureSide(both_clouds)
    world = SweepWorld(both_clouds, clock=azure.clock, ledger=azure.ledger, manager=azure.connectors)
    world.google = azure.google
    plant(world, old(MANAGEMENT, name="mdc-mgmt-proj-123456789012"), connected=False)
    plant(world, old(ou_path="/Sandbox"), connected=False)

    def settle() -> None:
        for asked in world.sender.requests:
            onboard(asked, azure.ports)
            azure.snapshot.refresh()
        world.sender.sent.clear()
        world.tenant.connectors = azure.connectors.everything()

    whole(world)
    settle()
    assert NUMBER in connector_of(world, MANAGEMENT).excluded_accounts
    azure.clock.advance(86400)
    sweep_slice(ask_for_sweep(world.queue, world.clock), world.ports)
    azure.clock.advance(600)
    moved = old(ou_path="/Shops")
    world.google.of_projects.add(moved)
    ports = BackfillPorts(
        projects=world.google.of_projects, sender=world.sender, policy=world.source, clock=world.clock
    )
    request_project(moved, ports)
    settle()
    assert NUMBER not in connector_of(world, MANAGEMENT).excluded_accounts
    azure.clock.advance(600)
    assert world.work() is not None
    assert about(world, MANAGEMENT)[0].data.told.excluded == {NUMBER}
    settle()
    assert NUMBER not in connector_of(world, MANAGEMENT).excluded_accounts
    assert connector_of(world, NUMBER)


def test_a_listing_of_projects_that_fails_makes_the_sweep_incomplete_and_resolves_nothing(world: SweepWorld) -> None:
    world.replace_body(connector_of(world, NUMBER), offerings=[])
    first = found(whole(world))
    world.google.of_projects.failures.plan("list_projects", ConfigurationError("denied", setting="the role"))
    report = whole(world)
    assert (report.complete, report.asked) == (False, ())
    assert found(report, Standing.RESOLVED) == Counter()
    assert found(report, Standing.UNSEEN) == first
    assert report.looked["accounts"] == 1


def test_a_listing_of_projects_that_may_pass_is_tried_again(world: SweepWorld) -> None:
    world.google.of_projects.failures.plan("list_projects", TransientError("quota"))
    report = whole(world)
    assert (report.complete, report.looked["projects"]) == (True, 2)


def test_a_policy_that_loses_its_projects_meanwhile_leaves_them_unseen(world: SweepWorld) -> None:
    sweep_slice(ask_for_sweep(world.queue, world.clock), world.ports)
    world.source.policy = replace(world.source.policy, gcp=None)
    report = world.work()
    assert report is not None
    assert {gap.account for gap in report.gaps} == {MANAGEMENT, NUMBER}
    assert report.looked["accounts"] == 1


def test_an_account_with_the_digits_of_a_project_is_not_taken_for_it(world: SweepWorld) -> None:
    world.add(account(NUMBER, joined_at=OLD), connected=False)
    report = whole(world)
    assert report.asked == (NUMBER,)
    assert [each.data.provider for each in world.sender.requests] == [Provider.AWS]


def test_an_unhealthy_connector_is_told_in_defender_s_words_and_nobody_looks_for_roles_of_aws(
    world: SweepWorld,
) -> None:
    known = str(connector_of(world, NUMBER).connector_id).lower()
    issue = HealthIssue(key="a", name="no access")
    world.health.reports[known] = (HealthReport(connector_id=known, code="NotHealthy", issues=(issue,)),)
    assert found(whole(world)) == Counter([("connector-unhealthy", NUMBER)])
    assert (world.identities.asked, world.templates.asked) == ([], [])


def test_resource_groups_of_projects_are_looked_at_for_rights(world: SweepWorld) -> None:
    named = {scope.rpartition("/")[2] for scope in scopes_asked(world)}
    assert named == {world.source.policy.target.resource_group, MEMBER.target.resource_group}


def test_a_plan_that_projects_need_and_that_is_off_is_told(world: SweepWorld) -> None:
    subscription = MEMBER.target.subscription_id.lower()
    assert subscription != world.source.policy.target.subscription_id.lower()
    world.subscriptions.off[subscription] = {"VirtualMachines"}
    report = whole(world)
    assert found(report) == Counter([("subscription-plan-off", "")])
    assert report.open[0].finding.evidence["connectors"] == "2"


def test_paid_plans_of_projects_are_counted(world: SweepWorld) -> None:
    assert whole(world).plans["servers"].connectors == 2


def scopes_asked(world: SweepWorld) -> list[str]:
    whole(world)
    return list(world.rights.asked)


def test_what_the_sweep_asks_for_is_onboarded_and_then_nothing_is_asked(both_clouds: Policy) -> None:
    azure = AzureSide(both_clouds)
    world = SweepWorld(both_clouds, clock=azure.clock, ledger=azure.ledger, manager=azure.connectors)
    world.google = azure.google
    numbers = [f"{number:012d}" for number in range(500, 650)]
    plant(world, old(MANAGEMENT, name="mdc-mgmt-proj-123456789012"), connected=False)
    for number in numbers:
        plant(world, old(number, name=f"shop-{number}"), connected=False)

    def sweep() -> SweepReport:
        report = whole(world)
        for asked in sorted(world.sender.requests, key=lambda each: each.data.hierarchy_identifier != MANAGEMENT):
            onboard(asked, azure.ports)
            azure.snapshot.refresh()
        world.sender.sent.clear()
        world.tenant.connectors = azure.connectors.everything()
        return report

    assert set(sweep().asked) == {MANAGEMENT}
    assert set(sweep().asked) == set(numbers)
    puts = len(azure.connectors.puts)
    report = sweep()
    assert (report.asked, len(azure.connectors.puts)) == ((), puts)
