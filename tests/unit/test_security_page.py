"""docs/security.md names nothing that does not exist: files, tests, anchors; and keeps the times of the templates."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from shared.adapters.aws.web_identity import LIFETIME_SECONDS
from shared.adapters.gcp.credentials import TOKEN_LIFETIME_SECONDS
from shared.adapters.gcp.project_events import MOST_BYTES
from shared.application.merge_sweep import KEPT

ROOT = Path(__file__).parents[2]
SECURITY = ROOT / "docs" / "security.md"
SUPPLY_CHAIN = ROOT / "docs" / "supply-chain.md"
PAGES = [SECURITY, SUPPLY_CHAIN, ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]
_PATH = re.compile(r"`([\w.-]+/[\w./-]+?)(?:::\w+)?`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_BARE_TEST = re.compile(r"`(test_\w+)`")
_LINK = re.compile(r"\]\(([^)\s]*)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def names_in(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", text_of(path), re.MULTILINE))


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text_of(page))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = {path for path in _PATH.findall(text_of(page)) if not path.startswith(("build/", ".python_packages/"))}
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_test_that_is_named_is_in_its_file() -> None:
    named = set(_TEST.findall(text_of(SECURITY)))
    assert len(named) > 50
    assert {(path, name) for path, name in named if name not in names_in(ROOT / path)} == set()


def test_every_test_that_the_supply_chain_s_page_names_is_one_of_the_artefacts() -> None:
    named = set(_BARE_TEST.findall(text_of(SUPPLY_CHAIN)))
    assert len(named) > 5
    assert named <= names_in(ROOT / "tests/infra/test_artefacts.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_page_and_its_anchor_to_a_heading(page: Path) -> None:
    for link in _LINK.findall(text_of(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def boundaries() -> dict[str, str]:
    """The section of each boundary, by its heading."""
    _, _, rest = text_of(SECURITY).partition("\n## Boundaries\n")
    section, _, _ = rest.partition("\n## ")
    titles = re.split(r"^### (\d+\. .+)$", section, flags=re.MULTILINE)[1:]
    return dict(zip(titles[::2], titles[1::2], strict=True))


def test_every_boundary_of_the_picture_has_its_section() -> None:
    picture = re.search(r"```\n(.+?)```", text_of(SECURITY), re.DOTALL)
    assert picture is not None
    drawn = {int(number) for number in re.findall(r"(?:^| ) ?(\d+) [A-Zabcdefghijklmnopqrstuvwxyz]", picture[1])}
    assert drawn == {int(title.partition(".")[0]) for title in boundaries()} == set(range(1, 13))


@pytest.mark.parametrize("title", [title for title in boundaries() if not title.startswith("11.")])
def test_every_boundary_answers_all_six_threats(title: str) -> None:
    rows = re.findall(r"^\| ([STRIDE](?:, [STRIDE])*) \|", boundaries()[title], re.MULTILINE)
    told = [letter for row in rows for letter in row.split(", ")]
    assert sorted(told) == sorted("STRIDE")


def test_the_times_that_are_told_are_those_of_the_templates_and_the_code() -> None:
    text = text_of(SECURITY)
    template = text_of(ROOT / "infra/aws/template.yaml")
    assert set(re.findall(r"MessageRetentionPeriod: (\d+)", template)) == {str(14 * 86400)}
    assert set(re.findall(r"RetentionInDays: (\d+)", template)) == {"90"}
    assert KEPT.days == 90
    intake = text_of(ROOT / "infra/gcp/intake.tf")
    assert re.findall(r'message_retention_duration = "(\d+)s"', intake) == [str(7 * 86400), str(31 * 86400)]
    assert (LIFETIME_SECONDS, TOKEN_LIFETIME_SECONDS, MOST_BYTES) == (5 * 60, 3600, 1024 * 1024)
    for said in ("14 days at most", "| 90 days |", "7 and 31 days", "(we ask for 5)", "above 1 MiB"):
        assert said in text


def test_nobody_s_address_is_made_up_for_reports() -> None:
    text = text_of(ROOT / "SECURITY.md")
    assert "@" not in text
    assert "private reporting" in text
