"""Use case at the end of a complete sweep: orphaned Arc machines go, where the policy says so.

Each is read again, its instance asked for again, and its whole body kept, before it is deleted; the first surprise
ends it for all. Doing it twice deletes nothing more: what a run has kept counts against its caps.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from datetime import timedelta

from shared.application.sweep_ports import SweepPorts
from shared.domain.policy import Policy
from shared.domain.sweep.deletion import doomed, surprise
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.machines import InstanceState
from shared.domain.sweep.report import SweepReport
from shared.errors import RollcallError

logger = logging.getLogger(__name__)


def delete_orphans(report: SweepReport, policy: Policy, ports: SweepPorts) -> tuple[str, ...]:
    """The ids of the machines that are gone now. Raises nothing of ours: what fails ends it, and is told."""
    chosen = doomed(report, policy.deletions)
    if chosen.kept_back:
        logger.warning("machines_kept_back", extra={"run": report.run, "machines": chosen.kept_back})
    deleted: list[str] = []
    try:
        deleted.extend(_deleted(report.run, chosen.findings, policy, ports))
    except RollcallError as error:
        logger.error("deletion_stopped", extra={"run": report.run, "reason": error.reason, "remedy": error.remedy})  # noqa: TRY400
    return tuple(deleted)


def _deleted(run: str, findings: tuple[SweepFinding, ...], policy: Policy, ports: SweepPorts) -> Iterator[str]:
    limit = timedelta(days=policy.sweep.orphaned_after_days)
    for finding in findings:
        name = f"machines/{run}/{hashlib.sha256(finding.subject.lower().encode()).hexdigest()[:32]}.json"
        found = ports.machines.find(finding.subject)
        if found is None:
            if ports.documents.find(name) is not None:
                yield finding.subject  # it went before this was killed
            continue
        machine, body = found
        states = ports.instances.states_of(finding.account, [machine.instance]) if machine.instance else {}
        state = states.get(machine.instance, InstanceState.UNKNOWN)
        if why := surprise(finding, machine, state, ports.clock.now(), limit):
            logger.error("deletion_stopped", extra={"run": run, "machine": finding.subject, "reason": why})
            return
        ports.documents.put(name, body, over="")
        ports.machines.delete(finding.subject)
        logger.warning("machine_deleted", extra={"run": run, "machine": finding.subject, "kept_as": name})
        yield finding.subject
