"""Standards and governance rules that follow a connector."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.application.aftercare import aftercare_due, ensure_aftercare
from shared.domain.accounts import Provider
from shared.domain.aftercare import aftercare_digest, assignment_id, rule_body, rule_id
from shared.domain.connectors import connector_id_for
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.profiles import GovernanceRule
from shared.errors import TransientError
from tests.fakes.subscriptions import FakeCompliance
from tests.fixtures.bodies import TARGET
from tests.fixtures.profiles import FULL
from tests.fixtures.read import ACCOUNT_ID

PLACE = connector_id_for(ACCOUNT_ID, TARGET)
RULE = GovernanceRule(
    name="High first",
    priority=100,
    severities=("High", "Medium"),
    owner="secops@example.com",
    owner_from_tag=False,
    remediation_days=7,
    grace_period=True,
)
PROFILE = replace(FULL, standards=("cis aws foundations V3.0.0", "PCI DSS 4.0.1"), governance=(RULE,))
RECORD = AccountRecord(key=AccountKey(provider=Provider.AWS, hierarchy_identifier=ACCOUNT_ID))


def test_standards_are_assigned_by_name_and_rules_are_made_once() -> None:
    compliance = FakeCompliance()
    assert ensure_aftercare(PLACE, PROFILE, compliance) == ()
    assigned = [body["properties"]["displayName"] for body in compliance.assignments.values()]
    assert assigned == ["CIS AWS Foundations v3.0.0", "PCI DSS 4.0.1"]
    [rule] = compliance.rules.values()
    assert rule == rule_body(RULE)
    assert ensure_aftercare(PLACE, PROFILE, compliance) == ()
    assert len(compliance.writes) == 3


def test_a_standard_that_somebody_else_assigned_is_left_alone() -> None:
    compliance = FakeCompliance()
    compliance.assignments[f"{PLACE}/theirs"] = {"properties": {"assignedStandard": {"id": "/STD/3"}}}
    ensure_aftercare(PLACE, replace(PROFILE, governance=()), compliance)
    assert compliance.writes == [f"{PLACE}/{assignment_id(PLACE, '/std/2')}"]


def test_a_rule_that_was_changed_by_hand_is_put_right() -> None:
    compliance = FakeCompliance()
    ensure_aftercare(PLACE, PROFILE, compliance)
    name = f"{PLACE}/{rule_id(PLACE, RULE)}"
    compliance.rules[name]["properties"]["rulePriority"] = 7
    compliance.rules[name]["properties"]["tenantId"] = "said by the server"
    ensure_aftercare(PLACE, PROFILE, compliance)
    assert compliance.rules[name] == rule_body(RULE)


def test_a_standard_that_is_not_there_is_a_finding_that_names_those_that_are() -> None:
    compliance = FakeCompliance()
    [finding] = ensure_aftercare(PLACE, replace(FULL, standards=("CIS 9", "PCI DSS 4.0.1")), compliance)
    assert finding.key == "standard-unknown"
    assert "'CIS 9'" in finding.reason
    assert "AWS CSPM" in finding.reason
    assert len(compliance.assignments) == 1


def test_what_defender_refuses_is_a_finding_and_the_rest_goes_on() -> None:
    compliance = FakeCompliance()
    compliance.refuses = "the plan is too low"
    found = ensure_aftercare(PLACE, PROFILE, compliance)
    assert [finding.key for finding in found] == ["standard-refused", "standard-refused", "governance-refused"]
    assert all("the plan is too low" in finding.reason for finding in found)


def test_no_answer_is_no_refusal() -> None:
    compliance = FakeCompliance()
    compliance.failures.plan("assign", TransientError("no answer"))
    with pytest.raises(TransientError):
        ensure_aftercare(PLACE, PROFILE, compliance)


def test_it_is_due_until_the_ledger_says_that_it_was_seen_to() -> None:
    digest = aftercare_digest(PROFILE)
    assert aftercare_due(FULL, None) == aftercare_due(FULL, RECORD) == ""
    assert aftercare_due(PROFILE, None) == aftercare_due(PROFILE, RECORD) == digest
    assert aftercare_due(PROFILE, replace(RECORD, aftercare=digest, state=State.CONNECTED)) == ""


def test_an_account_that_somebody_worked_on_since_is_seen_to_again() -> None:
    """Its connector may have been made anew, and nobody came to its standards."""
    digest = aftercare_digest(PROFILE)
    for state in (State.CONNECTING, State.DEFERRED, State.PARKED):
        assert aftercare_due(PROFILE, replace(RECORD, aftercare=digest, state=state)) == digest


@pytest.mark.parametrize(
    "changed",
    [
        replace(PROFILE, standards=("PCI DSS 4.0.1",)),
        replace(PROFILE, governance=(replace(RULE, priority=1),)),
        replace(PROFILE, servers=None),
    ],
)
def test_it_is_due_again_when_what_is_asked_or_the_plans_change(changed: object) -> None:
    assert aftercare_digest(changed) != aftercare_digest(PROFILE)  # type: ignore[arg-type]  # a list of profiles
