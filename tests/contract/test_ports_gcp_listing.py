"""How the adapter lists and finds Google's projects, page by page and folder by folder, and what it refuses to say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.adapters.gcp import projects as adapter
from shared.adapters.gcp.projects import GcpProjects
from shared.errors import TransientError
from tests.contract.conftest import becomes_wrong_deployment
from tests.fakes.clock import FakeClock
from tests.fakes.gcp_sides import GoogleInTheSandbox
from tests.fakes.gcp_world import GcpWorld, gcp_world


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path_factory.mktemp("gcp"), standalone=True) as found:
        yield found


def test_every_page_of_a_listing_is_read_and_each_folder_once(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    numbers = {google.add(f"acme-app-{each:02d}", "Workloads", "Prod") for each in range(23)}
    world.cloud.resource_manager.most_per_page = 5
    before = len(world.journal)
    listed = {each.account_id for each in google.projects.list_projects()}
    assert listed == numbers | {world.deployed.management_number}
    asked = [entry.operation for entry in world.journal.entries(since=before)]
    assert asked.count("gcp:cloudresourcemanager.projects.search") == 5
    assert asked.count("gcp:cloudresourcemanager.folders.get") == 2


def test_projects_elsewhere_are_not_there(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    alone = world.cloud.add_project("acme-alone-1", "")
    stranger = world.cloud.add_project("acme-strange-1", "folders/123456789012")
    for project in (alone, stranger):
        assert not google.projects.is_elsewhere(project.number), "nobody may see it yet"
        world.cloud.access.grant(project.name, "roles/browser", f"serviceAccount:{world.deployed.service_account}")
        assert google.projects.find(project.number) is None
        assert google.projects.is_elsewhere(project.project_id)
    assert {each.name for each in google.projects.list_projects()} == {world.deployed.management_project}


def test_a_refused_folder_is_asked_for_again_and_is_a_reason_to_ask_what_may_be_seen(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    number = google.add("acme-shop-1", "Workloads")
    folder = next(iter(world.cloud.hierarchy.folders()))
    root, folder.parent = folder.parent, "organizations/123456789012"  # it lies in another organization
    world.cloud.access.grant(f"projects/{number}", "roles/browser", f"serviceAccount:{world.deployed.service_account}")
    before = len(world.journal)
    assert google.projects.find(number) is None
    asked = [entry.operation for entry in world.journal.entries(since=before)]
    assert asked[-2:] == [
        "gcp:cloudresourcemanager.folders.get",
        "gcp:cloudresourcemanager.organizations.testIamPermissions",
    ]
    folder.parent = root
    found = google.projects.find(number)
    assert found is not None
    assert found.ou_path == "/Workloads"


def test_a_listing_whose_right_is_away_while_a_folder_is_read_is_an_error(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    member = f"serviceAccount:{world.deployed.service_account}"
    placed = {"acme-app-1": (), "acme-app-2": ("Workloads",), "acme-app-3": ()}
    numbers = [world.deployed.management_number, *(google.add(name, *place) for name, place in placed.items())]
    for number in numbers:
        world.cloud.access.grant(f"projects/{number}", "roles/browser", member)
    world.cloud.resource_manager.most_per_page = 1
    listing = google.projects.list_projects()
    assert any(each.name == "acme-app-1" for each in listing)
    world.cloud.access.revoke(world.cloud.hierarchy.root, world.deployed.role)
    with pytest.raises(TransientError) as raised:
        for _ in listing:
            world.cloud.access.grant(world.cloud.hierarchy.root, world.deployed.role, member)
    assert raised.value.key == "gcp-permission-denied"


def test_a_moved_project_is_found_at_its_new_place_at_once(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    number = google.add("acme-shop-1", "Workloads")
    google.add("acme-shop-2", "Quarantine")
    target = next(each for each in world.cloud.hierarchy.folders() if each.display_name == "Quarantine")
    assert google.projects.find(number) is not None
    moved = world.ask("POST", f"/cloudresourcemanager/v3/projects/{number}:move", {"destinationParent": target.name})
    assert moved.status_code == 200
    found = google.projects.find(number)
    assert found is not None
    assert found.ou_path == "/Quarantine"


def test_a_renamed_folder_is_known_by_its_new_name_after_five_minutes(world: GcpWorld) -> None:
    clock = FakeClock()
    projects = GcpProjects(world.client(), world.cloud.organization, clock)
    number = GoogleInTheSandbox(world).add("acme-shop-1", "Workloads")
    before = projects.find(number)
    next(iter(world.cloud.hierarchy.folders())).display_name = "Payments"
    clock.advance(adapter._FOLDERS_KEPT_SECONDS - 1)
    assert projects.find(number) == before
    clock.advance(2)
    found = projects.find(number)
    assert found is not None
    assert found.ou_path == "/Payments"


def test_without_sight_of_the_whole_organization_nothing_is_listed_and_absence_is_no_answer(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    number = google.add("acme-shop-1")
    world.cloud.access.revoke(world.cloud.hierarchy.root, world.deployed.role)
    member = f"serviceAccount:{world.deployed.service_account}"
    world.cloud.access.grant(f"projects/{number}", "roles/browser", member)
    inside = google.add("acme-shop-2", "Workloads")
    world.cloud.access.grant(f"projects/{inside}", "roles/browser", member)
    for ask in (
        lambda: list(google.projects.list_projects()),
        lambda: google.projects.find("acme-nowhere-1"),
        lambda: google.projects.find(inside),
    ):
        with pytest.raises(TransientError) as raised:
            ask()
        assert raised.value.key == "gcp-permission-denied"
        assert "resourcemanager.projects.get" in raised.value.reason
        assert becomes_wrong_deployment(raised.value)


def test_a_listing_that_breaks_off_is_an_error(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    for each in range(6):
        google.add(f"acme-app-{each}")
    world.cloud.resource_manager.most_per_page = 3
    listing = google.projects.list_projects()
    next(listing)
    world.cloud.tokens.revoke_all()
    with pytest.raises(TransientError) as raised:
        list(listing)
    assert raised.value.key == "gcp-unauthenticated"


def test_a_listing_whose_right_is_taken_away_meanwhile_is_an_error(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    for each in range(6):
        google.add(f"acme-app-{each}")
    world.cloud.resource_manager.most_per_page = 3
    listing = google.projects.list_projects()
    next(listing)
    world.cloud.access.revoke(world.cloud.hierarchy.root, world.deployed.role)
    with pytest.raises(TransientError) as raised:
        list(listing)
    assert raised.value.key == "gcp-permission-denied"
