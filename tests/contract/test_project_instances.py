"""The instances of projects on the sandbox: gone, or nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from sandbox.gcp.hierarchy import Instance
from shared.adapters.gcp.instances import GcpInstances
from shared.adapters.gcp.setup import GcpProjectSetup
from shared.domain.sweep.machines import InstanceState
from shared.errors import PermanentError, TransientError
from tests.fakes.clock import FakeClock
from tests.fakes.gcp_world import GcpWorld, gcp_world

ONE, TWO, THREE = "1111111111111111111", "2222222222222222222", "3333333333333333333"
COMPUTE = "compute.googleapis.com"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path_factory.mktemp("gcp")) as found:
        yield found


def planted(world: GcpWorld, *services: str) -> str:
    """The number of a project with two instances."""
    project = world.cloud.add_project("acme-shop-1", world.cloud.folder_at("/"))
    project.services.update(services)
    project.instances = [
        Instance(ONE, "web-1", "europe-west1-b"),
        Instance(TWO, "web-2", "us-central1-a", status="TERMINATED"),
    ]
    return project.number


def instances_of(world: GcpWorld) -> GcpInstances:
    client = world.client()
    return GcpInstances(client, GcpProjectSetup(client, FakeClock()))


def test_an_instance_is_gone_only_where_every_zone_has_answered(world: GcpWorld) -> None:
    number, instances, asked = planted(world, COMPUTE), instances_of(world), (ONE, "web-2", THREE, "web-3")
    assert instances.states_of(number, asked) == {
        ONE: InstanceState.RUNNING,
        "web-2": InstanceState.STOPPED,
        THREE: InstanceState.GONE,
        "web-3": InstanceState.GONE,
    }
    world.cloud.compute.unreachable_zones = {"europe-west1-b"}
    assert instances.states_of(number, asked) == {
        ONE: InstanceState.UNKNOWN,
        "web-2": InstanceState.STOPPED,
        THREE: InstanceState.UNKNOWN,
        "web-3": InstanceState.UNKNOWN,
    }


def test_a_project_whose_api_is_off_has_none(world: GcpWorld) -> None:
    number = planted(world)
    assert instances_of(world).states_of(number, [THREE]) == {THREE: InstanceState.GONE}


class AllIsOn(GcpProjectSetup):
    """Service Usage, where it says that the project's own APIs are on."""

    def missing_services(self, number: str, services: Sequence[str]) -> tuple[str, ...]:
        return ()


def test_that_another_project_s_api_is_off_says_nothing(world: GcpWorld) -> None:
    """As where Google counts our calls to the project of our own service account."""
    number, client = planted(world), world.client()
    with pytest.raises(TransientError) as raised:
        GcpInstances(client, AllIsOn(client, FakeClock())).states_of(number, [THREE])
    assert raised.value.key == "gcp-api-disabled"


def test_a_project_that_we_may_not_look_into_tells_nothing(world: GcpWorld) -> None:
    number = planted(world, COMPUTE)
    world.cloud.access.define(world.deployed.role, {"serviceusage.services.get", "resourcemanager.projects.get"})
    with pytest.raises(TransientError) as raised:
        instances_of(world).states_of(number, [THREE])
    assert raised.value.key == "gcp-permission-denied"


def test_a_project_that_nobody_pays_for_tells_nothing_and_no_role_is_to_blame(world: GcpWorld) -> None:
    number = planted(world, COMPUTE)
    project = world.cloud.hierarchy.find_project(number)
    assert project is not None
    project.billing = False
    with pytest.raises(PermanentError) as raised:
        instances_of(world).states_of(number, [THREE])
    assert raised.value.key == "gcp-billing-off"


def test_a_project_that_is_not_there_tells_nothing(world: GcpWorld) -> None:
    with pytest.raises((TransientError, PermanentError)):
        instances_of(world).states_of("999999999999", [THREE])
