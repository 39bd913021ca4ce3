"""What the `rollcall template` commands read: a template, our own one, a policy's profiles and its tenant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import typer
from rich.text import Text

from cli.output import WRONG_USAGE, RefusedError, words
from cli.policy import read_policy_file
from shared.adapters.policy.problems import profiles_of
from shared.adapters.policy.yaml_tree import UnreadableError
from shared.adapters.template.check import check_template
from shared.adapters.template.document import read_bounded
from shared.domain.profiles import BUILT_IN, Profile
from shared.domain.template_findings import LintFinding, LintReport

OWN = Path(__file__).resolve().parent.parent / "infra" / "aws" / "member-roles.yaml"
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a policy says; without one no tenant, the ready-made profiles and no use of any."""

    tenant: str = ""
    profiles: Mapping[str, Profile] = field(default_factory=lambda: BUILT_IN)
    used: tuple[Profile, ...] = ()

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises typer.BadParameter."""
        if name not in self.profiles:
            raise typer.BadParameter(f"no profile {name!r}: there are {', '.join(sorted(self.profiles))}")
        return self.profiles[name]


def known_of(policy: str | None) -> Known:
    """What the policy in that file says. Raises RefusedError, ConfigurationError."""
    if policy is None:
        return Known()
    read, profiles = profiles_of(read_policy_file(policy), policy)
    return Known(tenant=read.tenant_id, profiles=profiles, used=read.used_profiles)


def tenant_of(given: str | None, known: str) -> str:
    """The tenant of the option, or else of the policy, in small letters. Raises typer.BadParameter."""
    if given is not None and not _TENANT.fullmatch(given.lower()):
        raise typer.BadParameter(f"{given!r} is no tenant: a GUID")
    return (given or known).lower()


def read_template_file(file: Path) -> bytes:
    """A template's bytes, never many more than one may have. Raises RefusedError."""
    try:
        return read_bounded(file)
    except OSError as error:
        raise RefusedError(
            f"cannot read {file}: {error.strerror}", remedy="name a template", exit_code=WRONG_USAGE
        ) from error


def refused_template(file: Path, error: UnreadableError) -> RefusedError:
    """What keeps a file from being read as a template at all."""
    problem = error.problem
    return RefusedError(
        f"{file}:{problem.line}:{problem.column}: {problem.message}",
        remedy="see whether it is the right file",
        exit_code=WRONG_USAGE,
    )


def linted(file: Path, content: bytes, profile: Profile, tenant: str) -> LintReport:
    """What the template lacks for a profile, or has that nobody knows. Raises RefusedError."""
    try:
        return check_template(content, read_template_file(OWN), profile, tenant)
    except UnreadableError as error:
        raise refused_template(file, error) from error


def counted(report: LintReport) -> str:
    """How many findings there are."""
    count = len(report.findings)
    return f"{count or 'no'} finding{'' if count == 1 else 's'}"


def finding_line(file: Path, finding: LintFinding) -> Text:
    """One finding as a line of text, with its place in the file."""
    place = f"{file}:{finding.place.line}:{finding.place.column}: " if finding.place else f"{file}: "
    said = words(f"{finding.check}: ", style="bold red")
    return Text.assemble(words(place, style="bold"), said, words(f"{finding.subject}: {finding.message}"))


def finding_json(finding: LintFinding) -> dict[str, object]:
    """One finding as a JSON object."""
    return {
        "check": finding.check,
        "subject": finding.subject,
        "message": finding.message,
        "line": finding.place.line if finding.place else None,
        "column": finding.place.column if finding.place else None,
    }
