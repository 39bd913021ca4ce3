"""Arc machines in the simulated Azure: seeded, listed, found by Resource Graph, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import requests

from sandbox.azure.directory import FUNCTIONS, OPERATOR
from sandbox.azure.seeding import AzureSeed, plant
from tests.fakes.azure_world import World

VERSION = "2024-07-10"
MACHINES = "providers/Microsoft.HybridCompute/machines"
QUERY = (
    "resources | where type =~ 'microsoft.hybridcompute/machines' "
    "| where tostring(tags.AccountId) == '012345678901' "
    "| project id, name, tags, properties, resourceGroup, subscriptionId | order by id asc"
)


def machine(world: World, name: str, account_id: str | None) -> dict[str, Any]:
    tags = {"AccountId": account_id, "Cloud": "AWS", "InstanceId": name, "MDFCSecurityConnector": "true"}
    return {
        "id": f"{world.group}/{MACHINES}/{name}",
        "name": name,
        "type": "Microsoft.HybridCompute/machines",
        "location": "westeurope",
        "tags": tags if account_id else {},
        "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
        "properties": {"status": "Disconnected", "lastStatusChange": "2026-11-01T08:00:00Z", "osType": "linux"},
    }


@pytest.fixture
def world(azure_ports: World) -> Iterator[World]:
    world, directory = azure_ports, azure_ports.azure.directory
    names = {"i-0b": "012345678901", "i-0a": "012345678901", "i-0c": "210987654321", "server": None}
    machines = [machine(world, name, account_id) for name, account_id in names.items()]
    plant(world.azure, AzureSeed(resources=machines))
    directory.assign(FUNCTIONS, "Azure Connected Machine Resource Administrator", world.group)
    yield world
    directory.unassign(FUNCTIONS, "Azure Connected Machine Resource Administrator")
    for each in machines:
        world.azure.resources.delete(each["id"])


def ask(world: World, method: str, path: str, identity: str = FUNCTIONS) -> requests.Response:
    return world.ask(method, path, version=VERSION, identity=identity)


def test_machines_are_listed_by_resource_group_and_by_subscription(world: World) -> None:
    by_group, by_subscription = (
        ask(world, "GET", f"{scope}/{MACHINES}").json() for scope in (world.group, world.subscription)
    )
    assert [each["name"] for each in by_group["value"]] == ["i-0a", "i-0b", "i-0c", "server"]
    assert by_group == by_subscription
    assert ask(world, "GET", f"{world.group}/{MACHINES}/i-0a").json() == machine(world, "i-0a", "012345678901")


def test_a_machine_is_deleted_by_who_may(world: World) -> None:
    path = f"{world.group}/{MACHINES}/i-0a"
    refused = ask(world, "DELETE", path, OPERATOR)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert [ask(world, "DELETE", path).status_code for _ in range(2)] == [200, 204]
    assert ask(world, "GET", path).status_code == 404


def test_resource_graph_finds_the_machines_of_an_account(world: World) -> None:
    answer = world.ask("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": QUERY}, version="2021-03-01")
    rows = answer.json()["data"]
    assert [row["name"] for row in rows] == ["i-0a", "i-0b"]
    assert list(rows[0]) == ["id", "name", "tags", "properties", "resourceGroup", "subscriptionId"]
    assert rows[0]["tags"]["InstanceId"] == "i-0a"
    assert rows[0]["properties"]["status"] == "Disconnected"
    assert (rows[0]["resourceGroup"], rows[0]["subscriptionId"]) == (
        "rg-defender-connectors",
        world.azure.subscription_id,
    )


def test_machines_fit_the_openapi_file(world: World, checker: ModuleType) -> None:
    listed = ask(world, "GET", f"{world.group}/{MACHINES}").json()
    found = checker.problems(
        listed, file="HybridCompute", version=VERSION, definition="MachineListResult", request=False
    )
    assert found == []
