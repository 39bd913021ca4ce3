"""What the guides promise about settings, the policy and the ledger's words, against the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic_settings import BaseSettings

from cli.settings import Settings as OperatorSettings
from functions.settings import Settings as FunctionSettings
from lambdas.settings import Settings as LambdaSettings
from sandbox.config import SandboxSettings
from shared.adapters.policy.problems import check_policy, parse_policy
from shared.domain.ledger import Result, State
from shared.domain.preview import Action
from shared.domain.profiles import Plan
from shared.domain.template_findings import Check

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")
SANDBOX = (DOCS / "sandbox.md").read_text(encoding="utf-8")


def policy_example() -> str:
    """The policy that operations.md shows."""
    [example] = re.findall(r"^```yaml\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    return str(example)


def variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The environment variables of a settings class."""
    for name, field in model.model_fields.items():
        kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        if models := [kind for kind in kinds if issubclass(kind, BaseModel)]:
            yield from variables(models[0], f"{prefix}{name}__")
        else:
            yield str(field.validation_alias or f"{prefix}{name}".upper())


def test_the_policy_of_the_guide_is_a_policy() -> None:
    assert check_policy(policy_example().encode()).problems == ()
    policy = parse_policy(policy_example().encode(), "operations.md")
    assert policy.default_profile.plans == {Plan.FOUNDATIONAL_CSPM}
    assert policy.rules[0].profile.plans == set(Plan)
    assert policy.exclusions.account_ids == {"098765432109"}


@pytest.mark.parametrize("settings", [FunctionSettings, LambdaSettings, OperatorSettings])
def test_the_guide_names_every_setting(settings: type[BaseSettings]) -> None:
    said = OPERATIONS.upper()
    assert {name for name in variables(settings, "ROLLCALL_") if f"`{name}`" not in said} == set()


def test_the_guide_names_every_setting_of_the_sandbox_with_its_default() -> None:
    table = dict(re.findall(r"^\| `([A-Z_]+)`[ *]*\| ([^|]+?) \|", SANDBOX, re.MULTILINE))
    assert set(table) == {name.upper() for name in SandboxSettings.model_fields}
    for name, field in SandboxSettings.model_fields.items():
        if isinstance(field.default, int | float):
            assert float(table[name.upper()]) == field.default, name


def test_the_guide_explains_every_state_and_outcome() -> None:
    assert {word for word in [*State, *Result, *Action] if f"`{word}`" not in OPERATIONS} == set()


def test_the_guide_explains_every_check_of_a_template() -> None:
    _, _, section = OPERATIONS.partition("## 11. The member template")
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(Check)
