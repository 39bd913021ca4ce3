"""Watches one sweep of a sandbox: phases, processes and requests. Functions host and command are the real processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.process import Process
from sandbox.azure.directory import FUNCTIONS, OPERATOR
from sandbox.journal import JournalEntry
from tests.e2e.processes import ROLLCALL, environment, processes_of
from tests.e2e.roll import Roll

ROLES = {"rollcall-reader-hub": "hub role", "OrganizationAccountAccessRole": "reader role"}
WHO = {FUNCTIONS: "functions", OPERATOR: "command", "anonymous": "functions"}
BY_HOST = re.compile(r"queue:(Get|Delete|Update|Peek)Messages?|blob:(LeaseBlob|GetBlobProperties|GetContainerProp.*)")
"""What the Functions host itself asks: it polls, hides and deletes messages, and keeps the timers' state."""
OF_RUN = re.compile(r"runs/[^/]+/(results|slices)/")
OF_BLOB = re.compile(r"(results|slices|facts|reporter|reports|latest|machines|policy)\b")
PLANNER, WORKER, COMMAND = "Functions host that plans", "Functions host that does slices", "command"
CREATED, TOO_MANY = 201, 429
QUERY = "arm:QueryResources"


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
    """One sweep of a sandbox with two Functions hosts: the first plans and is ended, the second does the slices.

    So the planner's peak memory is not taken for that of a slice.
    """

    def __init__(self, roll: Roll, folder: Path, cost: Cost) -> None:
        self.roll, self.folder, self.cost = roll, folder, cost
        self._begun = self._read = len(roll.journal)
        self._results: set[str] = set()
        self._slices: set[str] = set()
        self._asked = False

    def measure(self) -> dict[str, Any]:
        """Runs it; the report."""
        planner, worker = self.roll.sandbox.function_hosts
        worker.stop()
        self.roll.sandbox.start_host(planner.name)
        simulators, azurite = self._watch("simulators", os.getpid()), self._watch("Azurite", self._pid("azurite"))
        before = simulators.cpu_seconds, azurite.cpu_seconds
        self._watch(PLANNER, self._pid(f"{planner.name}.json"))
        with (self.folder / "report.json").open("w+", encoding="utf-8") as out:
            self._run(out)
            out.seek(0)
            report: dict[str, Any] = json.load(out)
        for process, was in zip((simulators, azurite), before, strict=True):
            process.cpu_seconds -= was
        self._count()
        return report

    def _run(self, out: IO[str]) -> None:
        seconds, started = self.cost.seconds, time.monotonic()
        planner, worker = self.roll.sandbox.function_hosts
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
            self._until(lambda: self._asked, command)
            self.roll.sandbox.start_host(worker.name)
            self._watch(WORKER, self._pid(f"{worker.name}.json"))
            self._until(self._is_planned, command)
            seconds["planning"] = time.monotonic() - started
            self.cost.processes[PLANNER].look()
            planner.stop()  # gives back what it does of slices
            self._until(lambda: len(self._results) >= len(self._slices), command)
            self.cost.slice_peak_mb = self.cost.processes[WORKER].peak_mb
            seconds["slices"] = time.monotonic() - started - seconds["planning"]
            self._until(lambda: False, command)
            seconds["all"] = time.monotonic() - started
        finally:
            command.kill()  # of a failed run only: by now it has ended
            command.wait()

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
            self._asked = self._asked or (entry.operation == QUERY and WHO.get(entry.identity) == "functions")
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
