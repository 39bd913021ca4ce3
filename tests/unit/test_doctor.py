"""The doctor itself: questions side by side, verdicts in order, its document and its guide."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.application.doctor.examine import Question, examine
from shared.application.doctor.mend import mend
from shared.domain.doctor.aws_checks import RULES, TRUSTED_ACCESS
from shared.domain.doctor.azure_checks import PLANS, REGISTRATION
from shared.domain.doctor.catalogue import CHECKS
from shared.domain.doctor.verdicts import Check, State, Team, Verdict, failed, in_order, totals
from shared.errors import ConfigurationError, Patience, PermanentError, RollcallError, TransientError
from shared.messages.doctor_findings import findings_document, read_findings
from shared.messages.probe import is_probe, probe_json

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "doctor.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0].strip(): part for part in re.split(r"^### ", GUIDE, flags=re.MULTILINE)[1:]}


def question(check: Check, *verdicts: Verdict) -> Question:
    return Question(checks=(check,), ask=lambda: verdicts, checked_as="somebody")


def refusing(check: Check, error: Exception) -> Question:
    def ask() -> Iterator[Verdict]:
        yield check.ok("so far")
        raise error

    return Question(checks=(check,), ask=ask, checked_as="somebody")


def test_a_question_that_cannot_be_asked_is_not_told_and_ends_no_other() -> None:
    refused = PermanentError("you may not look", remedy="Ask for a role.")
    found = examine([refusing(RULES, refused), question(PLANS, PLANS.ok("on"))])
    assert [(each.check.key, each.state, each.reason) for each in found] == [
        ("aws-rules", State.OK, "so far"),
        ("aws-rules", State.UNKNOWN, "you may not look"),
        ("subscription-plans", State.OK, "on"),
    ]
    assert {each.checked_as for each in found} == {"somebody"}


def test_of_several_checks_those_that_were_told_stay_told() -> None:
    def ask() -> Iterator[Verdict]:
        yield RULES.ok("on")
        raise PermanentError("no further")

    found = examine([Question(checks=(RULES, PLANS), ask=ask)])
    assert [(each.check, each.state) for each in found] == [(RULES, State.OK), (PLANS, State.UNKNOWN)]


def test_a_defect_of_a_check_is_told_as_one_and_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    found = examine([refusing(RULES, KeyError("x")), question(PLANS, PLANS.ok("on"))])
    assert [each.state for each in found] == [State.OK, State.UNKNOWN, State.OK]
    assert "KeyError" in found[1].reason
    [line] = caplog.records
    assert (line.message, line.exc_info) == ("check_failed", None), "a library's text may name anything"
    assert re.fullmatch(r"test_doctor\.py:\d+", vars(line)["reason"])


def test_a_question_that_takes_too_long_is_not_told_and_the_others_go_on() -> None:
    never = threading.Event()
    hanging = Question(checks=(RULES,), ask=lambda: [RULES.ok(str(never.wait(30)))])
    found = examine([hanging, question(PLANS, PLANS.ok("on"))], seconds=0.2, at_once=1)
    never.set()
    assert [(each.state, each.reason) for each in found] == [
        (State.UNKNOWN, "no answer within 0.2 s"),
        (State.OK, "on"),
    ]


def test_a_question_may_have_more_time_than_the_others() -> None:
    slow = Question(checks=(RULES,), ask=lambda: [RULES.ok(str(threading.Event().wait(0.3)))], seconds=20)
    assert [each.state for each in examine([slow], seconds=0.05)] == [State.OK]


def test_who_looked_is_whoever_says_so_and_else_the_asker() -> None:
    own = PLANS.ok("on").seen_as("the Function App's managed identity")
    assert [each.checked_as for each in examine([question(PLANS, own)])] == ["the Function App's managed identity"]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ConfigurationError("refused", setting="x"), State.WRONG),
        (PermanentError("never"), State.WRONG),
        (TransientError("not allowed yet", patience=Patience(seconds=900, setting="x")), State.WRONG),
        (TransientError("no answer"), State.UNKNOWN),
    ],
)
def test_what_is_proved_by_use_is_wrong_where_it_is_refused_and_untold_where_nobody_answers(
    error: RollcallError, state: State
) -> None:
    assert failed(PLANS, error).state is state


def test_teams_stand_together_and_the_wrong_first() -> None:
    found = in_order(
        [
            PLANS.ok("on"),
            RULES.ok("on"),
            REGISTRATION.unknown("who knows"),
            RULES.advice("look"),
            RULES.wrong("off", subject="b"),
            RULES.wrong("off", subject="A"),
        ]
    )
    assert [(each.check.team, each.state, each.subject) for each in found] == [
        (Team.AWS, State.WRONG, "A"),
        (Team.AWS, State.WRONG, "b"),
        (Team.AWS, State.ADVICE, ""),
        (Team.AWS, State.OK, ""),
        (Team.AZURE, State.UNKNOWN, ""),
        (Team.AZURE, State.OK, ""),
    ]
    assert totals(found) == {State.WRONG: 2, State.UNKNOWN: 1, State.ADVICE: 1, State.OK: 2}


def test_only_what_is_wrong_and_safe_is_mended_and_a_refusal_stops_nothing() -> None:
    def refuse(_: Verdict) -> str:
        raise PermanentError("you may not")

    asked: list[str] = []

    def enable(verdict: Verdict) -> str | None:
        asked.append(verdict.subject)
        return None if verdict.subject == "gone" else "enabled"

    menders = {
        TRUSTED_ACCESS.key: refuse,
        RULES.key: enable,
        PLANS.key: refuse,
    }
    verdicts = [
        TRUSTED_ACCESS.wrong("off"),
        RULES.wrong("off", subject="r"),
        RULES.wrong("absent", subject="gone"),
        RULES.ok("on", subject="fine"),
        PLANS.wrong("off"),
    ]
    done = [(each.verdict.check.key, each.done, each.error) for each in mend(verdicts, menders)]
    assert done == [("aws-stack-sets-trusted", "", "you may not"), ("aws-rules", "enabled", "")]
    assert asked == ["r", "gone"]


def test_findings_are_read_as_they_were_written() -> None:
    found = [
        PLANS.wrong("off", subject="s", command="do it", evidence={"a": "b"}).seen_as("me"),
        RULES.unknown("who knows", remedy="Ask."),
        REGISTRATION.ok("registered"),
    ]
    assert list(read_findings(json.dumps(findings_document(found)).encode(), CHECKS)) == found


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"no json",
        b'{"schema": "doctor-findings/2", "findings": []}',
        b'{"schema": "doctor-findings/1"}',
        b'{"schema": "doctor-findings/1", "findings": [{"key": "no-such", "state": "ok", "reason": ""}]}',
    ],
)
def test_what_are_no_findings_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        list(read_findings(content, CHECKS))


def test_a_probe_is_one_and_a_request_is_none() -> None:
    assert is_probe(probe_json("rollcall-stack-events").encode())
    assert not is_probe(b'{"schema": "connector-request/1"}')
    assert not is_probe(b"\xff\x00")
    assert not is_probe(b"[1]")


def test_every_check_has_its_heading_in_the_guide_and_there_are_no_others() -> None:
    assert set(SECTIONS) == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.key)
def test_a_section_says_what_the_check_says(check: Check) -> None:
    section = SECTIONS[check.key]
    for said in (check.title, check.purpose, f"**Owner**: {check.team}.", f"**More**: <{check.link}>"):
        assert said in section
    assert not check.remedy or f"**Do**: {check.remedy}" in section
    assert not check.command or check.command in section
    assert ("`--fix` does." in section) is check.fixable
    assert re.fullmatch(r"https://(learn\.microsoft|docs\.aws\.amazon|cloud\.google)\.com/\S+", check.link)


def test_the_guide_lists_what_fix_does() -> None:
    table = GUIDE.partition("## What `--fix` does")[2].partition("## Rights")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == {
        key for key, check in CHECKS.items() if check.fixable
    }
