"""The bodies for GCP projects, through Microsoft's own models and, where it is there, the OpenAPI file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.mgmt.security import models

from shared.domain import gcp_connector_api as gcp
from shared.domain.connectors import desired_project_body, excluding, merge
from shared.domain.gcp_connector_api import OFFERING_OF
from shared.domain.profiles import Plan
from tests.contract.test_connector_bodies import problems
from tests.contract.test_journal_bodies import unknown_fields
from tests.fixtures.bodies import TARGET
from tests.fixtures.profiles import CSPM_ONLY
from tests.fixtures.project_bodies import MEMBERSHIPS, NAMES, ORGANIZATION, PROJECT, WITH_CIEM, fresh
from tests.fixtures.read import loaded

MODELS: dict[str, type[models.CloudOffering]] = {
    OFFERING_OF[Plan.FOUNDATIONAL_CSPM]: models.CspmMonitorGcpOffering,
    OFFERING_OF[Plan.DEFENDER_CSPM]: models.DefenderCspmGcpOffering,
    OFFERING_OF[Plan.SERVERS]: models.DefenderForServersGcpOffering,
    OFFERING_OF[Plan.CONTAINERS]: models.DefenderForContainersGcpOffering,
    OFFERING_OF[Plan.DATABASES]: models.DefenderForDatabasesGcpOffering,
}
MEMBERSHIP_MODELS = {
    "member": models.GcpOrganizationalDataMember,
    "organization": models.GcpOrganizationalDataOrganization,
}


@pytest.mark.parametrize("name", NAMES)
def test_microsoft_s_models_know_every_field_that_we_send_and_lose_none(name: str) -> None:
    body = fresh(name)
    model = models.SecurityConnector(json.loads(json.dumps(body)))
    assert unknown_fields(model) == set()
    assert model.properties is not None
    environment = model.properties.environment_data
    assert isinstance(environment, models.GcpProjectEnvironmentData)
    kind = MEMBERSHIP_MODELS.get(name.partition(".")[2])
    assert type(environment.organizational_data) is (kind or type(None))
    sent = [offering["offeringType"] for offering in body["properties"]["offerings"]]
    assert [type(offering) for offering in model.properties.offerings or []] == [MODELS[each] for each in sent]
    assert model.as_dict() == body


@pytest.mark.parametrize("name", NAMES)
def test_a_new_connector_s_body_fits_the_openapi_file_but_for_the_form_of_sub_plan(checker: Any, name: str) -> None:
    found = problems(checker, fresh(name))
    assert [each for each in found if "subPlan" not in each] == []
    body = fresh(name)
    for offering in body["properties"]["offerings"]:
        if isinstance(offering.get("subPlan"), str):
            offering["subPlan"] = {"type": offering["subPlan"]}
    assert problems(checker, body) == []


def test_sub_plan_is_text_unless_the_switch_says_object() -> None:
    member = MEMBERSHIPS["member"]
    [text] = [each["subPlan"] for each in gcp.offerings_of(PROJECT, WITH_CIEM, member) if "subPlan" in each]
    as_object = gcp.offerings_of(PROJECT, WITH_CIEM, member, sub_plan_as_object=True)
    assert (text, [each["subPlan"] for each in as_object if "subPlan" in each]) == ("P2", [{"type": "P2"}])


def test_a_merged_body_deviates_only_in_what_we_kept_of_others_and_carries_nothing_read_only(checker: Any) -> None:
    before = problems(checker, loaded("connectors/gcp.drifted.json"))
    assert {"projectName", "workloadIdentityPoolId"} <= {
        name for name in gcp.READ_ONLY_PROJECT for one in before if name in one and "read-only" in one
    }
    wanted = desired_project_body(PROJECT, CSPM_ONLY, TARGET, ORGANIZATION, MEMBERSHIPS["member"])
    found = problems(checker, merge(loaded("connectors/gcp.drifted.json"), wanted))
    theirs = ("fieldOfTomorrow", "propertyOfTomorrow", "OfferingOfTomorrowGcp")
    assert found
    assert [one for one in found if not any(word in one for word in theirs)] == []


def test_an_organization_connector_with_another_list_fits_the_openapi_file(checker: Any) -> None:
    actual = fresh("foundational.organization")
    actual["properties"]["environmentData"]["organizationalData"]["organizationName"] = "example.com"
    assert [one for one in problems(checker, actual) if "organizationName" in one]
    assert problems(checker, excluding(actual, ["345678901234"])) == []
    assert problems(checker, excluding(actual, [])) == []
