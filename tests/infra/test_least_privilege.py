"""Each role of infra/aws may do what the code calls as it, and nothing else; here without any cloud.

tests/e2e/test_least_privilege.py holds the same roles to what they asked in a sandbox.
"""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.deployment import REPOSITORY, TEMPLATE
from tests.infra.aws_templates import as_list, load, policies_of
from tests.infra.called_actions import functions_of, needed_by_code, needed_by_function, needed_by_service
from tests.infra.granted_rights import OF_SERVICES, Statement, problems

AWS = REPOSITORY / "infra" / "aws"
OF_MICROSOFT = AWS / "member-roles.yaml"
"""Its roles are what Microsoft documents: tests/infra/test_member_roles.py."""
SWEEP = "functions.sweep_slice.sweep_slice"
READERS = {"HubRole", "ReaderRole"}
ROLES = {
    name: path
    for path in sorted(AWS.glob("*.yaml"))
    if path != OF_MICROSOFT
    for name, each in load(path).get("Resources", {}).items()
    if each["Type"] == "AWS::IAM::Role"
}
Template = dict[str, Any]


@cache
def _parsed() -> dict[Path, Template]:
    return {path: load(path) for path in ROLES.values()}


class Rights:
    """The three templates, of which one role's statements may be changed by hand."""

    def __init__(self) -> None:
        self._templates = copy.deepcopy(_parsed())

    def statements(self, role: str) -> list[Statement]:
        """What a role is given by its inline policies; whoever gave it a managed one would be asked here why."""
        template = self._templates[ROLES[role]]
        assert "ManagedPolicyArns" not in template["Resources"][role]["Properties"]
        return [each for name, document in policies_of(template) if name == role for each in document["Statement"]]

    def change(self, role: str, statements: list[Statement]) -> None:
        """Gives a role these instead."""
        [policy] = self._templates[ROLES[role]]["Resources"][role]["Properties"]["Policies"]
        policy["PolicyDocument"]["Statement"] = statements

    def problems(self) -> list[str]:
        """What is wrong with any of them. Hub and reader together may do what the sweep calls."""
        together = [each for role in sorted(READERS) for each in self.statements(role)]
        found = problems("HubRole or ReaderRole", together, needed_by_code(SWEEP))
        for role in ROLES.keys() - READERS:
            template = self._templates[ROLES[role]]
            function = functions_of(template).get(role)
            if function is not None:
                found += problems(role, self.statements(role), needed_by_function(template, function))
            else:
                found += problems(role, self.statements(role), needed_by_service(template, role), OF_SERVICES)
        return found


def granted(role: str) -> list[str]:
    return sorted({action for each in Rights().statements(role) for action in as_list(each["Action"])})


def replaced(role: str, number: int, **changes: Any) -> list[str]:
    """What is wrong once one statement of a role says something else; None takes an element away."""
    rights = Rights()
    statements = rights.statements(role)
    statements[number] = {key: value for key, value in (statements[number] | changes).items() if value is not None}
    rights.change(role, statements)
    return [each for each in rights.problems() if role in each]


def test_every_role_may_do_what_the_code_calls_and_nothing_else() -> None:
    assert Rights().problems() == []


def test_the_doctor_asks_through_the_hub_for_nothing_that_the_sweep_does_not() -> None:
    asked = needed_by_code("functions.doctor.doctor").keys()
    assert {"sts:AssumeRole", "cloudformation:DescribeStackInstance", "iam:GetOpenIDConnectProvider"} <= asked
    assert asked <= needed_by_code(SWEEP).keys()


def test_every_function_has_a_role_of_its_own() -> None:
    template = load(TEMPLATE)
    functions = [name for name, each in template["Resources"].items() if each["Type"] == "AWS::Serverless::Function"]
    assert sorted(functions_of(template).values()) == sorted(functions)


@pytest.mark.parametrize("role", functions_of(load(TEMPLATE)))
def test_only_lambda_becomes_the_role_of_a_function(role: str) -> None:
    [statement] = load(TEMPLATE)["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


@pytest.mark.parametrize("role", ROLES)
def test_an_action_that_was_added_by_hand_is_named(role: str) -> None:
    action = Rights().statements(role)[0]["Action"]
    [found] = replaced(role, 0, Action=[*as_list(action), "sqs:PurgeQueue"])
    assert found.endswith("grants sqs:PurgeQueue, which no code calls")


@pytest.mark.parametrize(("role", "action"), [(role, action) for role in ROLES for action in granted(role)])
def test_an_action_that_was_removed_by_hand_is_named_with_who_needs_it(role: str, action: str) -> None:
    rights = Rights()
    left = [each | {"Action": [a for a in as_list(each["Action"]) if a != action]} for each in rights.statements(role)]
    rights.change(role, [each for each in left if each["Action"]])
    [found] = [each for each in rights.problems() if " lacks " in each]
    assert role in found
    assert f" lacks {action}: " in found
    assert "shared.adapters.aws." in found or "Lambda " in found or "key of its own" in found or "delivers" in found


STATEMENTS = [(role, number) for role in ROLES for number in range(len(Rights().statements(role)))]


@pytest.mark.parametrize(("role", "number"), STATEMENTS)
def test_a_statement_on_everything_is_named_wherever_its_actions_know_resources(role: str, number: int) -> None:
    before = Rights().statements(role)[number]
    found = replaced(role, number, Resource="*")
    assert len(found) == (0 if before["Resource"] == "*" else len(as_list(before["Action"])))
    assert all(" on everything, although it knows resources (" in each for each in found)


def widened(arn: str) -> str:
    """The same in every region, or else in every account, or else whatever its name."""
    parts = arn.split(":", 5)
    place = next((number for number in (3, 4) if parts[number].strip("*")), 5)
    parts[place] = "*" if place < 5 else f"{parts[5].split('/')[0]}/*"  # noqa: PLR2004 - the last part of an ARN
    return ":".join(parts)


@pytest.mark.parametrize(("role", "number"), STATEMENTS)
def test_a_resource_that_was_widened_is_named_with_what_may_be_anything(role: str, number: int) -> None:
    resources = as_list(Rights().statements(role)[number]["Resource"])
    for place, arn in enumerate(resources):
        if arn != "*":
            wide = widened(arn)
            assert wide != arn
            found = replaced(role, number, Resource=[*resources[:place], wide, *resources[place + 1 :]])
            assert found
            assert all(f" on {wide}, whatever its " in each for each in found)


@pytest.mark.parametrize(("role", "number"), STATEMENTS)
def test_a_condition_that_was_dropped_is_named_with_whom_it_lets_in(role: str, number: int) -> None:
    condition = Rights().statements(role)[number].get("Condition", {})
    for operator, keys in condition.items():
        for dropped in keys:
            left = {
                each: {key: value for key, value in them.items() if (each, key) != (operator, dropped)}
                for each, them in condition.items()
            }
            found = replaced(role, number, Condition=left)
            assert found
            assert all(" to whoever asks with " in each for each in found)


def test_a_condition_that_nobody_has_checked_is_named() -> None:
    found = replaced("HubRole", 0, Condition={"Bool": {"aws:SecureTransport": "true"}})
    assert found
    assert all("under a condition that nobody has checked" in each for each in found)


def test_a_condition_that_refuses_what_the_code_asks_is_named() -> None:
    statements = Rights().statements("ReconcileAccountsRole")
    [number] = [number for number, each in enumerate(statements) if each["Action"] == "events:PutEvents"]
    [found, *_] = replaced("ReconcileAccountsRole", number, Condition={"StringEquals": {"events:source": "rollcall"}})
    assert "under a condition that refuses what the code asks" in found
