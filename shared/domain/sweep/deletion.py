"""Which orphaned Arc machines a sweep may delete: those that every doubt has been taken from, and not many at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.policy import Deletions
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import MACHINE_ORPHANED
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.domain.sweep.report import Standing, SweepReport


@dataclass(frozen=True, kw_only=True)
class Doomed:
    """Machines that may go, the longest silent first; `kept_back` is how many more the caps leave for another day."""

    findings: tuple[SweepFinding, ...] = ()
    kept_back: int = 0


def doomed(report: SweepReport, deletions: Deletions) -> Doomed:
    """Machines whose instance is gone, that the sweep before has reported as such already.

    None where the policy does not say so, or where anything at all could not be looked at.
    """
    if not deletions.orphaned_machines or not report.complete:
        return Doomed()
    known = [
        each.finding
        for each in report.findings
        if each.finding.key == MACHINE_ORPHANED.key and each.standing is Standing.STILL
    ]
    known.sort(key=lambda finding: (finding.evidence.get("status_since", ""), finding.subject))
    most = most_of(report.looked.get("machines", 0), deletions)
    return Doomed(findings=tuple(known[:most]), kept_back=max(len(known) - most, 0))


def most_of(machines: int, deletions: Deletions) -> int:
    """How many of so many machines one sweep may delete: the smaller of both caps, and one where that is none."""
    share = machines * deletions.machines_percent // 100
    return min(deletions.machines_per_run, max(share, 1))


def surprise(finding: SweepFinding, machine: ArcMachine, state: InstanceState, now: datetime, limit: timedelta) -> str:
    """Why a machine that was to be deleted is not what was found; empty where it still is."""
    if not machine.is_defenders:
        return "it is not Defender's any more"
    if machine.account != finding.account or machine.instance != finding.evidence.get("instance"):
        return "its tags name another instance now"
    since = machine.status_since.isoformat() if machine.status_since is not None else ""
    if machine.status != finding.evidence.get("status") or since != finding.evidence.get("status_since"):
        return f"its state has changed: {machine.status} since {since}"
    if not machine.is_silent(now, limit):
        return "it is not silent for long enough"
    if state is not InstanceState.GONE:
        return f"its instance is {state}"
    return ""
