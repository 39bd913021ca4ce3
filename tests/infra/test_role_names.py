"""The roles that connectors refer to are those that the member template makes."""

from __future__ import annotations

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from sandbox.deployment import MEMBER_TEMPLATE
from shared.domain.profiles import FOUNDATIONAL
from shared.domain.roles import Role


def test_the_member_template_makes_the_roles_of_every_profile_and_no_others() -> None:
    resources = yaml_parse(MEMBER_TEMPLATE.read_text())["Resources"].values()
    roles = [resource for resource in resources if resource["Type"] == "AWS::IAM::Role"]
    always = {role["Properties"]["RoleName"] for role in roles if "Condition" not in role}
    everything = {role["Properties"]["RoleName"] for role in roles}
    assert always == set(FOUNDATIONAL.roles())
    assert everything == set(Role) - {Role.DATABASE_THREATS}  # its trust is published nowhere
