"""The body that a connector should have, the merge into what is there, and drift."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.connectors import Connector, ConnectorId, connector_id_for, desired_body, merge, to_create
from shared.domain.drift import differences
from shared.domain.profiles import (
    AgentlessScanning,
    Arc,
    Assessment,
    Containers,
    Databases,
    DefenderCspm,
    Plan,
    Profile,
    Servers,
    SubPlan,
)
from tests.fixtures.bodies import NAMES, ORGANIZATION, TARGET, path_of, rendered
from tests.fixtures.profiles import CIEM, CSPM_ONLY, EVERYTHING, FOUNDATIONAL, MEMBERSHIPS
from tests.fixtures.read import ACCOUNT_ID, loaded

ON = st.booleans()
PROFILES = st.builds(
    Profile,
    name=st.just("any"),
    cspm=st.none()
    | st.builds(DefenderCspm, sensitive_data=ON, image_assessment=ON, ciem=st.sampled_from([None, CIEM])),
    servers=st.none()
    | st.builds(
        Servers,
        sub_plan=st.sampled_from(SubPlan),
        endpoint_protection=ON,
        vulnerability_assessment=st.sampled_from([None, *Assessment]),
    ),
    containers=st.none()
    | st.builds(Containers, audit_logs=ON, external_id=st.sampled_from(["", "x1"]), kubernetes_discovery=ON),
    databases=st.none() | st.builds(Databases, rds_threat_protection=ON, database_posture=ON),
    agentless_scanning=st.builds(
        AgentlessScanning, enabled=ON, exclusion_tags=st.dictionaries(st.sampled_from("ab"), st.just("x"))
    ),
    arc=st.builds(
        Arc,
        enabled=ON,
        proxy=st.sampled_from(["", "http://p"]),
        private_link_scope=st.sampled_from(["", "/subscriptions/S/x"]),
    ),
    scan_interval_hours=st.integers(1, 24),
    regions=st.lists(st.sampled_from(["eu-west-1", "us-east-1", "eu-north-1"]), unique=True).map(tuple),
)
MEMBERSHIP = st.sampled_from(list(MEMBERSHIPS.values()))
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "cloudRoleArn",
        "enabled",
        "configuration",
        "exclusionTags",
        "scanningMode",
        "vmScanners",
        "nativeCloudConnection",
        "arcAutoProvisioning",
        "subPlan",
        "tomorrow",
    ]
)
OFFERINGS = st.lists(
    st.builds(
        lambda kind, rest: rest | {"offeringType": kind},
        st.sampled_from([*(plan.value for plan in Plan), "OfTomorrowAws"]),
        st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON, max_size=2), max_size=4),
    ),
    max_size=4,
    unique_by=lambda offering: str(offering["offeringType"]),
)
ACTUAL = st.fixed_dictionaries(
    {
        "location": st.sampled_from(["westeurope", "CentralUS"]),
        "properties": st.fixed_dictionaries(
            {"hierarchyIdentifier": st.just(ACCOUNT_ID), "offerings": OFFERINGS | st.none()},
            optional={
                "environmentName": st.just("AWS"),
                "environmentData": st.none()
                | st.dictionaries(
                    st.sampled_from(["scanInterval", "regions", "accountName", "organizationalData", "of"]), JSON
                ),
                "propertyOfTomorrow": JSON,
            },
        ),
    },
    optional={
        "id": st.just("/subscriptions/x"),
        "systemData": st.just({"createdBy": "x"}),
        "tags": st.none() | st.dictionaries(st.sampled_from(["rollcall", "owner"]), st.text("ab", max_size=2)),
        "fieldOfTomorrow": JSON,
    },
)


WITH_REGIONS = replace(FOUNDATIONAL, regions=("eu-west-1", "eu-north-1"))


def desired(profile: Profile) -> dict[str, Any]:
    return desired_body(ACCOUNT_ID, profile, TARGET, ORGANIZATION)


def of(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """The offering of that type."""
    found: dict[str, Any] = next(one for one in body["properties"]["offerings"] if one["offeringType"] == kind)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_each_profile_s_body_is_the_golden_one_and_writing_it_anew_changes_nothing(name: str) -> None:
    assert path_of(name).read_text(encoding="utf-8") == rendered(name)


def test_no_golden_body_is_left_over() -> None:
    assert {path.name for path in path_of("x").parent.glob("golden.*.json")} == {path_of(name).name for name in NAMES}


def arns(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {str(value["cloudRoleArn"]).rsplit("/", 1)[1]} if "cloudRoleArn" in value else set()
        return own.union(*(arns(item) for item in value.values()))
    return set().union(*(arns(item) for item in value)) if isinstance(value, list) else set()


@given(profile=PROFILES)
def test_a_profile_has_exactly_the_roles_that_its_offerings_name(profile: Profile) -> None:
    assert arns(desired(profile)) == set(profile.roles())


def test_a_role_group_is_on_only_where_an_offering_names_one_of_its_roles() -> None:
    assert set(FOUNDATIONAL.stack_parameters().values()) == {"false", ""}
    everything = EVERYTHING.stack_parameters()
    assert everything.pop("DataCollectionExternalId") == EVERYTHING.containers.external_id  # type: ignore[union-attr]  # it has the plan
    assert everything.pop("CiemSubject") == CIEM.subject
    assert set(everything.values()) == {"true"}


def test_the_connector_is_named_after_the_account_in_its_target() -> None:
    assert str(connector_id_for(ACCOUNT_ID, TARGET)) == (
        "/subscriptions/00000000-0000-4000-8000-0000000000d1/resourceGroups/rg-connectors"
        "/providers/Microsoft.Security/securityConnectors/aws-012345678901"
    )


def test_an_id_is_read_in_any_case_and_compared_without_it() -> None:
    wanted = connector_id_for(ACCOUNT_ID, TARGET)
    assert ConnectorId.parse(str(wanted)) == wanted
    shouted = ConnectorId.parse(str(wanted).upper())
    assert shouted != wanted
    assert shouted.same_as(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Other/securityConnectors/c",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Security/securityConnectors/c/devops/default",
        "/subscriptions/s/providers/Microsoft.Security/securityConnectors/c",
    ],
)
def test_an_id_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the id of a security connector"):
        ConnectorId.parse(text)


def test_the_merge_of_a_drifted_connector_keeps_what_is_not_ours() -> None:
    actual = loaded("connectors/aws.drifted.json")
    before = deepcopy(actual)
    merged = merge(actual, desired(CSPM_ONLY))
    assert actual == before
    assert set(merged) == {"location", "tags", "properties"}
    assert merged["tags"] == {"rollcall": ORGANIZATION, "owner": "secops"}
    properties = merged["properties"]
    assert "hierarchyIdentifierTrialEndDate" not in properties
    assert properties["propertyOfTomorrow"] == "kept"
    assert properties["environmentData"] == {
        "environmentType": "AwsAccount",
        "scanInterval": 12,
        "fieldOfTomorrow": {"kept": True},
    }
    offerings = {offering["offeringType"]: offering for offering in properties["offerings"]}
    assert list(offerings) == ["CspmMonitorAws", "DefenderCspmAws", "OfferingOfTomorrowAws"]
    assert "description" not in offerings["CspmMonitorAws"]
    assert offerings["OfferingOfTomorrowAws"] == before["properties"]["offerings"][2]


def test_the_merge_leaves_the_location_where_it_was() -> None:
    actual = loaded("connectors/aws.drifted.json") | {"location": "CentralUS"}
    assert merge(actual, desired(CSPM_ONLY))["location"] == "CentralUS"


def test_an_offering_of_ours_that_the_profile_lacks_is_left_out() -> None:
    actual = merge(loaded("connectors/aws.drifted.json"), desired(CSPM_ONLY))
    merged = merge(actual, desired(WITH_REGIONS))
    kinds = [offering["offeringType"] for offering in merged["properties"]["offerings"]]
    assert kinds == ["CspmMonitorAws", "OfferingOfTomorrowAws"]


def test_differences_name_each_place_that_drifted() -> None:
    found = differences(desired(CSPM_ONLY), loaded("connectors/aws.drifted.json"))
    assert [difference.path for difference in found] == [
        "properties.environmentData.regions",
        "properties.offerings[CspmMonitorAws].nativeCloudConnection.cloudRoleArn",
        "properties.offerings[DefenderCspmAws]",
        "properties.offerings[DefenderForServersAws]",
    ]
    assert (found[0].desired, found[0].actual) == (None, ["eu-west-1"])
    assert found[1].actual == f"arn:aws:iam::{ACCOUNT_ID}:role/OldName"
    assert (found[2].actual, found[3].desired) == (None, None)


def test_what_the_policy_no_longer_says_is_taken_away() -> None:
    actual = to_create(desired(EVERYTHING))
    less = replace(EVERYTHING, regions=(), arc=Arc(), agentless_scanning=AgentlessScanning(exclusion_tags={"b": "x"}))
    found = {difference.path.removeprefix("properties.") for difference in differences(desired(less), actual)}
    assert {
        "environmentData.regions",
        "offerings[DefenderForServersAws].arcAutoProvisioning.configuration.proxy",
    } < found
    merged = merge(actual, desired(less))
    assert merged == to_create(desired(less)) | {"properties": merged["properties"]}
    assert not differences(desired(less), merged)
    servers = of(merged, "DefenderForServersAws")
    assert servers["vmScanners"]["configuration"]["exclusionTags"] == {"b": "x"}
    assert servers["arcAutoProvisioning"]["configuration"] == {}
    assert "regions" not in merged["properties"]["environmentData"]


def test_a_plan_s_part_that_is_switched_off_is_a_difference_by_its_field() -> None:
    assert EVERYTHING.servers is not None
    less = replace(EVERYTHING, servers=replace(EVERYTHING.servers, sub_plan=SubPlan.P1, endpoint_protection=False))
    found = differences(desired(less), to_create(desired(EVERYTHING)))
    assert [difference.path.rpartition("].")[2] for difference in found] == [
        "mdeAutoProvisioning.enabled",
        "subPlan",
        "vmScanners.enabled",
    ]


@given(profile=PROFILES, membership=MEMBERSHIP, data=st.data())
def test_a_body_equals_its_echo_from_the_server(profile: Profile, membership: Any, data: st.DataObject) -> None:
    """The server orders, spells and adds as it likes."""
    wanted = desired_body(ACCOUNT_ID, profile, TARGET, ORGANIZATION, membership)
    echo = deepcopy(to_create(wanted))
    properties = echo["properties"]
    properties["offerings"] = data.draw(st.permutations(properties["offerings"]))
    properties["environmentName"] = data.draw(st.sampled_from(["AWS", "Aws"]))
    properties["environmentData"]["accountName"] = "payments"
    properties["hierarchyIdentifierTrialEndDate"] = "2026-12-19T00:00:00Z"
    for offering in properties["offerings"]:
        offering["description"] = "said by the server"
        if "subPlan" in offering and data.draw(ON):
            offering["subPlan"] = {"type": offering["subPlan"]}
        for part in (value for value in offering.values() if isinstance(value, dict)):
            part["addedByTheServer"] = {"x": 1}
            if part.get("enabled") is False and data.draw(ON):
                part.pop("enabled")
        scope = (offering.get("arcAutoProvisioning") or {}).get("configuration") or {}
        if "privateLinkScope" in scope:
            scope["privateLinkScope"] = scope["privateLinkScope"].swapcase()
    echo |= {"id": "/subscriptions/x", "systemData": {}, "tags": {"RollCall": ORGANIZATION}}
    assert differences(wanted, echo) == ()


def test_a_plan_too_many_is_a_difference_but_an_unknown_offering_is_not() -> None:
    body = to_create(desired(CSPM_ONLY))
    body["properties"]["offerings"].append({"offeringType": "OfferingOfTomorrowAws"})
    wanted = desired(WITH_REGIONS)
    paths = [difference.path for difference in differences(wanted, body)]
    assert "properties.offerings[DefenderCspmAws]" in paths
    assert not any("OfTomorrow" in path for path in paths)


def test_regions_in_another_order_are_no_difference() -> None:
    wanted, actual = desired(WITH_REGIONS), desired(WITH_REGIONS)
    actual["properties"]["environmentData"]["regions"].reverse()
    assert not differences(wanted, actual)


def test_the_location_is_never_a_difference() -> None:
    wanted = desired(CSPM_ONLY)
    assert not differences(wanted, wanted | {"location": "eastus"})


@given(actual=ACTUAL, profile=PROFILES, membership=MEMBERSHIP)
def test_a_merged_body_has_no_differences_left(actual: dict[str, Any], profile: Profile, membership: Any) -> None:
    wanted = desired_body(ACCOUNT_ID, profile, TARGET, ORGANIZATION, membership)
    assert not differences(wanted, merge(actual, wanted))


@given(actual=ACTUAL, profile=PROFILES)
def test_merging_twice_is_merging_once(actual: dict[str, Any], profile: Profile) -> None:
    wanted = desired(profile)
    once = merge(actual, wanted)
    assert merge(once, wanted) == once


@given(actual=ACTUAL, profile=PROFILES)
def test_what_we_do_not_know_survives_the_merge(actual: dict[str, Any], profile: Profile) -> None:
    merged = merge(deepcopy(actual), desired(profile))
    assert merged.get("fieldOfTomorrow") == actual.get("fieldOfTomorrow")
    before, after = actual["properties"], merged["properties"]
    assert after.get("propertyOfTomorrow") == before.get("propertyOfTomorrow")
    unknown = [one for one in before["offerings"] or [] if one["offeringType"] not in set(Plan)]
    assert [one for one in after["offerings"] if one["offeringType"] not in set(Plan)] == unknown
    for ours in (one for one in before["offerings"] or [] if one["offeringType"] in profile.plans):
        kept = next(one for one in after["offerings"] if one["offeringType"] == ours["offeringType"])
        assert "tomorrow" not in ours or kept["tomorrow"] == ours["tomorrow"]
    assert (actual.get("tags") or {}).get("owner") == merged["tags"].get("owner")


@pytest.mark.parametrize(
    ("body", "organization"),
    [({"tags": {"rollcall": ORGANIZATION}}, ORGANIZATION), ({"tags": None, "properties": None}, None), ({}, None)],
)
def test_the_owner_of_a_connector_is_read_from_our_tag(body: dict[str, Any], organization: str | None) -> None:
    connector = Connector(connector_id=connector_id_for(ACCOUNT_ID, TARGET), body=body)
    assert connector.organization == organization
    assert not connector.hierarchy_identifier
    assert not connector.environment
