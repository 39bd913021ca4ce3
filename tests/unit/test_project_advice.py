"""Discovery and advice of the daily sweep for GCP projects: what they lack for the plans of their profiles."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.ledger import AccountKey
from shared.domain.profiles import FOUNDATIONAL, RECOMMENDED, Arc, Containers, Databases, Profile, Servers
from shared.domain.sweep.advice import Assessed
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import (
    ARC_ASSESSMENT,
    GCP_ARC_ASSESSMENT,
    GKE_POLICY_ASSESSMENT,
    GKE_SENSOR_ASSESSMENT,
    OSCONFIG_ASSESSMENT,
    SSM_ASSESSMENT,
)
from shared.domain.sweep.report import Standing
from shared.errors import TransientError
from tests.fakes.clock import NOON
from tests.fakes.ledger import connected
from tests.fakes.project_machines import NUMBER, PROJECT, both_clouds, world_of_both
from tests.fakes.sweep import SweepWorld

ALL_WRONG = {
    OSCONFIG_ASSESSMENT: Assessed(unhealthy=3, healthy=7),
    GCP_ARC_ASSESSMENT: Assessed(unhealthy=4, healthy=6),
    GKE_SENSOR_ASSESSMENT: Assessed(unhealthy=1, healthy=1),
    GKE_POLICY_ASSESSMENT: Assessed(unhealthy=2),
}
MACHINES = {"osconfig-missing", "arc-missing"}


class Project:
    """One project with its connector, as the profile wants it."""

    def __init__(self, profile: Profile = RECOMMENDED) -> None:
        policy = both_clouds()
        assert policy.gcp is not None
        self.sweep: SweepWorld = world_of_both(
            policy=replace(policy, gcp=replace(policy.gcp, default_profile=profile, rules=()))
        )
        self.connector = next(
            str(each.connector_id).lower()
            for each in self.sweep.tenant.connectors
            if each.hierarchy_identifier == NUMBER
        )

    def made(self, hours_ago: float) -> None:
        """The ledger remembers when the connector was made."""
        key = AccountKey(provider=PROJECT.provider, hierarchy_identifier=NUMBER)
        self.sweep.ledger.record(connected(key, NOON - timedelta(hours=hours_ago)))

    def found(self) -> dict[str, SweepFinding]:
        """The findings of one complete sweep by kind; each kind once, and all about the project."""
        report = self.sweep.sweep()
        assert report is not None
        assert report.complete
        assert {each.finding.account for each in report.open} <= {NUMBER}
        by_kind = {each.finding.key: each.finding for each in report.open}
        assert len(by_kind) == len(report.open)
        return by_kind


@pytest.fixture
def project() -> Project:
    return Project()


def test_a_project_with_everything_gets_no_advice(project: Project) -> None:
    project.sweep.advice.everything[project.connector] = {key: Assessed(healthy=10) for key in ALL_WRONG}
    assert project.found() == {}
    assert (project.sweep.profiles.asked, project.sweep.google.of_instances.asked) == ([], [])


def test_shares_are_told_and_where_to_read_which(project: Project) -> None:
    project.sweep.advice.everything[project.connector] = ALL_WRONG
    found = project.found()
    assert {key: each.reason for key, each in found.items()} == {
        "osconfig-missing": "3 of 10 instances have no OS Config agent",
        "arc-missing": "4 of 10 instances are not connected to Azure Arc",
        "cluster-extension-missing": "1 of 2 GKE clusters are without Defender's sensor; "
        "2 of 2 GKE clusters are without Azure Policy",
    }
    assert {key: each.link.rpartition("/")[2] for key, each in found.items()} == {
        "osconfig-missing": OSCONFIG_ASSESSMENT,
        "arc-missing": GCP_ARC_ASSESSMENT,
        "cluster-extension-missing": GKE_SENSOR_ASSESSMENT,
    }
    assert "Systems Manager" not in found["arc-missing"].remedy
    assert found["cluster-extension-missing"].evidence == {"Defender's sensor": "1 of 2", "Azure Policy": "2 of 2"}


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (FOUNDATIONAL, set()),
        (Profile(name="p", servers=Servers()), MACHINES),
        (Profile(name="p", servers=Servers(), arc=Arc(enabled=False)), {"arc-missing"}),
        (Profile(name="p", databases=Databases()), MACHINES),
        (Profile(name="p", databases=Databases(), arc=Arc(enabled=False)), set()),
        (Profile(name="p", containers=Containers()), {"cluster-extension-missing"}),
        (Profile(name="p", containers=Containers(sensor=False, azure_policy=False)), set()),
    ],
    ids=["foundational", "servers", "servers by hand", "databases", "databases by hand", "containers", "agentless"],
)
def test_only_what_the_profile_needs_is_advised(profile: Profile, told: set[str]) -> None:
    project = Project(profile)
    project.sweep.advice.everything[project.connector] = ALL_WRONG
    assert set(project.found()) == told


def test_an_extension_that_the_profile_leaves_out_is_not_missed() -> None:
    project = Project(Profile(name="p", containers=Containers(sensor=False)))
    project.sweep.advice.everything[project.connector] = ALL_WRONG
    found = project.found()["cluster-extension-missing"]
    assert found.reason == "2 of 2 GKE clusters are without Azure Policy"
    assert found.link.endswith(GKE_POLICY_ASSESSMENT)


def test_recommendations_of_aws_say_nothing_of_projects(project: Project) -> None:
    project.sweep.advice.everything[project.connector] = {
        SSM_ASSESSMENT: Assessed(unhealthy=9),
        ARC_ASSESSMENT: Assessed(unhealthy=9),
    }
    assert project.found() == {}


def test_nothing_discovered_is_told_after_the_six_days_that_defender_may_take(project: Project) -> None:
    project.sweep.health.discovered[project.connector] = {}
    project.made(hours_ago=143)
    assert project.found() == {}
    project.sweep.clock.advance(3600)
    found = project.found()
    assert set(found) == {"nothing-discovered"}
    assert found["nothing-discovered"].reason == "Defender has assessed nothing through it in 144 hours"


def test_what_was_discovered_is_counted_with_its_cloud(project: Project) -> None:
    project.sweep.health.discovered[project.connector] = {"gcp/clusters": 1, "gcp/instances": 12}
    report = project.sweep.sweep()
    assert report is not None
    assert report.discovered == {"gcp/instances": 12, "ec2": 3, "gcp/clusters": 1}


@pytest.mark.parametrize(
    ("discovered", "told"),
    [
        ({"gcp/instances": 3}, True),
        ({"gcp/instances": 3, "gcp/clusters": 1}, False),
        ({"gcp/instances": 3, "gcp/container/gkecluster": 1}, False),
        ({"gcp/instances": 3, "gcp/unknown": 1}, False),
    ],
)
def test_no_cluster_is_told_where_none_was_seen_and_every_type_is_known(
    project: Project, discovered: dict[str, int], told: bool
) -> None:
    project.sweep.health.discovered[project.connector] = discovered
    assert ("cluster-missing" in project.found()) is told


def test_no_sql_server_is_told_by_the_machines_alone(project: Project) -> None:
    project.sweep.advice.project_machines.clear()
    project.sweep.advice.machines[NUMBER] = 1  # those of an account with these digits
    project.sweep.health.discovered[project.connector] = {"gcp/clusters": 1, "gcp/unknown": 1}
    found = project.found()
    assert set(found) == {"sql-missing"}
    assert found["sql-missing"].reason == "Databases is on, and no machine with SQL Server was seen in 144 hours"
    project.sweep.advice.project_machines[NUMBER] = 1
    assert project.found() == {}


@pytest.mark.parametrize("method", ["assessed", "sql_machines_of"])
def test_advice_that_cannot_be_read_for_good_is_unseen(project: Project, method: str) -> None:
    project.sweep.advice.everything[project.connector] = ALL_WRONG
    project.found()
    project.sweep.advice.failures.plan(method, *[TransientError("busy")] * 10)
    report = project.sweep.sweep()
    assert report is not None
    assert not report.complete
    assert {each.standing for each in report.findings if each.finding.account == NUMBER} == {Standing.UNSEEN}
