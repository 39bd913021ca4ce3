"""One burst of accounts in a sandbox of its own: events in, connectors out; its journal and settings are kept."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.evidence import bound_of, keep
from bench.processor import FUNCTIONS, LAMBDAS, Processor
from sandbox.azure.directory import FUNCTIONS as FUNCTION_APP
from sandbox.azure.throttling import Limit
from sandbox.journal import JournalEntry
from tests.e2e.burst import DEAD_LETTERS, connected, publish_two_profiles, put, told
from tests.e2e.roll import Roll, running, wait_until

STACK_INSTANCE_SECONDS, WRITES_PER_SECOND, READS_PER_SECOND, READS = 30.0, 10.0, 25.0, 100
"""Real times: the sandbox's default for a stack instance, and Resource Manager's buckets."""
KEPT_BY_A_HOST = 5
"""Slots that a Functions host holds for later: the pacer's burst stays so far below the bucket's size for each."""
UNITS = 10
SEEDED_AT_ONCE = 500
SERVICES = {"cloudformation", "arm"}
FURTHER = {"events:PutEvents", "lambda:Invoke"}
_PROFILES = (("Production", "recommended"), ("Dev", "foundational"))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a burst is. `slower` is how many times slower than real all simulated times and budgets are.

    `windows` scales the batching windows of the Lambda functions apart.
    """

    name: str
    accounts: int
    slower: float
    hosts: int = 2
    profiles: int = 1
    subscriptions: int = 1
    writes: int = 200
    paced: bool = True
    stack_instance_seconds: float = STACK_INSTANCE_SECONDS
    windows: float | None = None

    @property
    def rate(self) -> float:
        """Writes that a subscription's bucket regains per second."""
        return WRITES_PER_SECOND / self.slower

    def settings(self) -> dict[str, Any]:
        """The sandbox's; pacing as a user would set it for this bucket and so many hosts."""
        pacing = (self.rate, max(1, self.writes - KEPT_BY_A_HOST * self.hosts)) if self.paced else (10_000.0, 10_000)
        return {
            "queue_service": "memory",
            "function_hosts": self.hosts,
            "stack_instance_seconds": self.stack_instance_seconds * self.slower,
            "sqs_batch_window_scale": self.slower if self.windows is None else self.windows,
            "sqs_visibility_seconds": 380,
            "resource_graph_lag_seconds": 2.0,
            "max_polling_interval_seconds": 2.0,
            "retry_first_seconds": 30.0,
            "retry_longest_seconds": 600.0,
            "pacing_writes_per_second": pacing[0],
            "pacing_burst": pacing[1],
        }


@dataclass(frozen=True, kw_only=True)
class Burst:
    """What came of a plan: `found` is what `bench.bounds` says of its journal; processor time in seconds, by kind."""

    plan: Plan
    found: Mapping[str, Any]
    processor: Mapping[str, float]
    requests: Mapping[str, int]
    connected: int
    dead_letters: int
    hosts_at_work: int

    @property
    def share(self) -> float:
        """The bound as a share of the time that it took."""
        return float(self.found["bound_seconds"]) / float(self.found["seconds"])

    @property
    def throttled_share(self) -> float:
        """The part of all PUTs that was answered 429."""
        return float(self.found["throttled"]) / float(self.found["puts"])

    @property
    def own_ms(self) -> float:
        """Processor time of our own processes for each account, in milliseconds."""
        return 1000 * sum(self.processor.get(kind, 0.0) for kind in (FUNCTIONS, LAMBDAS)) / self.plan.accounts

    @property
    def paced_rate(self) -> float:
        """Writes per second beyond what the buckets held at first."""
        return float(self.found["paced_writes"]) / float(self.found["writing_seconds"])


def burst(folder: Path, plan: Plan) -> Burst:
    """Plants the accounts, tells of all of them at once, and waits until each has its connector."""
    with running(folder / plan.name / "world", **plan.settings()) as roll:
        prepare(roll, plan)
        profiles = planted(roll, plan)
        before = len(roll.journal)
        with Processor(roll.sandbox.folder) as processor:
            put(roll, [event for each in profiles for event in told(each)])
            done = Accepted(roll, before)
            wait_until(lambda: done.count() >= plan.accounts, "every account has its connector", _patience(plan))
            roll.wait_until_drained()
        entries = roll.journal.entries(since=before)
        keep(folder / plan.name, settings_of(plan, profiles), filter(needed, entries))
        return Burst(
            plan=plan,
            found=bound_of(folder / plan.name),
            processor=processor.seconds,
            requests=by_service(entries),
            connected=len(connected(roll)),
            dead_letters=sum(roll.messages_on(queue) for queue in DEAD_LETTERS) + len(roll.poisoned()),
            hosts_at_work=sum(
                '"request_handled"' in host.log.read_text("utf-8") for host in roll.sandbox.function_hosts
            ),
        )


def prepare(roll: Roll, plan: Plan) -> None:
    """Gives Resource Manager the plan's buckets."""
    limits = roll.sandbox.azure.resource_manager.limits
    limits.connector_writes = Limit(size=plan.writes, per_second=plan.rate)
    limits.connector_reads = Limit(size=READS, per_second=READS_PER_SECOND / plan.slower)


def settings_of(plan: Plan, profiles: Mapping[str, str]) -> dict[str, Any]:
    """What the bound is computed from, besides the journal; `profiles` are the accounts'."""
    return {
        "kind": "burst",
        "slower": plan.slower,
        "writes_size": plan.writes,
        "writes_per_second": plan.rate,
        "stack_instance_seconds": plan.stack_instance_seconds * plan.slower,
        "profiles": dict(profiles),
    }


def needed(entry: JournalEntry) -> bool:
    """Whether the bound reads a request."""
    return entry.service in SERVICES or entry.operation in FURTHER


def _patience(plan: Plan) -> float:
    paced = plan.accounts / plan.subscriptions / plan.rate
    return 300 + plan.stack_instance_seconds * plan.slower + 3 * paced + plan.accounts / 3


class Accepted:
    """The accounts whose PUT was accepted, read off the journal as it grows: the ledger is left alone meanwhile."""

    def __init__(self, roll: Roll, since: int) -> None:
        self._journal = roll.journal
        self._read = since
        self._paths: set[str] = set()

    def count(self) -> int:
        """How many there are by now."""
        entries = self._journal.entries(since=self._read)
        self._read += len(entries)
        for entry in entries:
            if entry.operation == "arm:PutSecurityConnector" and entry.status in {200, 201}:
                self._paths.add(entry.path.partition("?")[0].lower())
        return len(self._paths)


def planted(roll: Roll, plan: Plan) -> dict[str, str]:
    """Accounts in nested units of both profiles and of every subscription. Account id → profile."""
    publish_two_profiles(roll, **_places(roll, plan))
    units = [
        (roll.make_unit("Workloads", f"{kind}-{number % plan.subscriptions}", f"team-{number}"), profile)
        for number in range(UNITS // plan.profiles * plan.subscriptions)
        for kind, profile in _PROFILES[: plan.profiles]
    ]
    found: dict[str, str] = {}
    for first in range(0, plan.accounts, SEEDED_AT_ONCE):
        numbers = range(first, min(first + SEEDED_AT_ONCE, plan.accounts))
        wanted = [{"name": f"burst-{each:05d}", "parent_id": units[each % len(units)][0]} for each in numbers]
        ids = roll.seed(accounts=wanted)["accounts"]
        found |= {account: units[each % len(units)][1] for each, account in zip(numbers, ids, strict=True)}
    return found


def _places(roll: Roll, plan: Plan) -> dict[str, Any]:
    """Targets of the policy, one in each subscription, and a rule for every one and profile; makes what is missing."""
    settings = roll.sandbox.settings
    ids = [settings.subscription_id]
    ids += [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"subscription-{number}")) for number in range(1, plan.subscriptions)]
    for each in ids[1:]:
        roll.seed(**_subscription(each, settings.resource_group))
    group = {"resource_group": settings.resource_group, "location": "westeurope"}
    rules = [
        {"match": {"ou_paths": [f"/Workloads/{kind}-{number}"]}, "profile": profile, "target": f"place-{number}"}
        for number in range(len(ids))
        for kind, profile in _PROFILES
    ]
    targets = {f"place-{number}": {"subscription": each} | group for number, each in enumerate(ids)}
    return {"targets": targets, "rules": rules}


def _subscription(subscription_id: str, group: str) -> dict[str, Any]:
    """A further subscription as the first is: its group, the Function App's roles, and the plans on."""
    scope = f"/subscriptions/{subscription_id}"
    roles = ("Security Admin", "User Access Administrator")
    plans = {"CloudPosture": {}, "VirtualMachines": {"subPlan": "P2"}, "SqlServerVirtualMachines": {}, "Containers": {}}
    return {
        "subscriptions": [{"id": subscription_id, "resource_groups": [group]}],
        "roles": [{"identity": FUNCTION_APP, "role": role, "scope": scope} for role in roles],
        "pricings": [
            {"name": name, "properties": {"pricingTier": "Standard"} | more, "subscription_id": subscription_id}
            for name, more in plans.items()
        ],
    }


def by_service(entries: Iterable[JournalEntry]) -> dict[str, int]:
    """Requests by service."""
    return dict(Counter(entry.service for entry in entries).most_common())
