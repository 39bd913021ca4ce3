"""The coverage page names every point once, and nothing that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "coverage.md"
STATUSES = {"done", "partly", "not yet", "documented only"}
_ROW = re.compile(
    r"^\| (?P<point>[^|]+) \| ([^|]+ \| )?(?P<status>done|partly|not yet|documented only) \| (?P<why>.+) \|$"
)
_PATH = re.compile(r"`([\w.-]+/[\w./-]+)`")
_LINK_TO_HEADING = re.compile(r"\]\(([\w./-]+\.md)#[\w-]+\)")


def table_lines() -> list[str]:
    """The lines of both tables of points, without their heads."""
    _, _, body = PAGE.read_text(encoding="utf-8").partition("| # | point |")
    return [line for line in body.splitlines()[2:] if line.startswith("| ") and "| status |" not in line]


def rows() -> list[tuple[str, str, str]]:
    """Point, status and explanation of each row; a malformed row fails here."""
    found = []
    for line in table_lines():
        match = _ROW.match(line)
        assert match, f"not a row of the page: {line}"
        found.append((match["point"], match["status"], match["why"]))
    return found


def test_every_point_is_there_once() -> None:
    numbers = [int(point) for point, _, _ in rows() if point.isdigit()]
    assert numbers == list(range(1, 109))
    assert len(rows()) == 108 + 12


def test_every_path_that_is_named_exists() -> None:
    named = set(_PATH.findall(PAGE.read_text(encoding="utf-8")))
    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_what_is_done_names_its_code_and_its_test() -> None:
    for point, status, why in rows():
        paths = _PATH.findall(why)
        tested = any(path.startswith("tests/") for path in paths)
        built = any(not path.startswith("tests/") for path in paths)
        assert (tested and built) or status not in {"done", "partly"}, point


def test_what_is_not_done_says_what_is_missing_or_where_it_is_written() -> None:
    for point, status, why in rows():
        if status == "partly":
            assert re.search(r"\b[Nn]ot\b", why), f"{point}: what is missing?"
        if status == "not yet":
            assert re.search(r"belongs? to|nothing", why), f"{point}: to which capability does it belong?"
        if status == "documented only":
            assert _LINK_TO_HEADING.search(why) or "out of scope" in why, f"{point}: where is it written?"


def test_the_totals_are_those_of_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    said = {status: int(re.search(rf"^\| `{status}` \|.*\| (\d+) \|$", text, re.MULTILINE)[1]) for status in STATUSES}  # type: ignore[index]  # None fails the test
    counted = [status for point, status, _ in rows() if point.isdigit()]
    assert said == {status: counted.count(status) for status in STATUSES}
