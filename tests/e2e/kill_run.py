"""Kills a process at every kill point and looks at how the accounts end.

`make kills SEEDS=20`: `python -m tests.e2e.kill_run [--seeds N] [--points TEXT]`. A seed decides how many other
accounts are on their way, and when they set out; which of the two Functions hosts is hit is whichever comes by.
"""

from __future__ import annotations

import argparse
import base64
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.faults import Fault, FaultKind
from shared.domain.connectors import OWNER_TAG
from shared.domain.identity_provider import audiences_of
from shared.domain.ledger import State
from shared.domain.profiles import FOUNDATIONAL
from shared.messages.parked_request import MOST_BYTES
from tests.e2e.kill_points import HOST, INTAKE, KillPoint, hold_of, kill_points
from tests.e2e.new_project import NewProject, effect_of
from tests.e2e.roll import Roll, looked_at, running

PATIENCE_SECONDS = 60.0
WORKERS = 3
MOST_OTHERS = 3
MOST_OPERATIONS = 2
"""Successful StackSet operations for one account. A killed batch comes back with other company, so under another
OperationId; where the first operation has not yet made an instance that DescribeStackInstance could show, a
second one is started, which finds everything in place. A third would need a third delivery."""
NAMESPACE = "microsoft.security"
NOT_READY = "OptInRequired: The AWS Access Key Id needs a subscription for the service"
PLAN_THERE = "DefenderCspmAws"
"""An offering of the profile that the sample policy gives to /Workloads/Production only."""
MOST_TRIES = 5
"""An account's note and its request are two messages, and which comes first is chance. Where the note comes last,
it changes nothing and the second change of a row never happens: then other accounts are sent out."""
PASSED_BY_SECONDS = 10.0
MOST_PARKED = 2
"""Parked copies of one message: a kill between the copy and the deletion of the message repeats the copy."""
SHORT: dict[str, Any] = {
    "function_hosts": 2,
    "stack_instance_seconds": 0.2,
    "sqs_batch_window_scale": 0.005,
    "sqs_visibility_seconds": 4,
    "readiness_first_delay_seconds": 1,
    "queue_visibility_seconds": 1,
    "crash_invisibility_seconds": 2.0,
    "retry_first_seconds": 0.5,
    "retry_longest_seconds": 5.0,
    "retry_contended_seconds": 0.5,
    "retry_claim_seconds": 3.0,
    "resource_graph_lag_seconds": 0.2,
    "gcp_operation_seconds": 0.0,
}


class NotReachedError(Exception):
    """Something did not come true in time."""


class PassedByError(Exception):
    """All work is done and nobody came to the kill point: messages took another order than the point needs."""


@dataclass
class Outcome:
    """How one point ended; no problem means well."""

    point: str
    seed: int
    killed: str = ""
    others: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ended = "; ".join(self.problems) or "as it should"
        return f"seed {self.seed} {self.point}: {self.killed or 'nothing'} killed, {self.others} others: {ended}"


def run_point(roll: Roll, point: KillPoint, seed: int, most_others: int = MOST_OTHERS) -> Outcome:
    """Stops a process at the point, kills it, starts it again and checks every account's end."""
    chance = random.Random(f"{seed}/{point}")
    outcome = Outcome(point=str(point), seed=seed, others=chance.randint(0, most_others))
    started = time.monotonic()
    for again in range(MOST_TRIES):
        scene = _Scene(roll, point)
        try:
            scene.prepare()
            names = [f"{seed}-{point}-{again}-{number}" for number in range(outcome.others + 1)]
            accounts = scene.send_out(names, chance)
            outcome.killed = scene.kill_when_reached()
            scene.check(accounts, outcome.problems)
        except PassedByError:
            if again + 1 == MOST_TRIES:
                outcome.problems.append(f"the point was passed by {MOST_TRIES} times")
            continue
        except NotReachedError as error:
            outcome.problems.append(str(error))
        finally:
            scene.clear()
        break
    outcome.seconds = time.monotonic() - started
    return outcome


class _Scene:
    """One point on one sandbox."""

    def __init__(self, roll: Roll, point: KillPoint) -> None:
        self.roll = roll
        self.point = point
        self.sandbox = roll.sandbox
        self.plot = point.effect.plot
        self.poisoned = len(roll.poisoned())
        self.body = b""
        self.broken = ""
        self.project: NewProject | None = None

    def prepare(self) -> None:
        """Fresh processes where the step is taken by such only, and what has to be the case for it."""
        if self.plot == "queued":
            for host in self.sandbox.function_hosts:
                host.kill()
        elif self.point.process == HOST and (self.point.effect.cached or self.plot == "foreign"):
            # Also so that nobody has the connectors of a minute ago in mind.
            for host in self.sandbox.function_hosts:
                host.kill()
                self.sandbox.start_host(host.name)
        elif self.point.effect.cached:
            self.sandbox.kill(self.point.process)
        if self.plot == "throttled":
            self.sandbox.faults.plant(
                Fault(service="arm", operation="PutSecurityConnector", kind=FaultKind.THROTTLE, retry_after=1)
            )
        if self.plot == "unregistered":
            self._registrations().discard(NAMESPACE)
        if self.plot == "project":
            self.project = NewProject(self.roll)
            _wait(self.project.is_organization_connected, "the Organization connector is there")
            _wait(self._drained, "the queues are empty beforehand")

    def _registrations(self) -> set[str]:
        [subscription] = self.sandbox.azure.resources.subscriptions()
        return subscription.registered

    def send_out(self, names: Sequence[str], chance: random.Random) -> list[str]:
        """Sets the hold and sends all accounts on their way; the first of them is the one that a plot is about."""
        accounts = [self.roll.plant_account(re.sub(r"[^A-Za-z0-9]+", "-", name)) for name in names]
        if self.plot == "regulated":
            unit = self.roll.make_unit("Workloads", "Regulated")
            accounts[0] = self.roll.plant_account(f"regulated-{accounts[0]}", parent_id=unit)
        if self.plot == "foreign":
            self._connect_elsewhere(accounts[0])
        if self.plot == "unready":
            self.sandbox.aws.fail_stack_instances(accounts[0], NOT_READY, times=1)
        if self.plot == "existing":
            self.roll.plant_provider(accounts[0], *audiences_of(FOUNDATIONAL))
        if self.plot == "pending":
            self._set_state(accounts[0], "PENDING_ACTIVATION")
        if self.plot in {"leaving", "moved", "closed"}:
            self._connect(accounts[0])
        if self.plot != "queued":
            self.sandbox.faults.hold(hold_of(self.point, accounts[0]))
        if self.plot == "undecodable":
            self.broken = f"no Base64: {accounts[0]}"
            self.roll.onboarding.send_message(self.broken)
            self._wait_until_reached()
        if self.project is not None:
            self.project.create(f"p-{accounts[0]}")
        for account_id in accounts:
            self._send(account_id, self.plot if account_id == accounts[0] else "")
            time.sleep(chance.uniform(0, 0.15))
        if self.plot == "oversized":
            self.body = os.urandom(MOST_BYTES)
            self.roll.onboarding.send_message(base64.b64encode(self.body).decode(), time_to_live=-1)
        if self.plot == "queued":
            self._let_hosts_find_messages(accounts[0])
        return accounts

    def _let_hosts_find_messages(self, account_id: str) -> None:
        waiting = self.roll.onboarding.get_queue_properties
        _wait(lambda: (waiting().approximate_message_count or 0) >= 2, "messages wait on the queue")
        self.sandbox.faults.hold(hold_of(self.point, account_id))
        for host in self.sandbox.function_hosts:
            self.sandbox.start_host(host.name)

    def _send(self, account_id: str, plot: str) -> None:
        if plot == "leaving":
            self.roll.ask_disconnecting(account_id)
        elif plot == "closed":
            self.roll.client("organizations").close_account(AccountId=account_id)
        elif plot == "moved":
            self._move(account_id)
        else:
            self.roll.ask_onboarding(account_id)

    def _set_state(self, account_id: str, state: str) -> None:
        for account in self.sandbox.aws.organization.accounts:
            if account.id == account_id:
                account.state = account.status = state

    def _move(self, account_id: str) -> None:
        """Lets it belong to a unit that has another profile, of which the organization itself tells."""
        organizations = self.roll.client("organizations")
        root = organizations.list_roots()["Roots"][0]["Id"]
        unit = self.roll.make_unit("Workloads", "Production")
        organizations.move_account(AccountId=account_id, SourceParentId=root, DestinationParentId=unit)

    def _connect(self, account_id: str) -> None:
        self.roll.ask_onboarding(account_id)
        _wait(partial(self._is_in, account_id, State.CONNECTED), f"{account_id} is connected beforehand")

    def _connect_elsewhere(self, account_id: str) -> None:
        settings = self.sandbox.settings
        scope = f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
        document = {
            "id": f"{scope}/providers/Microsoft.Security/securityConnectors/theirs-{account_id}",
            "name": f"theirs-{account_id}",
            "type": "Microsoft.Security/securityconnectors",
            "location": "westeurope",
            "tags": {OWNER_TAG: "o-elsewhere"},
            "properties": {"environmentName": "AWS", "hierarchyIdentifier": account_id, "offerings": []},
        }
        self.roll.seed(resources=[document])

    def _wait_until_reached(self) -> None:
        started = time.monotonic()

        def reached() -> bool:
            if any(hold["reached"] for hold in self.sandbox.faults.holds()):
                return True
            if time.monotonic() - started > PASSED_BY_SECONDS and self._drained():
                raise PassedByError
            return False

        _wait(reached, "the kill point is reached")

    def kill_when_reached(self) -> str:
        """SIGKILLs who waits at the hold; what it had asked is dropped, and a host is started again."""
        self._wait_until_reached()
        [reached] = [hold["reached"] for hold in self.sandbox.faults.holds()]
        victim = self.point.process
        if victim == HOST:
            found = re.search(r"functions-\d+", reached["client"])
            if found is None:
                raise NotReachedError(f"no host waits, but {reached}")
            victim = found[0]
        self.sandbox.kill(victim)
        if self.plot == "pending":
            for account in self.sandbox.aws.organization.accounts:
                if account.state == "PENDING_ACTIVATION":
                    self._set_state(account.id, "ACTIVE")
        self.sandbox.faults.release(drop=True)
        if self.point.process in {HOST, INTAKE}:
            self.sandbox.start_host(victim)
        return victim

    def check(self, accounts: Sequence[str], problems: list[str]) -> None:
        """The end state of every account, and that nothing is left anywhere."""
        for number, account_id in enumerate(accounts):
            wanted = self._end_of(number)
            _wait(partial(self._is_in, account_id, wanted), f"{account_id} is {wanted}")
        if self.project is not None:
            _wait(self.project.is_connected, f"{self.project} is connected")
            _wait(self.sandbox.gcp.is_all_pushed, "every push is answered")
        if self.plot == "moved":
            _wait(partial(self._has_plan, accounts[0], PLAN_THERE), f"{accounts[0]} has the profile of its unit")
        _wait(self._drained, "the queues are empty")
        for number, account_id in enumerate(accounts):
            foreign = self.plot == "foreign" and number == 0
            self._expect(problems, f"creating PUTs of {account_id}", self._creations(account_id), {0 if foreign else 1})
            left = 0 if self._end_of(number) is State.OFFBOARDED else 1
            self._expect(problems, f"connectors of {account_id}", len(self.roll.connectors(account_id)), {left})
            before = 1 if self.plot in {"moved", "unready", "existing"} and number == 0 else 0
            allowed = {before + count for count in range(1, MOST_OPERATIONS + 1)}
            self._expect(problems, f"operations for {account_id}", self._operations(account_id), allowed)
        if self.project is not None:
            problems += self.project.problems()
        if self.plot == "closed":
            _wait(partial(self._is_let_go, accounts[0]), f"the StackSet has forgotten {accounts[0]}")
        if self.plot == "regulated":
            self._expect(problems, "standards and rules", self._aftercare(accounts[0]), {2})
        parked = set(range(1, MOST_PARKED + 1)) if self.plot in {"foreign", "oversized", "undecodable"} else {0}
        self._expect(problems, "poisoned messages", len(self.roll.poisoned()) - self.poisoned, parked)
        if self.body and {self.roll.parked_body(message) for message in self.roll.poisoned()} != {self.body}:
            problems.append("the message that was kept apart is not what was sent")
        if self.broken and {message.content for message in self.roll.poisoned()} != {self.broken}:
            problems.append("the poisonous message is not what was sent")
        for name in ("AccountEvents", "StackEvents"):
            self._expect(problems, f"dead letters of {name}", self.roll.messages_on(f"{name}DeadLetterQueue"), {0})

    @staticmethod
    def _expect(problems: list[str], what: str, found: int, allowed: set[int]) -> None:
        if found not in allowed:
            problems.append(f"{what}: {found}, not {' or '.join(map(str, sorted(allowed)))}")

    def _end_of(self, number: int) -> State:
        """Where the account of that number has to end: the first is the one that a plot is about."""
        ends = {"foreign": State.PARKED, "leaving": State.OFFBOARDED, "closed": State.DEPARTED}
        return ends.get(self.plot, State.CONNECTED) if number == 0 else State.CONNECTED

    def _aftercare(self, account_id: str) -> int:
        """How many standards of the policy and governance rules the account's connector has."""
        kinds = ("Microsoft.Security/standardAssignments", "Microsoft.Security/governanceRules")
        [connector] = self.roll.connectors(account_id)
        found = [
            each
            for kind in kinds
            for each in self.sandbox.azure.resources.of_type(kind)
            if each["id"].lower().startswith(f"{connector['id']}/".lower())
        ]
        return sum(each["properties"]["displayName"] != "AWS CSPM" for each in found)

    def _is_in(self, account_id: str, state: State) -> bool:
        record = self.roll.record(account_id)
        return record is not None and record.state is state

    def _is_let_go(self, account_id: str) -> bool:
        listed = self.roll.client("cloudformation").list_stack_instances(
            StackSetName="rollcall-member-roles", StackInstanceAccount=account_id
        )
        return not listed["Summaries"]

    def _has_plan(self, account_id: str, offering: str) -> bool:
        return any(
            offering in {each["offeringType"] for each in connector["properties"]["offerings"]}
            for connector in self.roll.connectors(account_id)
        )

    def _drained(self) -> bool:
        events = sum(self.roll.messages_on(name) for name in ("AccountEventsQueue", "StackEventsQueue"))
        return events == 0 and self.roll.onboarding.get_queue_properties().approximate_message_count == 0

    def _creations(self, account_id: str) -> int:
        return sum(effect_of(entry) == 201 for entry in self.roll.puts(account_id))

    def _operations(self, account_id: str) -> int:
        return sum(effect_of(entry) == 200 for entry in self.roll.operations(account_id))

    def clear(self) -> None:
        """Leaves the sandbox as the next point wants it, poison aside."""
        self.sandbox.faults.release(drop=True)
        self.sandbox.faults.clear()
        self.roll.poison.clear_messages()
        self._registrations().add(NAMESPACE)
        for host in self.sandbox.function_hosts:
            if not host.running():
                self.sandbox.start_host(host.name)


def _wait(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not looked_at(done):
        if time.monotonic() > deadline:
            raise NotReachedError(f"not within {PATIENCE_SECONDS:g} s: {what}")


def run_points(points: Sequence[KillPoint], seeds: Sequence[int], most_others: int = MOST_OTHERS) -> list[Outcome]:
    """Some points on a sandbox of their own."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **SHORT) as roll:
        first = roll.plant_account("warm-up")
        roll.ask_onboarding(first)
        roll.wait_for_state(first, State.CONNECTED)
        outcomes = []
        for seed in seeds:
            for point in points:
                outcome = run_point(roll, point, seed, most_others)
                outcomes.append(outcome)
                if outcome.problems:
                    print(outcome, flush=True)
        return outcomes


def run_all(
    points: Sequence[KillPoint], seeds: Sequence[int], workers: int = WORKERS, most_others: int = MOST_OTHERS
) -> list[Outcome]:
    """All points with all seeds, on a few sandboxes side by side."""
    workers = min(workers, len(points))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(run_points, points[number::workers], seeds, most_others) for number in range(workers)]
        return [outcome for part in parts for outcome in part.result()]


def main() -> int:
    """Prints what did not end well; 1 where that is anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.kill_run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, counted from --first")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--points", default="", help="only points whose name contains this text")
    parser.add_argument("--workers", type=int, default=WORKERS, help="sandboxes side by side")
    parser.add_argument("--verbose", action="store_true", help="a line for every kill")
    arguments = parser.parse_args()
    points = [point for point in kill_points() if arguments.points in str(point)]
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    started = time.monotonic()
    outcomes = run_all(points, seeds, arguments.workers)
    bad = [outcome for outcome in outcomes if outcome.problems]
    for outcome in outcomes if arguments.verbose else bad:
        print(f"{outcome} ({outcome.seconds:.1f} s)")
    seconds, well = time.monotonic() - started, len(outcomes) - len(bad)
    print(f"{len(points)} kill points x {len(seeds)} seeds: {well} of {len(outcomes)} ended well, {seconds:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
