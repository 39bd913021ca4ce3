"""What a GCP project lacks for the plans of its profile, as Defender's assessments and Arc tell it.

Source: Microsoft, "Security recommendations for Google Cloud (GCP) resources" and "Container security
recommendations": the keys of the recommendations, by their titles; "Connect GCP projects to Microsoft Defender for
Cloud": the OS Config agent, Azure Arc, clusters and SQL Server on machines as prerequisites of the plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from shared.domain.sweep.advice import Assessed, Equipped, nothing_seen, share
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import (
    ARC_MISSING,
    CLUSTER_EXTENSION_MISSING,
    CLUSTER_MISSING,
    GCP_ARC_ASSESSMENT,
    GKE_POLICY_ASSESSMENT,
    GKE_SENSOR_ASSESSMENT,
    OSCONFIG_ASSESSMENT,
    OSCONFIG_MISSING,
    SQL_MISSING,
    recommendation,
)

ASSESSMENTS = (OSCONFIG_ASSESSMENT, GCP_ARC_ASSESSMENT, GKE_SENSOR_ASSESSMENT, GKE_POLICY_ASSESSMENT)
_CLUSTERS = ("cluster", "gke")
"""What a type of clusters has in its name: ids of theirs begin with `gcp-clusters-` in public queries."""
_DOCS = "https://learn.microsoft.com/azure/defender-for-cloud/quickstart-onboard-gcp"
_ARC_REMEDY = (
    "Install the OS Config agent where `osconfig-missing` is found, too; else connect the VM instances that the "
    "recommendation lists by hand, as its own steps say."
)


def is_advised(subject: Equipped) -> bool:
    """Whether any of the recommendations concerns its profile."""
    return subject.connects_machines or subject.profile.containers is not None


def project_machine_advice(subject: Equipped, assessed: Mapping[str, Assessed]) -> Iterator[SweepFinding]:
    """The share of VM instances without the OS Config agent, and of those that are not connected to Azure Arc."""
    agent, arc = (assessed.get(key, Assessed()) for key in (OSCONFIG_ASSESSMENT, GCP_ARC_ASSESSMENT))
    if subject.provisions_arc and agent.unhealthy:
        yield share(OSCONFIG_MISSING, subject, agent, "have no OS Config agent")
    if subject.connects_machines and arc.unhealthy:
        link = recommendation(GCP_ARC_ASSESSMENT)
        yield share(ARC_MISSING, subject, arc, "are not connected to Azure Arc", remedy=_ARC_REMEDY, link=link)


def project_cluster_advice(subject: Equipped, assessed: Mapping[str, Assessed]) -> Iterator[SweepFinding]:
    """The shares of GKE clusters without Defender's sensor or Azure Policy, as far as the profile asks for them."""
    containers = subject.profile.containers
    if containers is None:
        return
    wanted = (
        (GKE_SENSOR_ASSESSMENT, containers.sensor, "Defender's sensor"),
        (GKE_POLICY_ASSESSMENT, containers.azure_policy, "Azure Policy"),
    )
    found = [(key, name, assessed.get(key, Assessed())) for key, is_wanted, name in wanted if is_wanted]
    lacking = [(key, name, seen) for key, name, seen in found if seen.unhealthy]
    if lacking:
        yield CLUSTER_EXTENSION_MISSING.about(
            subject.watched.connector_id,
            "; ".join(f"{seen.unhealthy} of {seen.all} GKE clusters are without {name}" for _, name, seen in lacking),
            account=subject.watched.account,
            provider=subject.watched.provider,
            link=recommendation(lacking[0][0]),
            evidence={name: f"{seen.unhealthy} of {seen.all}" for _, name, seen in lacking},
        )


def project_workload_advice(
    subject: Equipped, sql_machines: int, hours: float, now: datetime
) -> Iterator[SweepFinding]:
    """Plans that are on where nothing was seen that they could protect, after `hours`.

    `sql_machines` are the project's Arc machines on which SQL Server was found: Databases' fields for GCP are about
    machines alone.
    """
    if subject.profile.containers is not None and subject.is_discovered(hours, now) and not _has_cluster(subject):
        reason = f"Containers is on, and no GKE cluster was seen in {hours:g} hours"
        yield nothing_seen(CLUSTER_MISSING, subject, reason, link=_DOCS)
    late = subject.watched.is_older(timedelta(hours=hours), now) and sum(subject.discovered.values()) > 0
    if subject.profile.databases is not None and late and not sql_machines:
        reason = f"Databases is on, and no machine with SQL Server was seen in {hours:g} hours"
        yield nothing_seen(SQL_MISSING, subject, reason, link=_DOCS)


def _has_cluster(subject: Equipped) -> bool:
    return any(word in name for name in subject.discovered for word in _CLUSTERS)
