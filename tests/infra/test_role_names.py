"""The roles that connectors refer to are those that the member template makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.domain.profiles import Profile
from shared.domain.roles import FORMER_NAMES, ROLES_OF, Role
from tests.fixtures.profiles import CSPM_ONLY, EVERYTHING, READY_MADE
from tests.infra.member_roles import ALWAYS, GROUPS, Account

ELSEWHERE = {Role.DATABASE_THREATS}  # its trust is published nowhere, so a template that has it comes from the portal


@pytest.mark.parametrize("profile", [*READY_MADE.values(), CSPM_ONLY, EVERYTHING], ids=lambda profile: profile.name)
def test_the_member_template_makes_the_roles_of_every_profile_and_no_others(profile: Profile) -> None:
    assert Account(**profile.stack_parameters()).roles.keys() == set(profile.roles()) - ELSEWHERE


def test_the_groups_are_those_of_the_template() -> None:
    assert {str(group): set(map(str, roles)) for group, roles in ROLES_OF.items()} == GROUPS
    assert set(Role) == {Role(name) for name in ALWAYS} | ELSEWHERE | {r for roles in ROLES_OF.values() for r in roles}


def test_other_names_are_those_that_microsoft_documents(evidence: Path) -> None:
    documented = json.loads((evidence / "reference" / "data" / "aws_roles.json").read_text())
    others = {other: role["default_name"] for role in documented["roles"] for other in role["alt_names"]}
    assert others == FORMER_NAMES
