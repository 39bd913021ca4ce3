"""The roles that connectors refer to are those that the member template makes."""

from __future__ import annotations

import pytest

from shared.domain.offerings import roles_of
from shared.domain.policy import Plan, Profile
from tests.infra.member_roles import Account


@pytest.mark.parametrize("plans", [{Plan.FOUNDATIONAL_CSPM}, set(Plan)], ids=["smallest", "largest"])
def test_the_member_template_makes_the_roles_of_every_profile_and_no_others(plans: set[Plan]) -> None:
    profile = Profile(name="any", plans=frozenset(plans))
    assert Account(**profile.stack_parameters()).roles.keys() == set(roles_of(profile))
