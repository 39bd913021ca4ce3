"""The guide of GCP says what infra/gcp makes, takes and gives: names, variables, permissions, members from outside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.infra.gcp_module import ROLLCALL, VARIABLES, World, blocks, evaluated, grants, instances, resources

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "gcp.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """The table that begins with this head, cell by cell."""
    _, _, table = GUIDE.partition(f"| {head} |")
    assert table, head
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_guide_names_every_variable_with_its_default() -> None:
    said = {quoted(name)[0]: sorted(quoted(default)) for name, default, _ in rows("variable")}
    assert said == {name: sorted(_words(body.get("default"))) for name, body in blocks("variable")}


def _words(default: Any) -> list[str]:
    if default is None:
        return []
    return (
        list(default)
        if isinstance(default, list)
        else [str(default).lower() if default in (True, False) else str(default)]
    )


def test_the_variables_that_the_guide_sets_are_the_obligatory_ones() -> None:
    [example] = re.findall(r"<<'VARIABLES'\n(.*?)VARIABLES", GUIDE, re.DOTALL)
    assert re.findall(r"^ +([a-z_]+) +=", example, re.MULTILINE) == list(VARIABLES)
    assert {name for name, body in blocks("variable") if "default" not in body} == set(VARIABLES)


def test_the_guide_names_what_is_made_with_fixed_names(usual: World) -> None:
    fixed = {
        each.body[field]
        for each in resources()
        for field in ("account_id", "name", "role_id", "workload_identity_pool_id")
        if re.fullmatch(r"[A-Za-z-]+", str(each.body.get(field, "")))
    }
    assert fixed == {name for cell, *_ in rows("name") for name in quoted(cell)}


def test_the_guide_names_the_permissions_of_rollcall_and_no_others(tmp_path: Path) -> None:
    world = evaluated(tmp_path, rollcall_arc=True)
    own = [each for each in instances(world, "google_organization_iam_custom_role") if "rollcall" in each["role_id"]]
    permissions = {permission for each in own for permission in each["permissions"]}
    permissions |= {role for member, role in grants(world) if member == ROLLCALL and role.startswith("roles/")}
    said = [name for cell, *_ in rows("permissions") for name in quoted(cell)]
    assert sorted(said) == sorted(permissions)


def test_the_guide_names_who_is_let_in_from_outside(data: dict[str, Any]) -> None:
    exceptions = "\n".join(cell for row in rows("constraint") for cell in row)
    assert set(data["external_members"]) <= set(quoted(exceptions))
    assert data["issuer"] in quoted(exceptions)


def test_the_guide_allows_what_the_evidence_says(evidence: Path) -> None:
    facts = (evidence / "reference/data/gcp_identities.json").read_text(encoding="utf-8")
    allowed = [name for _, allow, _ in rows("constraint")[:2] for name in quoted(allow)]
    assert allowed == [
        "principalSet://iam.googleapis.com/organizations/517615557103",
        "C03um0klj",
        "under:organizations/517615557103",
    ]
    assert all(name in facts for name in allowed)


def test_the_guide_s_commands_and_imports_are_about_what_is_made(largest: World) -> None:
    for kind, name in re.findall(r"terraform import '(google_[a-z_]+)\.([a-z]+)", GUIDE):
        assert f"{kind}.{name}" in largest
    imported = re.findall(r'terraform import \'(google_[a-z_]+\.[a-z]+)\["([^"]+)"\]', GUIDE)
    assert imported
    assert all(key in largest[resource] for resource, key in imported)
