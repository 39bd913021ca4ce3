"""The guide of Azure says what infra/azure takes, gives and watches, and where each output goes."""

from __future__ import annotations

import json
import re

from sandbox.deployment import REPOSITORY
from tests.infra.aws_templates import load
from tests.infra.azure_module import parameters, parsed
from tests.infra.gcp_module import blocks
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


def test_the_parameters_of_the_example_are_parameters() -> None:
    [example] = re.findall(r"<<'PARAMETERS'\n(.*?)PARAMETERS", GUIDE, re.DOTALL)
    given = json.loads(example)["parameters"]
    assert given
    assert set(given) <= set(parameters("main.bicep"))


def test_every_output_goes_where_the_guide_says_and_every_place_takes_it() -> None:
    taken = {
        "infra/aws/template.yaml": set(load(REPOSITORY / "infra" / "aws" / "template.yaml")["Parameters"]),
        "infra/aws/reader-hub.yaml": set(load(REPOSITORY / "infra" / "aws" / "reader-hub.yaml")["Parameters"]),
        "infra/gcp": {name for name, _ in blocks("variable")},
        "main.bicep": set(parameters("main.bicep")),
        "connectors.bicep": set(parameters("connectors.bicep")),
        "tenant-reader.bicep": set(parameters("tenant-reader.bicep")),
    }
    table = rows("from")
    ours = {quoted(output)[0] for source, output, *_ in table if quoted(source) == ["main.bicep"]}
    assert ours == set(parsed("main.bicep")["outputs"])
    for _, _, places, inputs in table:
        named = [place for place in quoted(places) if place in taken]
        for place, name in zip(named, quoted(inputs), strict=False):
            assert name in taken[place], (place, name)


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
