"""What has to be the case before a connector is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.policy import OnMissingOwner, OnMissingPlan, Prechecks
from shared.domain.prechecks import (
    ASSIGN_ROLES,
    NEEDED_PLANS,
    Permission,
    SubscriptionFacts,
    check,
    owner_features,
    without_owner_features,
)
from tests.fakes.clock import NOON
from tests.fakes.subscriptions import CONTRIBUTOR, OWNER
from tests.fixtures.profiles import CSPM_ONLY, EVERYTHING, FOUNDATIONAL, FULL
from tests.fixtures.read import ACCOUNT_ID
from tests.unit.test_connector_bodies import PROFILES

FACTS = SubscriptionFacts(
    subscription_id="s", state="Enabled", plans=frozenset(NEEDED_PLANS.values()), permissions=(OWNER,), read_at=NOON
)
STRICT = Prechecks()
LENIENT = Prechecks(subscription_plans=OnMissingPlan.WARN, owner_features=OnMissingOwner.DOWNGRADE)


def keys(found: tuple[Any, ...]) -> list[str]:
    return [finding.key for finding in found]


def test_a_subscription_that_has_everything_refuses_nothing() -> None:
    checked = check(FACTS, FULL, STRICT, ACCOUNT_ID)
    assert (checked.profile, checked.refusals, checked.notes) == (FULL, (), ())


@pytest.mark.parametrize(
    ("state", "refused"),
    [("Enabled", False), ("enabled", False), ("Warned", True), ("PastDue", False), ("Disabled", True), ("", True)],
)
def test_a_subscription_has_to_be_usable(state: str, refused: bool) -> None:
    checked = check(replace(FACTS, state=state), FOUNDATIONAL, LENIENT, ACCOUNT_ID)
    assert keys(checked.refusals) == (["subscription-not-enabled"] if refused else [])


def test_a_classic_connector_is_refused_with_its_id_and_the_steps() -> None:
    facts = replace(FACTS, classic_connectors={ACCOUNT_ID: "/subscriptions/s/classic"})
    [finding] = check(facts, FOUNDATIONAL, LENIENT, ACCOUNT_ID).refusals
    assert finding.key == "classic-connector"
    assert "/subscriptions/s/classic" in finding.reason
    assert "Delete the classic connector" in finding.remedy
    assert check(facts, FOUNDATIONAL, STRICT, "999999999999").refusals == ()


def test_plans_of_the_subscription_are_needed_by_plans_of_the_connector_only() -> None:
    bare = replace(FACTS, plans=frozenset())
    assert check(bare, FOUNDATIONAL, STRICT, ACCOUNT_ID).refusals == ()
    [finding] = check(bare, FULL, STRICT, ACCOUNT_ID).refusals
    assert finding.key == "subscription-plan-off"
    assert "CloudPosture, VirtualMachines, SqlServerVirtualMachines" in finding.reason
    assert "rollcall subscription enable" in finding.remedy
    some = replace(FACTS, plans=frozenset({"CloudPosture"}))
    assert check(some, CSPM_ONLY, STRICT, ACCOUNT_ID).refusals == ()
    warned = check(bare, FULL, LENIENT, ACCOUNT_ID)
    assert (warned.refusals, keys(warned.notes), warned.profile) == ((), ["subscription-plan-off"], FULL)


def test_parts_that_need_an_owner_are_refused_or_left_out_as_the_policy_says() -> None:
    contributor = replace(FACTS, permissions=(CONTRIBUTOR,))
    [finding] = check(contributor, FULL, STRICT, ACCOUNT_ID).refusals
    assert finding.key == "owner-missing"
    assert "Arc provisioning, full Defender CSPM" in finding.reason
    checked = check(contributor, FULL, LENIENT, ACCOUNT_ID)
    assert (checked.refusals, keys(checked.notes)) == ((), ["owner-missing"])
    assert checked.profile.plans == FULL.plans
    assert not checked.profile.arc.enabled
    assert checked.profile.cspm is not None
    assert not checked.profile.cspm.sensitive_data
    assert not checked.profile.agentless_scanning.enabled
    assert check(contributor, FOUNDATIONAL, STRICT, ACCOUNT_ID).refusals == ()


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = SubscriptionFacts(
        subscription_id="s",
        state="Disabled",
        plans=frozenset(),
        permissions=(),
        classic_connectors={ACCOUNT_ID: "c"},
        read_at=NOON,
    )
    assert keys(check(wrong, EVERYTHING, STRICT, ACCOUNT_ID).refusals) == [
        "subscription-not-enabled",
        "classic-connector",
        "subscription-plan-off",
        "owner-missing",
    ]


@given(PROFILES)
def test_what_is_left_for_a_contributor_needs_no_owner_and_gains_nothing(profile: Any) -> None:
    less = without_owner_features(profile)
    assert owner_features(less) == ()
    assert less.plans == profile.plans
    assert less.roles() <= profile.roles()
    assert without_owner_features(less) == less


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        (Permission(actions=("*",)), True),
        (Permission(actions=("microsoft.authorization/ROLEASSIGNMENTS/*",)), True),
        (Permission(actions=("Microsoft.Authorization/*/Write",)), True),
        (Permission(actions=("*/read",)), False),
        (Permission(actions=("*",), not_actions=("Microsoft.Authorization/*/Write",)), False),
        (Permission(actions=()), False),
    ],
)
def test_an_action_is_allowed_by_pattern_without_case(permission: Permission, allowed: bool) -> None:
    assert permission.allows(ASSIGN_ROLES) is allowed


@given(st.sampled_from(["Enabled", "Disabled"]), st.frozensets(st.sampled_from(list(NEEDED_PLANS.values()))), PROFILES)
def test_a_lenient_policy_never_refuses_for_plans_or_owners(state: str, plans: frozenset[str], profile: Any) -> None:
    facts = replace(FACTS, state=state, plans=plans, permissions=(CONTRIBUTOR,))
    assert set(keys(check(facts, profile, LENIENT, ACCOUNT_ID).refusals)) <= {"subscription-not-enabled"}
