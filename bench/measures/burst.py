"""Bursts of accounts against the least time that StackSets and Resource Manager's write budget allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from bench.bursts import KEPT_BY_A_HOST, Burst, Plan, burst
from bench.processor import AZURITE, FUNCTIONS, LAMBDAS, SIMULATORS
from bench.result import Bar, Cell, Chart, Result, Table, Target

SLOWER = 1.25
"""How many times slower than real the clouds are: the computer is not to be what the accounts wait for.

An account keeps a core busy for about 0.1 s, simulators included.
"""
THOUSAND, TEN_THOUSAND = 1_000, 10_000
HOSTS = (1, 4)
LARGE = "10000"
MAIN, AFTERWARDS = "1000", "1000, afterwards"
ONE, THREE = "one subscription", "three subscriptions"
FEW, UNPACED = "80", "without pacing"

LEAST_SHARE = 0.9
TENTH = Plan(name="", accounts=0, slower=10.0, writes=30, stack_instance_seconds=3.0, windows=1.0)
"""A tenth of a bucket's rate; what the pacer leaves unused for each host is a third of its size."""
FULL = (
    *(Plan(name=f"{MAIN}, hosts {hosts}", accounts=THOUSAND, slower=SLOWER, hosts=hosts) for hosts in HOSTS),
    Plan(name=MAIN, accounts=THOUSAND, slower=SLOWER),
    Plan(name=LARGE, accounts=TEN_THOUSAND, slower=SLOWER),
    Plan(name=AFTERWARDS, accounts=THOUSAND, slower=SLOWER),
    replace(TENTH, name=ONE, accounts=230),
    replace(TENTH, name=THREE, accounts=690, subscriptions=3),
)
SHORT = Plan(name="", accounts=0, slower=1.0, profiles=2, stack_instance_seconds=0.2)
SMALL = (
    replace(SHORT, name=FEW, accounts=80, slower=2.5, writes=50, windows=0.25),
    replace(SHORT, name=UNPACED, accounts=24, slower=5.0, writes=5, windows=0.025, paced=False),
)


def measure(folder: Path, *, small: bool) -> Result:
    """Runs the plans one after the other, each in a world of its own."""
    done = [burst(folder, plan) for plan in (SMALL if small else FULL)]
    return result_of(done)


def result_of(done: Sequence[Burst]) -> Result:
    """The runs as tables, a chart and figures with their limits."""
    return Result(
        name="burst",
        title="Bursts of accounts",
        what=(
            "How near a burst comes to the least time that AWS StackSets and Resource Manager's write budget allow, "
            "what it asks of both, and what an account costs us as bursts grow."
        ),
        how=_how(done),
        tables=(_times(done), _costs(done)),
        chart=Chart(
            title="From the first event to the last connector",
            unit="s",
            bars=[
                Bar(label=each.plan.name, value=_rounded(each, "seconds"), mark=_rounded(each, "bound_seconds"))
                for each in done
            ],
            mark="the least that the clouds allow",
        ),
        targets=tuple(_targets(done)),
        notes=(
            f"{ONE.capitalize()} and {THREE} are a model of a tenth: a bucket of 30 writes, 1 more per second, a stack "
            "instance and batching windows at their real times.",
            "Each profile of the policy has StackSet operations of its own.",
            "Three times as fast, and linear, are meant within a tenth.",
            f"An account's processor time differs by a tenth and more from one half hour of this computer to the next: "
            f"that of {LARGE} accounts is set against the mean of the runs right before and after it.",
            f"A turn to write is kept in blocks of {KEPT_BY_A_HOST} by each Functions host: set "
            "`ROLLCALL_PACING__BURST` so far below the bucket's size for each.",
        ),
    )


def _how(done: Sequence[Burst]) -> Sequence[str]:
    scales = ", ".join(f"{each.plan.name}: {each.plan.slower:g} times" for each in done)
    return (
        "All accounts are there at once; two events tell of each, as AWS sends them, and run through the deployed "
        "rules, queues, Lambda functions, StackSet, Storage queue and Functions hosts.",
        "AWS and Azure are the sandbox's on the same computer. A stack instance takes 30 s, a subscription grants 200 "
        "writes and 10 more per second, unless the table says otherwise.",
        "Times and budgets of the clouds are slower than real, so that the computer is not what is waited for: "
        f"{scales}. Times are as measured. What Rollcall's code waits for by itself is not slowed.",
        "The Storage queue is the sandbox's own (`QUEUE_SERVICE=memory`) in every run, since Azurite's slows down with "
        "a queue's depth; it passes the contract suite of the queue's adapter (`tests/contract/test_ports_queue.py`).",
        "The bound is one stack instance's time, and what the fullest subscription's bucket has to regain for its "
        "connectors; batching windows and queues are not in it. `bench/bounds/burst.py` computes it from the journal "
        "and the settings. Nothing is drawn by lot: accounts have their numbers' places, so there is no seed.",
        "Processor time is that of the Functions hosts and Lambda functions from /proc, from the first event on, the "
        "start of the Lambda processes included.",
    )


def _times(done: Sequence[Burst]) -> Table:
    head = ("run", "accounts", "hosts", "subscriptions", "slower", "writes at once", "seconds", "bound", "bound ÷ time")
    rows = [
        (
            each.plan.name,
            each.plan.accounts,
            each.plan.hosts,
            each.plan.subscriptions,
            each.plan.slower,
            each.plan.writes,
            _rounded(each, "seconds"),
            _rounded(each, "bound_seconds"),
            round(each.share, 3),
        )
        for each in done
    ]
    return Table(title="Time", head=head, rows=rows)


def _costs(done: Sequence[Burst]) -> Table:
    head = (
        "run",
        "StackSet operations",
        "PUTs",
        "429",
        "Lambda calls",
        "longest (s)",
        "requests per account",
        "our CPU per account (ms)",
        FUNCTIONS,
        LAMBDAS,
        f"{SIMULATORS} (ms)",
        f"{AZURITE} (ms)",
    )
    return Table(title="Cost", head=head, rows=[_cost(each) for each in done])


def _cost(each: Burst) -> Sequence[Cell]:
    found = each.found
    operations = ", ".join(f"{count} {profile}" for profile, count in sorted(found["operations"].items()))
    kinds = (FUNCTIONS, LAMBDAS, SIMULATORS, AZURITE)
    return (
        each.plan.name,
        operations,
        found["puts"],
        found["throttled"],
        found["invocations"],
        round(found["longest_invocation_seconds"], 1),
        round(sum(each.requests.values()) / each.plan.accounts, 1),
        round(each.own_ms, 1),
        *(round(1000 * each.processor.get(kind, 0.0) / each.plan.accounts, 1) for kind in kinds),
    )


def _targets(done: Sequence[Burst]) -> Iterator[Target]:
    for each in done:
        name = each.plan.name
        if each.plan.paced:
            what, value = f"{name}: bound ÷ time", round(each.share, 3)
            yield Target(what=what, value=value, direction="at least", limit=LEAST_SHARE, timed=True)
            share = 100 * each.throttled_share
            yield Target(what=f"{name}: 429", value=round(share, 2), direction="at most", limit=1, unit="% of PUTs")
        yield Target(what=f"{name}: accounts lost", value=_lost(each), direction="at most", limit=0)
        yield Target(
            what=f"{name}: StackSet operations" + " of a profile" * (each.plan.profiles > 1),
            value=max(each.found["operations"].values()),
            direction="at most",
            limit=each.plan.accounts / 100 + 5,
        )
    named = {each.plan.name: each for each in done}
    if MAIN in named and LARGE in named:
        yield from _growth([named[each] for each in (MAIN, AFTERWARDS) if each in named], named[LARGE])
    if ONE in named and THREE in named:
        value = round(named[THREE].paced_rate / named[ONE].paced_rate, 2)
        what = "three subscriptions: speed, paced"
        yield Target(what=what, value=value, direction="at least", limit=2.7, unit="times", timed=True)


def _growth(small: Sequence[Burst], large: Burst) -> Iterator[Target]:
    """Ten times as many accounts ask at most ten times as much of us and of StackSets, within a tenth of it.

    `small` are the runs before and after the `large` one.
    """
    first = small[0]
    factor = large.plan.accounts / first.plan.accounts
    what = f"{large.plan.name} against {first.plan.name}"
    cpu = round(large.own_ms / fmean(each.own_ms for each in small), 2)
    told = f"{what}: our CPU per account"
    yield Target(what=told, value=cpu, direction="at most", limit=1.1, unit="times", timed=True)
    operations = sum(large.found["operations"].values()) / sum(first.found["operations"].values())
    yield Target(
        what=f"{what}: StackSet operations", value=round(operations, 2), direction="at most", limit=factor, unit="times"
    )


def _lost(each: Burst) -> int:
    return each.plan.accounts - each.connected + each.dead_letters


def _rounded(each: Burst, name: str) -> float:
    return round(float(each.found[name]), 1)
