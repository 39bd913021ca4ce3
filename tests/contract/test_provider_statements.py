"""What the simulated provider states without a recording: small facts, each named on the fidelity page."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from sandbox.azure.directory import FUNCTIONS, OPERATOR
from tests.fakes.azure_world import World

ARM = "https://management.azure.com"


@pytest.fixture
def ask(azure_ports: World, account_id: str) -> Any:
    """Sends requests about one account's connector."""
    azure_ports.prepare(account_id)
    [subscription] = azure_ports.azure.resources.subscriptions()
    group = f"/subscriptions/{subscription.id}/resourceGroups/rg-defender-connectors"
    url = f"{azure_ports.azure.arm_url}{group}/providers/Microsoft.Security/securityConnectors/aws-{account_id}"

    def send(method: str, body: Any = None, identity: str = FUNCTIONS) -> requests.Response:
        headers = {"Authorization": f"Bearer {azure_ports.azure.mint(identity, ARM)}"}
        version = {"api-version": "2024-08-01-preview"}
        return requests.request(method, url, json=body, headers=headers, params=version, timeout=10)

    return send


@pytest.fixture
def body(account_id: str) -> dict[str, Any]:
    role = f"arn:aws:iam::{account_id}:role/CspmMonitorAws"
    return {
        "location": "westeurope",
        "properties": {
            "hierarchyIdentifier": account_id,
            "environmentName": "AWS",
            "environmentData": {"environmentType": "AwsAccount", "scanInterval": 12},
            "offerings": [{"offeringType": "CspmMonitorAws", "nativeCloudConnection": {"cloudRoleArn": role}}],
        },
    }


def test_a_connector_stays_in_its_location(ask: Any, body: dict[str, Any]) -> None:
    assert ask("PUT", body).status_code == 201
    moved = ask("PUT", body | {"location": "northeurope"})
    assert (moved.status_code, moved.json()["error"]["code"]) == (409, "InvalidResourceLocation")
    assert ask("PUT", body | {"location": "West Europe"}).status_code == 200


@pytest.mark.parametrize("plan", ["P1", {"type": "P1"}])
def test_what_is_sent_comes_back_unknown_fields_and_both_forms_of_sub_plan_included(
    ask: Any, body: dict[str, Any], plan: Any
) -> None:
    servers = {"offeringType": "DefenderForServersAws", "subPlan": plan, "fieldOfTomorrow": {"a": 1}}
    body["properties"]["offerings"].append(servers)
    assert ask("PUT", body).status_code == 201
    assert ask("GET").json()["properties"]["offerings"] == body["properties"]["offerings"]


def test_a_patch_replaces_each_property_that_it_names(ask: Any, body: dict[str, Any]) -> None:
    before = ask("PUT", body | {"tags": {"a": "b"}}).json()
    environment = {"environmentType": "AwsAccount", "scanInterval": 4}
    after = ask("PATCH", {"properties": {"environmentData": environment}}).json()
    assert after["properties"] == before["properties"] | {"environmentData": environment}
    assert after["tags"] == {"a": "b"}


def test_a_put_takes_the_time_that_the_sandbox_is_told(ask: Any, body: dict[str, Any], azure_ports: World) -> None:
    azure_ports.azure.connectors.put_seconds = 0.3
    started = time.monotonic()
    assert ask("PUT", body).status_code == 201
    assert time.monotonic() - started >= 0.3
    azure_ports.azure.connectors.put_seconds = 0


def test_a_role_works_as_soon_as_it_is_assigned(ask: Any, body: dict[str, Any], azure_ports: World) -> None:
    directory = azure_ports.azure.directory
    assert ask("PUT", body, identity=OPERATOR).status_code == 403
    [subscription] = azure_ports.azure.resources.subscriptions()
    directory.assign(OPERATOR, "Security Admin", f"/subscriptions/{subscription.id}")
    assert ask("PUT", body, identity=OPERATOR).status_code == 201
    directory.unassign(OPERATOR, "Security Admin")
    assert ask("PUT", body, identity=OPERATOR).status_code == 403
