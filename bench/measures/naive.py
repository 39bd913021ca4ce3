"""Rollcall's way and the naive one in the same world: one StackSet operation per account, one worker, GET and PUT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.bursts import Accepted, Plan, needed, planted, prepare, settings_of
from bench.evidence import bound_of, keep
from bench.one_by_one import HANDLERS, Like, OneByOne, make_stack_set
from bench.result import Bar, Chart, Result, Table, Target
from sandbox.journal import JournalEntry
from tests.e2e.burst import put, told
from tests.e2e.roll import Roll, running, wait_until

FULL = Plan(name="rollcall", accounts=100, slower=0.1)
SMALL = Plan(name="rollcall", accounts=12, slower=0.05)
"""The clouds are faster than real here, or the naive way would take an hour."""
TIMES_FASTER = {FULL.accounts: 10, SMALL.accounts: 2}
NAIVE = "naive"
LARGE = 1_000


def measure(folder: Path, *, small: bool) -> Result:
    """First so many accounts by Rollcall, then as many others in the naive way."""
    plan = SMALL if small else FULL
    with running(folder / "world", **plan.settings()) as roll:
        prepare(roll, plan)
        profiles = planted(roll, plan)
        like = _by_rollcall(roll, plan, profiles, folder)
        roll.sandbox.azure.resource_manager.reset_buckets()
        _naively(roll, plan, like, folder)
    ours, theirs = bound_of(folder / plan.name), bound_of(folder / NAIVE)
    return result_of(plan, ours, theirs)


def _by_rollcall(roll: Roll, plan: Plan, profiles: Mapping[str, str], folder: Path) -> Like:
    before = len(roll.journal)
    put(roll, [event for each in profiles for event in told(each)])
    done = Accepted(roll, before)
    wait_until(lambda: done.count() >= plan.accounts, "every account has its connector", 300)
    roll.wait_until_drained()
    entries = roll.journal.entries(since=before)
    keep(folder / plan.name, settings_of(plan, profiles), filter(needed, entries))
    return _like(next(each for each in entries if each.operation == "arm:PutSecurityConnector"))


def _like(entry: JournalEntry) -> Like:
    path = entry.path.partition("?")[0]
    return Like(account=path.rpartition("-")[2], path=path, body=entry.body)


def _naively(roll: Roll, plan: Plan, like: Like, folder: Path) -> None:
    make_stack_set(roll)
    accounts = roll.seed(accounts=[{"name": f"naive-{each:05d}"} for each in range(plan.accounts)])["accounts"]
    before = len(roll.journal)
    OneByOne(roll, like, slower=plan.slower).connect(accounts)
    entries = filter(needed, roll.journal.entries(since=before))
    keep(folder / NAIVE, {"kind": "naive", "slower": plan.slower}, entries)


HEAD = (
    *("way", "seconds", "StackSet operations", "refused (another one runs)"),
    *("CloudFormation calls", "Resource Manager calls", "PUTs", "429"),
)


def result_of(plan: Plan, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Result:
    """Both side by side."""
    operations = sum(ours["operations"].values())
    rows: Sequence[tuple[str, float, int, int, int, int, int, int]] = (
        ("Rollcall", round(ours["seconds"], 1), operations, ours["refused"], *_calls(ours)),
        ("naive", round(theirs["seconds"], 1), theirs["operations"], theirs["refused"], *_calls(theirs)),
    )
    each = theirs["seconds"] / theirs["accepted"] / plan.slower
    return Result(
        name="naive",
        title="Rollcall and the naive way",
        what="The same number of new accounts in the same world, first by Rollcall, then one by one.",
        how=_how(plan),
        tables=(
            Table(
                title="Side by side",
                head=HEAD,
                rows=rows,
            ),
        ),
        chart=Chart(
            title="From the first event to the last connector",
            unit="s",
            bars=[Bar(label=str(row[0]), value=row[1]) for row in rows],
        ),
        targets=(
            _faster(plan, round(theirs["seconds"] / ours["seconds"], 1)),
            Target(what="Rollcall: StackSet operations", value=operations, direction="at most", limit=_few(plan)),
        ),
        notes=(
            f"Extrapolated, not measured: at real times the naive way needs {each:.0f} s per account, "
            f"{LARGE * each / 3600:.1f} hours for {LARGE:,}.",
        ),
    )


def _faster(plan: Plan, times: float) -> Target:
    limit, what = TIMES_FASTER[plan.accounts], "naive ÷ Rollcall, time"
    return Target(what=what, value=times, direction="at least", limit=limit, unit="times", timed=True)


def _calls(found: Mapping[str, Any]) -> tuple[int, int, int, int]:
    return found["stack_set_calls"], found["manager_calls"], found["puts"], found["throttled"]


def _few(plan: Plan) -> float:
    """What a burst of one profile may ask."""
    return plan.accounts / 100 + 5


def _how(plan: Plan) -> Sequence[str]:
    return (
        f"{plan.accounts} accounts each. AWS and Azure are the sandbox's, their times "
        f"{plan.slower:g} times the real ones: a stack instance takes {30 * plan.slower:g} s instead of 30 s. "
        "The times of the table are as measured.",
        f"The naive way is plain SDK calls, `bench/one_by_one.py`: {HANDLERS} handlers of events ask for one "
        "StackSet operation per account and ask again where another one runs; one worker asks for each connector, "
        "writes it and waits. Its StackSet has Rollcall's template and runs one operation at a time, which is "
        "CloudFormation's default.",
        "Rollcall's time runs from the first event put to the last PUT accepted, batching windows included; the "
        "naive way's from its first operation: it is spared the way of the events.",
    )
