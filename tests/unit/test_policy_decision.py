"""The decision about one account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.accounts import AccountState, is_account_id
from shared.domain.policy import Matcher, Plan, Policy, Verdict, decide
from tests.fixtures.read import account


def test_an_active_account_gets_the_default_profile(policy: Policy) -> None:
    decision = decide(policy, account())
    assert decision.verdict is Verdict.INCLUDE
    assert decision.profile.name == "full"
    assert decision.target == policy.target
    assert decision.reason == "profile full (default profile)"


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (AccountState.PENDING_ACTIVATION, Verdict.WAIT),
        (AccountState.ACTIVE, Verdict.INCLUDE),
        (AccountState.SUSPENDED, Verdict.EXCLUDE),
        (AccountState.PENDING_CLOSURE, Verdict.EXCLUDE),
        (AccountState.CLOSED, Verdict.EXCLUDE),
    ],
)
def test_the_state_of_the_account_decides_first(policy: Policy, state: AccountState, verdict: Verdict) -> None:
    assert decide(policy, account(state=state)).verdict is verdict


def test_the_management_account_is_excluded_with_its_reason(policy: Policy) -> None:
    decision = decide(policy, account(is_management=True))
    assert decision.verdict is Verdict.EXCLUDE
    assert "management account" in decision.reason


def test_the_first_rule_that_matches_gives_the_profile(policy: Policy) -> None:
    first = policy.rules[0]
    second = replace(first, profile=policy.default_profile)
    decision = decide(replace(policy, rules=(first, second)), account(ou_path="/Workloads/Dev/Team"))
    assert decision.profile.name == "basic"
    assert decision.reason == "profile basic (rule 1: OU path /Workloads/Dev)"


def test_an_exclusion_wins_over_a_rule(policy: Policy) -> None:
    both = account("012345678902", ou_path="/Sandbox/Anyone")
    assert decide(policy, both).verdict is Verdict.EXCLUDE


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/", "/", True),
        ("/", "/Any/Depth", True),
        ("/Sandbox", "/Sandbox", True),
        ("/Sandbox", "/Sandbox/Below/It", True),
        ("/Sandbox", "/Sandboxes", False),
        ("/Sandbox", "/Workloads/Sandbox", False),
        ("/Sandbox", "/", False),
        ("/sandbox", "/Sandbox", False),
        ("/Sandbox/", "/Sandbox", True),
        ("/*/Legacy", "/Workloads/Legacy", True),
        ("/*/Legacy", "/Workloads/Prod/Legacy", False),
        ("/*", "/Anything", True),
        ("/*", "/", False),
        ("/Work*", "/Workloads/Prod", True),
        ("/Work*", "/Other", False),
        ("/Team.*", "/Teamwork", False),
        ("/Team.*", "/Team.A", True),
        ("/a+b", "/aab", False),
        ("/a+b", "/a+b", True),
        ("/**/Legacy", "/Legacy", True),
        ("/**/Legacy", "/One/Two/Legacy", True),
        ("/**/Legacy", "/One/Two/Legacies", False),
        ("/One/**", "/One", True),
        ("/One/**", "/One/Two/Three", True),
        ("/A%2FB", "/A%2FB", True),
    ],
)
def test_an_ou_pattern_matches_the_unit_and_everything_below(pattern: str, path: str, matches: bool) -> None:
    assert (Matcher(ou_paths=(pattern,)).match(account(ou_path=path)) is not None) is matches


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [({"team": "payments"}, True), ({"team": "*"}, True), ({"team": "other"}, False), ({"owner": "*"}, False)],
)
def test_a_tag_matches_by_value_or_by_being_there(wanted: dict[str, str], matches: bool) -> None:
    tagged = account(tags={"team": "payments"})
    assert (Matcher(tags=wanted).match(tagged) is not None) is matches


def test_an_empty_matcher_matches_nothing() -> None:
    assert Matcher().match(account()) is None


def test_tags_are_wanted_only_where_a_rule_asks_for_them(policy: Policy) -> None:
    untagged = replace(policy, exclusions=Matcher(), rules=())
    assert policy.uses_tags
    assert not untagged.uses_tags
    assert replace(untagged, exclusions=Matcher(tags={"a": "b"})).uses_tags
    rule = replace(policy.rules[0], match=Matcher(tags={"a": "b"}))
    assert replace(untagged, rules=(rule,)).uses_tags


def test_a_profile_asks_for_the_groups_of_roles_that_its_plans_need(policy: Policy) -> None:
    nothing = {
        "AgentlessScanner": "false",
        "SensitiveDataDiscovery": "false",
        "DatabasePosture": "false",
        "ImageAssessment": "false",
        "KubernetesDiscovery": "false",
        "Servers": "false",
        "ArcProvisioning": "false",
        "ContainersRuntime": "false",
        "DataCollectionExternalId": "",
        "Ciem": "false",
        "CiemSubject": "",
    }
    basic = policy.rules[0].profile
    assert basic.plans == {Plan.FOUNDATIONAL_CSPM}
    assert basic.stack_parameters() == nothing
    assert policy.default_profile.plans == {Plan.FOUNDATIONAL_CSPM, Plan.DEFENDER_CSPM}
    assert policy.default_profile.stack_parameters() == nothing | {
        "AgentlessScanner": "true",
        "SensitiveDataDiscovery": "true",
        "DatabasePosture": "true",
        "ImageAssessment": "true",
        "KubernetesDiscovery": "true",
    }


@pytest.mark.parametrize("text", ["12345678901", "1234567890123", "12345678901a", "", "123456789012\n", "١٢٣٤٥٦٧٨٩٠١٢"])
def test_an_account_id_is_twelve_digits_and_nothing_else(text: str) -> None:
    assert not is_account_id(text)
    assert is_account_id("000000000000")
