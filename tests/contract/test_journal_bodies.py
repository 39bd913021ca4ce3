"""The bodies that really reached Resource Manager, read by Microsoft's own models and by its published rules."""

from __future__ import annotations

import importlib.util
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from azure.mgmt.security import models

from shared.domain.connectors import connector_id_for, desired_body
from shared.domain.policy import Plan, Profile
from tests.contract.test_ports_connectors import ORGANIZATION, real_tenant
from tests.fakes.azure_world import World
from tests.fakes.clock import FakeClock

PLANS = [frozenset(chosen) for size in range(1, len(Plan) + 1) for chosen in combinations(Plan, size)]


@pytest.fixture
def sent(azure_ports: World, account_id: str) -> list[dict[str, Any]]:
    """The PUT bodies of every set of plans, and of an update of each, from the journal."""
    tenant = real_tenant(azure_ports, FakeClock())
    since = len(azure_ports.journal)
    for number, plans in enumerate(PLANS):
        each = f"8{account_id[-8:]}{number:03d}"
        azure_ports.prepare(each)
        profile = Profile(name="any", plans=plans, scan_interval_hours=24, regions=("eu-west-1",))
        place = connector_id_for(each, tenant.target)
        for _ in range(2):
            tenant.connectors.put(place, desired_body(each, profile, tenant.target, ORGANIZATION))
    entries = azure_ports.journal.entries(since=since, operation="arm:PutSecurityConnector")
    assert [entry.status for entry in entries] == [201, 200] * len(PLANS)
    return [entry.body for entry in entries]


def unknown_fields(model: Any, path: str = "") -> set[str]:
    """The keys of a body, as a model reads it, that its class does not declare."""
    if isinstance(model, list):
        return {found for item in model for found in unknown_fields(item, f"{path}[]")}
    if not hasattr(model, "_attr_to_rest_field"):
        return set()
    fields = {field._rest_name: name for name, field in model._attr_to_rest_field.items()}
    unknown = {f"{path}.{key}" for key in model if key not in fields}
    return unknown | {
        found
        for key in model
        if key in fields
        for found in unknown_fields(getattr(model, fields[key]), f"{path}.{key}")
    }


def test_the_sdk_knows_every_field_of_every_body_that_was_sent(sent: list[dict[str, Any]]) -> None:
    offerings = set()
    for body in sent:
        connector = models.SecurityConnector(json.loads(json.dumps(body)))
        assert unknown_fields(connector) == set()
        assert connector.properties is not None
        assert type(connector.properties.environment_data) is models.AwsEnvironmentData
        for offering in connector.properties.offerings or ():
            assert type(offering) is not models.CloudOffering, "an offering that the SDK does not know"
            offerings.add(type(offering).__name__)
    assert {"CspmMonitorAwsOffering"} <= offerings
    assert len(offerings) == len(Plan)


def test_the_check_of_unknown_fields_can_fail() -> None:
    offering = {"offeringType": "CspmMonitorAws", "nativeCloudConnection": {"cloudRoleArn": "a", "tomorrow": 1}}
    body = {"location": "x", "properties": {"offerings": [offering], "today": 2}}
    assert unknown_fields(models.SecurityConnector(body)) == {
        ".properties.today",
        ".properties.offerings[].nativeCloudConnection.tomorrow",
    }


def test_the_published_specification_accepts_every_body_that_was_sent(
    sent: list[dict[str, Any]], evidence: Path
) -> None:
    spec = importlib.util.spec_from_file_location("check_arm_body", evidence / "tools" / "check_arm_body.py")
    assert spec is not None
    assert spec.loader is not None
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    kind = {"file": "securityConnectors", "version": "2024-08-01-preview", "definition": "SecurityConnector"}
    for body in sent:
        assert checker.problems(body, **kind) == []
    assert checker.problems(sent[0] | {"tomorrow": 1}, **kind)
