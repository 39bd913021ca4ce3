"""What the command line costs where there is much to read: time, memory, and requests against the fewest possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.evidence import bound_of, keep
from bench.many_things import Things
from bench.measured_command import Run, run_measured
from bench.result import Bar, Chart, Result, Table, Target
from sandbox.azure.directory import OPERATOR
from tests.e2e.roll import running

MOST, SPARE = 1.1, 3
"""Requests: so many times the fewest, and so many more."""
OWN = (OPERATOR, "arn:aws:iam::123456789012:root")
"""Who the command is in both clouds; others work on in the sandbox meanwhile."""
Need = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much there is. Rows are those of accounts: the present ones, and those that left."""

    rows: int
    accounts: int
    poison: int
    history: int


FULL = Size(rows=50_000, accounts=10_000, poison=5_000, history=2_500)
SMALL = Size(rows=500, accounts=100, poison=50, history=50)
ROWS, RESOURCES, MESSAGES, ACCOUNTS = 1000, 1000, 32, 20
"""A page of a table, of Resource Graph, of a Storage queue, of ListAccounts.

Source: Table service REST, "Query timeout and pagination"; Resource Graph, "Working with large data sets"; Queue
service REST, Get Messages; Organizations API, ListAccounts.
"""


def once(number: int = 1) -> Need:
    """So many that each are a request of their own."""
    return {"items": number, "page": 1}


QUEUES = {  # depth, and the age of the oldest message, of four Storage queues; the depth of six SQS queues by name
    "queue:GetQueueMetadata": once(4),
    "queue:PeekMessages": once(4),
    "cloudformation:DescribeStacks": once(),
    "sqs:GetQueueAttributes": once(6),
}
TOKEN = {"managed-identity:GetToken": once()}


def needs(size: Size) -> Mapping[str, Mapping[str, Need]]:
    """For each command the requests that it cannot do without."""
    ledger = {"items": size.rows, "page": ROWS}
    return {
        "status": {**TOKEN, **QUEUES, "table:QueryEntities": ledger | {"more": 1}},  # one for the last sweeps
        "status ID": {  # twelve digits are an account's or a project's
            **TOKEN,
            "table:GetEntity": once(2),
            "table:QueryEntities": {"items": size.history, "page": ROWS},
        },
        "plan": {
            "managed-identity:GetToken": once(2),
            "organizations:DescribeOrganization": once(),
            "organizations:ListAccounts": {"items": size.accounts + 1, "page": ACCOUNTS},
            "organizations:ListOrganizationalUnitsForParent": once(),
            "arm:QueryResources": {"items": size.accounts, "page": RESOURCES},
            "arm:GetSubscription": once(),
            "arm:ListClassicConnectors": once(),
            "arm:ListPermissions": once(),
            "arm:ListPricings": once(),
            "blob:GetBlob": once(),
            "table:QueryEntities": ledger,
        },
        "replay list": {  # each message is given back to the others; an empty answer is a queue's end
            **TOKEN,
            "cloudformation:DescribeStacks": once(),
            "queue:GetMessages": {"items": size.poison, "page": MESSAGES, "more": 2},
            "queue:UpdateMessage": once(size.poison),
            "sqs:ReceiveMessage": once(3),
        },
        "report": {
            **TOKEN,
            **QUEUES,
            "blob:GetBlob": once(),
            "blob:ListBlobs": once(3),
            "table:QueryEntities": ledger | {"more": 1},
        },
    }


def arguments_of(first: str) -> Mapping[str, Sequence[str]]:
    """How each is typed."""
    return {
        "status": ["status", "--json"],
        "status ID": ["status", first, "--json"],
        "plan": ["plan", "--json"],
        "replay list": ["replay", "list", "--json"],
        "report": ["report", "--json"],
    }


def measure(folder: Path, *, small: bool) -> Result:
    """Plants everything once, then runs the commands one after the other."""
    size = SMALL if small else FULL
    runs: dict[str, Run] = {}
    with running(folder / ".sandbox") as roll:
        things = Things(roll)
        things.add_accounts(size.accounts - 1)
        things.add_gone(size.rows - size.accounts)
        things.add_history(size.history)
        things.give_up(size.poison)
        for name, arguments in arguments_of(things.first).items():
            runs[name] = run_measured(arguments, folder, roll.journal)
            if runs[name].code:
                raise RuntimeError(f"{name}: {(folder / 'err').read_text(encoding='utf-8')[-2000:]}")
    seen = {name: bound_for(folder, name, run, size) for name, run in runs.items()}
    return result_of(size, runs, seen)


def bound_for(folder: Path, name: str, run: Run, size: Size) -> dict[str, Any]:
    """Keeps the requests of one command, and has its bound computed from them."""
    kept = folder / name.replace(" ", "-")
    entries = [entry for entry in run.entries if entry.identity in OWN]
    keep(kept, {"kind": "commands", "command": name, "needs": needs(size)[name], **asdict(size)}, entries)
    return bound_of(kept)


def result_of(size: Size, runs: Mapping[str, Run], seen: Mapping[str, dict[str, Any]]) -> Result:
    """The figures."""
    head = ("command", "seconds", "CPU seconds", "peak MB", "requests", "fewest", "ratio")
    rows = [
        (
            f"rollcall {name}",
            round(run.wall, 2),
            round(run.cpu, 2),
            round(run.peak_mb),
            seen[name]["calls"],
            seen[name]["bound"],
            round(seen[name]["calls"] / seen[name]["bound"], 3),
        )
        for name, run in runs.items()
    ]
    by_operation = [
        (f"{name}: {operation}", counted["calls"], counted["bound"])
        for name, found in seen.items()
        for operation, counted in found["operations"].items()
    ]
    return Result(
        name="commands",
        title="The command line",
        what="Time, memory and requests of commands that read the whole roll, against the fewest requests.",
        how=_how(size),
        tables=(
            Table(title="Commands", head=head, rows=rows),
            Table(title="Requests by operation", head=("request", "made", "fewest"), rows=by_operation),
        ),
        chart=Chart(
            title="Requests of each command",
            unit="requests",
            bars=[Bar(label=name, value=found["calls"], mark=found["bound"]) for name, found in seen.items()],
            mark="the fewest",
        ),
        targets=tuple(_target(name, found) for name, found in seen.items()),
    )


def _target(name: str, found: Mapping[str, Any]) -> Target:
    what = f"requests of rollcall {name}, beyond {SPARE}, by the fewest"
    value = round((found["calls"] - SPARE) / found["bound"], 3)
    return Target(what=what, value=value, direction="at most", limit=MOST)


def _how(size: Size) -> Sequence[str]:
    return (
        f"{size.rows} rows of accounts in the ledger, {size.accounts} accounts in the organization, as many "
        f"connectors, {size.history} entries of one account's history, {size.poison} given-up messages; planted.",
        "Each command once, with --json, as a process of its own on a sandbox: Azurite keeps tables and queues, "
        "the other services are simulated on the same computer, and the seconds are theirs, too. CPU and memory "
        "are the command's own.",
        "The fewest requests come from the services' page sizes (1000 rows, 1000 resources, 32 messages, 20 "
        "accounts) and what each command has to read once. replay gives each message back by a request.",
        "The policy asks for no tags: each account's tags are a request.",
    )
