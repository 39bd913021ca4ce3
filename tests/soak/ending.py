"""The end of a soak: trouble stops, everything drains, what was given up is replayed, and all is compared once."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.processes import Command
from tests.soak.trouble import say
from tests.soak.world import World

PATIENCE_SECONDS = 240.0
SETTLED_SECONDS = 20.0
ON_THE_WAY = {"", "seen", "deploying", "deployed", "connecting", "deferred"}
WAITS_FOR_ROLES = "IAM role(s) do not exist"
QUEUES = ("AccountEventsQueue", "StackEventsQueue", "ReconcileQueue")
ROUNDS = 10


class NotDrainedError(Exception):
    """Something is still on its way when its time is over."""


@dataclass(frozen=True)
class Ending:
    """The last sweep's document, and how many messages that were given up were replayed before it."""

    swept: Any
    replayed: int


def end(world: World) -> Ending:
    """A replay of everything that was given up, one comparison of each cloud, one sweep.

    Google's comparison is a command: the daily sweep, which compares projects, mends what the policy's `repairs` name.
    """
    world.mend()
    settle(world, "what was on its way")
    before, replayed = -1, 0
    for _ in range(ROUNDS):  # some is given up again, and of messages that say the same one is sent in each run
        done = command(world, "replay", "run", "--all", "--per-second", "1000")
        say(f"replayed: {done.get('done')} done, {done.get('failed')} failed")
        settle(world, "what was replayed")
        replayed += int(done.get("done", 0))
        count, dead = int(done.get("done", 0)), _dead_letters(done)
        if count == 0 or (count == before and not dead):
            break
        before = count
    say("one comparison")
    since = len(world.roll.journal)
    world.roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})
    wait(world, lambda: _reconciled(world, since), "the comparison is done")
    command(world, "backfill", "--provider", "gcp")
    drain(world, "what the comparison asked for")
    say("one sweep")
    swept = command(world, "sweep")
    drain(world, "what the sweep asked for")
    return Ending(swept, replayed)


def _dead_letters(done: Any) -> int:
    """How many of them AWS's functions gave up: they may be copies of one event."""
    return sum(str(each["queue"]).endswith("dead-letters") for each in done.get("messages", ()))


def _reconciled(world: World, since: int) -> bool:
    return any(
        entry.detail["function"] == "rollcall-reconcile-accounts"
        for entry in world.roll.journal.entries(operation="lambda:Invoke", since=since)
    )


def command(world: World, *arguments: str) -> Any:
    """The document of a run of `rollcall`; everything that it printed is kept for the scan."""
    ran = Command(world.folder, *arguments, "--json", seconds=300)
    with (world.folder / "commands.log").open("a", encoding="utf-8") as log:
        log.write(f"{arguments}\n{ran.out}\n{ran.err}\n")
    return ran.document


def drain(world: World, what: str) -> None:
    """Waits until nothing is left on any queue, twice in a row. Raises NotDrainedError."""
    wait(world, lambda: _is_empty(world), what)
    time.sleep(1.5)
    wait(world, lambda: _is_empty(world), what)


def settle(world: World, what: str) -> None:
    """Waits until nothing is left but requests that wait for the comparison. Raises NotDrainedError.

    An account that came to another unit without an event keeps the roles of its old profile until then; the sweep may
    have asked for a connector of the new one meanwhile, which waits for these roles.
    """
    since: list[float] = []

    def settled() -> bool:
        if _is_empty(world):
            return True
        if not _waits_for_roles(world):
            since.clear()
            return False
        since.append(time.monotonic())
        return since[-1] - since[0] > SETTLED_SECONDS

    wait(world, settled, what)
    time.sleep(1.5)
    wait(world, settled, what)


def _waits_for_roles(world: World) -> bool:
    waiting = [each for each in world.roll.ledger.list_records() if str(each.state) in ON_THE_WAY]
    return (
        left(world).keys() == {"onboarding"}
        and bool(waiting)
        and all(WAITS_FOR_ROLES in each.reason for each in waiting)
    )


def wait(world: World, done: Callable[[], bool], what: str) -> None:
    """Waits until that is so. Raises NotDrainedError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        if time.monotonic() > deadline:
            with (world.folder / "threads.log").open("w", encoding="utf-8") as log:
                faulthandler.dump_traceback(log)  # what the simulators wait for
            raise NotDrainedError(f"not within {PATIENCE_SECONDS:g} s: {what}; left are {left(world)}")
        time.sleep(0.5)


def left(world: World) -> dict[str, int]:
    """How many messages are where, of queues that are worked on."""
    roll = world.roll
    found = {name: roll.messages_on(name) for name in QUEUES}
    found["onboarding"] = roll.onboarding.get_queue_properties().approximate_message_count or 0
    found["pushes"] = int(not roll.sandbox.gcp.is_all_pushed())
    return {name: count for name, count in found.items() if count}


def _is_empty(world: World) -> bool:
    return not left(world)
