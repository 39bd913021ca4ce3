"""The bodies that we send, through Microsoft's own models and, where it is there, the OpenAPI file."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from azure.mgmt.security import models

from shared.domain.connectors import desired_body, merge
from shared.domain.policy import Plan, Profile, Target
from tests.fixtures.read import ACCOUNT_ID, loaded

TARGET = Target(subscription_id="s", resource_group="g", location="westeurope")
PROFILES = {
    "full": Profile(name="full", plans=frozenset(Plan)),
    "basic": Profile(name="basic", plans=frozenset({Plan.FOUNDATIONAL_CSPM}), scan_interval_hours=4),
    "regions": Profile(name="regions", plans=frozenset(Plan), regions=("eu-west-1",)),
}


def fresh(name: str) -> dict[str, Any]:
    return desired_body(ACCOUNT_ID, PROFILES[name], TARGET, "o-exampleorg1")


def problems(checker: ModuleType, body: dict[str, Any]) -> list[str]:
    check: Callable[..., list[str]] = checker.problems
    return check(body, file="securityConnectors", version="2024-08-01-preview", definition="SecurityConnector")


@pytest.mark.parametrize("name", PROFILES)
def test_microsoft_s_models_know_every_field_that_we_send(name: str) -> None:
    body = fresh(name)
    model = models.SecurityConnector(body)
    assert model.properties is not None
    assert isinstance(model.properties.environment_data, models.AwsEnvironmentData)
    assert model.properties.environment_data.scan_interval == PROFILES[name].scan_interval_hours
    kinds = {"CspmMonitorAws": models.CspmMonitorAwsOffering, "DefenderCspmAws": models.DefenderCspmAwsOffering}
    offerings = model.properties.offerings or []
    assert [type(offering) for offering in offerings] == [
        kinds[offering["offeringType"]] for offering in body["properties"]["offerings"]
    ]
    for offering, sent in zip(offerings, body["properties"]["offerings"], strict=True):
        known = {field._rest_name for field in offering._attr_to_rest_field.values()}
        assert set(sent) <= known
    assert model.as_dict() == body


@pytest.mark.parametrize("name", PROFILES)
def test_a_new_connector_s_body_fits_the_openapi_file(checker: ModuleType, name: str) -> None:
    assert problems(checker, fresh(name)) == []


def test_a_merged_body_deviates_only_in_what_we_kept_of_others(checker: ModuleType) -> None:
    merged = merge(loaded("connectors/aws.drifted.json"), fresh("full"))
    found = problems(checker, merged)
    theirs = ("fieldOfTomorrow", "propertyOfTomorrow", "OfferingOfTomorrowAws", "subPlan")
    assert found
    assert [one for one in found if not any(word in one for word in theirs)] == []


def test_a_merged_body_carries_no_read_only_property(checker: ModuleType) -> None:
    merged = merge(loaded("connectors/aws.drifted.json"), fresh("full"))
    assert not [one for one in problems(checker, merged) if "read-only" in one]
    before = problems(checker, loaded("connectors/aws.drifted.json"))
    assert [one for one in before if "read-only" in one]
