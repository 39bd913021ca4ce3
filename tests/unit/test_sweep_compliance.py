"""The sweep and what follows a connector: found where it is undone, and put right where the policy says so."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.application.onboard import onboard
from shared.domain.accounts import Provider
from shared.domain.aftercare import assignment_id, rule_body, rule_id
from shared.domain.connectors import ConnectorId
from shared.domain.ledger import AccountKey, State
from shared.domain.policy import Policy, Repairs
from shared.domain.profiles import GovernanceRule
from shared.domain.stack_sets import InstanceState
from shared.domain.sweep.report import Standing, SweepReport
from shared.errors import TransientError
from tests.fakes.clock import NOON
from tests.fakes.sweep import SweepWorld
from tests.fakes.sweep_compliance import FakeSweptCompliance
from tests.fixtures.read import account, request
from tests.unit.conftest import AzureSide
from tests.unit.test_sweep import found

ID, OTHER = "000000000001", "000000000002"
OLD = NOON - timedelta(days=30)
CIS, PCI = "CIS AWS Foundations v3.0.0", "PCI DSS 4.0.1"
RULE = GovernanceRule(
    name="High first",
    priority=100,
    severities=("High", "Medium"),
    owner="secops@example.com",
    owner_from_tag=False,
    remediation_days=7,
    grace_period=True,
)


@pytest.fixture
def asking(policy: Policy) -> Policy:
    """A policy whose default profile asks for two standards and a rule."""
    profile = replace(policy.default_profile, standards=(CIS.lower(), PCI), governance=(RULE,))
    return replace(policy, default_profile=profile)


class Both:
    """The sweep and the onboarding of one deployment: one ledger, one Resource Manager."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.azure = AzureSide(policy)
        self.world = SweepWorld(policy, clock=self.azure.clock, ledger=self.azure.ledger, manager=self.azure.connectors)
        self.compliance = self.azure.compliance
        self.world.compliance = FakeSweptCompliance(self.compliance)

    def connect(self, account_id: str) -> ConnectorId:
        """An account that is onboarded; where its connector is."""
        self.world.directory.add(account(account_id, joined_at=OLD))
        self.world.stacks.states[account_id] = InstanceState.CURRENT
        asked = {"hierarchy_identifier": account_id, "ou_path": "/Workloads/Prod"}
        outcome = onboard(request(data=asked, policy_hash=self.policy.content_hash), self.azure.ports)
        self.look()
        return ConnectorId.parse(outcome.connector_id)

    def look(self) -> None:
        """Resource Graph catches up."""
        self.world.tenant.connectors = self.azure.connectors.everything()
        self.azure.snapshot.refresh()

    def sweep(self) -> SweepReport:
        """A sweep, and then the work that it asks for."""
        report = self.world.sweep()
        assert report is not None
        for asked in self.world.sender.requests:
            onboard(asked, self.azure.ports)
        self.world.sender.sent.clear()
        self.look()
        return report

    def place(self, connector: ConnectorId, standard: str) -> str:
        """Where Rollcall keeps a standard's assignment."""
        return f"{connector}/{assignment_id(connector, self.compliance.offered[standard])}"


@pytest.fixture
def both(asking: Policy) -> Both:
    return Both(asking)


def settled(both: Both, *account_ids: str) -> list[ConnectorId]:
    """Accounts that were connected hours ago."""
    places = [both.connect(each) for each in account_ids or (ID,)]
    both.azure.clock.advance(2 * 3600)
    return places


def test_what_was_seen_to_is_no_finding_and_costs_two_queries(both: Both) -> None:
    settled(both, ID, OTHER)
    assert found(both.sweep()) == Counter()
    assert both.world.compliance.asked == 2


def test_nothing_is_asked_where_no_profile_asks(policy: Policy) -> None:
    both = Both(policy)
    settled(both)
    assert found(both.sweep()) == Counter()
    assert both.world.compliance.asked == 0


def test_a_standard_that_was_taken_away_and_a_changed_rule_are_found_and_put_right(both: Both) -> None:
    [connector] = settled(both)
    was = deepcopy(both.compliance.assignments), deepcopy(both.compliance.rules)
    del both.compliance.assignments[both.place(connector, CIS)]
    rule = both.compliance.rules[f"{connector}/{rule_id(connector, RULE)}"]["properties"]
    rule["rulePriority"], rule["isDisabled"] = 7, True
    first = both.sweep()
    assert found(first) == Counter([("standard-unassigned", ID), ("governance-drifted", ID)])
    reasons = {each.finding.key: each.finding for each in first.open}
    assert reasons["standard-unassigned"].evidence == {"assigned": PCI}
    assert reasons["standard-unassigned"].subject == f"{connector}#{CIS.lower()}"
    assert reasons["governance-drifted"].reason == "governance rule High first: it differs in rulePriority, isDisabled"
    assert first.asked == (ID,), "one request, whatever is wrong"
    assert (both.compliance.assignments, both.compliance.rules) == was
    assert found(both.sweep(), Standing.RESOLVED) == Counter(dict.fromkeys(found(first), 1))


def test_nothing_is_put_right_unless_the_policy_says_so(asking: Policy) -> None:
    both = Both(replace(asking, repairs=Repairs(drifted_connectors=False)))
    settled(both)
    both.compliance.assignments.clear()
    both.compliance.rules.clear()
    expected = Counter([("standard-unassigned", ID), ("standard-unassigned", ID), ("governance-drifted", ID)])
    for _ in range(2):
        report = both.sweep()
        assert (found(report), report.asked) == (expected, ())
    assert both.compliance.assignments == both.compliance.rules == {}


def test_an_event_s_request_believes_the_ledger_and_a_person_s_does_not(both: Both) -> None:
    [connector] = settled(both)
    for source, mended in (("aws.organizations", False), ("rollcall.reconcile", False), ("rollcall", True)):
        both.compliance.assignments.clear()
        asked = {"hierarchy_identifier": ID, "ou_path": "/Workloads/Prod", "source": source}
        onboard(request(data=asked, occurred_at=both.azure.clock.now().isoformat()), both.azure.ports)
        assert (both.place(connector, CIS) in both.compliance.assignments) is mended, source


def test_what_is_missing_where_the_roles_are_not_there_is_only_told(both: Both) -> None:
    settled(both)
    both.compliance.rules.clear()
    both.world.stacks.states[ID] = InstanceState.FAILED
    report = both.sweep()
    assert found(report) == Counter([("governance-drifted", ID), ("stack-instance-missing", ID)])
    assert report.asked == ()


def test_a_connector_that_was_just_made_misses_nothing_for_an_hour(both: Both) -> None:
    both.connect(ID)
    both.compliance.assignments.clear()
    both.azure.clock.advance(59 * 60)
    assert found(both.world.sweep()) == Counter()
    both.azure.clock.advance(60)
    assert found(both.world.sweep()) == Counter([("standard-unassigned", ID)] * 2)


def test_what_a_changed_policy_asks_for_is_not_missed_before_anybody_came_to_it(both: Both, asking: Policy) -> None:
    settled(both)
    more = replace(asking.default_profile, standards=("AWS CSPM",))
    changed = replace(asking, default_profile=more, content_hash="another")
    both.world.source.policy = both.azure.source.policy = changed
    assert found(both.world.sweep()) == Counter()
    asked = {"hierarchy_identifier": ID, "ou_path": "/Workloads/Prod"}
    later = both.azure.clock.now().isoformat()
    onboard(request(data=asked, policy_hash="another", occurred_at=later), both.azure.ports)
    assert found(both.world.sweep()) == Counter()
    both.compliance.assignments.clear()
    assert found(both.world.sweep()) == Counter([("standard-unassigned", ID)])


def test_a_standard_that_was_refused_is_missed_with_the_ledger_s_reason(both: Both) -> None:
    both.compliance.refuses = "the plan is too low"
    settled(both)
    report = both.world.sweep()
    assert found(report) == Counter([("standard-unassigned", ID)] * 2 + [("governance-drifted", ID)])
    assert report is not None
    assert all("the plan is too low" in each.finding.evidence["ledger"] for each in report.open)
    assert all("standard-refused" in each.finding.remedy for each in report.open)


def test_an_account_whose_work_did_not_end_well_misses_nothing(both: Both) -> None:
    settled(both)
    both.compliance.assignments.clear()
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier=ID)
    both.azure.ledger.claim(key, owner="x", now=both.azure.clock.now(), seconds=1, connecting=True)
    record = both.azure.ledger.find(key)
    assert record is not None
    both.azure.ledger._records[key] = replace(record, state=State.PARKED)
    assert found(both.world.sweep()) == Counter()


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, 0),
        ({"displayName": CIS.upper()}, 0),
        ({"effect": "Exempt"}, 1),
        ({"effect": "Attest"}, 1),
        ({"displayName": "Ours", "assignedStandard": {"id": "/std/9"}}, 1),
        ({"displayName": "Ours"}, 0),
    ],
    ids=["portal", "another case", "exemption", "attestation", "another standard", "another name"],
)
def test_what_somebody_else_assigned_counts_by_name_or_by_standard(
    both: Both, changed: dict[str, Any], missed: int
) -> None:
    """The other account's assignment, which is Rollcall's own, says which standard has the name."""
    first, _ = settled(both, ID, OTHER)
    body = both.compliance.assignments.pop(both.place(first, CIS))
    theirs = {"properties": body["properties"] | {"displayName": CIS} | changed}
    both.compliance.assignments[f"{first}/theirs"] = theirs
    assert found(both.world.sweep()) == Counter([("standard-unassigned", ID)] * missed)
    both.sweep()
    assert (both.place(first, CIS) in both.compliance.assignments) is bool(missed)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"tenantId": "said by the server", "excludedScopes": []}, ""),
        ({"isDisabled": None}, ""),
        (
            {"conditionSets": [{"Conditions": [{"property": "$.Metadata.Severity", "operator": "In", "value": "[]"}]}]},
            "conditionSets",
        ),
        ({"ownerSource": {"Type": "Manually", "value": "else@example.com"}}, "ownerSource"),
        ({"ownerSource": {"type": "Manually", "value": None}}, ""),
        ({"ownerSource": {"type": "Manually", "value": "s*****@e*****.com"}}, ""),
        ({"ownerSource": {"type": "ByTag", "value": "owner"}}, "ownerSource"),
        ({"remediationTimeframe": "14.00:00:00"}, "remediationTimeframe"),
    ],
)
def test_a_rule_is_compared_as_far_as_resource_graph_shows_it(both: Both, changed: dict[str, Any], told: str) -> None:
    [connector] = settled(both)
    body = deepcopy(rule_body(RULE))
    spaced = body["properties"]["conditionSets"][0]["conditions"][0]
    spaced["value"] = spaced["value"].replace(", ", ",")
    body["properties"] |= changed
    both.compliance.rules[f"{connector}/{rule_id(connector, RULE)}"] = body
    report = both.world.sweep()
    assert report is not None
    assert [each.finding.reason.rpartition(" ")[2] for each in report.open] == ([told] if told else [])


@pytest.mark.parametrize("method", ["assignments_of", "rules_of"])
def test_what_cannot_be_read_is_no_finding_and_the_slice_is_tried_again(both: Both, method: str) -> None:
    settled(both)
    both.compliance.assignments.clear()
    for _ in range(4):
        both.world.compliance.failures.plan(method, TransientError("no answer"))
    report = both.world.sweep()
    assert report is not None
    assert not report.complete
    assert found(report) == Counter([("sweep-incomplete", "")])
