"""What troubles the services while the population lives: faults, kills, restarts, repeated and late messages."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError
from moto.sqs.models import sqs_backends

from sandbox.aws.active import REGION
from sandbox.faults import Fault, FaultKind
from tests.e2e.processes import ROLLCALL, environment
from tests.fixtures.read import ACCOUNT_ID, fixture
from tests.soak.plan import Step
from tests.soak.world import World

_REFUSED, _BY_TOKEN = 401, {"arm", "blob", "gcp", "queue", "table"}
KEPT = 60
"""So many of a queue's messages are remembered to be delivered again."""
AT_ONCE = 3
SWEEP_MINUTES = "0.3"


class Trouble:
    """Makes trouble in one sandbox. Kills have a thread of their own: a process takes seconds to come back."""

    def __init__(self, world: World) -> None:
        """Nothing has happened yet."""
        self._world = world
        self._roll, self._sandbox = world.roll, world.roll.sandbox
        self._seen: dict[str, deque[str]] = {}
        self.done: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self._kills: queue.Queue[Step | None] = queue.Queue()
        self._killer = threading.Thread(target=self._kill_in_turn, name="soak-kills", daemon=True)
        self._killer.start()
        self._failed: list[str] = []
        self.died: list[str] = []
        """Hosts that ended although nobody had killed them."""
        self._sweeps: list[subprocess.Popen[bytes]] = []

    def make(self, step: Step) -> None:
        """One step of the plan that is no deed."""
        if step.kind == "kill":
            self._kills.put(step)
        elif step.kind == "fault":
            self._plant(step)
        elif step.kind == "repeat":
            self._repeat(step)
        elif step.kind == "stray":
            self._stray(step)
        elif step.kind == "expire":
            self._expire(step)
        else:
            self._look(step)

    def watch(self) -> None:
        """Remembers what lies on the queues right now."""
        for name in ("AccountEventsQueue", "StackEventsQueue"):
            url = self._roll.outputs[f"{name}Url"]
            found = sqs_backends[self._sandbox.aws.management_account_id][REGION].queues[url.rpartition("/")[2]]
            self._remember(name, [str(message.body) for message in list(found._messages)])
        try:
            self._remember(
                "onboarding", [str(each.content) for each in self._roll.onboarding.peek_messages(max_messages=32)]
            )
        except AzureError:
            self.done["queue not to be read just now"] += 1

    def _remember(self, name: str, bodies: list[str]) -> None:
        kept = self._seen.setdefault(name, deque(maxlen=KEPT))
        kept.extend(body for body in bodies if body not in kept)

    def _plant(self, step: Step) -> None:
        assert step.target is not None
        assert step.fault is not None
        self._sandbox.faults.plant(
            Fault(
                service=step.target.service,
                operation=step.target.operation,
                identity=step.target.identity,
                resource=step.target.resource,
                client=step.target.client,
                kind=step.fault,
                count=step.count,
                seconds=step.seconds,
                retry_after=1 if step.fault is FaultKind.THROTTLE else None,
            )
        )
        self.done["fault planted"] += 1

    def _repeat(self, step: Step) -> None:
        """Old messages once more, at once or later, so after newer ones."""
        if step.what == "google":
            self.done["push repeated"] += self._sandbox.gcp.seek()
            return
        seen = list(self._seen.get(step.what, ()))
        for body in [seen[int(step.at * 100 + 17 * number) % len(seen)] for number in range(min(AT_ONCE, len(seen)))]:
            if step.what == "onboarding":
                try:
                    self._roll.onboarding.send_message(body, visibility_timeout=int(step.seconds), time_to_live=-1)
                except AzureError:
                    continue
            else:
                url = self._roll.outputs[f"{step.what}Url"]
                self._roll.client("sqs").send_message(QueueUrl=url, MessageBody=body, DelaySeconds=int(step.seconds))
            self.done[f"{step.what} message repeated"] += 1

    def _stray(self, step: Step) -> None:
        """An event that tells of somebody, whatever is the case, by a clock that is wrong."""
        accounts = [self._world.ids[each.name] for each in self._world.model.members.values() if each.cloud == "aws"]
        if not accounts:
            return
        account_id = accounts[step.count % len(accounts)]
        event = json.loads(fixture(f"events/{step.what}.json").replace(ACCOUNT_ID, account_id))
        entry: dict[str, Any] = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Time": datetime.now(UTC) + timedelta(seconds=step.seconds),
        }
        self._roll.client("events").put_events(Entries=[entry])
        self.done["stray event" + (" of a wrong clock" if step.seconds else "")] += 1

    def _expire(self, step: Step) -> None:
        """Tokens that their holders take to be good are refused, until these ask for others when their time comes."""
        self.done[f"tokens of {step.what} that ended early"] += 1
        if step.what == "google":
            self._sandbox.gcp.tokens.revoke_all()
        else:
            self._sandbox.azure.tokens.expire(self._sandbox.azure.directory.get(step.what))

    def _look(self, step: Step) -> None:
        """The daily comparison, or the daily sweep, in the middle of it all."""
        self.done[f"{step.what} in between"] += 1
        if step.what == "reconcile":
            self._roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})
            return
        with (self._world.folder / "sweeps.log").open("ab") as log:
            self._sweeps.append(
                subprocess.Popen(  # noqa: S603 - our own command
                    [ROLLCALL, "sweep", "--minutes", SWEEP_MINUTES, "--json"],
                    cwd=self._world.folder,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def _kill_in_turn(self) -> None:
        while (step := self._kills.get()) is not None:
            try:
                self._kill(step)
            except Exception:  # the run ends with it, in the main thread
                self._failed.append(traceback.format_exc())
                return

    def _kill(self, step: Step) -> None:
        if step.what == "storage":
            self._sandbox.azure.storage.restart(step.seconds)
            self.restarts[step.what] += 1
            return
        if step.what == "command":
            self.restarts[step.what] += self._kill_command()
            return
        self.restarts[step.what] += self._sandbox.kill(step.what)
        if step.what.startswith("functions"):
            time.sleep(step.seconds)
            self._sandbox.start_host(step.what)

    def _kill_command(self) -> int:
        """The youngest one, where it still runs; its sweep goes on without it."""
        running = [process for process in list(self._sweeps) if process.poll() is None]
        for process in running[-1:]:
            process.kill()
        return len(running[-1:])

    def end(self) -> None:
        """All faults are gone and every process is there again. Raises RuntimeError where one did not come back."""
        self._kills.put(None)
        self._killer.join(120)
        for process in self._sweeps:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._sandbox.faults.clear()
        self._sandbox.faults.release()
        for host in self._sandbox.function_hosts:
            if not host.running():
                self.died.append(host.name)
                self._sandbox.start_host(host.name)
        if self._failed or self._killer.is_alive():
            raise RuntimeError("\n".join(self._failed) or "a process did not come back in time")

    def struck(self) -> Counter[tuple[str, str]]:
        """Faults that struck, by service and kind, as the journal has them."""
        entries = self._roll.journal.entries()
        struck = Counter((each.service, str(each.detail["fault"])) for each in entries if "fault" in each.detail)
        refused = (each.service for each in entries if each.status == _REFUSED and each.service in _BY_TOKEN)
        return struck + Counter((service, "token expired") for service in refused)


def say(text: str) -> None:
    """A line of progress."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)
