"""The index of docs/runbook.md, made of the code's tables of keys, the alarms in infra/ and the pages' own headings.

`make runbook` (`python -m tests.infra.runbook_index`) writes it; a test fails where it is stale.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.deployment import TEMPLATE
from shared.domain.sweep.findings import Severity
from tests.infra.aws_templates import load
from tests.infra.azure_module import variable
from tests.runbook import ALSO, PAGE, PARKED, PASSES, PROCEDURES, SETTLES, WRONG, anchor, headings, sections, standing

BEGIN, END = "<!-- index: written by `make runbook` -->\n", "<!-- end of the index -->\n"


def aws_alarms() -> list[tuple[str, str]]:
    """Name, without the stack's, and description of each alarm of AWS's side, as the template has them."""
    resources = load(TEMPLATE)["Resources"].values()
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    return [(_after_the_stack(each["AlarmName"]), each["AlarmDescription"]) for each in alarms]


def _after_the_stack(name: object) -> str:
    text = name["Fn::Sub"] if isinstance(name, dict) else str(name)
    return str(text).removeprefix("${AWS::StackName}-")


def azure_alarms() -> list[tuple[str, str]]:
    """Name and text of each alert rule of Azure's side."""
    return [(each["name"], each["text"]) for each in variable("modules/alerts.bicep", "rules")]


def index() -> str:
    """The index, with its marks."""
    lines = [
        BEGIN,
        "## Index",
        "",
        "**An alarm rings**: each has its heading in [runbook/alarms.md](runbook/alarms.md).",
        "",
    ]
    lines += ["| alarm | says |", "|---|---|"]
    for side, alarms in (("AWS", aws_alarms()), ("Azure", azure_alarms())):
        lines += [
            f"| [{name}](runbook/alarms.md#{anchor(name)}) ({side}) | {text.rstrip('.')} |" for name, text in alarms
        ]
    steps = [f"[{each}](runbook/procedures.md#{anchor(each)})" for each in headings(PROCEDURES, "##")]
    lines += ["", f"**Something is to be done**, step by step: {' · '.join(steps)}.", ""]
    lines += ["**A key**, or a kind of finding:", "", "| where | what becomes of it | keys |", "|---|---|---|"]
    for name, keys in sections():
        lines += list(_rows(name, keys))
    return "\n".join([*lines, "", END])


def _rows(section: str, keys: list[str]) -> Iterator[str]:
    known, order = standing(), [PASSES, SETTLES, PARKED, WRONG, *map(str, Severity), ALSO]
    linked = f"[{section}](#{anchor(section)})"
    for word in order:
        links = [f"[{key}](#{key})" for key in keys if known[key] == word]
        if links:
            yield f"| {linked} | {word if word != ALSO else 'see there'} | {' · '.join(links)} |"


def with_index(page: str) -> str:
    """The page with the index as it has to be."""
    before, _, rest = page.partition(BEGIN)
    return before + index() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_index(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
