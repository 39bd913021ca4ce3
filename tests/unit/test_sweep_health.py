"""The daily sweep on fakes: Defender's word on connectors, and a look into accounts that it calls unhealthy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.accounts import AccountState
from shared.domain.policy import Mode, OrganizationConnector
from shared.domain.roles import AUDIENCE_OF
from shared.domain.sweep.findings import Area
from shared.domain.sweep.health import HealthIssue, HealthReport
from shared.domain.sweep.identity import THUMBPRINT, IdentitySeen, ProviderSeen, RoleSeen
from shared.domain.sweep.report import Standing
from shared.domain.sweep.slices import MOST_TIME
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account
from tests.unit.test_sweep import OLD, found, world

__all__ = ["world"]

SESSION = "MicrosoftDefenderForClouds_"


def test_each_issue_of_an_unhealthy_connector_is_a_finding(world: SweepWorld) -> None:
    connector = str(world.tenant.connectors[0].connector_id).lower()
    issues = (
        HealthIssue(key="a", name="no StackSet", steps="<ol><li>Compare <b>the names</b>.</li></ol>"),
        HealthIssue(key="b", name="no role"),
    )
    world.health.reports[connector] = (HealthReport(connector_id=connector, code="NotHealthy", issues=issues),)
    report = world.sweep()
    assert report is not None
    assert [each.finding.reason for each in report.open] == [
        "Defender calls it unhealthy: no StackSet",
        "Defender calls it unhealthy: no role",
    ]
    assert report.open[0].finding.remedy == "Compare the names . Runbook: connector-unhealthy."


def unhealthy(world: SweepWorld, number: int) -> str:
    """Makes Defender call that account's connector unhealthy; the account's id."""
    connector = world.tenant.connectors[number]
    known = str(connector.connector_id).lower()
    report = HealthReport(connector_id=known, code="NotHealthy", issues=(HealthIssue(key="a", name="no access"),))
    world.health.reports[known] = (report,)
    return connector.hierarchy_identifier


@pytest.mark.parametrize(
    ("changed", "key", "told"),
    [
        ({"provider": None}, "provider-wrong", "is not there"),
        (
            {"provider": ProviderSeen(client_ids=frozenset(), thumbprints=frozenset({THUMBPRINT}))},
            "provider-wrong",
            "lacks the client ids api://",
        ),
        (
            {"provider": ProviderSeen(client_ids=frozenset(AUDIENCE_OF.values()), thumbprints=frozenset())},
            "provider-wrong",
            "lacks the thumbprint",
        ),
        ({"CspmMonitorAws": None}, "role-wrong", "CspmMonitorAws: it is not there"),
        ({"CspmMonitorAws": RoleSeen()}, "role-wrong", "audience"),
        (
            {
                "CspmMonitorAws": RoleSeen(
                    audiences=frozenset(AUDIENCE_OF.values()), session_names=frozenset({f"{SESSION}another"})
                )
            },
            "role-wrong",
            "RoleSessionName",
        ),
    ],
)
def test_an_unhealthy_account_is_looked_into(world: SweepWorld, changed: dict[str, Any], key: str, told: str) -> None:
    account_id = unhealthy(world, 0)
    world.identities.changes[account_id] = changed
    report = world.sweep()
    assert report is not None
    assert found(report) == Counter([("connector-unhealthy", account_id), (key, account_id)])
    assert told in next(each.finding.reason for each in report.open if each.finding.key == key)
    assert world.identities.asked == [account_id]  # the healthy ones are left alone


def test_an_unhealthy_account_that_gives_no_answer_is_a_gap(world: SweepWorld) -> None:
    account_id = unhealthy(world, 0)
    world.identities.unreachable.add(account_id)
    report = world.sweep()
    assert report is not None
    assert [(gap.area, gap.account) for gap in report.gaps] == [(Area.HEALTH, account_id)]


def test_an_unhealthy_connector_without_a_report_is_not_resolved(world: SweepWorld) -> None:
    account_id = unhealthy(world, 0)
    known = str(world.tenant.connectors[0].connector_id).lower()
    world.sweep()
    del world.health.reports[known]
    report = world.sweep()
    assert report is not None
    assert report.complete
    assert found(report, Standing.UNSEEN) == Counter([("connector-unhealthy", account_id)])
    assert found(report, Standing.NEW) == Counter([("health-unknown", account_id)])


def test_a_stack_with_another_template_than_its_stack_set_is_found(world: SweepWorld) -> None:
    account_id = unhealthy(world, 0)
    world.templates.changes[account_id] = {"template_hash": "bb", "status": "OUTDATED", "reason": "AWS's own words"}
    report = world.sweep()
    assert found(report) == Counter([("connector-unhealthy", account_id), ("template-differs", account_id)])
    assert report is not None
    told = {"stack_instance": "OUTDATED (SUCCEEDED)", "stack_instance_reason": "AWS's own words"}
    told["stack"] = f"StackSet-roles-{account_id}"
    evidence = {each.finding.key: each.finding.evidence for each in report.open}
    assert evidence["template-differs"] == {"template": "bb", "template_of_stack_set": "aa", **told}
    assert evidence["connector-unhealthy"] == {"issue": "a", **told}
    assert world.templates.asked == [account_id]  # the healthy ones are left alone


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"template_hash": ""}, "it is not there"),
        ({"template_hash": "", "stack": "", "status": "INOPERABLE", "detailed_status": "FAILED"}, ""),
        ({"template_hash": "bb", "detailed_status": "RUNNING"}, ""),
        ({"template_hash": "bb", "detailed_status": "PENDING"}, ""),
        ({"template_hash": "bb", "detailed_status": "FAILED"}, "its template is not that of the StackSet"),
    ],
    ids=["stack gone", "no stack", "under way", "about to be", "failed"],
)
def test_only_a_stack_that_is_settled_can_have_the_wrong_template(
    world: SweepWorld, changed: dict[str, str], told: str
) -> None:
    account_id = unhealthy(world, 0)
    world.templates.changes[account_id] = changed
    report = world.sweep()
    assert report is not None
    reasons = [each.finding.reason for each in report.open if each.finding.key == "template-differs"]
    assert [each.partition(": ")[2] for each in reasons] == ([told] if told else [])
    [issue] = [each.finding for each in report.open if each.finding.key == "connector-unhealthy"]
    assert issue.evidence["stack_instance"].startswith(changed.get("status", "CURRENT"))


def test_a_stack_that_cannot_be_read_hides_nothing_of_the_roles(world: SweepWorld) -> None:
    account_id = unhealthy(world, 0)
    world.templates.changes[account_id] = {"template_hash": "bb"}
    world.sweep()
    world.templates.unreachable.add(account_id)
    world.identities.changes[account_id] = {"provider": None}
    report = world.sweep()
    assert report is not None
    assert [(gap.area, gap.account) for gap in report.gaps] == [(Area.HEALTH, account_id)]
    assert found(report, Standing.UNSEEN) == Counter([("template-differs", account_id)])
    assert found(report, Standing.NEW) == Counter([("provider-wrong", account_id), ("sweep-incomplete", "")])


def test_where_no_stack_set_made_the_roles_no_template_is_compared(world: SweepWorld) -> None:
    account_id = unhealthy(world, 0)
    world.templates.without_instance.add(account_id)
    assert found(world.sweep()) == Counter([("connector-unhealthy", account_id)])


def test_the_management_account_has_no_stack_instance(world: SweepWorld) -> None:
    account_id = world.tenant.connectors[0].hierarchy_identifier
    parent = OrganizationConnector(name="organization", management_account=account_id, stack_set_name="defender")
    kept = SweepWorld(replace(world.policy, mode=Mode.MEMBER, organization_connector=parent))
    kept.add(account(account_id, joined_at=OLD, is_management=True))
    assert ("connector-unhealthy", unhealthy(kept, 0)) in found(kept.sweep())
    assert (kept.templates.asked, kept.identities.asked) == ([], [account_id])


@pytest.mark.parametrize(
    ("changed", "is_listed"),
    [
        ({"state": AccountState.SUSPENDED}, True),
        ({"ou_path": "/Sandbox"}, True),
        ({"is_management": True}, True),
        ({}, False),
    ],
    ids=["closed", "excluded", "management account", "left"],
)
def test_an_account_that_is_included_no_more_is_not_looked_into(
    world: SweepWorld, changed: dict[str, Any], is_listed: bool
) -> None:
    """Its roles are gone, or nobody may ask it: that leaves no gap for as long as its connector stays."""
    account_id = unhealthy(world, 0)
    world.directory.add(account(account_id, joined_at=OLD, **changed))
    if not is_listed:
        del world.directory.accounts[account_id]
    world.identities.unreachable.add(account_id)
    world.templates.unreachable.add(account_id)
    report = world.sweep()
    assert report is not None
    assert (report.complete, report.gaps) == (True, ())
    assert found(report) == Counter([("connector-unhealthy", account_id), ("connector-orphaned", account_id)])
    assert (world.identities.asked, world.templates.asked) == ([], [])


def test_accounts_are_looked_into_for_a_part_of_a_slice_s_time(world: SweepWorld) -> None:
    """What Defender says of the others is said all the same."""
    accounts = [unhealthy(world, number) for number in range(3)]
    inspect = world.identities.inspect

    def slowly(account_id: str, roles: Sequence[str]) -> IdentitySeen:
        world.clock.advance(MOST_TIME.total_seconds() / 2 + 1)
        return inspect(account_id, roles)

    world.identities.inspect = slowly  # type: ignore[method-assign]
    report = world.sweep()
    assert report is not None
    assert world.identities.asked == world.templates.asked == accounts[:2]
    told = [(gap.area, gap.account, gap.reason, gap.told) for gap in report.gaps]
    assert told == [(Area.HEALTH, accounts[2], "the time of a slice was over", False)]
    assert not report.complete
    expected = Counter([("connector-unhealthy", each) for each in accounts])
    assert found(report) == expected + Counter([("sweep-incomplete", "")])
