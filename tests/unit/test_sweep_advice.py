"""Advice of the daily sweep: what accounts lack for the plans of their profiles, and when nothing is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey
from shared.domain.policy import Policy, SweepLimits
from shared.domain.profiles import FOUNDATIONAL, RECOMMENDED, Arc, Containers, Databases, Profile, Servers
from shared.domain.sweep.advice import Assessed, RunningInstances
from shared.domain.sweep.findings import Area, Severity, SweepFinding
from shared.domain.sweep.kinds import ARC_ASSESSMENT, SSM_ASSESSMENT
from shared.domain.sweep.report import Standing, SweepReport
from shared.domain.sweep.slices import MOST_TIME
from shared.errors import TransientError
from tests.fakes.clock import NOON
from tests.fakes.ledger import connected
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account

ONE, TWO = "000000000001", "000000000002"
OLD = NOON - timedelta(days=30)
UNMANAGED = {SSM_ASSESSMENT: Assessed(unhealthy=3, healthy=7), ARC_ASSESSMENT: Assessed(unhealthy=4, healthy=6)}
EVERYTHING = {"ec2instance": 10, "ekscluster": 1, "rdsdb": 2}


class Organization:
    """One account with its connector, as the profile wants it, and everything there that its plans may protect."""

    def __init__(self, policy: Policy, profile: Profile = RECOMMENDED) -> None:
        self.sweep = SweepWorld(replace(policy, default_profile=profile))
        self.connector = self.add(ONE)

    def add(self, account_id: str) -> str:
        self.sweep.add(account(account_id, joined_at=OLD))
        connector = str(self.sweep.tenant.connectors[-1].connector_id).lower()
        self.sweep.health.discovered[connector] = dict(EVERYTHING)
        return connector

    def made_at(self, days_ago: float) -> None:
        """The ledger remembers when the connector was made."""
        key = AccountKey(provider=Provider.AWS, hierarchy_identifier=ONE)
        self.sweep.ledger.record(connected(key, NOON - timedelta(days=days_ago)))

    def report(self) -> SweepReport:
        report = self.sweep.sweep()
        assert report is not None
        return report

    def advice(self) -> dict[str, SweepFinding]:
        """The findings of one sweep by kind; each kind once."""
        found = [each.finding for each in self.report().open]
        assert max(Counter(each.key for each in found).values(), default=0) <= 1
        return {each.key: each for each in found}


@pytest.fixture
def world(policy: Policy) -> Organization:
    return Organization(policy)


def test_an_account_with_everything_gets_no_advice(world: Organization) -> None:
    world.sweep.advice.everything[world.connector] = {
        SSM_ASSESSMENT: Assessed(healthy=10),
        ARC_ASSESSMENT: Assessed(healthy=10),
    }
    world.sweep.profiles.running[ONE] = RunningInstances(running=5, without_profile=(OLD,))
    assert world.advice() == {}
    assert world.sweep.profiles.asked == []


def test_the_share_of_instances_is_told_and_where_to_read_which(world: Organization) -> None:
    world.sweep.advice.everything[world.connector] = UNMANAGED
    found = world.advice()
    assert set(found) == {"ssm-missing", "arc-missing"}
    ssm, arc = found["ssm-missing"], found["arc-missing"]
    assert ssm.reason == "3 of 10 instances are not managed by AWS Systems Manager"
    assert arc.reason == "4 of 10 instances are not connected to Azure Arc"
    assert (ssm.severity, arc.severity) == (Severity.MEDIUM, Severity.LOW)
    assert (ssm.area, ssm.account, ssm.evidence) == (Area.ADVICE, ONE, {"unhealthy": "3", "instances": "10"})
    assert ssm.link.endswith(f"/assessmentKey/{SSM_ASSESSMENT}")
    assert arc.link.endswith(f"/assessmentKey/{ARC_ASSESSMENT}")


def test_the_finding_is_the_same_when_the_share_changes(world: Organization) -> None:
    world.sweep.advice.everything[world.connector] = UNMANAGED
    first = world.advice()
    world.sweep.advice.everything[world.connector] = {key: Assessed(unhealthy=1) for key in UNMANAGED}
    report = world.report()
    assert {each.standing for each in report.findings} == {Standing.STILL}
    assert {each.finding.identity for each in report.findings} == {each.identity for each in first.values()}
    assert (report.asked, world.sweep.sender.sent) == ((), [])


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (FOUNDATIONAL, set()),
        (Profile(name="p", containers=Containers()), set()),
        (Profile(name="p", servers=Servers()), {"ssm-missing", "arc-missing"}),
        (Profile(name="p", databases=Databases()), {"ssm-missing", "arc-missing"}),
        (Profile(name="p", servers=Servers(), arc=Arc(enabled=False)), {"arc-missing"}),
        (Profile(name="p", databases=Databases(), arc=Arc(enabled=False)), set()),
    ],
    ids=["foundational", "containers", "servers", "databases", "servers by hand", "databases by hand"],
)
def test_machines_are_advised_on_only_where_a_plan_needs_them(policy: Policy, profile: Profile, told: set[str]) -> None:
    world = Organization(policy, profile)
    world.sweep.advice.everything[world.connector] = UNMANAGED
    assert set(world.advice()) == told


LAUNCHED = (OLD, NOON - timedelta(days=3), NOON - timedelta(days=1))


@pytest.mark.parametrize(
    ("days_ago", "later", "since"),
    [
        (10, "2", "2 of them launched after the connector was made"),
        (2, "1", "1 of them launched after the connector was made"),
        (40, "3", "3 of them launched after the connector was made"),
        (None, "unknown", "how many of them launched after the connector was made is not known"),
    ],
)
def test_instances_without_a_profile_are_told_and_the_younger_ones_apart(
    world: Organization, days_ago: float | None, later: str, since: str
) -> None:
    if days_ago is not None:
        world.made_at(days_ago)
    world.sweep.advice.everything[world.connector] = UNMANAGED
    world.sweep.profiles.running[ONE] = RunningInstances(running=5, without_profile=LAUNCHED)
    finding = world.advice()["ssm-profile-missing"]
    assert finding.reason == f"3 of 5 running instances have no instance profile; {since}"
    assert finding.evidence == {"running": "5", "without_profile": "3", "launched_after_the_connector": later}
    assert (finding.subject, finding.severity) == (ONE, Severity.LOW)


def test_instances_that_all_have_a_profile_are_no_finding(world: Organization) -> None:
    world.sweep.advice.everything[world.connector] = UNMANAGED
    world.sweep.profiles.running[ONE] = RunningInstances(running=5)
    assert "ssm-profile-missing" not in world.advice()
    assert world.sweep.profiles.asked == [ONE]


def test_an_account_is_asked_only_where_defender_misses_systems_manager(world: Organization) -> None:
    world.add(TWO)
    world.sweep.advice.everything[world.connector] = UNMANAGED
    for each in (ONE, TWO):
        world.sweep.profiles.running[each] = RunningInstances(running=1, without_profile=(OLD,))
    found = [(each.finding.key, each.finding.account) for each in world.report().open]
    assert sorted(found) == [("arc-missing", ONE), ("ssm-missing", ONE), ("ssm-profile-missing", ONE)]
    assert world.sweep.profiles.asked == [ONE]


def test_an_account_with_two_connectors_is_asked_and_told_once(world: Organization) -> None:
    connector = world.sweep.tenant.connectors[0]
    copy = replace(connector, connector_id=replace(connector.connector_id, name="copy"))
    world.sweep.tenant.connectors.append(copy)
    for each in (world.connector, str(copy.connector_id).lower()):
        world.sweep.advice.everything[each] = UNMANAGED
    world.sweep.profiles.running[ONE] = RunningInstances(running=1, without_profile=(OLD,))
    counted = Counter(each.finding.key for each in world.report().open)
    assert (counted["ssm-missing"], counted["ssm-profile-missing"]) == (2, 1)
    assert world.sweep.profiles.asked == [ONE]


def test_an_account_that_gives_no_answer_is_a_gap_and_hides_what_was_found(world: Organization) -> None:
    world.sweep.advice.everything[world.connector] = UNMANAGED
    world.sweep.profiles.running[ONE] = RunningInstances(running=1, without_profile=(OLD,))
    assert "ssm-profile-missing" in world.advice()
    world.sweep.profiles.unreachable.add(ONE)
    report = world.report()
    assert not report.complete
    assert [(gap.area, gap.account) for gap in report.gaps] == [(Area.ADVICE, ONE)]
    standings = {each.finding.key: each.standing for each in report.findings}
    assert standings["ssm-profile-missing"] is Standing.UNSEEN
    assert standings["ssm-missing"] is Standing.STILL


def test_a_region_that_refuses_is_named_and_the_sweep_is_complete(world: Organization) -> None:
    world.sweep.advice.everything[world.connector] = UNMANAGED
    world.sweep.profiles.running[ONE] = RunningInstances(running=0, refused=("ap-east-1", "me-south-1"))
    report = world.report()
    assert report.complete
    found = {each.finding.key: each.finding for each in report.open}
    assert set(found) == {"ssm-missing", "arc-missing"}
    assert found["ssm-missing"].evidence["regions_that_refused"] == "ap-east-1, me-south-1"


def test_accounts_that_a_slice_has_no_time_for_are_gaps(world: Organization) -> None:
    second = world.add(TWO)
    for each in (world.connector, second):
        world.sweep.advice.everything[each] = UNMANAGED
    answer = world.sweep.profiles.running_of

    def slowly(account_id: str, regions: Sequence[str] = ()) -> RunningInstances:
        world.sweep.clock.advance(MOST_TIME.total_seconds() + 1)
        return answer(account_id, regions)

    world.sweep.profiles.running_of = slowly  # type: ignore[method-assign]
    report = world.report()
    assert [(gap.account, gap.reason) for gap in report.gaps] == [(TWO, "the time of a slice was over")]
    assert not report.complete


def plans(**on: Any) -> Profile:
    return Profile(name="p", **on)


@pytest.mark.parametrize(
    ("profile", "discovered", "machines", "told"),
    [
        (plans(containers=Containers()), {"ec2instance": 1}, 0, {"cluster-missing"}),
        (plans(containers=Containers()), {"ec2instance": 1, "ekscluster": 1}, 0, set()),
        (plans(containers=Containers()), {"ec2instance": 1, "eks/cluster": 1}, 0, set()),
        (plans(containers=Containers()), {"ecscluster": 1, "ecrrepository": 9}, 0, {"cluster-missing"}),
        (plans(containers=Containers()), {"ec2instance": 1, "unknown": 1}, 0, set()),
        (plans(databases=Databases()), {"ec2instance": 1}, 0, {"sql-missing"}),
        (plans(databases=Databases()), {"ec2instance": 1}, 1, set()),
        (plans(databases=Databases()), {"rdsdb": 1}, 0, set()),
        (plans(databases=Databases()), {"rds/db": 1}, 0, set()),
        (RECOMMENDED, {"s3bucket": 1}, 0, {"cluster-missing", "sql-missing"}),
        (FOUNDATIONAL, {"s3bucket": 1}, 0, set()),
    ],
)
def test_a_plan_without_anything_to_protect_is_told(
    policy: Policy, profile: Profile, discovered: dict[str, int], machines: int, told: set[str]
) -> None:
    world = Organization(policy, profile)
    world.sweep.health.discovered[world.connector] = discovered
    world.sweep.advice.machines[ONE] = machines
    assert set(world.advice()) == told


def test_what_was_discovered_instead_is_the_evidence_and_it_is_bounded(world: Organization) -> None:
    world.sweep.health.discovered[world.connector] = {f"s3type{number:02d}": 1 for number in range(30)}
    told = world.advice()["cluster-missing"].evidence["types_discovered"]
    assert told.startswith("s3type00, s3type01, ")
    assert told.endswith("s3type09 and 20 more")


def test_workloads_are_not_missed_before_the_window_is_over_nor_where_nothing_was_discovered(policy: Policy) -> None:
    world = Organization(replace(policy, sweep=SweepLimits(discovery_hours=48)))
    world.sweep.health.discovered[world.connector] = {"s3bucket": 1}
    world.made_at(1.9)
    assert world.advice() == {}
    world.sweep.clock.advance(3 * 3600)
    assert set(world.advice()) == {"cluster-missing", "sql-missing"}
    world.sweep.health.discovered[world.connector] = {}
    assert set(world.advice()) == {"nothing-discovered"}


def test_accounts_that_the_policy_leaves_out_get_no_advice(world: Organization) -> None:
    world.sweep.advice.everything[world.connector] = UNMANAGED
    world.sweep.health.discovered[world.connector] = {"s3bucket": 1}
    exclusions = replace(world.sweep.policy.exclusions, account_ids=frozenset({ONE}))
    world.sweep.source.policy = replace(world.sweep.source.policy, exclusions=exclusions)
    assert set(world.advice()) == {"connector-orphaned"}
    assert world.sweep.profiles.asked == []


@pytest.mark.parametrize("listing", ["assessed", "sql_machines_of"])
def test_a_query_that_fails_is_tried_again_by_the_queue(world: Organization, listing: str) -> None:
    world.sweep.advice.everything[world.connector] = UNMANAGED
    world.sweep.advice.failures.plan(listing, TransientError("throttled"))
    report = world.report()
    assert report.complete
    assert {each.finding.key for each in report.open} == {"ssm-missing", "arc-missing"}


def test_a_query_that_keeps_failing_is_no_good_news(world: Organization) -> None:
    world.sweep.advice.everything[world.connector] = UNMANAGED
    before = world.advice()
    world.sweep.advice.failures.plan("assessed", *(TransientError("throttled") for _ in range(9)))
    report = world.report()
    assert not report.complete
    unseen = {each.finding.key for each in report.findings if each.standing is Standing.UNSEEN}
    assert unseen == set(before)


def test_the_report_counts_what_was_discovered_by_type_over_all_slices(world: Organization) -> None:
    world.add(TWO)
    assert world.report().discovered == {"ec2instance": 20, "rdsdb": 4, "ekscluster": 2}


def test_the_report_names_the_most_frequent_types_and_adds_the_others_up(world: Organization) -> None:
    counted = EVERYTHING | {f"type{number:02d}": number + 1 for number in range(60)}
    world.sweep.health.discovered[world.connector] = counted
    discovered = world.report().discovered
    assert len(discovered) == 41
    assert list(discovered)[:2] == ["type59", "type58"]
    assert sum(discovered.values()) == sum(counted.values())
    assert discovered["other"] == sum(sorted(counted.values())[:-40])
