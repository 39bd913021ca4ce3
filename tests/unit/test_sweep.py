"""The daily sweep on fakes: what it finds, what becomes of it, and that it always comes to its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.sweep_store import find_latest
from shared.domain.accounts import AccountState, Provider
from shared.domain.connectors import Connector
from shared.domain.ledger import AccountKey, HistoryEntry, Result, State
from shared.domain.matching import Matcher
from shared.domain.policy import Mode, OrganizationConnector, Policy, Repairs
from shared.domain.stack_sets import InstanceState as StackState
from shared.domain.sweep.health import HealthReport
from shared.domain.sweep.report import Standing, SweepReport
from shared.domain.sweeps import Sweep
from shared.errors import ConfigurationError
from tests.fakes.clock import NOON
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account

IDS = [f"{number:012d}" for number in range(1, 8)]
OLD = NOON - timedelta(days=30)


@pytest.fixture
def world(policy: Policy) -> SweepWorld:
    made = SweepWorld(policy)
    for account_id in IDS:
        made.add(account(account_id, joined_at=OLD))
    return made


def found(report: SweepReport | None, *standings: Standing) -> Counter[tuple[str, str]]:
    assert report is not None
    wanted = standings or (Standing.NEW, Standing.STILL)
    return Counter((each.finding.key, each.finding.account) for each in report.findings if each.standing in wanted)


def test_an_organization_in_order_has_no_findings(world: SweepWorld) -> None:
    report = world.sweep()
    assert report is not None
    assert (report.complete, report.open, report.asked) == (True, (), ())
    assert report.looked == {"accounts": 7, "connectors": 7}
    assert world.log.last == Sweep(name="sweep", at=NOON, seen=14, failed=0)
    assert find_latest(world.documents)[0] == report


def test_every_kind_about_accounts(world: SweepWorld) -> None:
    connectors = {each.hierarchy_identifier: each for each in world.tenant.connectors}
    world.tenant.connectors.remove(connectors[IDS[0]])
    world.replace_body(connectors[IDS[1]], offerings=[])
    world.directory.add(account(IDS[2], joined_at=OLD, state=AccountState.SUSPENDED))
    del world.directory.accounts[IDS[3]]
    world.tenant.connectors.append(
        replace(connectors[IDS[4]], connector_id=replace(connectors[IDS[4]].connector_id, name="copy"))
    )
    del world.stacks.states[IDS[5]]
    stranger = connectors[IDS[6]]
    world.tenant.connectors.remove(stranger)
    world.tenant.connectors.append(replace(stranger, body={**stranger.body, "tags": {"owner": "them"}}))
    report = world.sweep()
    assert report is not None
    assert report.complete
    health = {"health-unknown", "nothing-discovered"}
    assert {pair for pair in found(report) if pair[0] not in health} == {
        ("connector-missing", IDS[0]),
        ("connector-drifted", IDS[1]),
        ("connector-orphaned", IDS[2]),
        ("connector-orphaned", IDS[3]),
        ("connector-duplicate", IDS[4]),
        ("stack-instance-missing", IDS[5]),
        ("connector-refused", IDS[6]),
    }
    assert sorted(report.asked) == IDS[:2]
    assert sorted(each.data.hierarchy_identifier for each in world.sender.requests) == IDS[:2]


def test_a_connector_elsewhere_is_told_and_left(world: SweepWorld) -> None:
    connector = world.tenant.connectors[0]
    moved = replace(connector, connector_id=replace(connector.connector_id, resource_group="rg-elsewhere"))
    world.tenant.connectors[0] = moved
    known = str(moved.connector_id).lower()
    world.health.reports[known] = (HealthReport(connector_id=known, code="Healthy"),)
    world.health.discovered[known] = {"ec2": 1}
    assert found(world.sweep()) == Counter([("connector-misplaced", IDS[0])])
    assert world.sender.sent == []


def test_what_is_missing_or_drifted_is_asked_for_only_where_the_policy_says_so(policy: Policy) -> None:
    for repairs, expected in (
        (Repairs(), IDS[:2]),
        (Repairs(missing_connectors=False), IDS[1:2]),
        (Repairs(drifted_connectors=False), IDS[:1]),
        (Repairs(missing_connectors=False, drifted_connectors=False), []),
    ):
        world = SweepWorld(replace(policy, repairs=repairs))
        world.add(account(IDS[0], joined_at=OLD), connected=False)
        world.add(account(IDS[1], joined_at=OLD))
        world.replace_body(world.tenant.connectors[0], offerings=[])
        report = world.sweep()
        assert report is not None
        assert sorted(report.asked) == expected
        assert sorted(each.data.hierarchy_identifier for each in world.sender.requests) == expected


def test_nothing_is_asked_for_where_the_roles_are_not_there(policy: Policy) -> None:
    world = SweepWorld(policy)
    world.add(account(IDS[0], joined_at=OLD), connected=False)
    world.stacks.states[IDS[0]] = StackState.OUTDATED
    assert found(world.sweep()) == Counter([("connector-missing", IDS[0]), ("stack-instance-missing", IDS[0])])
    assert world.sender.sent == []


def test_what_is_missed_of_an_account_that_the_ledger_does_not_know_says_what_it_is_called(policy: Policy) -> None:
    world = SweepWorld(policy)
    missed = account(IDS[0], joined_at=OLD, ou_path="/Team")
    world.add(missed, connected=False)
    world.stacks.states[IDS[0]] = StackState.OUTDATED
    report = world.sweep()
    assert report is not None
    told = {each.finding.key: dict(each.finding.evidence) for each in report.findings}
    assert told.keys() == {"connector-missing", "stack-instance-missing"}
    for evidence in told.values():
        assert (evidence["name"], evidence["unit"]) == (missed.name, "/Team")


def test_a_new_account_is_not_missed_for_an_hour(policy: Policy) -> None:
    world = SweepWorld(policy)
    world.add(account(IDS[0], joined_at=NOON - timedelta(minutes=59)), connected=False)
    assert found(world.sweep()) == Counter()
    world.clock.advance(120)
    assert found(world.sweep()) == Counter([("connector-missing", IDS[0])])


def test_a_new_account_that_had_its_connector_already_is_missed_at_once(policy: Policy) -> None:
    world = SweepWorld(policy)
    made = account(IDS[0], joined_at=NOON - timedelta(minutes=10))
    world.add(made, connected=False)
    report = world.sweep()
    assert (found(report), report and report.asked) == (Counter(), ())
    world.ledger.record(
        HistoryEntry(
            key=AccountKey(provider=made.provider, hierarchy_identifier=IDS[0]),
            at=NOON,
            step="connect:deployed",
            result=Result.CREATED,
            message_id="m",
            attempt=0,
            correlation_id="c",
            state=State.CONNECTED,
        )
    )
    report = world.sweep()
    assert (found(report), report and report.asked) == (Counter([("connector-missing", IDS[0])]), (IDS[0],))


@pytest.mark.parametrize(("hours", "expected"), [(23, Counter()), (25, Counter([("native-member-overdue", IDS[0])]))])
def test_a_member_that_defender_has_not_made_in_a_day_is_told(
    policy: Policy, hours: float, expected: Counter[tuple[str, str]]
) -> None:
    parent = OrganizationConnector(name="organization", management_account="123456789012", stack_set_name="defender")
    world = SweepWorld(replace(policy, mode=Mode.NATIVE, organization_connector=parent))
    world.add(account(IDS[0], joined_at=NOON - timedelta(hours=hours)), connected=False)
    report = world.sweep()
    assert (found(report), report and report.asked) == (expected, ())


def test_the_organization_connector_of_aws_is_asked_for_and_its_list_left_to_the_daily_comparison(
    policy: Policy,
) -> None:
    parent = OrganizationConnector(name="organization", management_account=IDS[0], stack_set_name="defender")
    out = Matcher(ou_paths=("/Sandbox",))
    member = replace(policy, mode=Mode.MEMBER, organization_connector=parent, rules=(), exclusions=out)
    world = SweepWorld(member)
    world.add(account(IDS[0], joined_at=OLD, is_management=True))
    world.add(account(IDS[1], joined_at=OLD, ou_path="/Sandbox"), connected=False)
    report = world.sweep()
    assert (found(report), report and report.asked) == (Counter([("connector-drifted", IDS[0])]), (IDS[0],))
    assert [each.data.exclusions for each in world.sender.requests] == [None]


def test_a_missing_connector_says_what_the_ledger_knows(policy: Policy) -> None:
    world = SweepWorld(policy)
    asked = account(IDS[0], joined_at=OLD)
    world.add(asked, connected=False)
    key = AccountKey(provider=asked.provider, hierarchy_identifier=IDS[0])
    world.ledger.record(
        HistoryEntry(
            key=key,
            at=NOON,
            step="connect:deployed",
            result=Result.PARKED,
            message_id="m",
            attempt=0,
            correlation_id="c",
            state=State.PARKED,
            reason="a lock",
            remedy="Remove the lock.",
        )
    )
    report = world.sweep()
    assert report is not None
    [tracked] = report.open
    assert tracked.finding.evidence["reason"] == "a lock"
    assert tracked.finding.remedy.startswith("Remove the lock.")


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("2026-11-26T00:00:00.0000000Z", True),
        ("2026-11-27T11:59:00Z", True),
        ("2026-11-27T12:01:00Z", False),
        ("2026-11-19T00:00:00Z", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_a_trial_that_ends_within_a_week_is_told(world: SweepWorld, ends: object, told: bool) -> None:
    world.replace_body(world.tenant.connectors[0], hierarchyIdentifierTrialEndDate=ends)
    expected = Counter([("trial-ends", IDS[0])]) if told else Counter()
    assert found(world.sweep()) == expected


def test_messages_that_were_given_up_are_told_until_they_are_gone(world: SweepWorld) -> None:
    world.gauge.depth = replace(world.gauge.depth, waiting=3, oldest_at=OLD)
    report = world.sweep()
    assert found(report) == Counter([("messages-given-up", "")])
    world.gauge.depth = replace(world.gauge.depth, waiting=None, problem="no right to look")
    unread = world.sweep()
    assert unread is not None
    assert not unread.complete
    assert found(unread, Standing.UNSEEN) == found(report)
    world.gauge.depth = replace(world.gauge.depth, waiting=0, problem="")
    assert found(world.sweep(), Standing.RESOLVED) == Counter([("messages-given-up", ""), ("sweep-incomplete", "")])


def remembered(world: SweepWorld, number: int) -> Connector:
    """The ledger says that the account is connected; Resource Graph shows its connector no more."""
    connector = world.tenant.connectors.pop(number)
    world.ledger.record(
        HistoryEntry(
            key=AccountKey(provider=Provider.AWS, hierarchy_identifier=connector.hierarchy_identifier),
            at=NOON,
            step="connect:deployed",
            result=Result.CREATED,
            message_id="m",
            attempt=0,
            correlation_id="c",
            state=State.CONNECTED,
            connector_id=str(connector.connector_id),
        )
    )
    return connector


def test_what_resource_graph_leaves_out_is_looked_up_before_it_is_missed(world: SweepWorld) -> None:
    connector = remembered(world, 0)
    world.manager.plant(connector.connector_id, connector.body)
    assert found(world.sweep()) == Counter()
    world.manager.delete(connector.connector_id)
    assert found(world.sweep()) == Counter([("connector-missing", IDS[0])])


def test_what_may_not_be_read_any_more_is_not_missing(world: SweepWorld) -> None:
    remembered(world, 0)
    world.manager.failures.plan("find", ConfigurationError("no right to read", setting="Reader"))
    report = world.sweep()
    assert report is not None
    assert [(gap.account, gap.reason) for gap in report.gaps] == [(IDS[0], "no right to read")]
    assert "connector-missing" not in {key for key, _ in found(report)}
    assert world.sender.sent == []
