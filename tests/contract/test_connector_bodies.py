"""The bodies that we send, through Microsoft's own models and, where it is there, the OpenAPI file."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from azure.mgmt.security import models

from shared.domain import connector_api as api
from shared.domain.connectors import desired_body, merge, to_create
from shared.domain.profiles import Plan
from tests.contract.test_journal_bodies import unknown_fields
from tests.fixtures.bodies import NAMES, ORGANIZATION, TARGET, fresh
from tests.fixtures.profiles import CSPM_ONLY, EVERYTHING
from tests.fixtures.read import ACCOUNT_ID, loaded

MODELS: dict[str, type[models.CloudOffering]] = {
    Plan.FOUNDATIONAL_CSPM: models.CspmMonitorAwsOffering,
    Plan.DEFENDER_CSPM: models.DefenderCspmAwsOffering,
    Plan.SERVERS: models.DefenderForServersAwsOffering,
    Plan.CONTAINERS: models.DefenderForContainersAwsOffering,
    Plan.DATABASES: models.DefenderFoDatabasesAwsOffering,
}
MEMBERSHIPS = {
    "member": models.AwsOrganizationalDataMember,
    "organization": models.AwsOrganizationalDataMaster,
}


def problems(checker: ModuleType, body: dict[str, Any]) -> list[str]:
    check: Callable[..., list[str]] = checker.problems
    return check(body, file="securityConnectors", version=api.API_VERSION, definition="SecurityConnector")


@pytest.mark.parametrize("name", NAMES)
def test_microsoft_s_models_know_every_field_that_we_send_and_lose_none(name: str) -> None:
    body = fresh(name)
    model = models.SecurityConnector(json.loads(json.dumps(body)))
    assert unknown_fields(model) == set()
    assert model.properties is not None
    environment = model.properties.environment_data
    assert isinstance(environment, models.AwsEnvironmentData)
    kind = MEMBERSHIPS.get(name.partition(".")[2])
    assert type(environment.organizational_data) is (kind or type(None))
    sent = [offering["offeringType"] for offering in body["properties"]["offerings"]]
    assert [type(offering) for offering in model.properties.offerings or []] == [MODELS[each] for each in sent]
    assert model.as_dict() == body


@pytest.mark.parametrize("name", NAMES)
def test_a_new_connector_s_body_fits_the_openapi_file_but_for_the_form_of_sub_plan(
    checker: ModuleType, name: str
) -> None:
    found = problems(checker, fresh(name))
    assert [each for each in found if "subPlan" not in each] == []
    body = fresh(name)
    for offering in body["properties"]["offerings"]:
        if isinstance(offering.get("subPlan"), str):
            offering["subPlan"] = {"type": offering["subPlan"]}
    assert problems(checker, body) == []


def test_sub_plan_is_text_unless_the_switch_says_object() -> None:
    [text] = [each["subPlan"] for each in api.offerings_of(EVERYTHING, ACCOUNT_ID) if "subPlan" in each]
    as_object = api.offerings_of(EVERYTHING, ACCOUNT_ID, sub_plan_as_object=True)
    assert (text, [each["subPlan"] for each in as_object if "subPlan" in each]) == ("P2", [{"type": "P2"}])


def test_a_merged_body_deviates_only_in_what_we_kept_of_others(checker: ModuleType) -> None:
    merged = merge(loaded("connectors/aws.drifted.json"), wanted())
    found = problems(checker, merged)
    theirs = ("fieldOfTomorrow", "propertyOfTomorrow", "OfferingOfTomorrowAws")
    assert found
    assert [one for one in found if not any(word in one for word in theirs)] == []


def test_a_merged_body_carries_no_read_only_property(checker: ModuleType) -> None:
    merged = merge(loaded("connectors/aws.drifted.json"), wanted())
    assert not [one for one in problems(checker, merged) if "read-only" in one]
    before = problems(checker, loaded("connectors/aws.drifted.json"))
    assert [one for one in before if "read-only" in one]


def wanted() -> dict[str, Any]:
    return desired_body(ACCOUNT_ID, CSPM_ONLY, TARGET, ORGANIZATION)


def test_a_body_to_create_says_nothing_about_what_must_not_be_there() -> None:
    def nothing(value: Any) -> bool:
        if isinstance(value, dict):
            return any(item is None or nothing(item) for item in value.values())
        return isinstance(value, list) and any(nothing(item) for item in value)

    assert nothing(wanted())
    assert not nothing(to_create(wanted()))
