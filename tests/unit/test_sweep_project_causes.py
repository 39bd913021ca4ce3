"""The daily sweep looks why Defender cannot get into projects: once for all members, else where one is unhealthy.

Which cause is told by which call: tests/contract/test_project_causes.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.accounts import Account
from shared.domain.policy import Policy
from shared.domain.sweep.findings import Area
from shared.domain.sweep.project_home import home_of, home_of_members
from shared.domain.sweep.project_identity import ListPolicySeen
from shared.domain.sweep.report import Standing, SweepReport
from shared.domain.sweep.slices import MOST_TIME
from shared.errors import ConfigurationError, TransientError
from tests.fakes.sweep import SweepWorld
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, NUMBER, STANDALONE, project
from tests.unit.test_sweep import OLD, found

DENIED = TransientError("403 iam.serviceAccounts.get", key="gcp-permission-denied")
UNHEALTHY, POOL = "connector-unhealthy", "gcp-pool-wrong"


def old(number: str = NUMBER) -> Account:
    return project(number, joined_at=OLD, name=f"shop-{number[-3:]}")


def world_of(policy: Policy, gcp: Policy, *numbers: str) -> SweepWorld:
    world = SweepWorld(replace(policy, gcp=replace(gcp, content_hash=policy.content_hash)))
    for number in numbers:
        world.google.of_projects.add(old(number))
        world.connect(old(number))
    return world


@pytest.fixture
def members(policy: Policy) -> SweepWorld:
    """The management project and another, all in place."""
    return world_of(policy, MEMBER, MANAGEMENT, NUMBER)


@pytest.fixture
def alone(policy: Policy) -> SweepWorld:
    """Two projects with identities of their own, all in place."""
    world = world_of(policy, STANDALONE, NUMBER, "345678901239")
    for number in (NUMBER, "345678901239"):
        world.google.make(home_of(old(number), STANDALONE.default_profile, STANDALONE))
    return world


def whole(world: SweepWorld) -> SweepReport:
    report = world.sweep()
    assert report is not None
    return report


def break_pool(world: SweepWorld) -> None:
    pools = world.google.of_identities.pools
    for key, pool in pools.items():
        pools[key] = replace(pool, usable=False, deleted=True)


def looked_at(world: SweepWorld) -> Counter[str]:
    return Counter(world.google.of_identities.asked)


def test_what_members_share_is_looked_at_once_however_many_there_are(policy: Policy) -> None:
    numbers = [f"{number:012d}" for number in range(500, 750)]
    world = world_of(policy, MEMBER, MANAGEMENT, *numbers)
    break_pool(world)
    for number in numbers[:120]:
        world.call_unhealthy(number)
    report = whole(world)
    home = home_of_members(MEMBER)
    assert home is not None
    assert looked_at(world) == Counter([f"pool of {MANAGEMENT}", *map(home.email, home.all_accounts)])
    assert found(report) == Counter([(POOL, MANAGEMENT), *((UNHEALTHY, number) for number in numbers[:120])])


def test_what_is_shared_is_found_before_any_connector_is_unhealthy_and_resolved_once_it_is_mended(
    members: SweepWorld,
) -> None:
    before = dict(members.google.of_identities.pools)
    break_pool(members)
    report = whole(members)
    assert (report.complete, found(report)) == (True, Counter([(POOL, MANAGEMENT)]))
    [tracked] = report.open
    assert (tracked.finding.area, tracked.finding.evidence) == (
        Area.PREREQUISITES,
        {"project": "mdc-mgmt-proj-123456789012"},
    )
    members.google.of_identities.pools.update(before)
    assert found(whole(members), Standing.RESOLVED) == Counter([(POOL, MANAGEMENT)])


def test_what_is_shared_is_resolved_though_the_management_project_s_connector_has_no_report_yet(
    members: SweepWorld,
) -> None:
    before = dict(members.google.of_identities.pools)
    break_pool(members)
    known = members.call_unhealthy(MANAGEMENT)
    del members.health.reports[known]
    assert (POOL, MANAGEMENT) in found(whole(members))
    members.google.of_identities.pools.update(before)
    assert (POOL, MANAGEMENT) in found(whole(members), Standing.RESOLVED)


def test_a_healthy_member_is_not_looked_into(members: SweepWorld) -> None:
    members.google.of_setup.services[NUMBER].clear()
    assert found(whole(members)) == Counter()
    assert not [each for each in members.google.of_rules.asked if NUMBER in each]


def test_an_unhealthy_member_is_told_what_it_lacks_itself(members: SweepWorld) -> None:
    members.call_unhealthy(NUMBER)
    members.google.of_setup.services[NUMBER].discard("compute.googleapis.com")
    forbidden = ListPolicySeen(denied=frozenset({"pubsub.googleapis.com", "sts.googleapis.com"}))
    members.google.of_rules.policies[f"projects/{NUMBER}", "gcp.restrictServiceUsage"] = forbidden
    report = whole(members)
    assert found(report) == Counter(
        [(UNHEALTHY, NUMBER), ("gcp-services-off", NUMBER), ("gcp-services-restricted", NUMBER)]
    )
    remedies = " ".join(each.finding.remedy for each in report.open)
    assert "gcloud services enable compute.googleapis.com --project=shop-230" in remedies
    assert looked_at(members)[f"pool of {NUMBER}"] == 0


def test_the_management_project_itself_is_not_looked_into_twice(members: SweepWorld) -> None:
    members.call_unhealthy(MANAGEMENT)
    members.google.of_setup.services[MANAGEMENT].discard("compute.googleapis.com")
    assert found(whole(members)) == Counter([(UNHEALTHY, MANAGEMENT), ("gcp-services-off", MANAGEMENT)])


def test_in_standalone_only_an_unhealthy_project_is_looked_into(alone: SweepWorld) -> None:
    break_pool(alone)
    assert found(whole(alone)) == Counter()
    assert looked_at(alone) == Counter()
    alone.call_unhealthy(NUMBER)
    report = whole(alone)
    assert found(report) == Counter([(UNHEALTHY, NUMBER), (POOL, NUMBER)])
    assert looked_at(alone)[f"pool of {NUMBER}"] == 1
    assert "--project=shop-230`. Runbook: gcp-pool-wrong." in " ".join(each.finding.remedy for each in report.open)


def test_what_may_not_be_looked_at_is_a_gap_and_what_was_found_there_is_unseen(members: SweepWorld) -> None:
    accounts = members.google.of_identities.accounts
    [cspm] = [each for each in accounts if each.startswith("microsoft-defender-cspm@")]
    accounts[cspm] = replace(accounts[cspm], usable=False)
    assert found(whole(members)) == Counter([("gcp-account-wrong", MANAGEMENT)])
    members.google.of_identities.failures.plan("find_account", *([DENIED] * 40))
    break_pool(members)
    report = whole(members)
    [gap] = report.gaps
    assert (report.complete, gap.area, gap.account) == (False, Area.PREREQUISITES, MANAGEMENT)
    assert gap.reason.startswith("could not tell about service account ")
    assert gap.reason.endswith(": 403 iam.serviceAccounts.get")
    assert found(report, Standing.UNSEEN) == Counter([("gcp-account-wrong", MANAGEMENT)])
    assert found(report, Standing.NEW) == Counter([(POOL, MANAGEMENT), ("sweep-incomplete", "")])


def test_a_perimeter_is_a_finding_and_the_sweep_is_complete(members: SweepWorld) -> None:
    closed = ConfigurationError("403 VPC", setting="the perimeter", remedy="Look for it.", key="gcp-service-perimeter")
    members.google.of_identities.failures.plan("find_pool", closed)
    report = whole(members)
    assert (report.complete, found(report)) == (True, Counter([("gcp-perimeter-closed", MANAGEMENT)]))
    assert [gap.told for gap in report.gaps] == [True]


def test_nothing_more_is_asked_where_google_gives_no_answer(members: SweepWorld) -> None:
    silent = TransientError("no answer", key="gcp-no-answer")
    members.google.of_identities.failures.plan("find_pool", silent)
    report = whole(members)
    [gap] = report.gaps
    assert (report.complete, looked_at(members)) == (False, Counter([f"pool of {MANAGEMENT}"]))
    assert "grants" not in " ".join(members.google.of_rules.asked)
    assert "roles on organization" in gap.reason


def test_a_second_trouble_of_google_s_own_ends_the_look(members: SweepWorld) -> None:
    trouble = TransientError("503", key="gcp-server-error")
    members.google.of_identities.failures.plan("find_pool", trouble)
    members.google.of_identities.failures.plan("find_account", None, trouble)
    report = whole(members)
    assert (report.complete, looked_at(members).total()) == (False, 3)
    assert "grants" not in " ".join(members.google.of_rules.asked)


def test_one_trouble_of_google_s_own_hides_nothing_else(members: SweepWorld) -> None:
    trouble = TransientError("503", key="gcp-server-error")
    members.google.of_identities.failures.plan("find_pool", trouble)
    [gap] = whole(members).gaps
    assert gap.reason.startswith("could not tell about workload identity pool ")
    assert looked_at(members).total() > 3


def test_without_time_only_defender_s_word_is_told(alone: SweepWorld) -> None:
    alone.call_unhealthy(NUMBER)
    break_pool(alone)
    reports_of = alone.health.reports_of

    def slow(ids: list[str]) -> object:
        alone.clock.advance((MOST_TIME + timedelta(seconds=1)).total_seconds())
        return reports_of(ids)

    alone.health.reports_of = slow  # type: ignore[method-assign, assignment]  # time passes while it answers
    report = whole(alone)
    assert found(report) == Counter([(UNHEALTHY, NUMBER), ("sweep-incomplete", "")])
    assert looked_at(alone) == Counter()


def test_a_slice_that_is_given_up_leaves_unseen_what_members_share(members: SweepWorld) -> None:
    break_pool(members)
    whole(members)
    put = members.documents.put

    def failing(name: str, content: bytes, *, over: str | None = None) -> bool:
        if b"gcp-pool-wrong" in content and "/results/" in name:
            raise TransientError("503")
        return put(name, content, over=over)

    members.documents.put = failing  # type: ignore[method-assign]  # its result cannot be written
    report = whole(members)
    assert found(report, Standing.UNSEEN) == Counter([(POOL, MANAGEMENT)])
