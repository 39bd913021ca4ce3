"""How `rollcall backfill` names projects."""

from __future__ import annotations

from tests.unit.project_commands.conftest import (
    NAMES,
    SAND,
    Desk,
)


def test_backfill_names_projects_as_plan_does(desk: Desk) -> None:
    said = desk.run("backfill", "--provider", "gcp", "--dry-run")
    assert f"{SAND}  acme-sand-1  noted without a connector: excluded by folder path /Sandbox" in said.out.splitlines()
    document = desk.run("backfill", "--provider", "gcp", "--dry-run", "--json").document
    told = {(each["provider"], each["hierarchy_identifier"], each["name"]) for each in document["accounts"]}
    assert told == {("gcp", number, name) for number, name in NAMES.items()}
