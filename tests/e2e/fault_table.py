"""The fault table: every kind of fault on every service of the path, and where the account ends.

Each fault strikes once more than the SDK underneath tries, so that Rollcall's own way out is taken. The last
column is a service that says nothing for two minutes: there the client's own time-out has to end the wait.
`make faults` prints it: `python -m tests.e2e.fault_table [--rows a,b] [--columns x,y] [--workers N]`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import queue
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from pathlib import Path
from typing import Any

from sandbox.faults import Fault, FaultKind, Hold
from shared.adapters.aws.event_bus import AwsEventBus
from shared.domain.ledger import AccountKey, State
from shared.errors import TransientError
from tests.e2e.fault_rows import COLUMNS, HOST, ROWS, SILENCE, Row
from tests.e2e.new_project import NewProject
from tests.e2e.roll import Roll, key_of, running

PATIENCE_SECONDS = 60.0
AFTERWARDS_SECONDS = 45.0
WORKERS = 7
SHORT: dict[str, Any] = {
    "stack_instance_seconds": 0.2,
    "sqs_batch_window_scale": 0.005,
    "sqs_visibility_seconds": 2,
    "readiness_first_delay_seconds": 1,
    "queue_visibility_seconds": 1,
    "crash_invisibility_seconds": 2.0,
    "retry_first_seconds": 0.5,
    "retry_contended_seconds": 0.5,
    "retry_claim_seconds": 5.0,
    "resource_graph_lag_seconds": 0.2,
}
SILENT_SECONDS = 120.0
"""Longer than any client of the path waits, and than a cell may take."""
ENDED = {State.CONNECTED, State.PARKED, State.DEPLOY_FAILED}
Job = tuple[Row, str]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """How one fault ended: the account's state, what was left over, and how long it took."""

    row: str
    column: str
    state: str
    reason: str
    seconds: float
    struck: int
    planned: int
    connectors: int = 0
    leftovers: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def ended_well(self) -> bool:
        """Connected by one connector although the fault struck as often as planned, and nothing left anywhere.

        Nor did an error end a function that should have been one of ours: an attempt is burnt on unknown ones only.
        """
        struck = self.struck == self.planned
        clean = not self.leftovers and not self.strays
        return self.state == State.CONNECTED and struck and self.connectors == 1 and clean

    def __str__(self) -> str:
        text = f"{self.state} {self.seconds:.1f} s"
        if self.ended_well:
            return text
        struck = f"{self.struck} of {self.planned} struck"
        left = [f"left on {name}" for name in self.leftovers]
        return f"**{text}** ({', '.join([struck, f'{self.connectors} connectors', *left, *self.strays])})"


def run_cell(roll: Roll, row: Row, column: str) -> Cell:
    """One account or project on its way while one service is at fault."""
    sandbox = roll.sandbox
    before = _messages(roll)
    project = _project(roll) if row.project else None
    if row.fresh == HOST:
        sandbox.kill(HOST)
        sandbox.start_host(HOST)
    elif row.fresh:
        sandbox.kill(row.fresh)
    sandbox.azure.issuer_keys.forget()
    fault = _fault(row, column)
    failures = _Failures(roll)
    started = time.monotonic()
    name = f"{row.name}-{column}".replace(" ", "-").replace("_", "-")
    if project is None:
        key, planted = _set_out(roll, row, fault, name)
    else:
        planted = sandbox.faults.plant(fault)
        project.create(_project_id(name))
        key = project.key
    _until(lambda: _state(roll, key) in ENDED, started + PATIENCE_SECONDS)
    seconds = time.monotonic() - started
    afterwards = time.monotonic() + AFTERWARDS_SECONDS
    _until(lambda: _struck(roll, planted) == fault.count, afterwards)  # such as the deletion of the event
    left = _messages(roll)
    while left.keys() & WORKED_ON and time.monotonic() < afterwards:
        time.sleep(0.2)
        left = _messages(roll)
    record = roll.ledger.find(key)
    cell = Cell(
        row=row.name,
        column=column,
        state=str(record.state) if record else "unknown",
        reason=record.reason if record else "",
        seconds=seconds,
        struck=_struck(roll, planted),
        planned=fault.count or 1,
        connectors=len(roll.connectors(key.hierarchy_identifier)),
        leftovers=tuple(sorted(left - before)),
        strays=() if row.service == "lambda-runtime" else failures.strays(),  # there the runtime ends, as it should
    )
    sandbox.faults.clear()
    roll.poison.clear_messages()
    roll.onboarding.clear_messages()  # whatever is left over must not trouble the next cell
    return cell


def _set_out(roll: Roll, row: Row, fault: Fault, name: str) -> tuple[AccountKey, str]:
    """An account sets out into the fault; returns its key and the fault's id."""
    faults = roll.sandbox.faults
    account_id = roll.plant_account(name)
    if row.unready:
        roll.sandbox.aws.fail_stack_instances(account_id, "OptInRequired", times=1)
    if row.polled:
        _ask_while_nobody_receives(roll, row, account_id)
        planted = faults.plant(fault)
        faults.release(drop=True)
    else:
        planted = faults.plant(fault)
        if row.deferred:
            faults.plant(Fault(service="arm", operation="PutSecurityConnector", kind=FaultKind.ERROR, count=2))
        _ask(roll, account_id)
    return key_of(account_id), planted


def _fault(row: Row, column: str) -> Fault:
    kind = FaultKind.TIMEOUT if column == SILENCE else FaultKind(column)
    return Fault(
        service=row.service,
        operation=row.operation,
        identity=row.identity,
        resource=row.resource,
        client=row.client,
        kind=kind,
        count=row.strikes(column),
        seconds=SILENT_SECONDS if column == SILENCE else 0.5,
        retry_after=1 if kind is FaultKind.THROTTLE else None,
    )


def _ask(roll: Roll, account_id: str) -> None:
    """As `rollcall onboard` does it; whoever sees it fail runs it again."""
    bus = AwsEventBus(roll.client("events"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(TransientError):
            bus.request_onboarding(account_id)
            return


def _ask_while_nobody_receives(roll: Roll, row: Row, account_id: str) -> None:
    """Lets the receiver wait until there is a message for it; its request is dropped afterwards."""
    faults = roll.sandbox.faults
    faults.hold(Hold(service=row.service, operation=row.operation, identity=row.identity, when="before"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    _until(lambda: any(hold["reached"] for hold in faults.holds()), deadline)
    _ask(roll, account_id)
    if row.polled == "onboarding":
        _until(lambda: (roll.onboarding.get_queue_properties().approximate_message_count or 0) >= 2, deadline)
    else:
        _until(lambda: roll.messages_on("AccountEventsQueue") >= 1, deadline)


def _until(done: Callable[[], bool], deadline: float) -> None:
    while not done() and time.monotonic() < deadline:
        time.sleep(0.2)


def _project(roll: Roll) -> NewProject:
    """A project to come, once the Organization connector is there that members wait for."""
    project = NewProject(roll)
    _until(project.is_organization_connected, time.monotonic() + PATIENCE_SECONDS)
    roll.wait_until_drained()
    return project


def _project_id(name: str) -> str:
    """An id of at most 30 letters that no other cell has."""
    return f"p-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _state(roll: Roll, key: AccountKey) -> State | None:
    record = roll.ledger.find(key)
    return record.state if record else None


def _struck(roll: Roll, planted: str) -> int:
    return sum(int(each["struck"]) for each in roll.sandbox.faults.planted() if each["id"] == planted)


WORKED_ON = {"AccountEventsQueue", "StackEventsQueue", "onboarding"}


def _messages(roll: Roll) -> Counter[str]:
    """How many messages lie where; queues that are empty are left out."""
    names = [f"{name}{kind}" for name in ("AccountEvents", "StackEvents") for kind in ("Queue", "DeadLetterQueue")]
    found = Counter({name: roll.messages_on(name) for name in names})
    found["onboarding"] = roll.onboarding.get_queue_properties().approximate_message_count or 0
    found["onboarding-poison"] = len(roll.poisoned())
    return +found


class _Failures:
    """How functions failed since a moment: the classes of the errors that left them."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._log = roll.sandbox.function_hosts[0].log
        self._read = self._log.stat().st_size
        self._journalled = len(roll.journal)

    def strays(self) -> tuple[str, ...]:
        """All but those that say: try again later."""
        found = {kind.rpartition(".")[2] for kind in (*self._on_azure(), *self._on_aws())}
        return tuple(sorted(found - {TransientError.__name__}))

    def _on_azure(self) -> Iterable[str]:
        with self._log.open("rb") as log:
            log.seek(self._read)
            lines = [json.loads(line) for line in log.read().splitlines() if line.startswith(b"{")]
        for line in lines:
            if line["message"] == "function executed" and "exception" in line:
                yield re.findall(r"^([A-Za-z_][\w.]*)(?:: |$)", line["exception"], re.MULTILINE)[-1]

    def _on_aws(self) -> Iterable[str]:
        for entry in self._roll.journal.entries(since=self._journalled, operation="lambda:Invoke"):
            if "error" in entry.detail:
                yield str(entry.detail["error"]).partition(":")[0]


def run_jobs(jobs: queue.Queue[Job], verbose: bool) -> list[Cell]:
    """Cells from the common list, as long as there are any, on a sandbox of their own."""
    cells: list[Cell] = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **SHORT) as roll:
        first = roll.plant_account("warm-up")
        roll.ask_onboarding(first)
        roll.wait_for_state(first, State.CONNECTED)
        roll.wait_until_drained()  # else the first cell may kill a function that still works on this account
        while True:
            try:
                row, column = jobs.get_nowait()
            except queue.Empty:
                return cells
            cells.append(_cell_or_defect(roll, row, column))
            if verbose:
                print(f"{row.name} x {column}: {cells[-1]}", file=sys.stderr, flush=True)


def _cell_or_defect(roll: Roll, row: Row, column: str) -> Cell:
    """A cell, also where an error left an adapter that nobody expects there."""
    try:
        return run_cell(roll, row, column)
    except Exception as error:
        roll.sandbox.faults.clear()
        roll.sandbox.faults.release(drop=True)
        return Cell(
            row=row.name,
            column=column,
            state="failed",
            reason=repr(error),
            seconds=0,
            struck=0,
            planned=row.strikes(column),
        )


def jobs_of(rows: Sequence[Row], columns: Sequence[str]) -> list[Job]:
    """All cells, the longest first."""
    jobs = [(row, column) for row in rows for column in columns if column != SILENCE or row.silent]
    return sorted(jobs, key=lambda job: -(PATIENCE_SECONDS if job[1] == SILENCE else job[0].seconds))


def run_table(jobs: Sequence[Job], *, workers: int = WORKERS, verbose: bool = False) -> list[Cell]:
    """These cells, on a few sandboxes side by side: most of the time is waiting."""
    workers = min(workers, len(jobs))
    context = multiprocessing.get_context("spawn")
    # On loopback: a test's process may open no other socket.
    manager = SyncManager(address=("127.0.0.1", 0), ctx=context)
    with manager, ProcessPoolExecutor(workers, mp_context=context) as pool:
        common: queue.Queue[Job] = manager.Queue()
        for job in jobs:
            common.put(job)
        parts = [pool.submit(run_jobs, common, verbose) for _ in range(workers)]
        found = {(cell.row, cell.column): cell for part in parts for cell in part.result()}
    return [found[row.name, column] for row in ROWS for column in COLUMNS if (row.name, column) in found]


def as_markdown(cells: Iterable[Cell]) -> str:
    """Services down, kinds across."""
    table: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        table.setdefault(cell.row, {})[cell.column] = cell
    columns = [column for column in COLUMNS if any(column in by_column for by_column in table.values())]
    lines = [f"| service | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for row, by_column in table.items():
        texts = [str(by_column[column]) if column in by_column else "–" for column in columns]
        lines.append(f"| {row} | {' | '.join(texts)} |")
    return "\n".join(lines)


def main() -> int:
    """Prints the table; 1 where a cell did not end well."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.fault_table", description=__doc__)
    parser.add_argument("--rows", default="", help="only these rows, separated by commas")
    parser.add_argument("--columns", default="", help="only these columns, separated by commas")
    parser.add_argument("--verbose", action="store_true", help="a line for every cell when it ends")
    parser.add_argument("--workers", type=int, default=WORKERS, help="sandboxes side by side")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if not arguments.rows or row.name in arguments.rows.split(",")]
    columns = [column for column in COLUMNS if not arguments.columns or column in arguments.columns.split(",")]
    started = time.monotonic()
    cells = run_table(jobs_of(rows, columns), workers=arguments.workers, verbose=arguments.verbose)
    print(as_markdown(cells))
    bad = [cell for cell in cells if not cell.ended_well]
    print(f"\n{len(cells)} cells, {len(cells) - len(bad)} ended well, {time.monotonic() - started:.0f} s")
    for cell in bad:
        print(f"- {cell.row} x {cell.column}: {cell}: {cell.reason}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
