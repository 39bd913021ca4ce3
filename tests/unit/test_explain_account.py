"""Explaining: what the policy wants for an account as it is now, and how it is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.explanation import explanation_json, explanation_lines
from shared.adapters.policy.problems import parse_policy
from shared.application.explain_account import Explanation, explain_account
from shared.domain.accounts import Account, AccountState
from shared.domain.connectors import desired_body, to_create
from shared.domain.policy import Verdict
from tests.fakes.aws import FakeAccountDirectory, FakePolicySource
from tests.fixtures.read import ACCOUNT_ID, account, fixture

POLICY = fixture("policies/smallest.yaml").replace("profiles: {only: {plans: [foundational_cspm]}}", "").replace(
    "default_profile: only", "default_profile: foundational"
) + (
    "rules:\n  - {name: gold, match: {tags: {tier: gold}, names: [pay*]}, profile: recommended}\n"
    "exclusions: {ou_paths: [/Quarantine]}\n"
)
PARENT = "organization_connector: {name: org, management_account: '111111111111', stack_set_name: Defender}\n"
HOSTILE = "x\x1b[2J[/red]\u202e"


def explained(found: Account, text: str = POLICY) -> Explanation:
    directory = FakeAccountDirectory(found)
    explanation = explain_account(found.account_id, directory, FakePolicySource(parse_policy(text.encode(), "p")))
    assert explanation is not None
    assert directory.asked_for_tags == ["tags" in text]
    return explanation


def shown(explanation: Explanation) -> str:
    return "\n".join(line.plain for line in explanation_lines(explanation, "policy.yaml"))


def test_the_rule_that_matched_is_named_with_what_it_matched_by() -> None:
    found = explained(account(tags={"tier": "gold"}))
    assert (found.decision.verdict, found.decision.rule) == (Verdict.INCLUDE, 1)
    assert found.why == "name pay* and tag tier=gold"
    policy = found.policy
    desired = desired_body(ACCOUNT_ID, found.decision.profile, policy.target, policy.organization)
    assert found.body == to_create(desired)
    assert str(found.connector_id).endswith(f"/aws-{ACCOUNT_ID}")
    text = shown(found)
    assert "rule      1 of 1, gold: name pay* and tag tier=gold" in text
    assert "DefenderForContainersAws" in text
    assert "DefenderForCloud-ArcAutoProvisioning" in text
    assert json.dumps(found.body, indent=2) in text


def test_an_account_that_no_rule_matches_has_the_default_profile() -> None:
    found = explained(account())
    assert (found.decision.rule, found.why) == (None, "")
    assert "rule      none matches: the default profile" in shown(found)


def test_tags_are_read_only_where_the_policy_asks_for_them() -> None:
    explained(account(), fixture("policies/smallest.yaml"))


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"ou_path": "/Quarantine"}, Verdict.EXCLUDE),
        ({"state": AccountState.SUSPENDED}, Verdict.EXCLUDE),
        ({"is_management": True}, Verdict.EXCLUDE),
        ({"state": AccountState.PENDING_ACTIVATION}, Verdict.WAIT),
    ],
)
def test_an_account_that_gets_no_connector_now_has_no_body(facts: dict[str, Any], verdict: Verdict) -> None:
    found = explained(account(**facts))
    assert (found.decision.verdict, found.body) == (verdict, None)
    assert f"{verdict}: {found.decision.reason}" in shown(found)
    assert ("connector" in shown(found)) == (verdict is Verdict.WAIT)


def test_in_member_mode_the_connector_is_where_defender_would_put_it() -> None:
    found = explained(account(), f"{POLICY.replace('recommended', 'foundational')}mode: member\n{PARENT}")
    assert str(found.connector_id).endswith(f"/org_{ACCOUNT_ID}")
    assert found.body is not None
    data = found.body["properties"]["environmentData"]["organizationalData"]
    assert data == {"organizationMembershipType": "Member", "parentHierarchyId": "111111111111"}


def test_in_native_mode_rollcall_puts_nothing() -> None:
    found = explained(account(), f"{POLICY.replace('recommended', 'foundational')}mode: native\n{PARENT}")
    assert (found.decision.verdict, found.body) == (Verdict.INCLUDE, None)
    assert "in mode native Defender for Cloud makes it" in shown(found)


def test_an_account_that_the_organization_does_not_have_is_none() -> None:
    source = FakePolicySource(parse_policy(POLICY.encode(), "p"))
    assert explain_account(ACCOUNT_ID, FakeAccountDirectory(), source) is None


def test_as_data_everything_is_there_and_json() -> None:
    found = explained(account(tags={"tier": "gold"}))
    data = json.loads(json.dumps(explanation_json(found, "policy.yaml")))
    assert data["rule"] == {"number": 1, "name": "gold", "matched": "name pay* and tag tier=gold"}
    assert data["account"]["tags"] == {"tier": "gold"}
    assert data["profile"]["plans"][0] == "CspmMonitorAws"
    assert data["profile"]["roles"] == sorted(data["profile"]["roles"], key=shown(found).index)
    assert data["body"] == found.body
    assert data["policy"] == {"origin": "policy.yaml", "hash": found.policy.content_hash}
    assert explanation_json(explained(account(ou_path="/Quarantine")), "p")["body"] is None


def test_names_from_outside_are_shown_as_text() -> None:
    found = explained(account(name=HOSTILE, ou_path=f"/{HOSTILE}"))
    assert "\x1b" not in shown(found)
    assert "x\\x1b[2J[/red]\\u202e" in shown(found)
