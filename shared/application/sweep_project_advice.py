"""Advice on the connectors of one slice of projects. It repairs nothing, and asks Google nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.application.sweep_ports import SweepPorts
from shared.domain.accounts import Provider
from shared.domain.sweep.advice import Equipped
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.project_advice import (
    ASSESSMENTS,
    is_advised,
    project_cluster_advice,
    project_machine_advice,
    project_workload_advice,
)


def project_advice_on(subjects: Sequence[Equipped], ports: SweepPorts, hours: float) -> Iterator[SweepFinding]:
    """What is advised. `hours` is the window of discovery.

    Raises TransientError, PermanentError, ConfigurationError where Resource Graph cannot be read.
    """
    advised = [subject.watched.connector_id for subject in subjects if is_advised(subject)]
    assessed = ports.advice.assessed(advised, ASSESSMENTS) if advised else {}
    with_sql = sorted({subject.watched.account for subject in subjects if subject.profile.databases is not None})
    machines = ports.advice.sql_machines_of(with_sql, Provider.GCP) if with_sql else {}
    for subject in subjects:
        known = assessed.get(subject.watched.connector_id.lower(), {})
        yield from project_machine_advice(subject, known)
        yield from project_cluster_advice(subject, known)
        yield from project_workload_advice(subject, machines.get(subject.watched.account, 0), hours, ports.clock.now())
