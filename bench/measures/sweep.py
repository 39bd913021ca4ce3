"""What a sweep costs: calls, time, and the peak memory of each process, on a sandbox of its own.

The Functions host and the command are the real processes; Resource Manager, Resource Graph and AWS are simulated on
the same computer, so the time is theirs, too. Run with `make bench` (small) or `make bench-sweep`; other sizes as
`python bench/bench_sweep.py 1000x5000` (accounts x machines).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sandbox.azure.directory import FUNCTIONS, OPERATOR
from sandbox.functions_app import FunctionHost
from sandbox.journal import JournalEntry
from tests.e2e.many import Crowd
from tests.e2e.processes import ROLLCALL, environment, processes_of
from tests.e2e.roll import Roll, running

SMALL = ((300, 300),)
SUSPECTS, ORPHANS = 10, 4
TICKS = os.sysconf("SC_CLK_TCK")
ROLES = {"rollcall-reader-hub": "hub role", "OrganizationAccountAccessRole": "reader role"}
WHO = {FUNCTIONS: "functions", OPERATOR: "command", "anonymous": "functions"}
BY_HOST = re.compile(r"queue:(Get|Delete|Update|Peek)Messages?|blob:(LeaseBlob|GetBlobProperties|GetContainerProp.*)")
"""What the Functions host itself asks: it polls, hides and deletes messages, and keeps the timers' state."""
OF_RUN = re.compile(r"runs/[^/]+/(results|slices)/")
OF_BLOB = re.compile(r"(results|slices|facts|reporter|reports|latest|machines|policy)\b")
PLANNER, WORKER, COMMAND = "Functions host that plans", "Functions host that does slices", "command"
CREATED, TOO_MANY = 201, 429


@dataclass
class Process:
    """The peak of a process's memory and its CPU time, as far as they were seen."""

    pid: int
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0

    def look(self) -> None:
        """Reads both from /proc; keeps what it knows of one that has ended."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return
        if (peak := re.search(r"VmHWM:\s+(\d+) kB", status)) is not None:
            self.peak_mb = int(peak[1]) / 1024
            self.cpu_seconds = (int(stat[11]) + int(stat[12])) / TICKS


@dataclass
class Cost:
    """What one sweep came to."""

    accounts: int
    machines: int
    slices: int = 0
    slice_peak_mb: float = 0.0
    throttled: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All requests of the Function App: the command only waits."""
        return sum(count for name, count in self.calls.items() if not name.startswith(COMMAND))


class Meter:
    """One sweep of a sandbox with two Functions hosts, one after the other: the first plans, the second does slices.

    So the planner's peak memory is not taken for that of a slice.
    """

    def __init__(self, roll: Roll, folder: Path, cost: Cost) -> None:
        self.roll, self.folder, self.cost = roll, folder, cost
        self._begun = self._read = len(roll.journal)
        self._results: set[str] = set()
        self._slices: set[str] = set()

    def measure(self) -> dict[str, Any]:
        """Runs it; the report."""
        planner, worker = self.roll.sandbox.function_hosts
        worker.stop()
        self.roll.sandbox.start_host(planner.name)
        simulators, azurite = self._watch("simulators", os.getpid()), self._watch("Azurite", self._pid("azurite"))
        before = simulators.cpu_seconds, azurite.cpu_seconds
        self._watch(PLANNER, self._pid(f"{planner.name}.json"))
        with (self.folder / "report.json").open("w+", encoding="utf-8") as out:
            self._run(out, lambda: self._replace(planner, worker))
            out.seek(0)
            report: dict[str, Any] = json.load(out)
        for process, was in zip((simulators, azurite), before, strict=True):
            process.cpu_seconds -= was
        self._count()
        return report

    def _run(self, out: IO[str], replace: Callable[[], None]) -> None:
        seconds, started = self.cost.seconds, time.monotonic()
        command = subprocess.Popen(  # noqa: S603 - our own fixed command
            [ROLLCALL, "sweep", "--json", "--minutes", "240"],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._watch(COMMAND, command.pid)
            self._until(self._is_planned, command)
            seconds["planning"] = time.monotonic() - started
            replace()
            self._until(lambda: len(self._results) >= len(self._slices), command)
            self.cost.slice_peak_mb = self.cost.processes[WORKER].peak_mb
            seconds["slices"] = time.monotonic() - started - seconds["planning"]
            self._until(lambda: False, command)
            seconds["all"] = time.monotonic() - started
        finally:
            command.kill()  # of a failed run only: by now it has ended
            command.wait()

    def _replace(self, planner: FunctionHost, worker: FunctionHost) -> None:
        """The host that has planned gives back what it does of slices, and a fresh one goes on."""
        self.cost.processes[PLANNER].look()
        planner.stop()
        self.roll.sandbox.start_host(worker.name)
        self._watch(WORKER, self._pid(f"{worker.name}.json"))

    def _watch(self, name: str, pid: int) -> Process:
        found = self.cost.processes[name] = Process(pid)
        found.look()
        return found

    def _pid(self, part: str) -> int:
        """The sandbox's child process whose command has that part."""
        [pid] = [pid for pid, command in processes_of(self.folder / ".sandbox").items() if part in command]
        return pid

    def _until(self, done: Callable[[], bool], command: subprocess.Popen[bytes]) -> None:
        """Watches until it is `done`, or the command has ended."""
        while command.poll() is None:
            for process in self.cost.processes.values():
                process.look()
            self._follow()
            if done():
                return
            time.sleep(0.05)

    def _follow(self) -> None:
        """What the journal tells since it was read."""
        entries = self.roll.journal.entries(since=self._read)
        self._read += len(entries)
        for entry in entries:
            name = entry.path.partition("?")[0]
            if entry.operation == "blob:PutBlob" and entry.status == CREATED and (kind := OF_RUN.search(name)):
                {"results": self._results, "slices": self._slices}[kind[1]].add(name)

    def _is_planned(self) -> bool:
        log = self.roll.sandbox.function_hosts[0].log.read_text(encoding="utf-8")
        return any('"slice_done"' in line and '"slice": 0,' in line for line in log.splitlines())

    def _count(self) -> None:
        """The product's requests by who asked for what, and those that were refused for being too many."""
        self.cost.slices = len(self._slices)
        for entry in self.roll.journal.entries(since=self._begun):
            who = WHO.get(entry.identity) or ROLES.get(entry.identity.rpartition("/")[2])
            if who is None or BY_HOST.fullmatch(entry.operation):
                continue
            if entry.status == TOO_MANY:
                self.cost.throttled += 1
            self.cost.calls[f"{who}: {_named(entry)}"] += 1


def _named(entry: JournalEntry) -> str:
    """The operation, and for blobs what they are."""
    part = OF_BLOB.search(entry.path)
    return f"{entry.operation} {part[1]}" if part and entry.service == "blob" else entry.operation


def swept(accounts: int, machines: int) -> Cost:
    """Plants a world and sweeps it; fails where anything else is found than was planted."""
    cost = Cost(accounts, machines)
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name) / ".sandbox", function_hosts=2, queue_visibility_seconds=1) as roll,
    ):
        crowd = Crowd(roll)
        crowd.add_accounts(accounts - 1)
        crowd.add_suspects(SUSPECTS, ORPHANS)
        crowd.add_machines(machines - SUSPECTS)
        report = Meter(roll, Path(name), cost).measure()
    wanted = {"machine-orphaned": ORPHANS, "machine-disconnected": SUSPECTS - ORPHANS}
    found = Counter(each["finding"]["key"] for each in report["findings"])
    looked = report["looked"]
    if not report["complete"] or found != wanted or (looked["connectors"], looked["machines"]) != (accounts, machines):
        raise SystemExit(f"expected {wanted}, got {found}; {looked}; {report['gaps'][:3]}")
    return cost


def table(costs: Sequence[Cost]) -> Iterator[str]:
    """One column for each size."""

    def line(name: str, value: Callable[[Cost], object]) -> str:
        return f"{name:<58}" + "".join(f"{value(cost):>14}" for cost in costs)

    yield line("connectors / machines", lambda cost: f"{cost.accounts}/{cost.machines}")
    yield line("slices", lambda cost: cost.slices)
    for part in ("planning", "slices", "all"):
        yield line(f"seconds: {part}", lambda cost, part=part: f"{cost.seconds[part]:.0f}")  # type: ignore[misc]
    for name in costs[0].processes:
        yield line(f"CPU seconds: {name}", lambda cost, name=name: f"{cost.processes[name].cpu_seconds:.0f}")  # type: ignore[misc]
    yield line("peak MB: planner", lambda cost: f"{cost.processes[PLANNER].peak_mb:.0f}")
    yield line("peak MB: slices", lambda cost: f"{cost.slice_peak_mb:.0f}")
    yield line("peak MB: slices and report", lambda cost: f"{cost.processes[WORKER].peak_mb:.0f}")
    yield line("peak MB: command", lambda cost: f"{cost.processes[COMMAND].peak_mb:.0f}")
    for name in sorted(set().union(*(cost.calls for cost in costs))):
        yield line(name, lambda cost, name=name: cost.calls[name])  # type: ignore[misc]
    yield line("of these refused with 429", lambda cost: cost.throttled)
    yield line("all calls but the command's", lambda cost: cost.total)
    yield line("  for each account and machine", lambda cost: f"{cost.total / (cost.accounts + cost.machines):.2f}")


def main() -> None:
    """Measures each size, and prints them side by side."""
    sizes = [tuple(map(int, each.split("x"))) for each in sys.argv[1:]] or list(SMALL)
    costs = []
    for accounts, machines in sizes:
        costs.append(swept(accounts, machines))
        print("\n".join(table(costs[-1:])), file=sys.stderr, flush=True)
    print("\n".join(table(costs)))


if __name__ == "__main__":
    main()
