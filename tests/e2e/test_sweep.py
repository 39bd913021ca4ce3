"""The daily roll call on a real sandbox: what is planted is found, and nothing else."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from azure.storage.queue import QueueClient

from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.entra import OPERATORS_AUDIENCE
from sandbox.azure.governance_rules import TYPE as RULES
from sandbox.azure.machines import TYPE as MACHINES
from sandbox.cloud import HUB_TEMPLATE
from sandbox.faults import Fault, FaultKind, Hold
from sandbox.policy_upload import publish_policy, sample_policy
from sandbox.variables import READER_ROLE
from shared.adapters.clock import SystemClock
from shared.adapters.ledger.sweep_documents import BlobDocuments
from shared.adapters.queue.sweep_queue import SWEEP, StorageSliceQueue
from shared.application.notify import MOST_TRIES
from shared.application.plan_sweep import ask_for_sweep
from shared.application.sweep_store import find_latest, put_latest
from tests.e2e.planting import Planted, Planter
from tests.e2e.processes import Command, started
from tests.e2e.roll import Identity, Roll, running, wait_until
from tests.e2e.used_rights import Used, asked_in, used_by
from tests.fixtures.read import FOLDER
from tests.infra.aws_templates import statements_of

pytestmark = pytest.mark.timeout(600)  # the same for all: they run in this order

PLANTED = Path(os.environ.get("ROLLCALL_TEST_PLANTED") or FOLDER / "sweep" / "planted.yaml")
"""Another file of your own may stand in its place."""


QUERY: dict[str, str] = {"service": "arm", "operation": "QueryResources", "identity": FUNCTIONS}
WALK = {"organizations:ListRoots", "organizations:ListAccountsForParent"}
"""Asked only where Organizations does not say where accounts are: tests/contract/test_ports_aws.py."""
RESULT: dict[str, str] = {"service": "blob", "operation": "PutBlob", "path": "*results*"}
REPORT: dict[str, str] = {"service": "blob", "operation": "PutBlob", "path": "*latest.json*"}


class World:
    def __init__(self, roll: Roll, folder: Path) -> None:
        self.roll, self.folder = roll, folder

    def sweep(self, *options: str) -> Any:
        ran = Command(self.folder, "sweep", "--json", *options, seconds=170)
        assert ran.out, ran.err
        return ran.document

    def publish(self, **changes: Any) -> None:
        """Publishes the changed policy and lets the Function App begin anew."""
        azure = self.roll.sandbox.azure
        [organization] = [self.roll.client("organizations").describe_organization()["Organization"]["Id"]]
        policy = yaml.safe_load(sample_policy(organization, self.roll.sandbox.settings)) | changes
        publish_policy(yaml.safe_dump(policy).encode(), azure)
        for host in self.roll.sandbox.function_hosts:
            self.roll.sandbox.start_host(host.name)

    def let_a_day_pass(self) -> None:
        """Every finding of the newest report was first seen a day earlier."""
        container = f"{self.roll.sandbox.azure.blob_url}/sweeps"
        documents = BlobDocuments(Identity(self.roll.sandbox, FUNCTIONS), container)
        report, version = find_latest(documents)
        assert report is not None
        earlier = [replace(each, first_seen=each.first_seen - timedelta(days=1)) for each in report.findings]
        assert put_latest(documents, replace(report, findings=tuple(earlier)), version)

    def slices(self) -> StorageSliceQueue:
        """The queue `sweep`, as the operator."""
        azure = self.roll.sandbox.azure
        return StorageSliceQueue(Identity(self.roll.sandbox, "operator"), queue_endpoint=azure.queue_url)

    def wait_until_told(self) -> None:
        """Nothing is left on the queue `sweep`, what waits for its time included."""
        sandbox = self.roll.sandbox
        queue = QueueClient(sandbox.azure.queue_url, SWEEP, credential=Identity(sandbox, "operator"))
        wait_until(lambda: queue.get_queue_properties().approximate_message_count == 0, "everybody is told")

    def machines(self) -> set[str]:
        """The names of all Arc machines, as Resource Manager lists them."""
        settings = self.roll.sandbox.settings
        found = self.roll.sandbox.azure.resources.of_type(MACHINES, f"/subscriptions/{settings.subscription_id}")
        return {each["name"] for each in found}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all tests here: each begins with a sweep of its own, and the first finds everything as planted."""
    folder = tmp_path_factory.mktemp("sweep")
    with running(folder / ".sandbox", resource_graph_lag_seconds=0.2, queue_visibility_seconds=1) as roll:
        yield World(roll, folder)


@pytest.fixture(scope="module")
def planter(world: World) -> Planter:
    return Planter(world.roll)


@pytest.fixture(scope="module")
def planted(planter: Planter) -> Planted:
    return planter.plant(PLANTED)


def found(report: Any, *standings: str) -> Counter[tuple[str, str]]:
    wanted = standings or ("new", "still")
    return Counter(
        (each["finding"]["key"], each["finding"]["account"])
        for each in report["findings"]
        if each["standing"] in wanted
    )


def test_what_is_planted_is_found_and_what_may_be_is_mended(world: World, planted: Planted) -> None:
    assert Command(world.folder, "sweep", "--last").code != 0, "nobody has looked yet"
    expected = Counter((each.key, each.account) for each in planted.expected)
    first = world.sweep()
    assert first["complete"], first["gaps"]
    assert found(first) == expected
    assert {each["standing"] for each in first["findings"]} == {"new"}
    assert first["plans"]["defender_cspm"]["on_trial"] >= 1
    repaired = [planted.accounts[name] for name in ("lost-a-plan", "lost-its-connector", "lost-a-standard")]
    assert sorted(first["asked"]) == sorted(repaired)

    world.roll.wait_until_drained()
    for account_id in repaired:
        wait_until(lambda account=account_id: bool(world.roll.connectors(account)), "the connector is back")  # type: ignore[misc]
    second = world.sweep()
    assert found(second, "new") == Counter()
    resolved = found(second, "resolved")
    assert resolved == Counter({pair: 1 for pair in expected if pair[1] in repaired})
    regulated = planted.accounts["lost-a-standard"]
    [mended] = world.roll.sandbox.azure.resources.of_type(RULES, world.roll.connectors(regulated)[0]["id"])
    assert mended["properties"]["rulePriority"] == 100
    assert found(second, "still") == expected - resolved
    assert world.sweep("--last")["run"] == second["run"]


def test_the_report_says_what_was_found_here_and_over_http(world: World, planted: Planted, tmp_path: Path) -> None:
    newest = world.sweep("--last")
    here = Command(world.folder, "report", "--json")
    assert here.code == 0, here.err
    document = here.document
    assert document["schema"] == "roll-report/1"
    assert document["sweep"]["run"] == newest["run"]
    assert document["runs"][0]["complete"]
    assert Counter((each["key"], each["account"]) for each in document["findings"]) == Counter(
        (each["finding"]["key"], each["finding"]["account"]) for each in newest["findings"]
    )
    repaired = {planted.accounts[name] for name in ("lost-a-plan", "lost-its-connector")}
    assert {each["account"] for each in document["accounts"] if each["group"] == "connected"} >= repaired
    assert sum(sum(states.values()) for states in document["days"][-1]["states"].values()) > 0
    assert "Coverage by unit and folder" in Command(world.folder, "report").out

    urls = json.loads((world.roll.sandbox.folder / "endpoints.json").read_bytes())
    file = tmp_path / "roll.html"
    there = Command(
        *(world.folder, "report", "--json", "--output", str(file), "--url", urls["functions"]),
        ROLLCALL_REPORT__AUDIENCE=OPERATORS_AUDIENCE,
    )
    assert there.code == 0, there.err
    assert there.document["findings"] == document["findings"]
    depths = {each["name"]: each["waiting"] for each in document["queues"]}
    assert (depths["sweep"], depths["sweep-poison"]) == (0, 0)
    assert depths.keys() > {each["name"] for each in there.document["queues"]}  # there, of AWS, dead letters only
    assert {each["provider"] for each in document["findings"] if each["account"]} == {"aws"}
    page = unescape(file.read_text(encoding="utf-8"))
    assert page.startswith("<!doctype html>")
    shown = [each["reason"] for each in document["findings"] if each["standing"] != "resolved"]
    assert shown
    assert [reason for reason in shown if reason not in page] == []
    answers = [
        requests.get(f"{urls['functions']}/api/report", headers=headers, timeout=30) for headers in strangers(world)
    ]
    assert {(each.status_code, each.content) for each in answers} == {(401, b"")}


def strangers(world: World) -> list[dict[str, str]]:
    """Nobody, and two who have a token for something else."""
    azure = world.roll.sandbox.azure
    tokens = azure.mint("operator", "https://management.azure.com"), azure.mint(FUNCTIONS, OPERATORS_AUDIENCE)
    return [{}, *({"Authorization": f"Bearer {token}"} for token in tokens)]


def failing(**where: Any) -> Fault:
    return Fault(kind=FaultKind.ERROR, **where)


def of_machines(findings: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    return Counter({pair: count for pair, count in findings.items() if pair[0].startswith("machine")})


TROUBLES: dict[str, Fault] = {  # a listing is tried three times before it is a gap
    "the connectors cannot be listed": failing(**QUERY, count=4),
    "connectors and machines cannot be listed": failing(**QUERY, count=5),
    "the organization does not answer": failing(service="organizations", operation="ListAccounts", rate=1.0),
    "an account cannot be asked": failing(service="ec2", operation="DescribeInstances", rate=1.0),
    "a region throttles": Fault(kind=FaultKind.THROTTLE, service="ec2", operation="DescribeInstances", rate=1.0),
}


def test_nothing_is_deleted_or_resolved_until_everything_was_looked_at(world: World, planted: Planted) -> None:
    world.roll.seed(roles=[{"identity": FUNCTIONS, "role": "Azure Connected Machine Resource Administrator"}])
    before = found(world.sweep())  # the orphans have been reported
    everybody = world.machines()
    world.publish(deletions={"orphaned_machines": True, "machines_percent": 100})
    for name, fault in TROUBLES.items():
        world.roll.sandbox.faults.plant(fault)
        report = world.sweep()
        world.roll.sandbox.faults.clear()
        assert not report["complete"], name
        assert report["gaps"], name
        assert ("sweep-incomplete", "") in found(report), name
        assert not any(key.startswith("machine") for key, _ in found(report, "resolved")), name
        assert of_machines(found(report, "new", "still", "unseen")) == of_machines(before), name
        assert world.machines() == everybody, name
        assert report["deleted"] == [], name

    seeing = [
        {"identity": FUNCTIONS, "role": "Reader", "scope": world.roll.sandbox.azure.directory.root_scope},
        {"identity": FUNCTIONS, "role": "User Access Administrator"},  # it may read everything, too
    ]
    world.roll.seed(roles=[each | {"action": "revoke"} for each in seeing])
    blind = world.sweep()
    world.roll.seed(roles=seeing)
    assert not blind["complete"]
    assert ("subscription-unseen", "") in found(blind)
    assert found(blind, "resolved") == Counter()
    assert world.machines() == everybody

    for _ in range(2):  # seen again, and reported by the sweep before, but not for a day
        complete = world.sweep()
        assert complete["complete"], complete["gaps"]
        assert (complete["deleted"], world.machines()) == ([], everybody)
    world.let_a_day_pass()
    complete = world.sweep()
    gone = {Path(each).name for each in complete["deleted"]}
    orphans = {Path(planted.machines[name]).name for name in ("ghost", "long-gone")}
    assert gone == everybody - world.machines() == orphans, complete["stopped_because"]
    assert not any(
        entry.operation == "arm:DeleteMachine" and entry.status >= 300 for entry in world.roll.journal.entries()
    )
    resolved = found(world.sweep(), "resolved")
    assert {key for key, _ in resolved} == {"machine-orphaned"}


@pytest.mark.parametrize("where", [RESULT, REPORT], ids=["slice", "merge"])
def test_killed_in_a_slice_or_in_the_merge_it_comes_to_the_same_end(
    world: World, planted: Planted, where: dict[str, str]
) -> None:
    world.sweep()
    world.roll.wait_until_drained()
    before = found(world.sweep())  # what could be mended by now is
    world.roll.sandbox.faults.hold(Hold(**where, when="before"))
    message = ask_for_sweep(world.slices(), SystemClock())
    wait_until(lambda: any(hold["reached"] for hold in world.roll.sandbox.faults.holds()), "it writes")
    world.roll.sandbox.kill("functions-0")
    world.roll.sandbox.faults.release(drop=True)
    world.roll.sandbox.start_host("functions-0")
    wait_until(lambda: world.sweep("--last")["run"] == message.run, "the sweep has come to its end")
    report = world.sweep("--last")
    assert found(report) == before
    assert found(report, "new") == Counter()
    assert max(Counter(each["identity"] for each in report["findings"]).values()) == 1


def test_a_hub_that_is_denied_is_said_everywhere(world: World, planted: Planted) -> None:
    world.sweep()
    world.roll.wait_until_drained()
    before = found(world.sweep())
    iam, shut = world.roll.client("iam"), {"RoleName": "rollcall-reader-hub", "PolicyName": "shut"}
    denied = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(**shut, PolicyDocument=json.dumps(denied))  # while its session goes on
    ran = Command(world.folder, "sweep", seconds=120)
    assert ran.code == 1
    assert "the sweep is incomplete" in ran.out
    assert "sweep-incomplete" in ran.out
    assert "AccessDenied" in ran.out
    report = world.sweep("--last")
    assert found(report, "resolved") == Counter()
    assert found(report, "unseen", "still") >= before
    assert " failed" in Command(world.folder, "status").out
    iam.delete_role_policy(**shut)


def test_after_repair_all_is_resolved_and_so_is_what_the_deployment_lacks(
    world: World, planter: Planter, planted: Planted
) -> None:
    world.sweep()
    planter.mend()
    mended = world.sweep()
    assert mended["complete"], mended["gaps"]
    assert found(mended) == Counter()
    assert found(mended, "resolved") != Counter()

    lacking = planter.plant_deployment(PLANTED)
    report = world.sweep()
    assert report["complete"], report["gaps"]
    assert found(report) == Counter((each.key, each.account) for each in lacking.expected)
    planter.mend()
    assert found(world.sweep()) == Counter()


def test_hub_and_reader_use_every_action_that_they_have(world: World, planted: Planted) -> None:
    queue = world.roll.outputs["AccountEventsDeadLetterQueueUrl"]
    world.roll.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")  # so that its age is asked for
    world.sweep()
    world.roll.client("sqs").purge_queue(QueueUrl=queue)
    entries = [each for each in world.roll.journal.entries() if each.detail.get("session") == "rollcall-sweep"]
    hub = used_by(f"arn:aws:iam::{world.roll.sandbox.aws.management_account_id}:role/rollcall-reader-hub", entries)
    assert hub.actions <= hub.granted
    assert hub.granted - hub.actions <= WALK
    assert list(hub.unused_resources()) == []

    statements = tuple(statements_of(HUB_TEMPLATE.with_name("reader-role.yaml")))
    reader = Used(asked_in(each for each in entries if each.identity.endswith(f":role/{READER_ROLE}")), statements)
    assert reader.actions == reader.granted


def notices(world: World, receiver: str) -> list[Any]:
    return world.roll.sandbox.azure.receivers.taken(receiver)


def test_receivers_are_told_what_changed_and_none_of_them_holds_up_or_fails_a_sweep(world: World) -> None:
    faults, dead = world.roll.sandbox.faults, world.roll.outputs["AccountEventsDeadLetterQueueUrl"]
    first = notices(world, "webhook")[0]
    assert (first["schema"], first["since"], first["resolved"]) == ("roll-notice/1", "", 0)
    assert first["new"] == sum(each["new"] for each in first["causes"]) > 10
    card = notices(world, "teams")[0]["attachments"][0]["content"]
    assert card["fallbackText"] == f"Rollcall: {first['new']} new, 0 resolved"
    world.sweep()
    world.wait_until_told()
    told = len(notices(world, "webhook"))
    assert len(notices(world, "teams")) == told

    faults.plant(Fault(kind=FaultKind.THROTTLE, retry_after=1, rate=1.0, service="receivers", operation="PostToTeams"))
    faults.plant(Fault(kind=FaultKind.LATENCY, seconds=6, service="receivers", operation="PostToWebhook"))
    world.roll.client("sqs").send_message(QueueUrl=dead, MessageBody="{}")
    report = world.sweep()
    assert report["complete"]
    assert ("messages-given-up", "") in found(report, "new")
    assert len(notices(world, "webhook")) == told, "the report was there first"
    wait_until(lambda: len(notices(world, "webhook")) == told + 1, "the slow one was told")
    assert [each["key"] for each in notices(world, "webhook")[-1]["causes"]] == ["messages-given-up"]
    wait_until(lambda: any(each["struck"] == MOST_TRIES for each in faults.planted()), "all tries were spent")
    world.wait_until_told()
    assert len(notices(world, "teams")) == told
    faults.clear()

    later = world.sweep()
    assert ("notice-undelivered", "") in found(later, "new")
    wait_until(lambda: len(notices(world, "teams")) == told + 1, "the other was told what it had missed")
    assert notices(world, "teams")[-1]["attachments"][0]["content"]["fallbackText"] == "Rollcall: 2 new, 0 resolved"
    world.roll.client("sqs").purge_queue(QueueUrl=dead)
    assert set(found(world.sweep(), "resolved")) == {("messages-given-up", ""), ("notice-undelivered", "")}


def test_stopped_while_it_waits_the_command_says_that_the_sweep_goes_on(world: World) -> None:
    world.roll.sandbox.faults.hold(Hold(**RESULT, when="before"))
    with started(world.folder, "sweep") as command:
        wait_until(lambda: any(hold["reached"] for hold in world.roll.sandbox.faults.holds()), "it looks")
        command.send_signal(signal.SIGINT)
        code = command.wait(timeout=30)
    world.roll.sandbox.faults.release()
    assert code == 1
    assert "goes on; see its end with `rollcall sweep --last`" in (world.folder / "stderr").read_text()
