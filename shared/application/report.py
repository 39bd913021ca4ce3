"""The operator's report: the ledger, the newest sweep, the sweeps of thirty days and the queues, put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.application.ports import Clock, Ledger
from shared.application.status import QueueGauge, Sweeps
from shared.application.sweep_ports import Documents
from shared.application.sweep_store import SweepStore, find_latest, list_reported, list_runs, list_summarized
from shared.domain.queues import QueueDepth
from shared.domain.report.roll import RollReport, Seen, roll_report
from shared.domain.report.runs import LAST_RUNS, RunSummary, first_day, summarized
from shared.domain.sweeps import Sweep
from shared.errors import RollcallError


@dataclass(frozen=True, kw_only=True)
class ReportPorts:
    """What the report is made of; all of it is only read."""

    ledger: Ledger
    documents: Documents
    gauges: tuple[QueueGauge, ...]
    sweeps: Sweeps
    clock: Clock


def make_report(ports: ReportPorts) -> RollReport:
    """The report as of now; a queue or the log of sweeps that cannot be asked is told in it.

    Raises TransientError, ConfigurationError where the ledger or the documents of sweeps cannot be read.
    """
    now = ports.clock.now()
    newest, _ = find_latest(ports.documents)
    reported = list_reported(ports.documents)
    queues = tuple(depth for gauge in ports.gauges for depth in gauge.measure())
    sweeps, unread = _last_sweeps(ports.sweeps)
    seen = Seen(
        records=tuple(ports.ledger.list_records()),
        newest=newest,
        summaries=tuple(_summaries(ports.documents, reported, now)),
        unfinished=tuple(run for run in list_runs(ports.documents) if run not in reported)[-LAST_RUNS:],
        queues=queues,
        sweeps=sweeps,
        unread=(*unread, *_problems(queues)),
    )
    return roll_report(seen, now)


def _summaries(documents: Documents, reported: frozenset[str], now: datetime) -> Iterator[RunSummary]:
    """Those of the last runs, and of the last run of each of thirty days.

    A run that a version without summaries reported is read as a whole, where it is one of the last.
    """
    known = list_summarized(documents)
    last = sorted(known | reported)[-LAST_RUNS:]
    of_days = {run[:8]: run for run in sorted(known) if run[:8] >= f"{first_day(now):%Y%m%d}"}
    for run in sorted({*last, *of_days.values()}):
        store = SweepStore(documents, run)
        found = store.find_summary() if run in known else None
        if found is None and run in last and (report := store.find_report()) is not None:
            found = summarized(report, None)
        if found is not None:
            yield found


def _last_sweeps(log: Sweeps) -> tuple[tuple[Sweep, ...], list[str]]:
    try:
        return tuple(log.list_last()), []
    except RollcallError as error:  # the rest of the report is worth having all the same
        return (), [error.reason]


def _problems(queues: Iterable[QueueDepth]) -> list[str]:
    return [f"{depth.name}: {depth.problem}" for depth in queues if depth.problem]
