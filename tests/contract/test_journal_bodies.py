"""The bodies that really reached Resource Manager, read by Microsoft's own models and by its published rules."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from azure.mgmt.security import models

from shared.domain.connectors import connector_id_for, desired_body, to_create
from shared.domain.profiles import Plan, Profile
from tests.contract.test_ports_connectors import ORGANIZATION, real_tenant
from tests.fakes.azure_world import World
from tests.fakes.clock import FakeClock
from tests.fixtures.profiles import EVERYTHING

PARTS = ("cspm", "servers", "containers", "databases")
PROFILES: list[Profile] = [
    replace(EVERYTHING, **{part: None for part, on in zip(PARTS, chosen, strict=True) if not on})  # type: ignore[arg-type]  # parts of a profile may be None
    for chosen in product((True, False), repeat=len(PARTS))
]


@pytest.fixture
def sent(azure_ports: World, account_id: str) -> list[dict[str, Any]]:
    """The PUT bodies of every set of plans, and of an update of each, from the journal."""
    tenant = real_tenant(azure_ports, FakeClock())
    since = len(azure_ports.journal)
    for number, profile in enumerate(PROFILES):
        each = f"8{account_id[-8:]}{number:03d}"
        azure_ports.prepare(each)
        place = connector_id_for(each, tenant.target)
        for _ in range(2):
            tenant.connectors.put(place, to_create(desired_body(each, profile, tenant.target, ORGANIZATION)))
    entries = azure_ports.journal.entries(since=since, operation="arm:PutSecurityConnector")
    assert [entry.status for entry in entries] == [201, 200] * len(PROFILES)
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
    for body in sent:  # `subPlan` is sent as text: see connector_api
        assert [each for each in checker.problems(body, **kind) if "subPlan" not in each] == []
    assert checker.problems(sent[0] | {"tomorrow": 1}, **kind)
