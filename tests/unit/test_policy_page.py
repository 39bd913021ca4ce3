"""The reference of the policy: generated from the models, with every field, role and profile in it."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from shared.adapters.policy import document, gcp_document, matcher_document, profile_document
from shared.adapters.policy.profile_document import Part
from shared.domain.gcp_identities import ServiceAccount, WorkloadProvider
from shared.domain.profiles import BUILT_IN, Plan
from shared.domain.roles import Role, RoleGroup
from tests.fixtures.policy_page import ABOUT_IDENTITIES, ABOUT_ROLES, PAGE, regenerated

TEXT = PAGE.read_text(encoding="utf-8")


def models() -> list[type[BaseModel]]:
    """Every model that is a part of the file."""
    found = {
        each
        for module in (document, gcp_document, matcher_document, profile_document)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Part) and each is not Part
    }
    return sorted(found, key=lambda model: model.__name__)


def test_generating_the_reference_again_changes_nothing() -> None:
    assert regenerated(TEXT) == TEXT, "run python -m tests.fixtures.policy_page"
    assert TEXT.count("<!-- generated: ") == TEXT.count("<!-- end -->") == 4


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_the_reference_shows_every_field_with_a_meaning(model: type[BaseModel]) -> None:
    for field in model.model_fields:
        [*lines] = re.findall(rf"^\| `{field}` \| .+ \| (.+) \|$", TEXT, re.MULTILINE)
        assert lines, field
        assert not [meaning for meaning in lines if meaning.strip() in {"", "–"}], field


def test_a_field_is_there_with_type_default_and_what_is_allowed() -> None:
    for line in (
        "| `orphaned_after_days` | whole number | `7` | 7 to 365 | Arc machines; Defender itself waits 7 |",
        "| `accounts` | list of texts | – | `^[0-9]{12}$` | ids; in quotes, or editors take them for numbers |",
        "| `mode` | word | `standalone` | `standalone`, `member`, `native` | who makes the connectors of member "
        "accounts, and where |",
    ):
        assert line in TEXT.splitlines()


def test_every_role_and_group_is_explained() -> None:
    assert ABOUT_ROLES.keys() == set(Role)
    assert all(all(texts) for texts in ABOUT_ROLES.values())
    assert {word for word in [*Role, *RoleGroup] if f"`{word}`" not in TEXT} == set()


def test_every_identity_in_gcp_is_explained() -> None:
    assert ABOUT_IDENTITIES.keys() == set(ServiceAccount)
    assert all(ABOUT_IDENTITIES.values())
    assert {word for word in [*ServiceAccount, *WorkloadProvider] if f"`{word}`" not in TEXT} == set()


def test_every_ready_made_profile_is_shown_with_what_differs() -> None:
    head = "| plan or part | " + " | ".join(f"`{name}`" for name in BUILT_IN) + " |"
    assert head in TEXT.splitlines()
    assert "| Databases: `rds_threat_protection` | – | – | on |" in TEXT.splitlines()
    assert "| **Servers** | – | on | on |" in TEXT.splitlines()
    assert len(Plan) == 5  # a new plan needs a line in `_PLANS` and a word about its costs


def test_links_inside_the_reference_lead_to_headings() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\((#[^)]+)\)", TEXT)) <= anchors
