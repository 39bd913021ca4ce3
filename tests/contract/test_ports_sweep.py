"""One suite for the sweep's documents and Arc machines, on the fakes and on the simulated Azure."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from sandbox.azure.directory import FUNCTIONS, OPERATOR
from sandbox.azure.seeding import AzureSeed, plant
from shared.adapters.clock import SystemClock
from shared.adapters.defender.arc_machines import ArmMachines
from shared.adapters.ledger.sweep_documents import BlobDocuments
from shared.adapters.resource_graph.query import ResourceGraph
from shared.adapters.resource_graph.swept import GraphTenant
from shared.application.sweep_ports import Documents, Machines
from shared.domain.sweep.machines import ArcMachine
from shared.errors import ConfigurationError, PermanentError, TransientError
from tests.contract.conftest import FixedCredential
from tests.fakes.azure_world import World
from tests.fakes.sweep import FakeTenant
from tests.fakes.sweep_store import FakeDocuments

GROUP_OF_FAKE = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg"


@pytest.fixture(params=["fake", "azurite"])
def documents(request: pytest.FixtureRequest) -> Documents:
    if request.param == "fake":
        return FakeDocuments()
    world: World = request.getfixturevalue("azure_ports")
    return BlobDocuments(FixedCredential(world), f"{world.azure.blob_url}/sweeps")


@pytest.fixture
def prefix() -> str:
    return f"runs/{uuid.uuid4()}/"


def test_a_document_is_found_as_it_was_put(documents: Documents, prefix: str) -> None:
    assert documents.find(f"{prefix}a.json") is None
    assert documents.put(f"{prefix}a.json", b'{"a": 1}')
    found = documents.find(f"{prefix}a.json")
    assert found is not None
    assert found.content == b'{"a": 1}'
    assert documents.put(f"{prefix}a.json", b"2")
    again = documents.find(f"{prefix}a.json")
    assert again is not None
    assert (again.content, again.version != found.version) == (b"2", True)


def test_the_first_of_two_writers_wins(documents: Documents, prefix: str) -> None:
    name = f"{prefix}a.json"
    assert documents.put(name, b"1", over="")
    assert not documents.put(name, b"2", over="")
    found = documents.find(name)
    assert found is not None
    assert documents.put(name, b"3", over=found.version)
    assert not documents.put(name, b"4", over=found.version)
    last = documents.find(name)
    assert last is not None
    assert last.content == b"3"


def test_names_are_listed_by_their_beginning_and_deleting_twice_is_no_error(documents: Documents, prefix: str) -> None:
    for name in ("b/2.json", "b/10.json", "c/1.json"):
        documents.put(prefix + name, b"{}")
    assert sorted(documents.list_names(f"{prefix}b/")) == [f"{prefix}b/10.json", f"{prefix}b/2.json"]
    documents.delete(f"{prefix}b/2.json")
    documents.delete(f"{prefix}b/2.json")
    assert list(documents.list_names(f"{prefix}b/")) == [f"{prefix}b/10.json"]


def test_folders_are_listed_without_what_they_hold(documents: Documents, prefix: str) -> None:
    for name in ("b/2.json", "b/c/10.json", "c/1.json", "alone.json"):
        documents.put(prefix + name, b"{}")
    assert sorted(documents.list_folders(prefix)) == ["b", "c"]
    assert list(documents.list_folders(f"{prefix}b/")) == ["c"]
    assert list(documents.list_folders(f"{prefix}nothing/")) == []


def test_a_container_that_is_not_there_is_no_missing_document(azure_ports: World) -> None:
    absent = BlobDocuments(FixedCredential(azure_ports), f"{azure_ports.azure.blob_url}/not-made")
    with pytest.raises((ConfigurationError, PermanentError)):
        absent.find("latest.json")
    with pytest.raises((ConfigurationError, PermanentError)):
        absent.put("latest.json", b"{}")


def test_many_names_come_page_by_page(azure_ports: World, prefix: str) -> None:
    container = ContainerClient.from_container_url(
        f"{azure_ports.azure.blob_url}/sweeps", credential=FixedCredential(azure_ports)
    )
    for number in range(30):
        container.upload_blob(f"{prefix}{number}.json", b"")
    documents = BlobDocuments(FixedCredential(azure_ports), f"{azure_ports.azure.blob_url}/sweeps")
    assert len(list(documents.list_names(prefix))) == 30


class Place:
    """Machines behind the port, and how one is planted there."""

    def __init__(self, machines: Machines, group: str, world: World | None = None) -> None:
        self.machines, self.group, self.world = machines, group, world

    def id_of(self, name: str) -> str:
        return f"{self.group}/providers/Microsoft.HybridCompute/machines/{name}"

    def add(self, name: str) -> str:
        machine_id = self.id_of(name)
        if isinstance(self.machines, FakeTenant):
            tags = {"mdfcsecurityconnector": "true", "instanceid": name}
            self.machines.everything[machine_id] = ArcMachine(
                machine_id=machine_id, status="Expired", status_since=None, tags=tags
            )
        elif self.world is not None:
            body: dict[str, Any] = {
                "id": machine_id,
                "name": name,
                "type": "Microsoft.HybridCompute/machines",
                "location": "westeurope",
                "tags": {"MDFCSecurityConnector": "true", "InstanceId": name},
                "properties": {"status": "Expired", "lastStatusChange": ""},
            }
            plant(self.world.azure, AzureSeed(resources=[body]))
        return machine_id


@pytest.fixture(params=["fake", "simulator"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "fake":
        yield Place(FakeTenant(), GROUP_OF_FAKE)
        return
    world: World = request.getfixturevalue("azure_ports")
    role = "Azure Connected Machine Resource Administrator"
    world.azure.directory.assign(FUNCTIONS, role, world.group)
    yield Place(ArmMachines(FixedCredential(world), arm_endpoint=world.azure.arm_url), world.group, world)
    world.azure.directory.unassign(FUNCTIONS, role)


def test_a_machine_is_read_with_its_body_and_deleted_once(place: Place) -> None:
    machine_id = place.add("i-1")
    found = place.machines.find(machine_id)
    assert found is not None
    machine, body = found
    assert (machine.status, machine.instance, machine.is_defenders) == ("Expired", "i-1", True)
    assert b"i-1" in body
    place.machines.delete(machine_id)
    assert place.machines.find(machine_id) is None
    place.machines.delete(machine_id)


def test_a_machine_is_not_deleted_without_the_right_to(azure_ports: World) -> None:
    place = Place(
        ArmMachines(FixedCredential(azure_ports, OPERATOR), arm_endpoint=azure_ports.azure.arm_url),
        azure_ports.group,
        azure_ports,
    )
    machine_id = place.add("i-2")
    with pytest.raises((TransientError, ConfigurationError)):
        place.machines.delete(machine_id)
    assert place.machines.find(machine_id) is not None


@pytest.mark.parametrize(
    "wrong", ["", "/subscriptions/x", f"{GROUP_OF_FAKE}/providers/Microsoft.Compute/vms/a", "/a?b"]
)
def test_what_is_no_machine_is_not_asked_for(azure_ports: World, wrong: str) -> None:
    machines = ArmMachines(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url)
    with pytest.raises(PermanentError):
        machines.delete(wrong)


def test_four_patient_threads_are_hardly_ever_refused(azure_ports: World) -> None:
    """As slices ask side by side: once the quota is nearly spent they wait instead of asking in vain."""
    graph = ResourceGraph(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url, patient=SystemClock())
    before = len(azure_ports.journal)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: GraphTenant(graph).machines(["/x"]), range(40))) == [()] * 40
    asked = azure_ports.journal.entries(since=before, operation="arm:QueryResources")
    assert sum(entry.status == 429 for entry in asked) <= 4, Counter(entry.status for entry in asked)


def test_a_patient_reader_waits_for_its_quota_and_another_does_not(azure_ports: World) -> None:
    impatient = GraphTenant(ResourceGraph(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url))
    with pytest.raises(TransientError):
        for _ in range(20):
            impatient.machines(["/x"])
    graph = ResourceGraph(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url, patient=SystemClock())
    began = time.monotonic()
    for _ in range(20):
        assert GraphTenant(graph).machines(["/x"]) == ()
    assert time.monotonic() - began > 4
