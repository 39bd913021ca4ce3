"""What the daily sweep does not ask for: what onboarding leaves out by the policy's word, and what it has refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from shared.application.onboard import onboard
from shared.domain.accounts import Provider
from shared.domain.findings import GOVERNANCE_REFUSED, OWNER_MISSING
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.policy import OnMissingOwner, Policy, Prechecks
from shared.domain.prechecks import owner_features, without_owner_features
from shared.domain.preview_checks import Known
from shared.domain.profiles import RECOMMENDED
from shared.domain.sweep.health import HealthIssue, HealthReport
from shared.domain.sweep.kinds import GOVERNANCE_DRIFTED, STANDARD_UNASSIGNED
from shared.domain.sweep.refused import was_refused
from shared.domain.sweep.report import SweepReport
from shared.errors import PermanentError
from tests.fakes.subscriptions import CONTRIBUTOR, OWNER
from tests.fixtures.read import account, request
from tests.unit.test_sweep import found
from tests.unit.test_sweep_advice import UNMANAGED
from tests.unit.test_sweep_compliance import CIS, ID, OLD, PCI, Both, asking, settled

__all__ = ["asking"]

DOWNGRADE, REFUSE = OnMissingOwner.DOWNGRADE, OnMissingOwner.REFUSE
NOTHING: tuple[Counter[tuple[str, str]], tuple[str, ...]] = (Counter(), ())
KEY = AccountKey(provider=Provider.AWS, hierarchy_identifier=ID)


def told(report: SweepReport | None) -> tuple[Counter[tuple[str, str]], tuple[str, ...]]:
    """What is open, and who is asked for again."""
    assert report is not None
    return found(report), report.asked


def record_of(both: Both) -> AccountRecord:
    record = both.azure.ledger.find(KEY)
    assert record is not None
    return record


@pytest.fixture
def lessened(policy: Policy) -> Both:
    """An account that has what a Contributor can give it, as the policy allows."""
    policy = replace(policy, default_profile=RECOMMENDED, prechecks=Prechecks(owner_features=DOWNGRADE))
    both = Both(policy)
    both.azure.subscriptions.present["permissions"] = (CONTRIBUTOR,)
    settled(both)
    assert OWNER_MISSING.found("").remedy in record_of(both).remedy
    return both


def test_a_connector_as_onboarding_leaves_it_without_an_owner_has_not_drifted(lessened: Both) -> None:
    for _ in range(2):
        assert told(lessened.sweep()) == NOTHING


def test_what_else_is_changed_about_it_is_found_and_mended_without_the_owner_s_parts(lessened: Both) -> None:
    [connector] = lessened.world.tenant.connectors
    changed = {**connector.body["properties"], "offerings": connector.body["properties"]["offerings"][1:]}
    lessened.azure.connectors.plant(connector.connector_id, connector.body | {"properties": changed})
    lessened.look()
    report = lessened.sweep()
    assert told(report) == (Counter([("connector-drifted", ID)]), (ID,))
    [tracked] = report.open
    assert len(tracked.finding.evidence) == 1
    assert told(lessened.sweep()) == NOTHING
    [mended] = lessened.world.tenant.connectors
    assert mended.body["properties"]["offerings"] == connector.body["properties"]["offerings"]


def test_an_owner_s_connector_has_not_drifted_either(lessened: Both) -> None:
    lessened.azure.subscriptions.present["permissions"] = (OWNER,)
    asked = {"hierarchy_identifier": ID, "ou_path": "/Workloads/Prod"}
    later = lessened.azure.clock.now().isoformat()
    hash_ = lessened.policy.content_hash
    outcome = onboard(request(data=asked, policy_hash=hash_, occurred_at=later), lessened.azure.ports)
    assert outcome.result == "updated"
    lessened.look()
    assert told(lessened.sweep()) == NOTHING


def test_no_advice_is_given_on_parts_that_only_an_owner_can_switch_on(lessened: Both) -> None:
    connector = str(lessened.world.tenant.connectors[0].connector_id).lower()
    lessened.world.advice.everything[connector] = UNMANAGED
    assert found(lessened.sweep()) == Counter([("arc-missing", ID)])


def test_roles_are_compared_with_what_a_contributor_can_have(lessened: Both) -> None:
    connector = str(lessened.world.tenant.connectors[0].connector_id).lower()
    issue = HealthIssue(key="a", name="no access")
    lessened.world.health.reports[connector] = (
        HealthReport(connector_id=connector, code="NotHealthy", issues=(issue,)),
    )
    needed = without_owner_features(RECOMMENDED).roles()
    unneeded, missed = min(RECOMMENDED.roles() - needed), min(needed)
    lessened.world.identities.changes[ID] = {str(unneeded): None, str(missed): None}
    report = lessened.sweep()
    wrong = [each.finding.subject for each in report.open if each.finding.key == "role-wrong"]
    assert wrong == [f"{ID}#{missed}"]


@pytest.mark.parametrize(
    ("rules", "subscription", "may_assign_roles", "is_whole"),
    [
        (DOWNGRADE, "S-1", None, False),
        (DOWNGRADE, "s-1", None, False),
        (DOWNGRADE, "s-2", None, True),
        (DOWNGRADE, "s-1", True, True),
        (DOWNGRADE, "s-2", False, False),
        (REFUSE, "s-1", None, True),
        (REFUSE, "s-1", False, True),
    ],
)
def test_a_profile_is_lessened_where_policy_and_ledger_say_so(
    rules: OnMissingOwner, subscription: str, may_assign_roles: bool | None, is_whole: bool
) -> None:
    found = OWNER_MISSING.found("Arc provisioning: left out, since they need an Owner of subscription s-1")
    record = AccountRecord(key=KEY, reason=found.reason, remedy=found.remedy)
    known = Known(record=record, may_assign_roles=may_assign_roles)
    profile = known.obtainable(RECOMMENDED, Prechecks(owner_features=rules), subscription)
    assert (owner_features(profile) != ()) is is_whole


@pytest.fixture
def classic(policy: Policy) -> Both:
    """An account without a connector, whose request is parked."""
    both = Both(policy)
    both.azure.subscriptions.present["classic_connectors"] = {ID: "/subscriptions/s/classic"}
    both.world.add(account(ID, joined_at=OLD), connected=False)
    asked = {"hierarchy_identifier": ID, "ou_path": "/Workloads/Prod"}
    onboard(request(data=asked, policy_hash=policy.content_hash), both.azure.ports)
    assert record_of(both).state is State.PARKED
    both.azure.clock.advance(3600)
    return both


def test_a_missing_connector_whose_request_is_parked_is_told_and_not_asked_for(classic: Both) -> None:
    for _ in range(3):
        report = classic.sweep()
        assert told(report) == (Counter([("connector-missing", ID)]), ())
        [tracked] = report.open
        assert "/subscriptions/s/classic" in tracked.finding.evidence["reason"]
        assert "Delete the classic connector" in tracked.finding.remedy
    assert len(classic.azure.queue.parked) == 1


def test_under_another_policy_it_is_asked_for_again(classic: Both) -> None:
    classic.world.source.policy = classic.azure.source.policy = replace(classic.policy, content_hash="another")
    assert told(classic.sweep()) == (Counter([("connector-missing", ID)]), (ID,))
    assert (len(classic.azure.queue.parked), record_of(classic).policy_hash) == (2, "another")
    assert told(classic.sweep()) == (Counter([("connector-missing", ID)]), ())
    assert len(classic.azure.queue.parked) == 2


def test_a_drifted_connector_whose_repair_is_parked_is_told_with_the_ledger_s_reason(policy: Policy) -> None:
    both = Both(policy)
    settled(both)
    [connector] = both.world.tenant.connectors
    body = connector.body | {"properties": {**connector.body["properties"], "offerings": []}}
    both.azure.connectors.plant(connector.connector_id, body)
    both.look()
    both.azure.connectors.failures.plan("put", PermanentError("a lock", remedy="Remove the lock."))
    first = both.sweep()
    assert (first.asked, len(both.azure.queue.parked)) == ((ID,), 1)
    assert all("ledger" not in each.finding.evidence for each in first.open)
    second = both.sweep()
    assert told(second) == (Counter([("connector-drifted", ID)]), ())
    [tracked] = second.open
    assert tracked.finding.evidence["ledger"] == "a lock"
    assert tracked.finding.remedy == "Remove the lock. Runbook: connector-drifted."
    assert len(both.azure.queue.parked) == 1


def test_standards_and_rules_that_were_refused_are_not_asked_for_again(asking: Policy) -> None:
    both = Both(asking)
    both.compliance.refuses = "the plan is too low"
    settled(both)
    expected = Counter([("standard-unassigned", ID)] * 2 + [("governance-drifted", ID)])
    for _ in range(2):
        assert told(both.sweep()) == (expected, ())


def test_standards_that_could_not_be_read_are_not_asked_for_again(asking: Policy) -> None:
    both = Both(replace(asking, default_profile=replace(asking.default_profile, governance=())))
    both.compliance.failures.plan("list_standards", PermanentError("not for this plan"))
    settled(both)
    assert told(both.sweep()) == (Counter([("standard-unassigned", ID)] * 2), ())


def test_what_is_undone_beside_a_standard_that_nobody_knows_is_put_right(asking: Policy) -> None:
    both = Both(replace(asking, default_profile=replace(asking.default_profile, standards=("Ours", CIS))))
    [connector] = settled(both)
    unknown = Counter([("standard-unassigned", ID)])
    assert told(both.sweep()) == (unknown, ())
    del both.compliance.assignments[both.place(connector, CIS)]
    assert told(both.sweep()) == (unknown + unknown, (ID,))
    assert told(both.sweep()) == (unknown, ())
    both.compliance.rules.clear()
    assert told(both.sweep()) == (unknown + Counter([("governance-drifted", ID)]), (ID,))
    assert told(both.sweep()) == (unknown, ())


def test_what_was_seen_to_once_and_is_refused_now_is_told_with_the_reason(asking: Policy) -> None:
    both = Both(asking)
    [connector] = settled(both)
    del both.compliance.assignments[both.place(connector, PCI)]
    both.compliance.refuses = "the plan is too low"
    expected = Counter([("standard-unassigned", ID)])
    assert told(both.sweep()) == (expected, (ID,))
    report = both.sweep()
    assert told(report) == (expected, ())
    assert "the plan is too low" in report.open[0].finding.evidence["ledger"]
    assert "standard-refused" in report.open[0].finding.remedy
    both.compliance.refuses = ""
    both.world.source.policy = both.azure.source.policy = replace(asking, content_hash="another")
    assert told(both.sweep()) == (expected, (ID,))
    assert told(both.sweep()) == NOTHING


def test_a_refused_rule_says_nothing_of_a_standard_with_its_name(policy: Policy) -> None:
    refused = GOVERNANCE_REFUSED.found("governance rule 'CIS' was refused: no priority of its own")
    record = AccountRecord(key=KEY, reason=refused.reason, remedy=refused.remedy, policy_hash=policy.content_hash)
    rule, standard = (kind.about("connector#cis", "") for kind in (GOVERNANCE_DRIFTED, STANDARD_UNASSIGNED))
    assert (was_refused(rule, record, policy), was_refused(standard, record, policy)) == (True, False)
    assert not was_refused(rule, None, policy)
