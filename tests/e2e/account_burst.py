"""A burst of accounts on AWS's side: how few StackSet operations it takes, and how long a function is at it.

`python -m tests.e2e.account_burst [--accounts N]` prints the figures of one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.deployment import ARTEFACT_BUCKET
from sandbox.policy_upload import publish_policy
from tests.e2e.burst import connected
from tests.e2e.roll import STACK_SET_OPERATIONS, Roll, running, wait_until
from tests.fixtures.read import fixture

EVENT_FUNCTIONS = {"rollcall-account-events", "rollcall-stack-events"}
ENTRIES = 10  # PutEvents takes no more at once
TEAMS = 5
DEAD_LETTERS = ("AccountEventsDeadLetterQueue", "StackEventsDeadLetterQueue")


@dataclass(frozen=True, kw_only=True)
class AccountBurst:
    """What the journal says of a burst. `operations` are StackSet operations by profile."""

    accounts: int
    events: int
    connected: int
    operations: dict[str, int]
    targets: dict[str, int]
    dead_letters: int
    failed_invocations: int
    invocations: int
    longest_seconds: float
    puts: int


def account_burst(folder: Path, *, accounts: int) -> AccountBurst:
    """`accounts` are there at once, two events tell of each, and everything goes its way to the connectors."""
    quick: dict[str, Any] = {"pacing_writes_per_second": 10_000.0, "pacing_burst": 10_000}
    quick |= {"sqs_batch_window_scale": 1.0, "resource_graph_lag_seconds": 2.0}  # batches as in production
    with running(folder, function_hosts=2, stack_instance_seconds=0.2, sqs_visibility_seconds=60, **quick) as roll:
        publish_two_profiles(roll)
        profile_of = plant(roll, accounts)
        before = len(roll.journal)
        events = [event for each in profile_of for event in told(each)]
        put(roll, events)
        wait_until(lambda: connected(roll) >= profile_of.keys(), "every account is connected", 120 + accounts / 2)
        roll.wait_until_drained()
        return measured(roll, profile_of, len(events), before)


def publish_two_profiles(roll: Roll, **rest: Any) -> None:
    """Accounts below /Workloads/Production get more than the others, without tags; `rest` are further fields."""
    settings = roll.sandbox.settings
    policy = {
        "version": 1,
        "organization": roll.organization,
        "tenant": settings.tenant_id,
        "target": {
            "subscription": settings.subscription_id,
            "resource_group": settings.resource_group,
            "location": "westeurope",
        },
        "rules": [{"match": {"ou_paths": ["/Workloads/Production"]}, "profile": "recommended"}],
        **rest,
    }
    content = yaml.safe_dump(policy).encode()
    publish_policy(content, roll.sandbox.azure)
    roll.client("s3").put_object(Bucket=ARTEFACT_BUCKET, Key="policy.yaml", Body=content)


def plant(roll: Roll, accounts: int) -> dict[str, str]:
    """Accounts in nested units, half of each profile; nothing has told of them. Account id → profile."""
    profiles = {"Production": "recommended", "Dev": "foundational"}
    units = [(roll.make_unit("Workloads", kind, f"team-{n}"), kind) for n in range(TEAMS) for kind in profiles]
    places = [units[number % len(units)] for number in range(accounts)]
    wanted = [{"name": f"burst-{number:05d}", "parent_id": unit} for number, (unit, _) in enumerate(places)]
    ids = roll.seed(accounts=wanted)["accounts"]
    return {each: profiles[kind] for each, (_, kind) in zip(ids, places, strict=True)}


def told(account_id: str) -> list[dict[str, Any]]:
    """The two events that AWS sends about one created account, as entries for PutEvents."""
    created = json.loads(fixture("events/create_account_result.succeeded.json"))
    created["detail"]["serviceEventDetails"]["createAccountStatus"]["accountId"] = account_id
    joined = json.loads(fixture("events/account_joined.created.json"))
    joined["detail"]["serviceEventDetails"]["accountId"] = account_id
    for event in (created, joined):
        event["detail"]["eventID"] = str(uuid.uuid4())
    return [
        {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
        for event in (created, joined)
    ]


def put(roll: Roll, entries: list[dict[str, Any]]) -> None:
    """Puts them on the bus `default`."""
    events = roll.client("events")
    for first in range(0, len(entries), ENTRIES):
        assert events.put_events(Entries=entries[first : first + ENTRIES])["FailedEntryCount"] == 0


def measured(roll: Roll, profile_of: dict[str, str], events: int, before: int) -> AccountBurst:
    """The figures of a burst, from the journal."""
    journal = roll.journal.entries(since=before)
    made = [entry for entry in journal if entry.operation in STACK_SET_OPERATIONS]
    invoked = [
        entry for entry in journal if entry.operation == "lambda:Invoke" and entry.detail["function"] in EVENT_FUNCTIONS
    ]
    return AccountBurst(
        accounts=len(profile_of),
        events=events,
        connected=len(profile_of.keys() & connected(roll)),
        operations=dict(Counter(profile_of[entry.detail["accounts"][0]] for entry in made)),
        targets=dict(Counter(each for entry in made for each in entry.detail["accounts"])),
        dead_letters=sum(roll.messages_on(queue) for queue in DEAD_LETTERS) + len(roll.poisoned()),
        failed_invocations=sum("error" in entry.detail or entry.detail["failures"] > 0 for entry in invoked),
        invocations=len(invoked),
        longest_seconds=max(entry.duration_ms for entry in invoked) / 1000,
        puts=sum(entry.operation == "arm:PutSecurityConnector" for entry in journal),
    )


def main() -> None:
    """Prints one burst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1000)
    with tempfile.TemporaryDirectory() as folder:
        found = account_burst(Path(folder), accounts=parser.parse_args().accounts)
    print("| accounts | events | connected | operations by profile | function calls | failed | longest | dead | PUTs |")
    print("|---|---|---|---|---|---|---|---|---|")
    operations = ", ".join(f"{count} {profile}" for profile, count in sorted(found.operations.items()))
    calls = f"{found.invocations} | {found.failed_invocations} | {found.longest_seconds:.1f} s"
    ends = f"{found.dead_letters} | {found.puts}"
    print(f"| {found.accounts} | {found.events} | {found.connected} | {operations} | {calls} | {ends} |")


if __name__ == "__main__":
    main()
