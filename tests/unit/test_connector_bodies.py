"""The body that a connector should have, the merge into what is there, and drift."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.connectors import Connector, ConnectorId, connector_id_for, desired_body, merge
from shared.domain.drift import differences
from shared.domain.offerings import roles_of
from shared.domain.policy import Plan, Policy, Profile, Target
from tests.fixtures.read import ACCOUNT_ID, loaded

TARGET = Target(
    subscription_id="00000000-0000-4000-8000-0000000000d1", resource_group="rg-connectors", location="westeurope"
)
ORGANIZATION = "o-exampleorg1"
PROFILES = st.builds(
    Profile,
    name=st.just("any"),
    plans=st.sets(st.sampled_from(list(Plan)), min_size=1).map(frozenset),
    scan_interval_hours=st.integers(1, 24),
    regions=st.lists(st.sampled_from(["eu-west-1", "us-east-1", "eu-north-1"]), unique=True).map(tuple),
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["cloudRoleArn", "enabled", "configuration", "scanningMode", "vmScanners", "nativeCloudConnection", "tomorrow"]
)
OFFERINGS = st.lists(
    st.builds(
        lambda kind, rest: rest | {"offeringType": kind},
        st.sampled_from([*(plan.value for plan in Plan), "DefenderForServersAws", "OfTomorrowAws"]),
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
                | st.dictionaries(st.sampled_from(["scanInterval", "regions", "accountName", "of"]), JSON),
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


def desired(profile: Profile) -> dict[str, Any]:
    return desired_body(ACCOUNT_ID, profile, TARGET, ORGANIZATION)


def test_the_body_of_the_full_profile_is_the_golden_one(policy: Policy) -> None:
    assert desired(policy.default_profile) == loaded("connectors/aws.full_profile.request.json")


def test_a_profile_without_defender_cspm_has_one_offering_and_its_regions(policy: Policy) -> None:
    body = desired(policy.rules[0].profile)
    assert [offering["offeringType"] for offering in body["properties"]["offerings"]] == ["CspmMonitorAws"]
    assert body["properties"]["environmentData"]["regions"] == ["eu-west-1", "eu-north-1"]


def test_every_role_of_the_offerings_is_a_role_of_the_profile(policy: Policy) -> None:
    def arns(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {str(value["cloudRoleArn"]).rsplit("/", 1)[1]} if "cloudRoleArn" in value else set()
            return own.union(*(arns(item) for item in value.values()))
        return set().union(*(arns(item) for item in value)) if isinstance(value, list) else set()

    assert arns(desired(policy.default_profile)) == set(roles_of(policy.default_profile))


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


def test_the_merge_of_a_drifted_connector_keeps_what_is_not_ours(policy: Policy) -> None:
    actual = loaded("connectors/aws.drifted.json")
    before = deepcopy(actual)
    merged = merge(actual, desired(policy.default_profile))
    assert actual == before
    assert set(merged) == {"location", "tags", "properties"}
    assert merged["tags"] == {"rollcall": ORGANIZATION, "owner": "secops"}
    properties = merged["properties"]
    assert "hierarchyIdentifierTrialEndDate" not in properties
    assert properties["propertyOfTomorrow"] == "kept"
    assert properties["environmentData"] == {
        "environmentType": "AwsAccount",
        "scanInterval": 12,
        "regions": ["eu-west-1"],
        "fieldOfTomorrow": {"kept": True},
    }
    offerings = {offering["offeringType"]: offering for offering in properties["offerings"]}
    assert list(offerings) == ["CspmMonitorAws", "DefenderCspmAws", "DefenderForServersAws", "OfferingOfTomorrowAws"]
    assert "description" not in offerings["CspmMonitorAws"]
    assert offerings["DefenderForServersAws"] == before["properties"]["offerings"][1]


def test_the_merge_leaves_the_location_where_it_was(policy: Policy) -> None:
    actual = loaded("connectors/aws.drifted.json") | {"location": "CentralUS"}
    assert merge(actual, desired(policy.default_profile))["location"] == "CentralUS"


def test_an_offering_of_ours_that_the_profile_lacks_is_left_out(policy: Policy) -> None:
    actual = merge(loaded("connectors/aws.drifted.json"), desired(policy.default_profile))
    merged = merge(actual, desired(policy.rules[0].profile))
    kinds = [offering["offeringType"] for offering in merged["properties"]["offerings"]]
    assert kinds == ["CspmMonitorAws", "DefenderForServersAws", "OfferingOfTomorrowAws"]


def test_differences_name_each_place_that_drifted(policy: Policy) -> None:
    found = differences(desired(policy.default_profile), loaded("connectors/aws.drifted.json"))
    assert [difference.path for difference in found] == [
        "properties.offerings[CspmMonitorAws].nativeCloudConnection.cloudRoleArn",
        "properties.offerings[DefenderCspmAws]",
    ]
    assert found[0].actual == f"arn:aws:iam::{ACCOUNT_ID}:role/OldName"
    assert found[1].actual is None


def test_a_plan_too_many_is_a_difference_but_an_unknown_offering_is_not(policy: Policy) -> None:
    body = desired(policy.default_profile)
    body["properties"]["offerings"].append({"offeringType": "OfferingOfTomorrowAws"})
    wanted = desired(policy.rules[0].profile)
    paths = [difference.path for difference in differences(wanted, body)]
    assert "properties.offerings[DefenderCspmAws]" in paths
    assert not any("OfTomorrow" in path for path in paths)


def test_regions_in_another_order_are_no_difference(policy: Policy) -> None:
    wanted, actual = desired(policy.rules[0].profile), desired(policy.rules[0].profile)
    actual["properties"]["environmentData"]["regions"].reverse()
    assert not differences(wanted, actual)


def test_the_location_is_never_a_difference(policy: Policy) -> None:
    wanted = desired(policy.default_profile)
    assert not differences(wanted, wanted | {"location": "eastus"})


@given(actual=ACTUAL, profile=PROFILES)
def test_a_merged_body_has_no_differences_left(actual: dict[str, Any], profile: Profile) -> None:
    wanted = desired(profile)
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
