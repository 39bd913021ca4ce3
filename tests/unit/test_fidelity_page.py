"""The fidelity page: every statement has a level, and a test that exists, or says that it has none."""

from __future__ import annotations

import re
from pathlib import Path

from tests.contract.not_replayed import NOT_REPLAYED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
LEVELS = ("recorded", "vendor code", "specification", "documentation", "third party", "guess")
OUR_OWN = ("our own rule", "known difference", "not simulated", "refused here", "whatever the test says")
_PATH = re.compile(r"`(tests/[\w./-]+\.py)`")


def statements() -> list[list[str]]:
    """The rows of the tables whose head is statement, level, test."""
    found, inside = [], False
    for line in PAGE.splitlines():
        if line.startswith("| statement |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def test_every_statement_has_a_level_and_a_test() -> None:
    rows = statements()
    assert len(rows) > 70
    for row in rows:
        assert len(row) == 3, row
        assert row[1].startswith((*LEVELS, *OUR_OWN)), row
        unbound = row[2] == "none" and not row[1].startswith(("recorded", "vendor code"))
        assert _PATH.findall(row[2]) or unbound, row


def test_a_guess_says_what_hangs_on_it() -> None:
    for statement, level, _ in statements():
        if level.startswith("guess"):
            assert level.startswith("guess: "), statement


def test_every_file_that_is_named_exists() -> None:
    named = set(_PATH.findall(PAGE))
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_the_number_of_recordings_that_are_not_replayed_is_that_of_the_list() -> None:
    [said] = re.findall(r"the other (\d+) each name the reason", PAGE)
    assert int(said) == len(NOT_REPLAYED)
