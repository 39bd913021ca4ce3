"""How `rollcall doctor` shows what it found: by team, the wrong first, each with how it is mended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from cli.output import words
from shared.application.doctor.mend import Mended
from shared.domain.doctor.verdicts import State, Verdict, in_order, totals

STYLES = {State.WRONG: "bold red", State.UNKNOWN: "yellow", State.ADVICE: "cyan", State.OK: "green"}
INDENT = 2
SCHEMA = "doctor-report/1"


def doctor_parts(verdicts: Iterable[Verdict]) -> Iterator[RenderableType]:
    """A heading for each team, a line for each verdict, and below what is not in order why and what to do."""
    for team, found in groupby(in_order(verdicts), key=lambda each: each.check.team):
        yield Text(f"\n{team}", style="bold underline")
        for (state, check), same in groupby(found, key=lambda each: (each.state, each.check)):
            several = list(same)
            count = f" ({len(several)})" if len(several) > 1 else ""
            yield Text.assemble((f"{state}", STYLES[state]), "  ", (check.key, "bold"), f"  {check.title}{count}")
            for verdict in several if state is not State.OK else ():
                yield from _verdict(verdict)


def _verdict(verdict: Verdict) -> Iterator[RenderableType]:
    if verdict.subject:
        yield _below(words(verdict.subject, style="dim"))
    yield _below(words(verdict.reason))
    if verdict.remedy:
        yield _below(words(verdict.remedy))
    if verdict.command:
        yield _below(Text.assemble(("$ ", "dim"), words(verdict.command)))
    if verdict.checked_as:
        yield _below(words(f"checked as {verdict.checked_as}", style="dim"))


def _below(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, INDENT), expand=False)


def mended_lines(mended: Iterable[Mended]) -> Iterator[Text]:
    """What `--fix` did, and what it could not."""
    for each in mended:
        name = f"{each.verdict.check.key}: "
        if each.done:
            yield Text.assemble(("mended  ", "green"), (name, "bold"), words(each.done))
        else:
            yield Text.assemble(("refused  ", "red"), (name, "bold"), words(each.error))


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many of each."""
    return " · ".join(f"{count} {state}" for state, count in totals(verdicts).items() if count)


def doctor_document(verdicts: Sequence[Verdict], mended: Sequence[Mended]) -> dict[str, Any]:
    """The same as a JSON document."""
    return {
        "schema": SCHEMA,
        "totals": {str(state): count for state, count in totals(verdicts).items()},
        "mended": [
            {
                "key": each.verdict.check.key,
                "subject": each.verdict.subject,
                "done": each.done,
                "error": each.error,
            }
            for each in mended
        ],
        "checks": [_verdict_json(each) for each in in_order(verdicts)],
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    check = verdict.check
    return {
        "key": check.key,
        "team": check.team,
        "side": check.side,
        "title": check.title,
        "purpose": check.purpose,
        "state": verdict.state,
        "subject": verdict.subject,
        "reason": verdict.reason,
        "remedy": verdict.remedy,
        "command": verdict.command,
        "fixable": check.fixable,
        "link": check.link,
        "evidence": dict(verdict.evidence),
        "checked_as": verdict.checked_as,
    }
