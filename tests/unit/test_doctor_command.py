"""`rollcall doctor` as a person sees it: by team, the wrong first, readable in a narrow terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Collection

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import doctor as command
from cli import doctor_bootstrap, main
from cli.doctor_output import doctor_document, doctor_parts
from cli.output import RefusedError
from shared.application.doctor.examine import Question
from shared.application.doctor.mend import Menders
from shared.domain.doctor.aws_checks import RULES
from shared.domain.doctor.azure_checks import PLANS, QUEUES
from shared.domain.doctor.catalogue import CHECKS
from shared.domain.doctor.policy_checks import SIEM_FILTER
from shared.domain.doctor.verdicts import Side, State, Team, Verdict

RUNNER = CliRunner()
HOSTILE = "[/red]\x1b[2J"


def printed(*verdicts: Verdict, width: int = 60) -> str:
    screen = io.StringIO()
    console = Console(file=screen, width=width)
    for part in doctor_parts(verdicts):
        console.print(part)
    return screen.getvalue()


def test_teams_have_headings_and_what_is_wrong_comes_with_how_it_is_mended() -> None:
    wrong = PLANS.wrong("off are CloudPosture", subject="sub", command="rollcall subscription enable").seen_as("me")
    text = printed(QUEUES.ok("there"), SIEM_FILTER.advice("leave it out"), wrong)
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    assert lines[0] == "Azure platform"
    assert lines[1] == "wrong  subscription-plans  Plans of the subscription"
    assert "  off are CloudPosture" in lines
    assert "  $ rollcall subscription enable" in lines
    assert "  checked as me" in lines
    assert lines.index("security operations") > lines.index("ok  storage-queues  Queues of the storage account")
    assert all(len(line) <= 60 for line in lines)


def test_what_is_in_order_is_one_line_however_many_there_are() -> None:
    text = printed(*(RULES.ok("enabled", subject=each) for each in "abc"))
    assert "ok  aws-rules  Rules of EventBridge (3)" in text
    assert text.count("aws-rules") == 1


def test_text_from_outside_is_shown_and_obeyed_by_nobody() -> None:
    text = printed(PLANS.wrong(HOSTILE, subject=HOSTILE, command=HOSTILE).seen_as(HOSTILE), width=200)
    assert text.count("[/red]\\x1b[2J") == 4
    assert "\x1b" not in text


class Shell:
    """Questions of which one is wrong until it is mended."""

    def __init__(self) -> None:
        self.enabled = False
        self.asked: list[Collection[str]] = []

    def questions(self, keys: Collection[str]) -> list[Question]:
        self.asked.append(keys)
        found = RULES.ok("enabled", subject="r") if self.enabled else RULES.wrong("it is disabled", subject="r")
        every = [
            Question(checks=(RULES,), ask=lambda: [found], checked_as="me"),
            Question(checks=(QUEUES,), ask=lambda: [QUEUES.ok("there")], checked_as="me"),
        ]
        return [each for each in every if each.about(keys)]

    def menders(self) -> Menders:
        def enable(_: Verdict) -> str:
            self.enabled = True
            return "rule r is enabled"

        return {RULES.key: enable}


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    found = Shell()
    monkeypatch.setattr(doctor_bootstrap, "questions", found.questions)
    monkeypatch.setattr(doctor_bootstrap, "menders", found.menders)
    monkeypatch.setattr("cli.environment.announce_sandbox", lambda: None)
    return found


def test_what_is_wrong_ends_with_one_and_nothing_is_changed_without_fix(shell: Shell) -> None:
    ran = RUNNER.invoke(main.app, ["doctor"])
    assert (ran.exit_code, shell.enabled) == (1, False)
    assert "1 wrong · 1 ok" in ran.stdout


def test_fix_mends_looks_again_and_says_what_it_did(shell: Shell) -> None:
    ran = RUNNER.invoke(main.app, ["doctor", "--fix", "--json"])
    document = json.loads(ran.stdout)
    assert ran.exit_code == 0
    assert document["schema"] == "doctor-report/1"
    assert [(each["key"], each["done"]) for each in document["mended"]] == [("aws-rules", "rule r is enabled")]
    assert document["totals"] == {"wrong": 0, "could not tell": 0, "advice": 0, "ok": 2}
    assert len(shell.asked) == 2


def test_only_what_is_wanted_is_asked(shell: Shell) -> None:
    ran = RUNNER.invoke(main.app, ["doctor", "--only", "storage-queues", "--json"])
    assert [each["key"] for each in json.loads(ran.stdout)["checks"]] == ["storage-queues"]
    RUNNER.invoke(main.app, ["doctor", "--only", "aws", "--team", "aws PLATFORM"])
    assert shell.asked[-1] == {key for key, each in CHECKS.items() if each.side is Side.AWS and each.team is Team.AWS}


@pytest.mark.parametrize("options", [["--only", "no-such"], ["--team", "nobody"]])
def test_what_is_not_known_is_wrong_usage(shell: Shell, options: list[str]) -> None:
    ran = RUNNER.invoke(main.app, ["doctor", *options])
    assert isinstance(ran.exception, RefusedError)
    assert ran.exception.exit_code == 2
    assert not shell.asked


def test_the_document_says_all_of_every_check() -> None:
    [check] = doctor_document([PLANS.wrong("off", evidence={"a": "b"})], [])["checks"]
    assert check["state"] is State.WRONG
    assert (check["team"], check["side"], check["fixable"]) == (Team.AZURE, Side.AZURE, False)
    assert (check["evidence"], check["link"], check["purpose"]) == ({"a": "b"}, PLANS.link, PLANS.purpose)
    assert command.doctor.__doc__ is not None
