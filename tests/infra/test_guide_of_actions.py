"""The guide says of each function exactly what its role may do."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.deployment import TEMPLATE
from tests.infra.test_aws_template import as_list, inline_policies

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "aws.md"
FUNCTIONS = {
    "AccountEventsRole": "account-events",
    "StackEventsRole": "stack-events",
    "ReconcileAccountsRole": "reconcile-accounts",
}
ANSWERS = {"yes", "no"}
_ACTION = re.compile(r"`([a-z0-9]+:[A-Z]\w+)`")


def said() -> dict[str, set[str]]:
    """Function → the actions that the guide's table says yes to."""
    _, _, table = GUIDE.read_text(encoding="utf-8").partition("| actions |")
    head, _, *rows = table.partition("\n\n")[0].splitlines()
    names = [name.strip() for name in head.strip("|").split("|")][:-1]
    found: dict[str, set[str]] = {name: set() for name in names}
    for row in rows:
        actions, *answers, why = [cell.strip() for cell in row.strip("|").split("|")]
        assert set(answers) <= ANSWERS
        assert why
        for name, answer in zip(names, answers, strict=True):
            found[name] |= set(_ACTION.findall(actions)) if answer == "yes" else set()
    return found


def granted() -> dict[str, set[str]]:
    """Function → the actions that its role has."""
    found: dict[str, set[str]] = {}
    for name, document in inline_policies(TEMPLATE):
        actions = {each for statement in document["Statement"] for each in as_list(statement["Action"])}
        if name != "ReconcileScheduleRole":  # no function's
            found.setdefault(FUNCTIONS[name], set()).update(actions)
    return found


def test_the_guide_names_the_actions_of_each_function_and_no_others() -> None:
    assert said() == granted()
