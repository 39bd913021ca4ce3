"""A prerequisite, who owns it, and what was found about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError


class Team(StrEnum):
    """Who owns a prerequisite."""

    IDENTITY = "identity"
    AWS = "AWS platform"
    AZURE = "Azure platform"
    GCP = "GCP platform"
    NETWORK = "network"
    SECURITY_OPERATIONS = "security operations"


class Side(StrEnum):
    """Where a prerequisite is looked at, for whoever wants only one."""

    AWS = "aws"
    LAMBDA = "lambda"
    AZURE = "azure"
    GCP = "gcp"
    POLICY = "policy"


class State(StrEnum):
    """What was found; advice is a fact that a person has to act on elsewhere, and is nobody's fault."""

    WRONG = "wrong"
    UNKNOWN = "could not tell"
    ADVICE = "advice"
    OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One kind of prerequisite; `key` is its heading in docs/guides/doctor.md.

    `remedy` is what a person does, `command` how, where one command mends it; verdicts fill in what they know.
    `fixable`: `--fix` mends it by itself, without taking anything away from anybody.
    """

    key: str
    team: Team
    side: Side
    title: str
    purpose: str
    remedy: str = ""
    command: str = ""
    link: str = ""
    fixable: bool = False

    def ok(self, reason: str, *, subject: str = "", evidence: Mapping[str, str] | None = None) -> Verdict:
        """It is as it has to be."""
        return Verdict(check=self, state=State.OK, reason=reason, subject=subject, evidence=dict(evidence or {}))

    def wrong(
        self,
        reason: str,
        *,
        subject: str = "",
        remedy: str = "",
        command: str = "",
        evidence: Mapping[str, str] | None = None,
    ) -> Verdict:
        """It is not; `remedy` and `command` take the place of the check's own."""
        return Verdict(
            check=self,
            state=State.WRONG,
            reason=reason,
            subject=subject,
            remedy=remedy or self.remedy,
            command=command or self.command,
            evidence=dict(evidence or {}),
        )

    def unknown(self, reason: str, *, subject: str = "", remedy: str = "") -> Verdict:
        """Nobody could look, or what was seen does not tell."""
        return Verdict(check=self, state=State.UNKNOWN, reason=reason, subject=subject, remedy=remedy)

    def advice(
        self, reason: str, *, subject: str = "", command: str = "", evidence: Mapping[str, str] | None = None
    ) -> Verdict:
        """Something to do in another place, with the values to do it with."""
        return Verdict(
            check=self,
            state=State.ADVICE,
            reason=reason,
            subject=subject,
            remedy=self.remedy,
            command=command or self.command,
            evidence=dict(evidence or {}),
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found about one prerequisite, or about one `subject` of it; `checked_as` is whose eyes saw it."""

    check: Check
    state: State
    reason: str
    subject: str = ""
    remedy: str = ""
    command: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    checked_as: str = ""

    def seen_as(self, identity: str) -> Verdict:
        """The same, with who saw it; whoever is named already stays."""
        return self if self.checked_as else replace(self, checked_as=identity)


def failed(check: Check, error: RollcallError, *, command: str = "", subject: str = "") -> Verdict:
    """What a failure tells of a prerequisite that is proved by being used, as the identity that uses it.

    A refusal, or a right that may be settling, is wrong; no answer, a busy service, an answer that nobody can read say
    nothing about it.
    """
    refused = isinstance(error, ConfigurationError | PermanentError)
    settling = isinstance(error, TransientError) and error.patience is not None
    if refused or settling:
        return check.wrong(error.reason, subject=subject, remedy=check.remedy or error.remedy, command=command)
    return check.unknown(error.reason, subject=subject, remedy=error.remedy)


ORDER = {state: number for number, state in enumerate(State)}


def in_order(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """By team; within one the wrong first, what could not be told next, then by key."""
    teams = {team: number for number, team in enumerate(Team)}
    return tuple(
        sorted(
            verdicts, key=lambda each: (teams[each.check.team], ORDER[each.state], each.check.key, each.subject.lower())
        )
    )


def totals(verdicts: Iterable[Verdict]) -> dict[State, int]:
    """How many there are of each state, all states included."""
    counted = Counter(each.state for each in verdicts)
    return {state: counted[state] for state in State}
