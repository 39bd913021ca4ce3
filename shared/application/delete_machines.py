"""Use case at the end of a complete sweep: orphaned Arc machines go, where the policy says so.

Each is read again, its instance asked for again, and its whole body kept, before it is deleted; the first surprise
ends it for all. What a run has kept counts against its caps, so that a crash in between deletes no more; so does
what other runs of the day have.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from shared.application.ask_instances import states_of
from shared.application.sweep_ports import SweepPorts
from shared.domain.connectors import ENVIRONMENT_OF, Connector
from shared.domain.placement import is_ours
from shared.domain.policy import Policy
from shared.domain.sweep.deletion import TIME_TO_OBJECT, SeenAgain, doomed, most_of, surprise
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.machines import ArcMachine, state_behind
from shared.domain.sweep.report import SweepReport
from shared.domain.sweep.slices import MOST_TIME
from shared.errors import RollcallError

logger = logging.getLogger(__name__)


class _StoppedError(Exception):
    """What was to be deleted is not what was found."""

    def __init__(self, machine: str, reason: str) -> None:
        super().__init__(reason)
        self.machine = machine


def delete_orphans(report: SweepReport, before: SweepReport | None, policy: Policy, ports: SweepPorts) -> SweepReport:
    """The report with what is gone now, or what ended it. Raises nothing of ours: what fails ends it, and is told."""
    deleted: list[str] = []
    findings = doomed(report, before, policy.deletions)
    stopped_at = why = ""
    try:
        for each in _Deletion(report, policy, ports).deleted(findings):
            deleted.append(each)
    except _StoppedError as stopped:
        stopped_at, why = stopped.machine, str(stopped)
    except RollcallError as error:
        stopped_at = next(
            (each.evidence["machine"] for each in findings if each.evidence["machine"] not in deleted), ""
        )
        why = error.reason
    if why:
        logger.error("deletion_stopped", extra={"run": report.run, "machine": stopped_at, "reason": why})
    return replace(report, deleted=tuple(deleted), stopped_at=stopped_at, stopped_because=why)


class _Deletion:
    """The deletions of one run."""

    def __init__(self, report: SweepReport, policy: Policy, ports: SweepPorts) -> None:
        self._policy = policy
        self._ports = ports
        self._run = report.run
        self._prefix = f"machines/{report.run}/"
        self._day_began = f"{report.started_at - TIME_TO_OBJECT:%Y%m%dT%H%M%SZ}"
        self._most = most_of(report.looked.get("machines", 0), policy.deletions)
        self._limit = timedelta(days=policy.sweep.orphaned_after_days)

    def deleted(self, findings: Sequence[SweepFinding]) -> Iterator[str]:
        """The machines that are gone, one by one."""
        if not findings:
            return
        kept = set(self._ports.documents.list_names(self._prefix))
        most = self._most - self._kept_by_others()
        until = self._ports.clock.now() + MOST_TIME
        for number, finding in enumerate(findings):
            machine_id = finding.evidence["machine"]
            name = f"{self._prefix}{hashlib.sha256(finding.subject.lower().encode()).hexdigest()[:32]}.json"
            if (name not in kept and len(kept) >= most) or self._ports.clock.now() >= until:
                logger.warning("machines_kept_back", extra={"run": self._prefix, "machines": len(findings) - number})
                return
            body = self._body_of(finding, machine_id)
            if body is None:
                if name in kept or self._ports.documents.find(name) is not None:
                    kept.add(name)
                    yield machine_id  # it went before this was killed, or another makes the report at the same time
                continue
            self._ports.documents.put(name, body, over="")
            kept.add(name)
            self._ports.machines.delete(machine_id)
            logger.warning("machine_deleted", extra={"machine": machine_id, "kept_as": name})
            yield machine_id

    def _kept_by_others(self) -> int:
        """How many machines other sweeps of the same day have kept: all of a day together stay below the caps."""
        documents = self._ports.documents
        return sum(
            1
            for run in documents.list_folders("machines/")
            if self._day_began <= run < self._run
            for _ in documents.list_names(f"machines/{run}/")
        )

    def _body_of(self, finding: SweepFinding, machine_id: str) -> bytes | None:
        """The body of a machine that may go; None of one that is gone. Raises _StoppedError at a surprise."""
        found = self._ports.machines.find(machine_id)
        if found is None:
            return None
        machine, body = found
        asked = machine.names if machine.can_be_asked_for and machine.account == finding.account else ()
        states = states_of(machine.provider, machine.account, asked, self._ports) if asked else {}
        again = SeenAgain(machine=machine, state=state_behind(machine, states), connectors=self._connectors_of(machine))
        if why := surprise(finding, again, self._ports.clock.now(), self._limit):
            raise _StoppedError(machine_id, why)
        return body

    def _connectors_of(self, machine: ArcMachine) -> list[Connector]:
        """Ours of its account, or of its project: both may have the same digits."""
        policy = self._policy.of(machine.provider)
        if policy is None:
            return []
        found = self._ports.tenant.connectors_of([machine.account])
        there = [each for each in found if each.environment == ENVIRONMENT_OF[machine.provider]]
        return [each for each in there if is_ours(each, policy)]
