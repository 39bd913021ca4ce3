"""The daily roll call on a real sandbox: what is planted is found, and nothing else."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.governance_rules import TYPE as RULES
from sandbox.azure.machines import TYPE as MACHINES
from sandbox.faults import Fault, FaultKind, Hold
from sandbox.policy_upload import publish_policy, sample_policy
from shared.adapters.clock import SystemClock
from shared.adapters.ledger.sweep_documents import BlobDocuments
from shared.adapters.queue.sweep_queue import StorageSliceQueue
from shared.application.plan_sweep import ask_for_sweep
from shared.application.sweep_store import find_latest, put_latest
from tests.e2e.planting import Planted, Planter
from tests.e2e.processes import Command
from tests.e2e.roll import Identity, Roll, running, wait_until
from tests.fixtures.read import FOLDER

PLANTED = Path(os.environ.get("ROLLCALL_TEST_PLANTED") or FOLDER / "sweep" / "planted.yaml")
"""Another file of your own may stand in its place."""


QUERY: dict[str, str] = {"service": "arm", "operation": "QueryResources", "identity": FUNCTIONS}
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

    def machines(self) -> set[str]:
        """The names of all Arc machines, as Resource Manager lists them."""
        settings = self.roll.sandbox.settings
        found = self.roll.sandbox.azure.resources.of_type(MACHINES, f"/subscriptions/{settings.subscription_id}")
        return {each["name"] for each in found}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path / ".sandbox", resource_graph_lag_seconds=0.2, queue_visibility_seconds=1) as roll:
        yield World(roll, tmp_path)


@pytest.fixture
def planted(world: World) -> Planted:
    return Planter(world.roll).plant(PLANTED)


def found(report: Any, *standings: str) -> Counter[tuple[str, str]]:
    wanted = standings or ("new", "still")
    return Counter(
        (each["finding"]["key"], each["finding"]["account"])
        for each in report["findings"]
        if each["standing"] in wanted
    )


@pytest.mark.timeout(400)
def test_what_is_planted_is_found_mended_and_resolved(world: World, planted: Planted) -> None:
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


def denied(world: World) -> None:
    """The hub role loses its rights, while its session goes on."""
    world.roll.client("iam").delete_role_policy(RoleName="rollcall-reader-hub", PolicyName="list-and-look")


def failing(**where: Any) -> Fault:
    return Fault(kind=FaultKind.ERROR, **where)


def of_machines(findings: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    return Counter({pair: count for pair, count in findings.items() if pair[0].startswith("machine")})


TROUBLES: dict[str, Fault] = {
    "the connectors cannot be listed": failing(**QUERY, count=1),
    "connectors and machines cannot be listed": failing(**QUERY, count=2),
    "the organization does not answer": failing(service="organizations", operation="ListAccounts", rate=1.0),
    "an account cannot be asked": failing(service="ec2", operation="DescribeInstances", rate=1.0),
    "a region throttles": Fault(kind=FaultKind.THROTTLE, service="ec2", operation="DescribeInstances", rate=1.0),
}


@pytest.mark.timeout(600)
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

    reader = {"identity": FUNCTIONS, "role": "Reader", "scope": world.roll.sandbox.azure.directory.root_scope}
    world.roll.seed(roles=[reader | {"action": "revoke"}])
    blind = world.sweep()
    world.roll.seed(roles=[reader])
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


@pytest.mark.timeout(300)
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


@pytest.mark.timeout(300)
def test_a_hub_that_is_denied_is_said_everywhere(world: World, planted: Planted) -> None:
    world.sweep()
    world.roll.wait_until_drained()
    before = found(world.sweep())
    denied(world)
    ran = Command(world.folder, "sweep", seconds=120)
    assert ran.code == 1
    assert "the sweep is incomplete" in ran.out
    assert "sweep-incomplete" in ran.out
    assert "AccessDenied" in ran.out
    report = world.sweep("--last")
    assert found(report, "resolved") == Counter()
    assert found(report, "unseen", "still") >= before
    assert " failed" in Command(world.folder, "status").out
