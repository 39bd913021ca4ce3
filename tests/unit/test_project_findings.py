"""A finding about a project is another than one about the account with the same digits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from shared.domain.accounts import Provider
from shared.domain.sweep.health import HealthReport
from shared.domain.sweep.report import Standing
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account
from tests.unit.test_project_policy import NUMBER
from tests.unit.test_sweep import OLD, found
from tests.unit.test_sweep_projects import OTHER, both_clouds, connector_of, old, plant, whole, world

__all__ = ["both_clouds", "world"]  # the fixtures


def test_findings_about_an_account_and_a_project_of_the_same_digits_are_two(world: SweepWorld) -> None:
    world.add(account(OTHER, joined_at=OLD), connected=False)
    plant(world, old(OTHER), connected=False)
    report = whole(world)
    assert found(report) == Counter({("connector-missing", OTHER): 2})
    subjects = {each.finding.subject: each.finding.identity for each in report.open}
    assert subjects.keys() == {OTHER, f"projects/{OTHER}"}
    assert subjects[OTHER] == "b1be0a619f90b741", "as in reports that were stored before projects were swept"
    assert sorted(report.asked) == [OTHER, OTHER]
    assert {each.key.provider for each in world.sender.requests} == set(Provider)
    assert len({each.message_id for each in world.sender.requests}) == 2
    world.google.of_projects.projects.pop(OTHER)
    later = whole(world)
    assert [each.finding.subject for each in later.findings if each.standing is Standing.RESOLVED] == [
        f"projects/{OTHER}"
    ]
    assert [each.finding.subject for each in later.open] == [OTHER]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("second", "connector-duplicate"),
        ("foreign", "connector-refused"),
        ("elsewhere", "connector-misplaced"),
    ],
)
def test_each_finding_that_names_a_project_says_that_it_is_one(world: SweepWorld, change: str, key: str) -> None:
    ours = connector_of(world, NUMBER)
    if change == "second":
        world.tenant.connectors.append(replace(ours, connector_id=replace(ours.connector_id, name="copy")))
    elif change == "foreign":
        alone = {**ours.body["properties"], "environmentData": {"environmentType": "GcpProject"}}
        theirs = replace(ours, body={**ours.body, "tags": {"rollcall": "another"}, "properties": alone})
        world.tenant.connectors = [theirs if each is ours else each for each in world.tenant.connectors]
    else:
        moved = replace(ours, connector_id=replace(ours.connector_id, resource_group="rg-elsewhere"))
        world.tenant.connectors = [moved if each is ours else each for each in world.tenant.connectors]
        known = str(moved.connector_id).lower()
        world.health.reports[known] = (HealthReport(connector_id=known, code="Healthy"),)
        world.health.discovered[known] = {"gcp/clusters": 1}
    told = {each.finding.key: each.finding.subject for each in whole(world).open}
    assert told[key] == f"projects/{NUMBER}"
