"""The end of a sweep: all slices' results become one report, and what may be deleted is."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from itertools import product

from shared.application.delete_machines import delete_orphans
from shared.application.notify import ask_for_notices
from shared.application.sweep_ports import SweepPorts
from shared.application.sweep_store import SweepStore, find_latest, prune, put_latest
from shared.domain.accounts import Provider
from shared.domain.ledger import State
from shared.domain.report.runs import StateCounts, summarized
from shared.domain.sweep.kinds import SWEEP_KINDS
from shared.domain.sweep.report import Standing, SweepReport, reported
from shared.domain.sweeps import Sweep
from shared.errors import TransientError

logger = logging.getLogger(__name__)

NAME = "sweep"
"""Its line in the table of sweeps."""
KEPT = timedelta(days=90)
"""How long reports, and what they were made of, are kept."""


def merge_if_last(run: str, ports: SweepPorts, *, just: int = 0) -> SweepReport | None:
    """The report of a run whose slices have all ended, made once however often this is called; else None.

    `just` is the slice that has ended just now, 0 where that is not why it is asked.

    Raises TransientError, ConfigurationError; then it is made by whoever calls next.
    """
    store = SweepStore(ports.documents, run)
    facts = store.find_facts()
    if facts is None or not store.have_all_ended(facts.slices, just=just):
        return None
    before, version = find_latest(ports.documents)
    if before is not None and before.run == run:
        return before
    if before is not None and before.run > run and (made := store.find_report()) is not None:
        return made
    if just and not store.may_report(just):
        return None
    newest = before is None or before.run < run
    report = reported(facts, store.results(facts.slices), before if newest else None, ports.clock.now())
    policy = ports.policy.current() if newest else None
    if policy is not None:
        report = delete_orphans(report, before, policy, ports)
    states = _count_states(run, ports)
    store.put_summary(summarized(report, states))
    store.put_report(report)
    _tell(report, ports, newest=newest)
    _tell_states(run, states)
    if policy is not None:
        ask_for_notices(report, policy.notifications, ports)
    if newest and not put_latest(ports.documents, report, version):
        made, _ = find_latest(ports.documents)
        if made is not None and made.run == run:  # the message that makes the report was delivered twice
            return made
        raise TransientError("another sweep's report was made at the same moment", retry_after_seconds=5.0)
    prune(ports.documents, f"{report.ended_at - KEPT:%Y%m%dT%H%M%SZ}")
    return report


def _tell(report: SweepReport, ports: SweepPorts, *, newest: bool) -> None:
    """Before it is the newest: a crash in between tells it twice, and never not at all."""
    by_kind = Counter((each.finding.key, each.standing) for each in report.findings)
    for kind in SWEEP_KINDS:
        figures = {str(standing): by_kind[kind.key, standing] for standing in Standing}
        logger.info("sweep_findings", extra={"run": report.run, "key": kind.key, "area": str(kind.area), **figures})
    counted = {standing: sum(each.standing is standing for each in report.findings) for standing in Standing}
    facts = {"run": report.run, "complete": report.complete, "slices": report.slices, "asked": len(report.asked)}
    facts["deleted"] = len(report.deleted)
    facts |= {f"findings_{standing}": count for standing, count in counted.items()}
    facts |= {f"looked_{name}": count for name, count in report.looked.items()}
    seconds = (report.ended_at - report.started_at).total_seconds()
    level = logging.INFO if report.complete else logging.ERROR
    logger.log(level, "sweep_finished", extra=facts | {"seconds": round(seconds, 1)})
    seen = sum(report.looked.values())
    if newest:
        ports.sweeps.record(
            Sweep(name=NAME, at=report.ended_at, seen=seen, failed=sum(not gap.told for gap in report.gaps))
        )


def _count_states(run: str, ports: SweepPorts) -> StateCounts | None:
    """How many accounts are in each state by the ledger, which only remembers: without it the report stands."""
    try:
        counted = Counter((record.key.provider, record.state) for record in ports.ledger.list_records())
    except TransientError as error:
        logger.warning("accounts_not_counted", extra={"run": run, "reason": error.reason})
        return None
    return {
        provider: {state: counted[provider, state] for state in State if counted[provider, state]}
        for provider in Provider
    }


def _tell_states(run: str, states: StateCounts | None) -> None:
    if states is None:
        return
    for provider, state in product(Provider, State):
        facts = {"provider": str(provider), "state": str(state), "accounts": states[provider].get(state, 0)}
        logger.info("accounts_by_state", extra={"run": run} | facts)
