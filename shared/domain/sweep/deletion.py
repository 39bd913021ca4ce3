"""Which orphaned Arc machines a sweep may delete: those that every doubt has been taken from, and not many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.connectors import Connector
from shared.domain.policy import Deletions
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import MACHINE_ORPHANED
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.domain.sweep.report import Standing, SweepReport

TIME_TO_OBJECT = timedelta(hours=20)
"""How long before its deletion a machine has been reported as it is: the day between two daily sweeps."""


def doomed(report: SweepReport, before: SweepReport | None, deletions: Deletions) -> tuple[SweepFinding, ...]:
    """Machines that may go, the longest silent first; the one that ended the deletion the last time comes last.

    They are orphaned now, were seen to be so by the sweep before, and have been reported with this instance and this
    silence for long enough. None where the policy does not say so, or where anything at all could not be looked at.
    """
    if not deletions.orphaned_machines or not report.complete or before is None:
        return ()
    seen = {each.finding.identity for each in before.findings if each.standing in {Standing.NEW, Standing.STILL}}
    known = [
        each.finding
        for each in report.findings
        if each.finding.key == MACHINE_ORPHANED.key
        and each.standing is Standing.STILL
        and each.finding.identity in seen
        and each.finding.evidence.get("beyond_doubt") == "yes"
        and report.started_at - each.first_seen >= TIME_TO_OBJECT
    ]

    def order(finding: SweepFinding) -> tuple[bool, str, str]:
        stopped = finding.evidence["machine"] == before.stopped_at
        return stopped, finding.evidence["status_since"], finding.subject

    return tuple(sorted(known, key=order))


def most_of(machines: int, deletions: Deletions) -> int:
    """How many of so many machines one sweep may delete: the smaller of both caps, and one where that is none."""
    share = machines * deletions.machines_percent // 100
    return min(deletions.machines_per_run, max(share, 1))


@dataclass(frozen=True, kw_only=True)
class SeenAgain:
    """A machine just before its deletion, with the state of its instance and our connectors of its account."""

    machine: ArcMachine
    state: InstanceState
    connectors: Sequence[Connector]


def surprise(finding: SweepFinding, seen: SeenAgain, now: datetime, limit: timedelta) -> str:
    """Why a machine that was to be deleted is not what was found; empty where it still is."""
    machine, evidence = seen.machine, finding.evidence
    since = machine.status_since.isoformat() if machine.status_since is not None else ""
    same = (machine.account, machine.instance) == (finding.account, evidence["instance"])
    unchanged = (machine.status, since) == (evidence["status"], evidence["status_since"])
    group = machine.machine_id.lower().partition("/providers/")[0]
    connected = any(str(each.connector_id).lower().startswith(f"{group}/providers/") for each in seen.connectors)
    found = (
        (machine.is_defenders and machine.is_beyond_doubt, "it is not plainly Defender's any more"),
        (same, "its tags name another instance now"),
        (unchanged, f"its state has changed: {machine.status} since {since}"),
        (machine.is_silent(now, limit), "it is not silent for long enough"),
        (seen.state is InstanceState.GONE, f"its instance is {seen.state}"),
        (connected, "no connector of ours for its account stands in its resource group"),
    )
    return next((why for holds, why in found if not holds), "")
