"""One soak: a population lives through trouble, and at the end the world is compared with the model."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.cloud import Sandbox
from tests.e2e.roll import running
from tests.e2e.test_secrets import AZURITE_KEY
from tests.soak.ending import NotDrainedError, end
from tests.soak.log_scan import scan
from tests.soak.plan import Plan
from tests.soak.trouble import Trouble, say
from tests.soak.verdict import Verdict, judge, on_their_way
from tests.soak.world import World

SETTINGS: dict[str, Any] = {
    "function_hosts": 2,
    "storage_keeps_data": True,
    "token_seconds": 345,  # so that every process asks for new ones three times in two minutes
    "stack_instance_seconds": 0.5,
    "sqs_batch_window_scale": 0.02,
    "sqs_visibility_seconds": 4,
    "readiness_first_delay_seconds": 1,
    "queue_visibility_seconds": 2,
    "crash_invisibility_seconds": 3.0,
    "retry_first_seconds": 0.5,
    "retry_longest_seconds": 8.0,
    "retry_contended_seconds": 0.5,
    "retry_claim_seconds": 10.0,
    "resource_graph_lag_seconds": 0.5,
    "gcp_operation_seconds": 0.1,
    "gcp_search_lag_seconds": 0.2,
    "pacing_writes_per_second": 50.0,
    "pacing_burst": 50,
    "reconcile_visibility_seconds": 30,
}
LOGS = ("*.log", "lambda/**/*.log", "azure/*.log")


@dataclass
class Soak:
    """What came of a run."""

    plan: Plan
    deeds: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    members: int = 0
    replayed: int = 0
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)
    scanned: Mapping[str, int] = field(default_factory=dict)
    """Lines of each log that was looked through."""
    leaks: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost, doubled, wrong or told to a log."""
        return self.verdict.is_good and not self.leaks

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"seed {self.plan.seed}, {self.plan.seconds:g} s, plan {self.plan.digest}, {self.members} members,"
        yield f"over after {self.seconds:.0f} s"
        yield from _table(f"events: {self.deeds.total()}", self.deeds.items())
        yield from _table("besides", self.done.items())
        yield from _table(f"restarts: {self.restarts.total()}", self.restarts.items())
        by_kind: Counter[str] = Counter()
        for (_, kind), count in self.struck.items():
            by_kind[kind] += count
        yield from _table(f"faults that struck: {self.struck.total()}", by_kind.items())
        by_service = {f"{service} {kind}": count for (service, kind), count in self.struck.items()}
        yield from _table("of these", by_service.items())
        yield f"given up meanwhile and replayed: {self.replayed}"
        for kind in ("told", "lost", "doubled", "wrong"):
            found = getattr(self.verdict, kind)
            yield f"{kind}: {len(found)}"
            yield from (f"  - {each}" for each in found)
        lines = sum(self.scanned.values())
        yield f"in logs: {len(self.leaks)} (of {lines} lines in {len(self.scanned)} files)"
        yield from (f"  - {each}" for each in self.leaks[:50])


def _table(title: str, rows: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield title
    yield from (f"  {count:6d}  {name}" for name, count in sorted(rows))


def soak(plan: Plan, folder: Path) -> Soak:
    """Lives the plan in a sandbox of its own below `folder`."""
    result, began = Soak(plan=plan), time.monotonic()
    with running(folder / ".sandbox", **SETTINGS) as roll:
        world = World(roll, folder)
        world.calm_down()
        trouble = Trouble(world)
        say(f"calm after {time.monotonic() - began:.0f} s; trouble begins: plan {plan.digest}")
        try:
            _live(plan, world, trouble, result)
        finally:
            trouble.end()
        say("trouble is over")
        result.done, result.restarts, result.struck = trouble.done, trouble.restarts, trouble.struck()
        result.members = len(world.model.members)
        try:
            ending = end(world)
            result.replayed = ending.replayed
            result.verdict = judge(world, ending.swept)
        except NotDrainedError as error:
            result.verdict.wrong += [str(error), *on_their_way(world)]
        result.verdict.wrong += [f"{host} ended by itself" for host in trouble.died]
        secrets = _secrets(roll.sandbox)
    files = {each for pattern in LOGS for each in (folder / ".sandbox").glob(pattern)} | {*folder.glob("*.log")}
    result.scanned = {str(each.relative_to(folder)): _lines_of(each) for each in sorted(files)}
    result.leaks = [str(each) for each in scan(sorted(files), secrets)]
    result.seconds = time.monotonic() - began
    return result


def _live(plan: Plan, world: World, trouble: Trouble, result: Soak) -> None:
    began = time.monotonic()
    for step in plan.steps:
        time.sleep(max(0.0, step.at - (time.monotonic() - began)))
        if step.kind == "deed":
            world.do(step)
            result.deeds[str(step.deed)] += 1
        else:
            trouble.make(step)
        trouble.watch()
    time.sleep(max(0.0, plan.seconds - (time.monotonic() - began)))


def _lines_of(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


def _secrets(sandbox: Sandbox) -> list[str]:
    receivers = sandbox.azure.receivers
    keys = [*sandbox.azure.identity_headers.values(), AZURITE_KEY, receivers.webhook_key, receivers.webhook_path]
    return [*keys, receivers.teams_path.rpartition("sig=")[2]]


@contextmanager
def folder_of(kept: Path | None) -> Iterator[Path]:
    """`kept`, or a folder that goes away."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)
