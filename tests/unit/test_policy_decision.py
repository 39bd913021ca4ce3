"""The decision about one account."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.policy.problems import parse_policy
from shared.domain.accounts import AccountState, Provider, is_account_id
from shared.domain.matching import Matcher
from shared.domain.policy import Policy, Verdict, decide
from tests.fixtures.read import ACCOUNT_ID, account, fixture
from tests.own_time import own_time


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
        (AccountState.UNKNOWN, Verdict.WAIT),
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
    assert (Matcher(ou_paths=(pattern,)).match_every(account(ou_path=path)) is not None) is matches


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ({"team": ("payments",)}, True),
        ({"team": ("other", "payments")}, True),
        ({"team": ("pay*",)}, True),
        ({"team": ("*",)}, True),
        ({"team": ("other",)}, False),
        ({"team": ("pay",)}, False),
        ({"owner": ("*",)}, False),
        ({"team": ("payments",), "owner": ("*",)}, False),
    ],
)
def test_a_tag_matches_by_value_or_by_being_there(wanted: dict[str, tuple[str, ...]], matches: bool) -> None:
    tagged = account(tags={"team": "payments"})
    assert (Matcher(tags=wanted).match_every(tagged) is not None) is matches


@given(pattern=st.text("ab*", max_size=8), text=st.text("ab", max_size=8))
def test_a_star_is_any_number_of_letters(pattern: str, text: str) -> None:
    expected = re.fullmatch(re.sub(r"[*]+", ".*", pattern), text) is not None
    assert (Matcher(names=(pattern,)).match_every(account(name=text)) is not None) is expected


@given(
    pattern=st.lists(st.sampled_from(["a", "b", "*", "**", "a*", "*b"]), max_size=5),
    units=st.lists(st.sampled_from(["a", "b", "ab"]), max_size=5),
)
def test_an_ou_pattern_means_what_its_regular_expression_would(pattern: list[str], units: list[str]) -> None:
    words = ["(/[^/]+)*" if part == "**" else "/(?=[^/])" + part.replace("*", "[^/]*") for part in pattern]
    path, expected = "/" + "/".join(units), "".join(words) + "(/.*)?"
    found = Matcher(ou_paths=("/" + "/".join(pattern),)).match_every(account(ou_path=path))
    assert (found is not None) is (re.fullmatch(expected, path) is not None)


@pytest.mark.parametrize(
    "matcher",
    [
        Matcher(names=("*a" * 1000 + "*b",)),
        Matcher(tags={"team": ("*" * 1000 + "a" + "*a" * 1000 + "*b",)}),
        Matcher(ou_paths=("/" + "*a" * 400 + "*b", "/**/*" * 100 + "/x")),
    ],
    ids=["name", "tag", "ou"],
)
def test_many_stars_take_no_time(matcher: Matcher) -> None:
    hostile = account(name="a" * 50, tags={"team": "a" * 256}, ou_path="/" + "/".join(["a" * 128] * 5))
    with own_time() as took:
        assert matcher.match_every(hostile) is None
    assert took.seconds < 2  # backtracking would take years


def test_an_empty_matcher_matches_nothing() -> None:
    assert Matcher().match_every(account()) is None
    assert Matcher().match_any(account()) is None


def test_every_kind_that_a_rule_names_has_to_match() -> None:
    found = account(tags={"tier": "gold"})
    both = Matcher(ou_paths=("/Workloads",), tags={"tier": ("gold",)})
    assert both.match_every(found) == "OU path /Workloads and tag tier=gold"
    assert both.match_every(account()) is None
    assert both.match_every(replace(found, ou_path="/Other")) is None


def test_every_entry_of_the_exclusions_excludes_by_itself() -> None:
    matcher = Matcher(ou_paths=("/Other",), names=("pay*",), tags={"a": ("b",), "tier": ("gold",)})
    assert matcher.match_any(account()) == "name pay*"
    assert matcher.match_any(account(name="x", tags={"tier": "gold"})) == "tag tier=gold"
    assert matcher.match_any(account(name="x")) is None


def test_a_provider_narrows_rules_and_exclusions() -> None:
    google = Matcher(provider=Provider.GCP, names=("*",))
    assert google.match_every(account()) is None
    assert google.match_any(account()) is None
    assert Matcher(provider=Provider.AWS).match_every(account()) == "provider aws"


@given(
    st.builds(
        Matcher,
        ou_paths=st.lists(st.from_regex(r"/[A-Za-z*/%.+]{0,9}", fullmatch=True), max_size=2).map(tuple),
        names=st.lists(st.text(max_size=5), max_size=2).map(tuple),
        account_ids=st.frozensets(st.sampled_from([ACCOUNT_ID, "0" * 12]), max_size=2),
        tags=st.dictionaries(st.text(max_size=2), st.lists(st.text(max_size=3), max_size=2).map(tuple), max_size=2),
    ),
    st.text(max_size=6),
    st.text(max_size=9).map(lambda text: f"/{text}"),
    st.sampled_from(AccountState),
)
def test_the_decision_is_total_and_always_the_same(matcher: Matcher, name: str, path: str, state: AccountState) -> None:
    policy = parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")
    made = replace(policy, rules=(replace(policy.rules[0], match=matcher),), exclusions=matcher)
    found = account(name=name, ou_path=path, state=state, tags={name[:2]: name[:3]})
    first = decide(made, found)
    assert first == decide(made, found)
    assert first.reason
    if matcher.match_every(found):
        assert matcher.match_any(found)


def test_tags_are_wanted_only_where_a_rule_asks_for_them(policy: Policy) -> None:
    untagged = replace(policy, exclusions=Matcher(), rules=())
    assert policy.uses_tags
    assert not untagged.uses_tags
    assert replace(untagged, exclusions=Matcher(tags={"a": ("b",)})).uses_tags
    rule = replace(policy.rules[0], match=Matcher(tags={"a": ("b",)}))
    assert replace(untagged, rules=(rule,)).uses_tags


@pytest.mark.parametrize("text", ["12345678901", "1234567890123", "12345678901a", "", "123456789012\n", "١٢٣٤٥٦٧٨٩٠١٢"])
def test_an_account_id_is_twelve_digits_and_nothing_else(text: str) -> None:
    assert not is_account_id(text)
    assert is_account_id("000000000000")
