"""What the sweep finds: typed values whose identity is the same from day to day."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.accounts import Provider


class Severity(StrEnum):
    """How much it matters; `high`: an account is not protected as its owner wants it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Area(StrEnum):
    """The part of the sweep that a finding comes from."""

    COVERAGE = "coverage"
    HEALTH = "health"
    DRIFT = "drift"
    DISCOVERY = "discovery"
    MACHINES = "machines"
    ADVICE = "advice"
    PREREQUISITES = "prerequisites"
    SWEEP = "sweep"


@dataclass(frozen=True, kw_only=True)
class SweepFinding:
    """One thing that a person, or Rollcall itself, has to see to.

    `key` is its kind and its heading in docs/runbook.md. `subject` is what it is about: an account's id, a project as
    `projects/<number>`, or a resource's id, with a part of it after `#`. `account` is the account or the project's
    number that it belongs to, empty where it is none's, and `provider` its cloud. `evidence` is what was seen, by name.
    Reports of before the cloud was kept have no `provider`: `provider_of` in shared/domain/report/findings.py.
    """

    key: str
    area: Area
    severity: Severity
    subject: str
    reason: str
    remedy: str
    account: str = ""
    provider: Provider | None = None
    link: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The same for the same thing found again; ids of Azure have no case."""
        return hashlib.sha256(f"{self.key}|{self.subject.lower()}".encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class SweepKind:
    """A kind of finding; `link` is the vendor's own documentation."""

    key: str
    area: Area
    severity: Severity
    remedy: str
    link: str = ""

    def about(  # noqa: PLR0913 - the parts of a finding
        self,
        subject: str,
        reason: str,
        *,
        account: str = "",
        provider: Provider | None = None,
        remedy: str = "",
        severity: Severity | None = None,
        link: str = "",
        evidence: Mapping[str, str] | None = None,
    ) -> SweepFinding:
        """One of this kind; `remedy`, `severity` and `link` take the place of the kind's own.

        Who names an account names its cloud, too; what is no account's has none.
        """
        return SweepFinding(
            key=self.key,
            area=self.area,
            severity=severity or self.severity,
            subject=subject,
            account=account,
            provider=provider if account else None,
            reason=reason,
            remedy=f"{remedy or self.remedy} Runbook: {self.key}.",
            link=link or self.link,
            evidence=dict(evidence or {}),
        )


@dataclass(frozen=True, kw_only=True)
class Gap:
    """What could not be looked at, so that nothing may be concluded from its absence.

    Without `area` it concerns all areas, without `account` all accounts. A `told` one is a finding itself, so that the
    sweep is complete all the same.
    """

    reason: str
    area: Area | None = None
    account: str = ""
    told: bool = False
