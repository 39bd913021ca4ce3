"""The guide of Azure says what infra/azure takes and watches; where its outputs go is in docs/deploy.md."""

from __future__ import annotations

import re

from sandbox.deployment import REPOSITORY
from tests.infra.azure_module import parameters
from tests.infra.test_azure_alerts import ALERTS
from tests.infra.test_azure_rights import grants

GUIDE = (REPOSITORY / "docs" / "guides" / "azure.md").read_text(encoding="utf-8")
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """The table that begins with this head, cell by cell."""
    _, _, table = GUIDE.partition(f"| {head} |")
    assert table, head
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def written(default: object) -> str:
    """A default as the guide writes it: what is empty, or worked out, not as a value."""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default and isinstance(default, str | int) else ""


def test_the_guide_names_every_parameter_with_its_default() -> None:
    said = {quoted(name)[0]: default for name, default, _ in rows("parameter")}
    assert (said.pop("location"), said.pop("connectorsLocation")) == ("the deployment's", "as `location`")
    wanted = {name: written(body.get("default")) for name, body in parameters("main.bicep").items()}
    del wanted["location"], wanted["connectorsLocation"]
    assert said == wanted
    assert all(body.get("default") is not None for body in parameters("main.bicep").values())


def test_the_guide_names_every_alarm() -> None:
    assert [quoted(name)[0] for name, *_ in rows("alarm")] == list(
        dict.fromkeys(each for each in ("poison-arrivals", "sweep-missing", "connectors-unhealthy", *ALERTS))
    )


def test_every_block_is_one_that_needs_the_clouds() -> None:
    fences = re.findall(r"^ *```(.+)$", GUIDE, re.MULTILINE)
    assert fences
    assert set(fences) == {"sh cloud-only"}


def test_operations_name_every_role_that_is_given() -> None:
    roles = {role for _, role, _ in grants()} - {"registrationRole", "roleDefinitionId"}
    assert {role for role in roles if f"| {role}" not in OPERATIONS and f"or {role}" not in OPERATIONS} == set()
