"""Accounts that were there before Rollcall: one command brings 300 in, and the daily comparison does the same."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.faults import Fault, FaultKind, Hold
from sandbox.journal import JournalEntry
from tests.e2e.burst import connected, publish_two_profiles
from tests.e2e.processes import ROLLCALL, Command, environment
from tests.e2e.roll import STACK_SET_OPERATIONS, Roll, running, wait_until
from tests.fakes.scheduler_input import message_of

RECONCILE = "rollcall-reconcile-accounts"
ROLE = f"*:role/{RECONCILE}"
UNITS = {
    "/": 60,
    "/Workloads/Production": 80,
    "/Workloads/Production/EU": 50,
    "/Workloads/Dev": 60,
    "/Workloads/Dev/Teams/Payments": 40,
    "/Quarantine": 10,
}
QUICK: dict[str, Any] = {
    "stack_instance_seconds": 0.1,
    "resource_graph_lag_seconds": 0.2,
    "pacing_writes_per_second": 10_000.0,
    "pacing_burst": 10_000,
    "reconcile_visibility_seconds": 4,
}
BATCH = 200  # of account-events: infra/aws/template.yaml
PROFILES = 2


def planted(roll: Roll, units: dict[str, int]) -> dict[str, list[str]]:
    """Accounts that have been there for long, by their unit."""
    wanted = [
        {"name": f"{path.rpartition('/')[2] or 'root'}-{number}".lower(), "parent_id": unit}
        for path, count in units.items()
        for unit in [roll.make_unit(*path.strip("/").split("/")) if path != "/" else roll.make_unit()]
        for number in range(count)
    ]
    ids = iter(roll.seed(accounts=wanted)["accounts"])
    return {path: [next(ids) for _ in range(count)] for path, count in units.items()}


def operations(roll: Roll, since: int) -> list[JournalEntry]:
    """The StackSet operations that were asked for."""
    entries = roll.journal.entries(service="cloudformation", since=since)
    return [
        entry for entry in entries if entry.operation in STACK_SET_OPERATIONS | {"cloudformation:DeleteStackInstances"}
    ]


def writes(roll: Roll, since: int) -> list[JournalEntry]:
    """The connector writes that Resource Manager got."""
    entries = roll.journal.entries(service="arm", since=since)
    return [
        entry for entry in entries if entry.operation in {"arm:PutSecurityConnector", "arm:DeleteSecurityConnector"}
    ]


@contextmanager
def world(folder: Path, **settings: Any) -> Iterator[tuple[Roll, Path]]:
    with running(folder / ".sandbox", **(QUICK | settings)) as roll:
        publish_two_profiles(roll, exclusions={"ou_paths": ["/Quarantine"]})  # before any process reads the policy
        yield roll, folder


def test_one_command_brings_three_hundred_accounts_in_and_the_second_run_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with world(tmp_path, function_hosts=2, sqs_batch_window_scale=0.25, sqs_visibility_seconds=60) as (roll, folder):
        accounts = planted(roll, UNITS)
        everyone = {each for ids in accounts.values() for each in ids}
        excluded = set(accounts["/Quarantine"])
        included = everyone - excluded

        before = len(roll.journal)
        dry = Command(folder, "backfill", "--dry-run", "--json")
        assert dry.code == 0, dry.err
        assert dry.document["totals"] == {"account_event": 290, "connect_request": 0, "note": 11, "waits": 0}
        sent = {"events:PutEvents", "queue:PutMessage"}
        assert not [entry for entry in roll.journal.entries(since=before) if entry.operation in sent]

        first = len(roll.journal)
        done = Command(folder, "backfill", "--json")
        assert done.code == 0, done.err
        assert done.document["totals"] == dry.document["totals"]
        wait_until(lambda: connected(roll) >= included, "every account is connected", 150)
        roll.wait_until_drained()
        assert connected(roll) == included
        deployed = operations(roll, first)
        put = writes(roll, first)
        assert {entry.operation for entry in deployed} == {"cloudformation:CreateStackInstances"}
        targets = Counter(each for entry in deployed for each in entry.detail["accounts"])
        assert targets.keys() == included
        # On a busy computer a function may run out of time; only then its batch comes twice.
        failed = ["error" in entry.detail for entry in roll.journal.entries(operation="lambda:Invoke", since=first)]
        assert any(failed) or set(targets.values()) == {1}
        assert len(deployed) <= PROFILES * (len(included) / 100 + 5)
        assert Counter(entry.status for entry in put) == {201: len(included)}
        reads = Counter(
            entry.operation
            for entry in roll.journal.entries(since=first)
            if entry.service in {"organizations", "cloudformation"} and ":role/" not in entry.identity
        )

        second = len(roll.journal)
        again = Command(folder, "backfill", "--json")
        assert again.code == 0, again.err
        assert again.document["totals"] == {"account_event": 0, "connect_request": 290, "note": 11, "waits": 0}
        roll.wait_until_drained()
        history = {each: roll.history(each)[-1] for each in (accounts["/"][0], accounts["/Workloads/Dev"][0])}
        assert {entry.result for entry in history.values()} == {"unchanged"}
        assert operations(roll, second) == []
        assert writes(roll, second) == []
        assert connected(roll) == included
        assert {roll.record(each).state for each in excluded} == {"excluded"}  # type: ignore[union-attr]  # noted
        with capsys.disabled():
            print(
                f"\nbackfill of {len(everyone)} accounts: {len(deployed)} StackSet operations, {len(put)} PUTs, "
                f"the command's own reads {dict(reads)}; second run: 0 operations, 0 writes"
            )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Roll, Path]]:
    with world(tmp_path_factory.mktemp("reconcile"), reconcile_seconds=1) as made:
        yield made


def ask(roll: Roll) -> None:
    """What an operator puts on the bus to have everything compared now."""
    roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})


def parts(roll: Roll, since: int) -> list[dict[str, Any]]:
    """The closing lines of the function's parts, after the first `since`."""
    lines = roll.sandbox.lambdas.log_of(RECONCILE).read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if '"message":"reconciled"' in line]
    return found[since:]


def fire_schedule(roll: Roll, execution: str) -> None:
    """What Scheduler does at the schedule's time: with the schedule's role it puts the input on the queue."""
    schedule = roll.client("scheduler").get_schedule(Name="rollcall-reconcile", GroupName="rollcall")
    assert schedule["State"] == "ENABLED"
    target = schedule["Target"]
    role = roll.sandbox.aws.credentials_for_role(target["RoleArn"])
    session = boto3.Session(role.access_key_id, role.secret_access_key, role.session_token, region_name="us-east-1")
    queue = roll.outputs["ReconcileQueueUrl"]
    assert queue.endswith(f"/{target['Arn'].rpartition(':')[2]}")
    body = message_of(target["Input"], schedule_arn=schedule["Arn"], execution=execution)
    session.client("sqs", endpoint_url=roll.sandbox.aws.url).send_message(QueueUrl=queue, MessageBody=body)


def by_function(roll: Roll, since: int) -> list[JournalEntry]:
    """What the function put on the bus."""
    entries = roll.journal.entries(operation="events:PutEvents", since=since)
    return [entry for entry in entries if entry.identity.endswith(f":role/{RECONCILE}")]


def test_the_message_of_the_schedule_starts_a_comparison_that_is_named_after_it(small: tuple[Roll, Path]) -> None:
    roll, _ = small
    accounts = set(planted(roll, {"/Workloads/Scheduled": 3})["/Workloads/Scheduled"])
    done = len(parts(roll, 0))
    fire_schedule(roll, "d32c5kddcf5bb8c3")
    wait_until(lambda: connected(roll) >= accounts, "every account is connected", 60)
    roll.wait_until_drained()
    assert {line["run"] for line in parts(roll, done)} == {"d32c5kddcf5bb8c3"}
    assert roll.messages_on("ReconcileDeadLetterQueue") == 0


def test_a_function_that_is_killed_while_it_sends_begins_again_and_nothing_is_done_twice(
    small: tuple[Roll, Path],
) -> None:
    roll, _ = small
    accounts = set(planted(roll, {"/Workloads/Killed": 25})["/Workloads/Killed"])
    before = len(roll.journal)
    roll.sandbox.faults.hold(Hold(service="events", operation="PutEvents", identity=ROLE, when="after", nth=2))
    ask(roll)
    wait_until(
        lambda: any(hold["reached"] for hold in roll.sandbox.faults.holds()), "the function is held while it sends"
    )
    roll.sandbox.kill(f"lambda:{RECONCILE}")
    roll.sandbox.faults.release(drop=True)
    wait_until(lambda: connected(roll) >= accounts, "every account is connected", 60)
    wait_until(lambda: roll.messages_on("ReconcileQueue") == 0, "the request is done")
    roll.wait_until_drained()
    writes_by_account = Counter(entry.path.partition("?")[0].rpartition("/")[2] for entry in writes(roll, before))
    assert {each.removeprefix("aws-") for each in writes_by_account} >= accounts
    assert set(writes_by_account.values()) == {1}
    assert roll.messages_on("ReconcileDeadLetterQueue") == 0


def test_a_function_whose_time_is_up_goes_on_by_its_cursor(small: tuple[Roll, Path]) -> None:
    roll, _ = small
    there = len(connected(roll))
    assert there >= 25
    done, before = len(parts(roll, 0)), len(roll.journal)
    slow = Fault(
        service="cloudformation",
        operation="DescribeStackInstance",
        identity=ROLE,
        kind=FaultKind.LATENCY,
        rate=1,
        seconds=0.2,
    )
    roll.sandbox.faults.plant(slow)
    try:
        ask(roll)
        wait_until(lambda: any(not part["after"] for part in parts(roll, done)), "the last part ended", 60)
    finally:
        roll.sandbox.faults.clear()
    found = parts(roll, done)
    assert len(found) >= 3
    assert [part["after"] for part in found] == [*sorted({part["after"] for part in found if part["after"]}), ""]
    assert len({part["run"] for part in found}) == 1
    assert sum(part["accounts"] for part in found) == there + 1  # and the management account
    assert sum(part["connect_request"] for part in found) == there
    assert len(by_function(roll, before)) == len(found) - 1  # the requests for the next part, and nothing else
    roll.wait_until_drained()
    assert (operations(roll, before), writes(roll, before)) == ([], [])


def test_a_command_that_is_interrupted_says_how_far_it_came_and_goes_on(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    accounts = set(planted(roll, {"/Workloads/Interrupted": 25})["/Workloads/Interrupted"])
    roll.sandbox.faults.hold(Hold(service="events", operation="PutEvents", when="after", nth=2))
    process = subprocess.Popen(
        [ROLLCALL, "backfill", "--ou", "/Workloads/Interrupted", "--json"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: any(hold["reached"] for hold in roll.sandbox.faults.holds()), "the command is held")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        roll.sandbox.faults.release(drop=True)
    assert process.returncode == 1
    assert json.loads(said)["error"] == {
        "reason": "stopped after 19 account(s)",
        "remedy": "run it again: what is done is not done again",
    }
    wait_until(lambda: len(connected(roll) & accounts) == 20, "those that were asked for are connected", 60)
    roll.wait_until_drained()
    before = len(roll.journal)
    again = Command(folder, "backfill", "--ou", "/Workloads/Interrupted", "--json")
    assert again.code == 0, again.err
    assert again.document["totals"] == {"account_event": 5, "connect_request": 20, "note": 0, "waits": 0}
    wait_until(lambda: connected(roll) >= accounts, "every account is connected", 60)
    assert len(writes(roll, before)) == 5


def test_a_limit_brings_new_accounts_in_step_by_step(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    accounts = set(planted(roll, {"/Workloads/Limited": 5})["/Workloads/Limited"])
    for done in (2, 4, 5):
        ran = Command(folder, "backfill", "--ou", "/Workloads/Limited", "--limit", "2")
        assert ran.code == 0, ran.err
        wait_until(lambda: len(connected(roll) & accounts) == done, f"{done} are connected")  # noqa: B023 - at once
        roll.wait_until_drained()
        if done < 5:
            assert "the limit is reached" in ran.err
    assert "follow them with `rollcall status`" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--ou", "Workloads"), 2, "begins with a slash"),
        (("--ou", "/Nowhere"), 1, "no such account"),
        (("--limit", "0"), 2, "limit"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    small: tuple[Roll, Path], arguments: tuple[str, ...], code: int, said: str
) -> None:
    refused = Command(small[1], "backfill", *arguments, "--json")
    assert refused.code == code
    assert refused.document.keys() == {"error"}
    assert said in " ".join(refused.err.split())


def test_a_listing_that_breaks_off_ends_the_command_with_one(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    before = len(roll.journal)
    roll.sandbox.faults.plant(
        Fault(service="cloudformation", operation="ListStackInstances", kind=FaultKind.ERROR, rate=1)
    )
    try:
        broken = Command(folder, "backfill", "--json")
    finally:
        roll.sandbox.faults.clear()
    assert broken.code == 1
    assert broken.document.keys() == {"error"}
    assert roll.journal.entries(operation="events:PutEvents", since=before) == []


def test_an_incomplete_listing_makes_nobody_leave(small: tuple[Roll, Path]) -> None:
    roll, _ = small
    [gone] = planted(roll, {"/Workloads/Gone": 1})["/Workloads/Gone"]
    ask(roll)
    roll.wait_for_state(gone, "connected")
    wait_until(lambda: roll.messages_on("ReconcileQueue") == 0, "the run that found it is done")
    roll.wait_until_drained()
    roll.client("organizations").remove_account_from_organization(AccountId=gone)
    before = len(roll.journal)
    broken = Fault(
        service="organizations",
        operation="ListOrganizationalUnitsForParent",
        identity=ROLE,
        kind=FaultKind.ERROR,
        rate=1,
    )
    roll.sandbox.faults.plant(broken)
    try:
        ask(roll)
        wait_until(lambda: failed_invocations(roll, before) > 0, "the part failed")
        assert by_function(roll, before) == []
        put = roll.journal.entries(operation="queue:PutMessage", since=before)
        assert [entry for entry in put if entry.identity != "rollcall-functions"] == []
    finally:
        roll.sandbox.faults.clear()

    def told() -> bool:
        deliveries = roll.journal.entries(operation="events:DeliverToTarget", since=before)
        return any(gone in entry.detail["accounts"] for entry in deliveries)

    wait_until(told, "complete again, it tells account-events of the account that left")
    assert operations(roll, before) == []


def failed_invocations(roll: Roll, since: int) -> int:
    entries = roll.journal.entries(operation="lambda:Invoke", since=since)
    return sum(entry.detail["function"] == RECONCILE and entry.detail["failures"] > 0 for entry in entries)
