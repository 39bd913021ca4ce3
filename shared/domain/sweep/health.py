"""Defender's own word on its connectors, and whether it has found anything through them.

Source: Microsoft.Security/healthReports 2023-05-01-preview. No list of issue keys is public: a key is passed on, the
issue's name and its remediation steps are what people read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.accounts import Provider
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import CONNECTOR_UNHEALTHY, HEALTH_UNKNOWN, NOTHING_DISCOVERED

NOT_HEALTHY = "nothealthy"
PROJECT_HOURS = 144.0
"""What Defender may take to look through a new GCP project: six days, as people have seen it."""
REPORT_AFTER = timedelta(hours=24)
"""A new connector has no report; after that it should have one."""
_MARKUP = re.compile(r"<[^>]*>")
_LONGEST = 2000


@dataclass(frozen=True, kw_only=True)
class HealthIssue:
    """One thing that is wrong, in Defender's words."""

    key: str
    name: str
    steps: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HealthReport:
    """One report about a connector; `code` in Defender's words, `since` (UTC) is when that last changed."""

    connector_id: str
    code: str
    scenario: str = ""
    scope: str = ""
    since: datetime | None = None
    issues: tuple[HealthIssue, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A connector of ours whose health is looked at; `connected_at` (UTC) is None where nobody remembers."""

    connector_id: str
    account: str
    provider: Provider
    connected_at: datetime | None = None

    def is_older(self, than: timedelta, now: datetime) -> bool:
        """Whether it was made longer ago; one that nobody remembers was."""
        return self.connected_at is None or now - self.connected_at >= than


def health_findings(connector: Watched, reports: Sequence[HealthReport], now: datetime) -> Iterator[SweepFinding]:
    """Each issue of each report that is not healthy; no report at all where there should be one."""
    if not reports and connector.is_older(REPORT_AFTER, now):
        yield HEALTH_UNKNOWN.about(
            connector.connector_id,
            f"Defender has no health report of it after {REPORT_AFTER.total_seconds() / 3600:g} hours",
            account=connector.account,
            provider=connector.provider,
        )
    for report in reports:
        if report.code.lower() != NOT_HEALTHY:
            continue
        since = report.since.isoformat() if report.since is not None else ""
        seen = {"scenario": report.scenario, "scope": report.scope, "since": since}
        issues = report.issues or (HealthIssue(key="", name="Defender names no issue"),)
        for issue in issues:
            subject = f"{connector.connector_id}#{issue.key or report.scenario}"
            yield CONNECTOR_UNHEALTHY.about(
                subject,
                f"Defender calls it unhealthy: {issue.name}",
                account=connector.account,
                provider=connector.provider,
                remedy=_plain(issue.steps),
                evidence={
                    key: value
                    for key, value in (seen | {"issue": issue.key, "values": ", ".join(issue.values)}).items()
                    if value
                },
            )


def discovery_hours(provider: Provider, asked: float) -> float:
    """After how long nothing discovered is a finding, where `asked` is what the policy says."""
    return max(asked, PROJECT_HOURS) if provider is Provider.GCP else asked


def discovery_findings(
    connector: Watched, discovered: Mapping[str, int], hours: float, now: datetime
) -> Iterator[SweepFinding]:
    """Nothing discovered although the connector has been there for longer than `hours`."""
    if not sum(discovered.values()) and connector.is_older(timedelta(hours=hours), now):
        yield NOTHING_DISCOVERED.about(
            connector.connector_id,
            f"Defender has assessed nothing through it in {hours:g} hours",
            account=connector.account,
            provider=connector.provider,
        )


def _plain(text: str) -> str:
    """Remediation steps come as HTML."""
    return " ".join(_MARKUP.sub(" ", text).split())[:_LONGEST]
