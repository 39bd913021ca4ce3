"""What an account lacks for the plans of its profile, as Defender's assessments and EC2 tell it. Nothing is repaired.

Source: Microsoft, "Security recommendations for AWS resources": the keys of both recommendations, by their titles (what
the page says below the first title belongs to another one); "Connect AWS accounts to Microsoft Defender for Cloud":
Systems Manager, Azure Arc, clusters and SQL as prerequisites of the plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.profiles import Profile
from shared.domain.roles import RoleGroup
from shared.domain.sweep.findings import SweepFinding, SweepKind
from shared.domain.sweep.health import Watched
from shared.domain.sweep.kinds import (
    ARC_ASSESSMENT,
    ARC_MISSING,
    CLUSTER_MISSING,
    SQL_MISSING,
    SSM_ASSESSMENT,
    SSM_MISSING,
    SSM_PROFILE_MISSING,
)

_CLUSTERS, _DATABASES = "eks", "rds"
"""How the types begin that stand for EKS clusters and RDS databases, as `SweptHealth.discovered_by` names types."""
UNKNOWN_TYPE = "unknown"
"""The type of what says nothing of its type: with such among them, nothing is called missing."""
_TYPES_TOLD = 10


@dataclass(frozen=True, kw_only=True)
class Assessed:
    """How many resources one recommendation was assessed for; those that it does not apply to count for neither."""

    unhealthy: int = 0
    healthy: int = 0

    @property
    def all(self) -> int:
        """Those that it applies to."""
        return self.unhealthy + self.healthy


@dataclass(frozen=True, kw_only=True)
class Equipped:
    """A connector of ours, its account's profile, and what has been discovered through it by type."""

    watched: Watched
    profile: Profile
    discovered: Mapping[str, int] = field(default_factory=dict)

    @property
    def connects_machines(self) -> bool:
        """Whether its machines are to be connected to Azure Arc, by Defender or by hand."""
        return self.provisions_arc or self.profile.servers is not None

    @property
    def provisions_arc(self) -> bool:
        """Whether Defender is to connect its machines to Azure Arc, for which it needs Systems Manager."""
        return RoleGroup.ARC_PROVISIONING in self.profile.role_groups()

    def is_discovered(self, hours: float, now: datetime) -> bool:
        """Whether the window of discovery is over, with something to show for it, all of a type that is known."""
        late = self.watched.is_older(timedelta(hours=hours), now)
        known = all(name.rpartition("/")[2] != UNKNOWN_TYPE for name in self.discovered)
        return late and sum(self.discovered.values()) > 0 and known

    def lacks(self, type_begins: str) -> bool:
        """Whether nothing of such a type has been discovered."""
        return not any(name.startswith(type_begins) for name in self.discovered)


@dataclass(frozen=True, kw_only=True)
class RunningInstances:
    """The running instances of an account: how many, and when those without an instance profile were launched (UTC).

    `refused` are regions that do not let themselves be asked; their instances are not counted.
    """

    running: int
    without_profile: tuple[datetime, ...] = ()
    refused: tuple[str, ...] = ()


def lacks_ssm(subject: Equipped, assessed: Mapping[str, Assessed]) -> bool:
    """Whether Defender is to provision Arc and says that instances are out of reach of Systems Manager."""
    return subject.provisions_arc and assessed.get(SSM_ASSESSMENT, Assessed()).unhealthy > 0


def machine_advice(
    subject: Equipped, assessed: Mapping[str, Assessed], running: RunningInstances | None
) -> Iterator[SweepFinding]:
    """The share of instances out of reach of Systems Manager, and of those that are not connected to Azure Arc.

    `assessed` is by the recommendation's key; `running` is None where the account was not asked or gave no answer.
    """
    refused = running.refused if running is not None else ()
    if lacks_ssm(subject, assessed):
        told = {"regions_that_refused": ", ".join(refused)} if refused else {}
        yield share(SSM_MISSING, subject, assessed[SSM_ASSESSMENT], "are not managed by AWS Systems Manager", more=told)
    arc = assessed.get(ARC_ASSESSMENT, Assessed())
    if subject.connects_machines and arc.unhealthy:
        yield share(ARC_MISSING, subject, arc, "are not connected to Azure Arc")


def instance_profile_advice(subject: Equipped, running: RunningInstances) -> Iterator[SweepFinding]:
    """Running instances without an instance profile; those launched since the connector was made counted apart.

    Defender's scan of 30 days covers only instances of its first run.
    """
    if not running.without_profile:
        return
    made = subject.watched.connected_at
    later = str(sum(launched > made for launched in running.without_profile)) if made is not None else "unknown"
    of_them = f"{later} of them" if made is not None else "how many of them"
    since = f"{of_them} launched after the connector was made{'' if made is not None else ' is not known'}"
    yield SSM_PROFILE_MISSING.about(
        subject.watched.account,
        f"{len(running.without_profile)} of {running.running} running instances have no instance profile; {since}",
        account=subject.watched.account,
        provider=subject.watched.provider,
        evidence={
            "running": str(running.running),
            "without_profile": str(len(running.without_profile)),
            "launched_after_the_connector": later,
        },
    )


def workload_advice(subject: Equipped, sql_machines: int, hours: float, now: datetime) -> Iterator[SweepFinding]:
    """Plans that are on where Defender has discovered nothing that they could protect, after `hours`.

    `sql_machines` are the account's Arc machines on which SQL Server was found.
    """
    if not subject.is_discovered(hours, now):
        return
    if subject.profile.containers is not None and subject.lacks(_CLUSTERS):
        reason = f"Containers is on, and no EKS cluster was seen in {hours:g} hours"
        yield nothing_seen(CLUSTER_MISSING, subject, reason)
    if subject.profile.databases is not None and subject.lacks(_DATABASES) and not sql_machines:
        reason = f"Databases is on, and neither SQL Server nor RDS was seen in {hours:g} hours"
        yield nothing_seen(SQL_MISSING, subject, reason)


def share(  # noqa: PLR0913 - the parts of a finding
    kind: SweepKind,
    subject: Equipped,
    assessed: Assessed,
    what: str,
    *,
    more: Mapping[str, str] | None = None,
    remedy: str = "",
    link: str = "",
) -> SweepFinding:
    """So many of the instances are as `what` says; `more` is further evidence."""
    return kind.about(
        subject.watched.connector_id,
        f"{assessed.unhealthy} of {assessed.all} instances {what}",
        account=subject.watched.account,
        provider=subject.watched.provider,
        remedy=remedy,
        link=link,
        evidence={"unhealthy": str(assessed.unhealthy), "instances": str(assessed.all), **(more or {})},
    )


def nothing_seen(kind: SweepKind, subject: Equipped, reason: str, *, link: str = "") -> SweepFinding:
    """Nothing that a plan could protect; the evidence names some types of what there is instead."""
    names = sorted(subject.discovered)
    more = f" and {len(names) - _TYPES_TOLD} more" if len(names) > _TYPES_TOLD else ""
    return kind.about(
        subject.watched.connector_id,
        reason,
        account=subject.watched.account,
        provider=subject.watched.provider,
        link=link,
        evidence={"types_discovered": f"{', '.join(names[:_TYPES_TOLD])}{more}"},
    )
