"""`rollcall doctor`: every prerequisite on each side, who owns it, and what mends it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import typer

from cli import doctor_bootstrap
from cli.doctor_output import doctor_document, doctor_parts, mended_lines, summary
from cli.output import FOUND, WRONG_USAGE, RefusedError, console, progress, words, write_json
from shared.application.doctor.examine import examine
from shared.application.doctor.mend import Mended, mend
from shared.domain.doctor.catalogue import CHECKS
from shared.domain.doctor.verdicts import Side, State, Team, Verdict


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="mend what is safe to mend, then look again")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="KEY", help=f"a check, or a side: {', '.join(Side)}")
    ] = None,
    team: Annotated[str, typer.Option("--team", metavar="NAME", help=f"only what it owns: {', '.join(Team)}")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Check what both clouds and Google need, each with the identity that needs it.

    The Function App and the Lambda functions are asked about themselves; the rest is looked at with your own rights.
    Ends with 1 where something is wrong or could not be told. Nothing is changed without --fix.
    Examples: rollcall doctor · rollcall doctor --team network · rollcall doctor --only aws --fix
    """
    keys = _chosen(only or (), team)
    found, mended = _examined(keys), list[Mended]()
    if fix:
        mended = list(mend(found, doctor_bootstrap.menders()))
        for line in mended_lines(mended):
            progress.print(line, soft_wrap=True)
        if any(each.done for each in mended):
            found = _examined(keys)
    if as_json:
        write_json(doctor_document(found, mended))
    else:
        for part in doctor_parts(found):
            console.print(part)
        console.print(words(f"\n{summary(found)}", lines=True))
    if any(each.state in {State.WRONG, State.UNKNOWN} for each in found):
        raise typer.Exit(FOUND)


def _examined(keys: Collection[str]) -> list[Verdict]:
    """Asked anew each time."""
    return [each for each in examine(doctor_bootstrap.questions(keys)) if each.check.key in keys]


def _chosen(only: Collection[str], team: str) -> frozenset[str]:
    """The keys of the checks that are wanted. Raises RefusedError."""
    sides, teams = {str(side) for side in Side}, {str(each).lower(): each for each in Team}
    if unknown := [each for each in only if each not in CHECKS and each not in sides]:
        raise RefusedError(
            f"no check or side {', '.join(unknown)}",
            remedy=f"the sides are {', '.join(Side)}; the checks are in docs/guides/doctor.md",
            exit_code=WRONG_USAGE,
        )
    if team and team.lower() not in teams:
        raise RefusedError(f"no team {team}", remedy=f"there are {', '.join(Team)}", exit_code=WRONG_USAGE)
    return frozenset(
        key
        for key, check in CHECKS.items()
        if (not only or key in only or str(check.side) in only) and (not team or check.team is teams[team.lower()])
    )
