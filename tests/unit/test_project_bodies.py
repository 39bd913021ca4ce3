"""The connector of a GCP project: its golden bodies, the merge into what is there, and drift."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.accounts import Provider
from shared.domain.connectors import (
    Connector,
    connector_id_for,
    desired_project_body,
    excluding,
    merge,
    to_create,
)
from shared.domain.drift import differences
from shared.domain.gcp_connector_api import OFFERING_OF, Project, ProjectMembership
from shared.domain.gcp_identities import (
    PROVIDER_OF,
    ServiceAccount,
    WorkloadProvider,
    email_of,
    needs_vm_manager,
    service_accounts_of,
    services_of,
)
from shared.domain.profiles import Plan, Profile
from tests.fixtures.bodies import TARGET
from tests.fixtures.profiles import CSPM_ONLY, FOUNDATIONAL, READY_MADE
from tests.fixtures.project_bodies import (
    MANAGEMENT,
    MEMBERSHIPS,
    NAMES,
    ORGANIZATION,
    PROJECT,
    WITH_CIEM,
    path_of,
    project_of,
    rendered,
)
from tests.fixtures.read import loaded
from tests.unit.test_connector_bodies import ACTUAL, JSON, ON, PROFILES

KINDS = st.sampled_from(list(MEMBERSHIPS))
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long it takes says nothing here: a busy computer is no mistake."""
OURS = frozenset(OFFERING_OF.values())
FIELDS = st.sampled_from(
    ["workloadIdentityProviderId", "serviceAccountEmailAddress", "azureActiveDirectoryAppName", "enabled", "tomorrow"]
)
PARTS = st.dictionaries(
    st.sampled_from(
        ["nativeCloudConnection", "dataPipelineNativeCloudConnection", "ciemDiscovery", "defenderForServers"]
    ),
    JSON | st.dictionaries(FIELDS, JSON, max_size=3),
    max_size=3,
)
OFFERING_KINDS = st.sampled_from([*OFFERING_OF.values(), "OfferingOfTomorrowGcp"])


def desired(profile: Profile, membership: ProjectMembership = MEMBERSHIPS["member"]) -> dict[str, Any]:
    return desired_project_body(PROJECT, profile, TARGET, ORGANIZATION, membership)


def wanted_of(profile: Profile, kind: str) -> dict[str, Any]:
    return desired_project_body(project_of(kind), profile, TARGET, ORGANIZATION, MEMBERSHIPS[kind])


@st.composite
def actual_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """What stands there: as for AWS, with GCP's offerings and fields that the server alone says."""
    body: dict[str, Any] = dict(draw(ACTUAL))
    properties = body["properties"]
    for offering in properties["offerings"] or []:
        offering.update(draw(PARTS), offeringType=draw(OFFERING_KINDS))
    kinds: dict[str, Any] = {each["offeringType"]: each for each in properties["offerings"] or []}
    properties["offerings"] = list(kinds.values())
    environment = properties.get("environmentData")
    if isinstance(environment, dict):
        environment["projectDetails"] = {"projectNumber": "1", "projectName": "x", "workloadIdentityPoolId": "y"}
    return body


@pytest.mark.parametrize("name", NAMES)
def test_each_profile_s_body_is_the_golden_one_and_writing_it_anew_changes_nothing(name: str) -> None:
    assert path_of(name).read_text(encoding="utf-8") == rendered(name)


def test_no_golden_body_is_left_over() -> None:
    assert {path.name for path in path_of("x").parent.glob("project.*.json")} == {path_of(name).name for name in NAMES}


def identities(value: Any) -> set[tuple[str, str]]:
    """Provider and service account wherever a body names them."""
    if isinstance(value, dict):
        account = value.get("serviceAccountEmailAddress")
        own = {(str(value["workloadIdentityProviderId"]), str(account))} if account else set()
        return own.union(*(identities(item) for item in value.values()))
    return set().union(*(identities(item) for item in value)) if isinstance(value, list) else set()


@UNTIMED
@given(profile=PROFILES, kind=KINDS)
def test_a_profile_needs_exactly_the_identities_that_its_offerings_name(profile: Profile, kind: str) -> None:
    named = identities(wanted_of(profile, kind)["properties"]["offerings"])
    home = PROJECT if kind == "standalone" else MANAGEMENT
    assert named == {
        (str(PROVIDER_OF[account]), email_of(account, home.project_id)) for account in service_accounts_of(profile)
    }


def test_the_organization_connector_names_the_account_that_finds_projects() -> None:
    body = wanted_of(FOUNDATIONAL, "organization")
    assert identities(body["properties"]["environmentData"]) == {
        ("auto-provisioner", "mdc-onboarding-sa@mdc-mgmt-proj-123456789012.iam.gserviceaccount.com")
    }
    assert identities(wanted_of(FOUNDATIONAL, "member")["properties"]["environmentData"]) == set()


def test_everything_names_every_identity_but_the_one_that_finds_projects() -> None:
    assert service_accounts_of(WITH_CIEM) == set(ServiceAccount) - {ServiceAccount.ONBOARDING}
    assert {PROVIDER_OF[account] for account in ServiceAccount} == set(WorkloadProvider)


def test_a_project_with_a_domain_in_its_id_has_addresses_the_other_way_round() -> None:
    address = email_of(ServiceAccount.CSPM, "example.com:payments")
    assert address == "microsoft-defender-cspm@payments.example.com.iam.gserviceaccount.com"


def test_each_profile_asks_for_the_apis_of_its_plans() -> None:
    assert len(services_of(FOUNDATIONAL)) == 5
    assert "osconfig.googleapis.com" not in services_of(FOUNDATIONAL)
    assert not needs_vm_manager(FOUNDATIONAL)
    extra = set(services_of(READY_MADE["recommended"])) - set(services_of(FOUNDATIONAL))
    assert extra == {
        f"{name}.googleapis.com"
        for name in ("artifactregistry", "container", "containeranalysis", "logging", "osconfig", "pubsub")
    }
    assert "pubsub.googleapis.com" not in services_of(CSPM_ONLY)
    assert "container.googleapis.com" in services_of(CSPM_ONLY)


def test_the_connector_is_named_after_the_project_number_in_its_target() -> None:
    assert connector_id_for(PROJECT.number, TARGET, Provider.GCP).name == "gcp-345678901234"


def test_no_offering_of_aws_is_among_a_project_s() -> None:
    sent = {each["offeringType"] for each in desired(WITH_CIEM)["properties"]["offerings"]}
    assert sent == OURS
    assert OURS.isdisjoint(set(Plan))
    assert set(OFFERING_OF) == set(Plan)


def test_the_merge_of_a_drifted_connector_keeps_what_is_not_ours_and_drops_what_the_server_alone_says() -> None:
    actual = loaded("connectors/gcp.drifted.json")
    before = deepcopy(actual)
    merged = merge(actual, desired(CSPM_ONLY))
    assert actual == before
    assert set(merged) == {"location", "tags", "properties"}
    assert merged["tags"] == {"rollcall": ORGANIZATION, "owner": "secops"}
    properties = merged["properties"]
    assert properties["propertyOfTomorrow"] == "kept"
    assert properties["environmentData"] == {
        "environmentType": "GcpProject",
        "organizationalData": {
            "organizationMembershipType": "Member",
            "parentHierarchyId": ORGANIZATION,
            "managementProjectNumber": MANAGEMENT.number,
            "fieldOfTomorrow": "kept",
        },
        "projectDetails": {"projectNumber": PROJECT.number, "projectId": PROJECT.project_id},
        "scanInterval": 12,
    }
    kinds = [offering["offeringType"] for offering in properties["offerings"]]
    assert kinds == ["CspmMonitorGcp", "DefenderCspmGcp", "OfferingOfTomorrowGcp"]
    assert "description" not in properties["offerings"][0]


def test_differences_name_each_place_that_drifted() -> None:
    found = differences(desired(CSPM_ONLY), loaded("connectors/gcp.drifted.json"))
    assert [difference.path for difference in found] == [
        "properties.environmentData.scanInterval",
        "properties.offerings[CspmMonitorGcp].nativeCloudConnection.serviceAccountEmailAddress",
        "properties.offerings[DefenderCspmGcp]",
        "properties.offerings[DefenderForServersGcp]",
    ]


@UNTIMED
@given(actual=actual_bodies(), profile=PROFILES, kind=KINDS)
def test_a_merged_body_has_no_differences_left(actual: dict[str, Any], profile: Profile, kind: str) -> None:
    wanted = wanted_of(profile, kind)
    merged = merge(actual, wanted)
    assert not differences(wanted, merged)
    assert merge(merged, wanted) == merged
    details = merged["properties"]["environmentData"]["projectDetails"]
    assert {"projectName", "workloadIdentityPoolId"}.isdisjoint(details)


@UNTIMED
@given(actual=actual_bodies(), profile=PROFILES, kind=KINDS)
def test_what_we_do_not_know_survives_the_merge(actual: dict[str, Any], profile: Profile, kind: str) -> None:
    merged = merge(deepcopy(actual), wanted_of(profile, kind))
    before, after = actual["properties"]["offerings"], merged["properties"]["offerings"]
    unknown = [one for one in before if one["offeringType"] not in OURS]
    assert [one for one in after if one["offeringType"] not in OURS] == unknown
    assert merged.get("fieldOfTomorrow") == actual.get("fieldOfTomorrow")


@UNTIMED
@given(profile=PROFILES, kind=KINDS, data=st.data())
def test_a_body_equals_its_echo_from_the_server(profile: Profile, kind: str, data: st.DataObject) -> None:
    wanted = wanted_of(profile, kind)
    echo = deepcopy(to_create(wanted))
    properties = echo["properties"]
    properties["offerings"] = data.draw(st.permutations(properties["offerings"]))
    properties["environmentName"] = data.draw(st.sampled_from(["GCP", "Gcp"]))
    properties["environmentData"]["projectDetails"] |= {"projectName": "Payments", "workloadIdentityPoolId": "0f1"}
    if excluded := (properties["environmentData"].get("organizationalData") or {}).get("excludedProjectNumbers"):
        excluded.reverse()
    for offering in properties["offerings"]:
        offering["description"] = "said by the server"
        if "subPlan" in offering and data.draw(ON):
            offering["subPlan"] = {"type": offering["subPlan"]}
        for part in (value for value in offering.values() if isinstance(value, dict)):
            part["addedByTheServer"] = {"x": 1}
            if part.get("enabled") is False and data.draw(ON):
                part.pop("enabled")
    echo |= {"id": "/subscriptions/x", "systemData": {}, "tags": {"RollCall": ORGANIZATION}}
    assert differences(wanted, echo) == ()


def test_another_parent_identity_or_project_is_a_difference() -> None:
    other = desired_project_body(
        Project(number=PROJECT.number, project_id="payments-prod-8"), FOUNDATIONAL, TARGET, ORGANIZATION
    )
    found = differences(desired(FOUNDATIONAL), to_create(other))
    assert [difference.path.removeprefix("properties.") for difference in found] == [
        "environmentData.organizationalData.organizationMembershipType",
        "environmentData.organizationalData.parentHierarchyId",
        "environmentData.organizationalData.managementProjectNumber",
        "environmentData.projectDetails.projectId",
        "offerings[CspmMonitorGcp].nativeCloudConnection.serviceAccountEmailAddress",
    ]


def organization_connector() -> Connector:
    body = to_create(wanted_of(FOUNDATIONAL, "organization"))
    body["properties"]["environmentData"]["organizationalData"]["organizationName"] = "example.com"
    body["properties"]["environmentData"]["projectDetails"]["projectName"] = "Defender"
    return Connector(connector_id=connector_id_for(MANAGEMENT.number, TARGET, Provider.GCP), body=body)


def test_excluded_projects_are_read_and_written_by_gcp_s_own_field() -> None:
    standing = organization_connector()
    assert standing.excluded_accounts == {"456789012345", "567890123456"}
    assert standing.environment == "GCP"
    data = excluding(standing.body, ["9", "1"])["properties"]["environmentData"]
    assert data["organizationalData"]["excludedProjectNumbers"] == ["1", "9"]
    assert "excludedAccountIds" not in data["organizationalData"]
    assert "organizationName" not in data["organizationalData"]
    assert "projectName" not in data["projectDetails"]
    assert standing.excluded_accounts == {"456789012345", "567890123456"}
    nobody = excluding(standing.body, [])["properties"]["environmentData"]["organizationalData"]
    assert "excludedProjectNumbers" not in nobody
