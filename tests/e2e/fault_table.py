"""The fault table: every kind of fault on every service of the path, and where the account ends.

`make faults` prints it: `python -m tests.e2e.fault_table [--count N] [--rows a,b] [--kinds x,y]`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.azure.directory import FUNCTIONS, QUEUE_SENDER
from sandbox.faults import Fault, FaultKind
from shared.domain.ledger import State
from tests.e2e.roll import Roll, running

PATIENCE_SECONDS = 60.0
WORKERS = 3
ACCOUNT_EVENTS, STACK_EVENTS, HOST = "rollcall-account-events", "rollcall-stack-events", "functions-0"
SHORT: dict[str, Any] = {
    "stack_instance_seconds": 0.2,
    "sqs_batch_window_scale": 0.005,
    "sqs_visibility_seconds": 2,
    "queue_visibility_seconds": 1,
    "crash_invisibility_seconds": 2.0,
    "retry_first_seconds": 0.5,
    "retry_contended_seconds": 0.5,
    "resource_graph_lag_seconds": 0.2,
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One service: which request is struck. `fresh` is the process that must not have its answer cached."""

    name: str
    service: str
    operation: str
    identity: str
    client: str = "*"
    fresh: str = ""


def _lambda(function: str) -> str:
    return f"*:role/{function}"


ROWS = (
    Row(name="organizations", service="organizations", operation="DescribeAccount", identity=_lambda(ACCOUNT_EVENTS)),
    Row(
        name="cloudformation",
        service="cloudformation",
        operation="CreateStackInstances",
        identity=_lambda(ACCOUNT_EVENTS),
    ),
    Row(name="sqs", service="sqs", operation="DeleteMessageBatch", identity=_lambda(ACCOUNT_EVENTS)),
    Row(
        name="s3",
        service="s3",
        operation="GetObject",
        identity=_lambda(ACCOUNT_EVENTS),
        fresh=f"lambda:{ACCOUNT_EVENTS}",
    ),
    Row(
        name="sts",
        service="sts",
        operation="GetWebIdentityToken",
        identity=_lambda(STACK_EVENTS),
        fresh=f"lambda:{STACK_EVENTS}",
    ),
    Row(
        name="entra",
        service="entra",
        operation="GetToken",
        identity=QUEUE_SENDER,
        client=f"*{STACK_EVENTS}*",
        fresh=f"lambda:{STACK_EVENTS}",
    ),
    Row(name="managed identity", service="managed-identity", operation="GetToken", identity=FUNCTIONS, fresh=HOST),
    Row(name="queue", service="queue", operation="PutMessage", identity=QUEUE_SENDER, client=f"*{STACK_EVENTS}*"),
    Row(name="table", service="table", operation="UpdateEntity", identity=FUNCTIONS),
    Row(name="blob", service="blob", operation="GetBlob", identity=FUNCTIONS, fresh=HOST),
    Row(name="arm connectors", service="arm", operation="PutSecurityConnector", identity=FUNCTIONS),
    Row(name="resource graph", service="arm", operation="QueryResources", identity=FUNCTIONS, fresh=HOST),
)
COUNTS = {"arm": 3}  # nothing retries below the queue there, so more than one


@dataclass(frozen=True, kw_only=True)
class Cell:
    """How one fault ended: the account's state, what was left over, and how long it took."""

    row: str
    kind: FaultKind
    state: str
    reason: str
    seconds: float
    struck: int
    connectors: int
    leftovers: int

    @property
    def ended_well(self) -> bool:
        """Connected by one connector although the fault struck, with nothing dead or poisoned."""
        return self.state == State.CONNECTED and self.struck > 0 and self.connectors == 1 and self.leftovers == 0

    def __str__(self) -> str:
        text = f"{self.state} {self.seconds:.1f} s"
        if self.struck == 0:
            return f"NOT STRUCK ({text})"
        return text if self.ended_well else f"**{text}** ({self.connectors} connectors, {self.leftovers} left over)"


def run_cell(roll: Roll, row: Row, kind: FaultKind, count: int) -> Cell:
    """One account on its way while one service is at fault."""
    sandbox = roll.sandbox
    before = _leftovers(roll)
    if row.fresh == HOST:
        sandbox.kill(HOST)
        sandbox.start_host(HOST)
    elif row.fresh:
        sandbox.kill(row.fresh)
    account_id = roll.plant_account(f"{row.name}-{kind}".replace(" ", "-").replace("_", "-"))
    sandbox.faults.plant(
        Fault(
            service=row.service,
            operation=row.operation,
            identity=row.identity,
            client=row.client,
            kind=kind,
            count=max(count, COUNTS.get(row.service, 1)),
            seconds=1.0,
            retry_after=1 if kind is FaultKind.THROTTLE else None,
        )
    )
    started = time.monotonic()
    roll.ask_onboarding(account_id)
    record = None
    while time.monotonic() - started < PATIENCE_SECONDS:
        record = roll.record(account_id)
        if record is not None and record.state in {State.CONNECTED, State.PARKED, State.DEPLOY_FAILED}:
            break
        time.sleep(0.1)
    seconds = time.monotonic() - started
    while (struck := sandbox.faults.planted()[0]["struck"]) == 0 and time.monotonic() - started < seconds + 3:
        time.sleep(0.1)  # what strikes after the end, such as the deletion of the event
    sandbox.faults.clear()
    return Cell(
        row=row.name,
        kind=kind,
        state=str(record.state) if record else "unknown",
        reason=record.reason if record else "",
        seconds=seconds,
        struck=struck,
        connectors=len(roll.connectors(account_id)),
        leftovers=_leftovers(roll) - before,
    )


def _leftovers(roll: Roll) -> int:
    """Messages that nobody works on any more."""
    letters = sum(roll.messages_on(f"{name}DeadLetterQueue") for name in ("AccountEvents", "StackEvents"))
    return letters + len(roll.poisoned())


def run_rows(rows: Sequence[Row], kinds: Sequence[FaultKind], count: int) -> list[Cell]:
    """The cells of some rows, on a sandbox of their own."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **SHORT) as roll:
        first = roll.plant_account("warm-up")
        roll.ask_onboarding(first)
        roll.wait_for_state(first, State.CONNECTED)
        return [run_cell(roll, row, kind, count) for row in rows for kind in kinds]


def run_table(
    rows: Sequence[Row] = ROWS, kinds: Sequence[FaultKind] = tuple(FaultKind), *, count: int = 1, workers: int = WORKERS
) -> list[Cell]:
    """All cells, on a few sandboxes side by side: most of the time is waiting."""
    workers = min(workers, len(rows))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(run_rows, rows[number::workers], kinds, count) for number in range(workers)]
        found = {(cell.row, cell.kind): cell for part in parts for cell in part.result()}
    return [found[row.name, kind] for row in rows for kind in kinds]


def as_markdown(cells: Iterable[Cell]) -> str:
    """Services down, kinds across."""
    table: dict[str, dict[FaultKind, Cell]] = {}
    for cell in cells:
        table.setdefault(cell.row, {})[cell.kind] = cell
    kinds = list(next(iter(table.values())))
    lines = [f"| service | {' | '.join(kinds)} |", f"|---|{'---|' * len(kinds)}"]
    lines += [f"| {row} | {' | '.join(str(by_kind[kind]) for kind in kinds)} |" for row, by_kind in table.items()]
    return "\n".join(lines)


def main() -> int:
    """Prints the table; 1 where a cell did not end well."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.fault_table", description=__doc__)
    parser.add_argument("--count", type=int, default=1, help="how many requests in a row each fault strikes")
    parser.add_argument("--rows", default="", help="only these services, separated by commas")
    parser.add_argument("--kinds", default="", help="only these kinds, separated by commas")
    parser.add_argument("--workers", type=int, default=WORKERS, help="sandboxes side by side")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if not arguments.rows or row.name in arguments.rows.split(",")]
    kinds = [kind for kind in FaultKind if not arguments.kinds or kind in arguments.kinds.split(",")]
    started = time.monotonic()
    cells = run_table(rows, kinds, count=arguments.count, workers=arguments.workers)
    print(as_markdown(cells))
    bad = [cell for cell in cells if not cell.ended_well]
    print(f"\n{len(cells)} cells, {len(cells) - len(bad)} ended well, {time.monotonic() - started:.0f} s")
    for cell in bad:
        print(f"- {cell.row} x {cell.kind}: {cell}: {cell.reason}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
