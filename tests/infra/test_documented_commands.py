"""Every command that a page shows exists, with its options: ours by the command line, AWS's by its own SDK."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.documented_commands import in_blocks, in_text, targets, wrong_with_aws, wrong_with_rollcall
from tests.site import ROOT, pages

PAGES = [page for page in pages() if page.name != "CHANGELOG.md"]  # which tells what was


def shown(page: Path, program: str) -> list[list[str]]:
    return [*in_blocks(page, program), *in_text(page, program)]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_call_of_rollcall_is_one(page: Path) -> None:
    wrong = {" ".join(words): wrong_with_rollcall(words) for words in shown(page, "rollcall")}
    assert {call: why for call, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_call_of_the_aws_cli_is_one(page: Path) -> None:
    wrong = {" ".join(words): wrong_with_aws(words) for words in in_blocks(page, "aws")}
    wrong |= {" ".join(words): wrong_with_aws(words, whole=False) for words in in_text(page, "aws") if len(words) > 2}
    assert {call: why for call, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_is_one(page: Path) -> None:
    named = {word for words in shown(page, "make") for word in words[1:2] if not word.startswith("-")}
    assert {word for word in named if not word.endswith("-")} <= targets()


def test_the_pages_show_commands_of_all_three() -> None:
    counted = {program: sum(len(shown(page, program)) for page in PAGES) for program in ("rollcall", "aws", "make")}
    assert counted["rollcall"] > 200
    assert min(counted.values()) > 20


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("rollcall bakfill", "no command bakfill"),
        ("rollcall backfill --dry", "no option --dry"),
        ("rollcall replay rnu", "no command rnu"),
        ("rollcall --quiet replay run --all", ""),
        ("rollcall replay", ""),
    ],
)
def test_a_call_of_rollcall_that_is_none_would_be_noticed(call: str, why: str) -> None:
    assert wrong_with_rollcall(call.split()) == why


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("aws iam update-acces-key", "no operation iam update-acces-key"),
        ("aws iam update-access-key --user NAME --access-key-id A --status Inactive", "no option --user"),
        ("aws iam update-access-key --user-name NAME --status Inactive", "without --access-key-id"),
        ("aws sts get-access-key-info --access-key-id A --region us-east-1", ""),
        ("aws nothing here", "no service nothing"),
    ],
)
def test_a_call_of_the_aws_cli_that_is_none_would_be_noticed(call: str, why: str) -> None:
    assert wrong_with_aws(call.split()) == why
