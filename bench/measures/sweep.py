"""What a sweep costs: requests, time against Resource Graph's quota, and the peak memory of each process."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.evidence import bound_of, keep
from bench.result import Bar, Cell, Chart, Result, Table, Target
from bench.sweep_meter import COMMAND, PLANNER, WORKER, Cost, Meter
from sandbox.azure import resource_graph
from sandbox.azure.directory import FUNCTIONS
from tests.e2e.many import Crowd
from tests.e2e.roll import running


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many there are, and how many queries Resource Graph grants in 5 s: fewer make its time a slower one."""

    accounts: int
    machines: int
    queries: int

    @property
    def slower(self) -> float:
        """How many times slower than real its quota is."""
        return resource_graph.QUOTA / self.queries

    def __str__(self) -> str:
        """Connectors and machines."""
        return f"{self.accounts:,} / {self.machines:,}"


SMALL = (Size(accounts=60, machines=60, queries=resource_graph.QUOTA),)
FULL = (Size(accounts=10_000, machines=10_000, queries=8), Size(accounts=10_000, machines=100_000, queries=12))
"""The computer, on which all clouds run besides, is not to be what the queries wait for."""
SUSPECTS, ORPHANS = 10, 4
MEMORY_LIMIT_MB = 512
"""The smallest instance of a Flex Consumption plan; the default has four times as much."""
LEAST_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class Swept:
    """One sweep, and its bound as the separate script computes it."""

    size: Size
    cost: Cost
    bound: dict[str, Any]


def measure(folder: Path, *, small: bool) -> Result:
    """Sweeps each size in a sandbox of its own."""
    swept = [_swept(size, folder / f"{size.accounts}x{size.machines}") for size in (SMALL if small else FULL)]
    return Result(
        name="sweep",
        title="A sweep of the whole tenant",
        what=(
            "A sandbox has so many connected accounts, each with connector, health report and three assessments, and "
            "so many Arc machines, of which ten are silent and four of these orphaned. One sweep finds exactly these."
        ),
        how=(
            "Functions app and `rollcall sweep` are the real processes: one host plans and is ended, another does the "
            "slices, four at once; so the planner's peak is not taken for a slice's.",
            "The bound is Resource Graph's quota, whoever asks as the Function App: 15 queries in 5 s in truth. Here "
            "it is slower, so that the computer is not what is waited for: "
            f"{'; '.join(f'{each.size}: {each.size.queries}' for each in swept)}. Nothing else is slowed. The pages of "
            "AWS's accounts, listings and slices' documents are not in the bound. Time runs from the sweep's first "
            "query to its report.",
            "Queries that were refused are besides those that were answered; each is asked again after the wait that "
            "the refusal names.",
            "Peaks are `VmHWM` of `/proc`. All clouds run on the same computer.",
        ),
        tables=(
            Table(
                title="", head=("connectors / machines", *(str(each.size) for each in swept)), rows=list(_rows(swept))
            ),
        ),
        chart=Chart(
            title="Time of a sweep by connectors / machines",
            unit="s",
            bars=[
                Bar(label=str(each.size), value=each.bound["seconds"], mark=each.bound["bound_seconds"])
                for each in swept
            ],
            mark="least that the quota allows",
        ),
        targets=list(_targets(swept, small=small)),
    )


def _targets(swept: Sequence[Swept], *, small: bool) -> Iterator[Target]:
    for each in swept:
        if not small:  # a small sweep ends before the quota counts
            share = each.bound["bound_seconds"] / each.bound["seconds"]
            what = f"{each.size}: bound ÷ time"
            yield Target(what=what, value=round(share, 3), direction="at least", limit=LEAST_SHARE, timed=True)
        for name, process in _peaks(each.cost):
            what = f"{each.size}: peak of {name}"
            yield Target(what=what, value=round(process), direction="at most", limit=MEMORY_LIMIT_MB, unit="MB")


def _peaks(cost: Cost) -> Iterator[tuple[str, float]]:
    yield "the planner", cost.processes[PLANNER].peak_mb
    yield "slices", cost.slice_peak_mb
    yield "slices and the report", cost.processes[WORKER].peak_mb
    yield "`rollcall sweep`", cost.processes[COMMAND].peak_mb


def _rows(swept: Sequence[Swept]) -> Iterator[Sequence[Cell]]:
    def row(name: str, value: Callable[[Swept], Cell]) -> Sequence[Cell]:
        return (name, *(value(each) for each in swept))

    yield row("quota slower than real", lambda each: each.size.slower)
    yield row("slices", lambda each: each.cost.slices)
    yield row("seconds from first request to report", lambda each: each.bound["seconds"])
    yield row("least seconds by quota", lambda each: each.bound["bound_seconds"])
    for part in ("planning", "slices"):
        yield row(f"seconds of {part}", lambda each, part=part: each.cost.seconds[part])  # type: ignore[misc] # bound now
    yield row("queries of Resource Graph", lambda each: each.bound["queries"])
    yield row("refused besides (429)", lambda each: each.bound["refused"])
    yield row("requests of the Function App, without the host's polling", lambda each: each.cost.total)
    yield row(
        "for each connector and machine", lambda each: each.cost.total / (each.cost.accounts + each.cost.machines)
    )
    for name in swept[0].cost.processes:
        yield row(f"CPU seconds: {name}", lambda each, name=name: each.cost.processes[name].cpu_seconds)  # type: ignore[misc] # bound now
    for number, (name, _) in enumerate(_peaks(swept[0].cost)):
        yield row(f"peak MB: {name}", lambda each, number=number: list(_peaks(each.cost))[number][1])  # type: ignore[misc] # bound now
    for name in sorted(set().union(*(each.cost.calls for each in swept))):
        yield row(name, lambda each, name=name: each.cost.calls[name])  # type: ignore[misc] # bound now


def _swept(size: Size, evidence: Path) -> Swept:
    """Plants a world and sweeps it; fails where anything else is found than was planted."""
    cost = Cost(size.accounts, size.machines)
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name) / ".sandbox", function_hosts=2, queue_visibility_seconds=1) as roll,
    ):
        crowd = Crowd(roll)
        roll.sandbox.azure.graph.quota = size.queries
        crowd.add_accounts(size.accounts - 1)
        crowd.add_suspects(SUSPECTS, ORPHANS)
        crowd.add_machines(size.machines - SUSPECTS)
        begun = len(roll.journal)
        report = Meter(roll, Path(name), cost).measure()
        settings = {
            "kind": "sweep",
            "identity": FUNCTIONS,
            "graph_queries": size.queries,
            "graph_seconds": resource_graph.QUOTA_SECONDS,
        }
        keep(evidence, settings, roll.journal.entries(since=begun))
    wanted = {"machine-orphaned": ORPHANS, "machine-disconnected": SUSPECTS - ORPHANS}
    found = Counter(each["finding"]["key"] for each in report["findings"])
    looked = report["looked"]
    if (
        not report["complete"]
        or found != wanted
        or (looked["connectors"], looked["machines"]) != (size.accounts, size.machines)
    ):
        raise SystemExit(f"expected {wanted}, got {found}; {looked}; {report['gaps'][:3]}")
    return Swept(size=size, cost=cost, bound=bound_of(evidence))
