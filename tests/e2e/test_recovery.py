"""Ledger, queues and blobs are lost in the middle of work: what `backfill` and `sweep` bring back, and what they leave.

One world for all tests here, which run in this order.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.deployment import ARTEFACT_BUCKET
from sandbox.faults import Hold
from sandbox.journal import JournalEntry
from sandbox.policy_upload import publish_policy, sample_policy
from shared.domain.ledger import State
from shared.messages.poison import PoisonMessage
from tests.e2e.accident import Accident
from tests.e2e.many import STACK_SET
from tests.e2e.new_project import effect_of
from tests.e2e.planted_deeds import delete_connector, drop_offering
from tests.e2e.planting import Planter
from tests.e2e.processes import ROLLCALL, Command, environment
from tests.e2e.roll import Roll, key_of, running, wait_until
from tests.e2e.test_projects import Google

pytestmark = pytest.mark.timeout(600)  # the same for all: they run in this order

QUICK: dict[str, Any] = {
    "resource_graph_lag_seconds": 0.2,
    "stack_instance_seconds": 0.2,
    "gcp_operation_seconds": 0.1,
    "gcp_search_lag_seconds": 0.2,
    "pacing_writes_per_second": 10_000.0,
    "pacing_burst": 10_000,
}
UNITS = {
    "right": ("/Workloads/Production", 3),
    "regulated": ("/Workloads/Regulated", 1),
    "plain": ("/", 2),
    "lost": ("/", 1),
    "changed": ("/", 1),
    "excluded": ("/Quarantine", 2),
    "taken-out": ("/", 1),
    "closed": ("/", 1),
    "left": ("/", 1),
}
UNTOUCHED = ("right", "regulated", "plain")
IN_FLIGHT = 6
MOST = 2
"""How many may lose their connectors in a day, in the last test."""
CHANGING = {"PUT", "PATCH", "DELETE"}


@dataclass
class World:
    roll: Roll
    google: Google
    folder: Path
    accident: Accident
    planter: Planter
    accounts: dict[str, list[str]] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> Any:
        ran = Command(self.folder, *arguments, "--json", seconds=170)
        assert ran.out, ran.err
        assert "error" not in ran.document, ran.document
        return ran.document

    def publish(self, **changes: Any) -> None:
        """The changed policy on both sides; whoever has read it before begins anew."""
        sandbox = self.roll.sandbox
        organization = self.roll.client("organizations").describe_organization()["Organization"]["Id"]
        content = yaml.safe_load(sample_policy(organization, sandbox.settings, sandbox.google)) | changes
        policy = yaml.safe_dump(content).encode()
        publish_policy(policy, sandbox.azure)
        self.roll.client("s3").put_object(Bucket=ARTEFACT_BUCKET, Key="policy.yaml", Body=policy)
        for function in ("account-events", "stack-events"):
            sandbox.kill(f"lambda:rollcall-{function}")
        for host in sandbox.function_hosts:
            sandbox.start_host(host.name)

    def backfilled(self) -> list[Any]:
        """Both clouds, and everything that was sent is done."""
        told = [self.run("backfill"), self.run("backfill", "--provider", "gcp")]
        self.drained()
        return told

    def drained(self) -> None:
        self.roll.wait_until_drained()
        time.sleep(1)  # a connector that was asked for last
        self.roll.wait_until_drained()

    def were_looked_at(self, accounts: list[str]) -> bool:
        """Whether AWS's side is done and the ledger knows each."""
        busy = self.roll.messages_on("AccountEventsQueue") or self.roll.messages_on("StackEventsQueue")
        return not busy and all(self.roll.record(each) is not None for each in accounts)

    def states(self) -> dict[str, str]:
        """Every line of the ledger, but that of the management account, which mode `standalone` leaves out."""
        return {str(each.key): str(each.state) for each in self.roll.ledger.list_records()}

    def connectors(self) -> dict[str, Any]:
        """Every connector of the tenant as it is, by its id."""
        found = self.roll.sandbox.azure.resources.as_of(time.monotonic())
        wanted = "microsoft.security/securityconnectors"
        return {str(each["id"]).lower(): each for each in found if str(each["type"]).lower() == wanted}

    def writes(self, since: int = 0) -> Counter[tuple[str, int]]:
        """Writes of connectors by their name and by what they came to, also where nobody heard of it."""
        put = self.roll.journal.entries(operation="arm:PutSecurityConnector", since=since)
        return Counter((each.path.partition("?")[0].rpartition("/")[2], effect_of(each)) for each in put)

    def changes(self, since: int) -> Counter[tuple[str, int]]:
        """Writes that had an effect; whoever has another's connector may be asked for again, and is refused."""
        return Counter({write: count for write, count in self.writes(since).items() if write[1] < 300})

    def taken_away(self, since: int) -> list[JournalEntry]:
        """What was deleted in either cloud, or in Azure beside the storage account.

        Not counted: the StackSet forgets an account that has left, whose stack stays.
        """
        journal = self.roll.journal
        entries = [
            each for name in ("arm", "cloudformation", "gcp") for each in journal.entries(service=name, since=since)
        ]
        left = {*self.accounts["closed"], *self.accounts["left"]}
        return [
            each
            for each in entries
            if (each.method == "DELETE" or ":Delete" in each.operation) and not self._retains(each, left)
        ]

    def _retains(self, entry: JournalEntry, left: set[str]) -> bool:
        if entry.operation != "cloudformation:DeleteStackInstances" or not left.issuperset(entry.detail["accounts"]):
            return False
        cloudformation = self.roll.client("cloudformation")
        done = cloudformation.list_stack_set_operations(StackSetName=STACK_SET)["Summaries"]
        ids = [each["OperationId"] for each in done if each["Action"] == "DELETE"]
        found = [
            cloudformation.describe_stack_set_operation(StackSetName=STACK_SET, OperationId=each)["StackSetOperation"]
            for each in ids
        ]
        return all(each["RetainStacks"] for each in found)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Accounts and projects of many kinds, each in the state that it is to come back to."""
    folder = tmp_path_factory.mktemp("recovery")
    with running(folder / ".sandbox", **QUICK) as roll, ExitStack() as stack:
        made = World(roll, Google(roll, folder), folder, Accident(roll, stack), Planter(roll))
        _populate(made)
        yield made


def _populate(world: World) -> None:
    roll, google = world.roll, world.google
    for kind, (path, count) in UNITS.items():
        unit = roll.make_unit(*[name for name in path.split("/") if name])
        world.accounts[kind] = [roll.plant_account(f"{kind}-{each}", parent_id=unit) for each in range(count)]
    google.move(roll.sandbox.google.management_project, "/Platform")
    google.wait_for(roll.sandbox.google.management_number, "connected")
    for name, place in (("right", "/Workloads"), ("lost", "/Workloads"), ("gone", "/"), ("excluded", "/Quarantine")):
        world.projects[name] = google.create(f"acme-{name}-1", place)
    world.backfilled()
    for kind, ids in world.accounts.items():
        for each in ids:
            roll.wait_for_state(each, "excluded" if kind == "excluded" else "connected")
    for name, number in world.projects.items():
        google.wait_for(number, "excluded" if name == "excluded" else "connected")
    _send_away(world)


def _send_away(world: World) -> None:
    """What is no longer as the policy asks, and who has left."""
    roll, organizations = world.roll, world.roll.client("organizations")
    [taken_out], [closed], [left] = (world.accounts[kind] for kind in ("taken-out", "closed", "left"))
    organizations.tag_resource(ResourceId=taken_out, Tags=[{"Key": "defender", "Value": "exempt"}])
    roll.wait_for_state(taken_out, "excluded")
    roll.ask_disconnecting(taken_out)
    roll.wait_for_state(taken_out, "offboarded")
    organizations.close_account(AccountId=closed)
    organizations.remove_account_from_organization(AccountId=left)
    for account_id in (closed, left):
        roll.wait_for_state(account_id, "departed")
    world.google.ask("DELETE", "/cloudresourcemanager/v3/projects/acme-gone-1")
    world.google.wait_for(world.projects["gone"], "departed")
    [refused] = world.accounts["refused"] = [roll.plant_account("refused")]
    world.planter.template = world.planter.body_of(world.accounts["plain"][0])
    world.planter.connector(refused, "of-another-team", owner="another-team")
    failing = roll.plant_account("failing")
    world.accounts["failing"] = [failing]
    roll.seed(stack_failures=[{"account": failing, "reason": "CloudTrail is not for you"}])
    for account_id, state in ((refused, "parked"), (failing, "deploy_failed")):
        roll.ask_onboarding(account_id)
        roll.wait_for_state(account_id, state)
    world.drained()


@contextmanager
def in_background(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`rollcall …` while other things are done; the sandbox's own processes run in the same folder and go on."""
    process = subprocess.Popen(
        [ROLLCALL, *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def reached(world: World, count: int) -> Callable[[], bool]:
    return lambda: sum(bool(hold["reached"]) for hold in world.roll.sandbox.faults.holds()) >= count


def _wiped_in_the_middle(world: World) -> tuple[list[str], str, int, dict[str, int]]:
    """New accounts, a new project, where the journal was when all was wiped, and how much that was.

    A sweep had looked at something, and a connector was made whose worker did not know yet.
    """
    roll, faults = world.roll, world.roll.sandbox.faults
    faults.hold(Hold(service="blob", operation="PutBlob", path="*results*", when="before"))
    with in_background(world.folder, "sweep", "--minutes", "0.1", "--json") as sweeping:
        wait_until(reached(world, 1), "a sweep is in the middle")
        faults.hold(Hold(service="arm", operation="PutSecurityConnector", when="after", nth=2))
        asked = [roll.ask_for_account(f"flight-{number}") for number in range(IN_FLIGHT)]
        on_its_way = world.google.create("acme-flight-1")
        wait_until(reached(world, 2), "a connector is made, and its worker does not know yet")
        flying = [roll.wait_for_account(each) for each in asked]
        mark = len(roll.journal)
        lost = world.accident.wipe()
        for queue in ("AccountEventsQueue", "StackEventsQueue"):
            roll.client("sqs").purge_queue(QueueUrl=roll.outputs[f"{queue}Url"])
        faults.release()
        assert sweeping.wait(timeout=60) == 1, "its sweep has no end"
    return flying, on_its_way, mark, lost


def test_what_is_wiped_in_the_middle_of_work_comes_back_and_nothing_right_is_written(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    roll = world.roll
    first = world.run("sweep")
    assert first["complete"], first["gaps"]
    before, begun = world.states(), len(roll.journal)
    delete_connector(world.planter, world.accounts["lost"][0])
    drop_offering(world.planter, world.accounts["changed"][0])
    roll.sandbox.azure.resources.delete(roll.connectors(world.projects["lost"])[0]["id"])
    right = world.connectors()
    of_changed = roll.connectors(world.accounts["changed"][0])[0]["id"].lower()

    flying, on_its_way, mark, lost = _wiped_in_the_middle(world)
    moment = time.monotonic()
    told = world.backfilled()
    for account_id in flying:
        roll.wait_for_state(account_id, "connected")
    world.google.wait_for(on_its_way, "connected")
    world.drained()
    swept = world.run("sweep")
    assert swept["complete"], swept["gaps"]
    world.drained()
    seconds = time.monotonic() - moment

    assert world.taken_away(mark) == []
    now = world.connectors()
    assert {name for name, body in right.items() if now.get(name) != body} == {of_changed}
    since = world.writes(mark)
    made = {f"aws-{each}" for each in flying} | {f"gcp-{on_its_way}"}
    missing = {f"aws-{world.accounts['lost'][0]}", f"gcp-{world.projects['lost']}"}
    changed = f"aws-{world.accounts['changed'][0]}"
    refused = f"aws-{world.accounts['refused'][0]}"  # Azure refuses it where the snapshot is too old to show why
    assert {name for name, _ in since} <= made | missing | {changed, refused}
    assert {status for name, status in since if name == refused} <= {409}
    again = world.writes(begun)  # the sweep that was cut off may have asked for them already
    assert {name: again[name, 201] for name in missing} == dict.fromkeys(missing, 1)
    assert again[changed, 200] == 1
    assert {name: world.writes()[name, 201] for name in made} == dict.fromkeys(made, 1)
    still = [each for kind in UNTOUCHED for each in world.accounts[kind]]
    touched = [
        each.path
        for each in roll.journal.entries(service="arm", since=mark)
        if each.method in CHANGING and any(account_id in each.path for account_id in still)
    ]
    assert touched == []

    after = world.states()
    cannot = {f"aws-{each}": "excluded" for each in world.accounts["taken-out"]}
    expected = before | cannot | {f"aws-{each}": "connected" for each in flying} | {f"gcp-{on_its_way}": "connected"}
    assert after == expected
    parked = [PoisonMessage.read(each.content) for each in roll.poisoned()]
    asked = [each.request and each.request.key for each in parked]
    assert asked == [key_of(world.accounts["refused"][0])], ("what is parked is parked again, once", parked)
    written = {name for name, status in since if status < 300}
    record_property(
        "told",
        f"recovery: {sum(lost.values())} rows and blobs wiped ({lost}) with {len(flying) + 1} accounts and projects and"
        f" a sweep on their way; backfill sent {[each['totals'] for each in told]}; {len(written)} connectors"
        f" written, none of {len(right) - 1} that were right; {len(after)} lines again as before but"
        f" {len(cannot)} (offboarded, now excluded); complete sweep after {seconds:.0f} s",
    )


def test_two_operators_at_once_change_nothing_that_is_right(world: World) -> None:
    mark, states = len(world.roll.journal), world.states()
    with in_background(world.folder, "backfill") as other:
        world.backfilled()
        assert other.wait(timeout=120) == 0
    with in_background(world.folder, "sweep") as other:
        swept = world.run("sweep")
        assert other.wait(timeout=120) in {0, 1}  # 1: something was found
    assert swept["complete"], swept["gaps"]
    world.drained()
    assert (world.changes(mark), world.taken_away(mark), world.states()) == (Counter(), [], states)


def test_where_tables_queues_and_container_are_gone_they_are_made_again_and_the_same_is_done(world: World) -> None:
    states, right = world.states(), world.connectors()
    world.accident.drop()
    refused = Command(world.folder, "status", "--json")
    assert refused.code == 2
    assert "make deploy-azure" in refused.document["error"]["remedy"]
    [born] = [world.roll.plant_account("born-meanwhile")]
    world.roll.ask_onboarding(born)
    wait_until(lambda: bool(world.roll.operations(born)), "AWS's side goes on")
    unsent = Command(world.folder, "backfill", "--json")
    assert unsent.code == 2
    assert "make deploy-azure" in unsent.document["error"]["remedy"]
    world.accident.make_again()
    mark = len(world.roll.journal)
    for queue in ("account-events", "stack-events"):  # what was given up meanwhile, if that took long enough
        Command(world.folder, "replay", "run", "--all", "--queue", f"{queue}-dead-letters", "--json")
    world.backfilled()
    world.roll.wait_for_state(born, "connected")
    world.drained()
    swept = world.run("sweep")
    assert swept["complete"], swept["gaps"]
    assert world.states() == states | {f"aws-{born}": "connected"}
    assert world.changes(mark) == Counter({(f"aws-{born}", 201): 1})
    assert world.taken_away(mark) == []
    now = world.connectors()
    assert {name for name, body in right.items() if now.get(name) != body} == set()


def test_with_an_empty_ledger_no_more_lose_their_connectors_than_a_day_allows(world: World) -> None:
    leaving = [*world.accounts["plain"], *world.accounts["lost"], *world.accounts["changed"]]
    for account_id in leaving:
        world.roll.client("organizations").move_account(
            AccountId=account_id,
            SourceParentId=world.roll.make_unit(),
            DestinationParentId=world.roll.make_unit("Quarantine"),
        )
    for account_id in leaving:
        world.roll.wait_for_state(account_id, "excluded")
    world.publish(deletions={"excluded_accounts": True, "most_per_run": MOST})
    world.drained()
    world.accident.wipe()
    mark = len(world.roll.journal)
    for _ in range(3):  # each asks for those that the one before has spared
        world.run("backfill")
        wait_until(lambda: world.were_looked_at(leaving), "each was looked at")
        time.sleep(3)  # one too many would go now
    removed = world.roll.journal.entries(operation="arm:DeleteSecurityConnector", since=mark)
    assert len({each.path for each in removed}) == MOST
    assert {str(world.roll.record(each).state) for each in leaving} <= {State.EXCLUDED, State.DEFERRED}  # type: ignore[union-attr]  # noted
