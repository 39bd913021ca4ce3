"""From an event to a connector on a sandbox that does nothing else: how much of it is ours."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.evidence import bound_of, keep
from bench.result import Bar, Chart, Result, Table, Target
from sandbox.azure.directory import FUNCTIONS
from tests.e2e.roll import QUICK, Roll, running

ACCOUNTS, FEW_ACCOUNTS = 10, 3
MOST_SECONDS = 1.0
GAP_SECONDS = 1.0
ROLES = ("rollcall-account-events", "rollcall-stack-events")
RUN = "idle"


def measure(folder: Path, *, small: bool) -> Result:
    """One account after the other; the next is asked for when nothing is left on any queue."""
    number = FEW_ACCOUNTS if small else ACCOUNTS
    with running(folder / ".sandbox") as roll:
        connect(roll, "first")  # so that what follows finds every process warm
        begun = len(roll.journal)
        accounts = [connect(roll, f"idle-{each}") for each in range(number)]
        settings: dict[str, Any] = {
            "kind": "idle",
            "accounts": accounts,
            "function_app": FUNCTIONS,
            "roles": ROLES,
            "gap_seconds": GAP_SECONDS,
            "sandbox": QUICK,
        }
        keep(folder / RUN, settings, roll.journal.entries(since=begun))
    return result_of(bound_of(folder / RUN)["accounts"])


def connect(roll: Roll, name: str) -> str:
    """Creates an account and waits until it is connected and nothing is left to do."""
    account = roll.create_account(name)
    roll.wait_for_state(account, "connected")
    roll.wait_until_drained()
    return account


def result_of(ways: Sequence[dict[str, Any]]) -> Result:
    """The figures; the target is on the median, as a loaded computer makes single ones long."""
    ours = [way["ours"] for way in ways]
    without = [way["without_answers"] for way in ways]
    rows = [
        *((f"account {number}", *_figures(max, [way])) for number, way in enumerate(ways, start=1)),
        ("median", *_figures(statistics.median, ways)),
        ("largest", *_figures(max, ways)),
    ]
    return Result(
        name="idle",
        title="Event to connector, nothing else to do",
        what="How long our own functions work on one new account, from CreateAccount to its connector.",
        how=_how(len(ways)),
        tables=(
            Table(
                title="Seconds of each account",
                head=("account", "elapsed", "ours", "ours without the simulators' answers", "requests of ours"),
                rows=rows,
            ),
        ),
        chart=Chart(
            title="Ours, with the simulators' answers",
            unit="s",
            bars=[
                Bar(label=f"account {number}", value=round(way["ours"], 3), mark=round(way["without_answers"], 3))
                for number, way in enumerate(ways, start=1)
            ],
            mark="without the simulators' answers",
        ),
        targets=[_target(round(statistics.median(ours), 3))],
        notes=(f"Without the simulators' answers the median is {statistics.median(without):.3f} s.",),
    )


def _target(median: float) -> Target:
    what = "our share of the way to a connector, median"
    return Target(what=what, value=median, direction="at most", limit=MOST_SECONDS, unit="s", timed=True)


def _figures(of: Callable[[list[float]], float], ways: Sequence[dict[str, Any]]) -> tuple[float, float, float, int]:
    elapsed, ours, without = (
        round(of([way[name] for way in ways]), 3) for name in ("elapsed", "ours", "without_answers")
    )
    return elapsed, ours, without, round(of([way["requests"] for way in ways]))


def _how(accounts: int) -> Sequence[str]:
    return (
        f"{accounts} accounts, one at a time, on a sandbox whose waiting times are shortened: an account takes "
        f"{QUICK['account_creation_seconds']} s, an event {QUICK['event_delay_seconds']} s, a stack instance "
        f"{QUICK['stack_instance_seconds']} s, a batching window {QUICK['sqs_batch_window_scale']} of its time.",
        "Ours is the time in which a Lambda function or the Function App was at work for the account: invocations "
        "of Lambda functions, and the Function App's work from receiving the message to the answer to the PUT. "
        "The rest is the clouds': creating the account, delivering events, batching, polling, the stack instance. "
        "Shortening these does not change ours.",
        "The simulators' answers to our requests are inside ours; without them is the other figure.",
        "Processes are warm, by one account before: cold starts are measured apart. The target is on the median.",
    )
