"""What the policy decides about GCP projects, where their connectors belong, and whom the parent leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.policy.problems import check_policy, parse_policy
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import Connector, ConnectorId, merge, to_create
from shared.domain.drift import differences
from shared.domain.exclusions import Exclusions, exclusions_of
from shared.domain.modes import of_other_modes
from shared.domain.placement import (
    Placement,
    beside,
    is_ours,
    is_parent,
    membership_changes,
    place,
)
from shared.domain.policy import Decision, Mode, Policy, Verdict, decide
from shared.domain.preview_notes import notes_on_changes
from shared.domain.profiles import Containers
from shared.domain.standing import missing_parent
from tests.fixtures.profiles import FULL
from tests.fixtures.read import account, fixture
from tests.unit.test_connector_bodies import PROFILES
from tests.unit.test_project_bodies import UNTIMED

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
ORGANIZATION, MANAGEMENT, NUMBER, ID = "123456789012", "210987654321", "345678901230", "till-prod-7"


def projects_of(sample: str) -> Policy:
    """What a sample says about projects."""
    found = parse_policy((SAMPLES / f"policy.{sample}.yaml").read_bytes(), sample).of(Provider.GCP)
    assert found is not None
    return found


MEMBER, STANDALONE = projects_of("two-clouds"), projects_of("bank")


def project(number: str = NUMBER, **changes: Any) -> Account:
    found = account(number, name=ID, ou_path="/Shops", joined_at=None)
    return replace(found, **{"provider": Provider.GCP, **changes})


def place_of(policy: Policy, number: str = NUMBER, name: str = ID) -> Placement:
    return place(policy, number, policy.default_profile, policy.target, name)


def stand(policy: Policy, number: str = NUMBER, name: str = ID, **changes: Any) -> Connector:
    wanted = place_of(policy, number, name)
    return Connector(connector_id=wanted.connector_id, body=to_create(wanted.desired) | changes)


def test_one_file_has_a_policy_for_each_cloud() -> None:
    policy = parse_policy((SAMPLES / "policy.two-clouds.yaml").read_bytes(), "two-clouds")
    assert policy.of(Provider.AWS) is policy
    assert policy.of(Provider.GCP) is policy.gcp is not None
    assert (MEMBER.of(Provider.GCP), MEMBER.of(Provider.AWS)) == (MEMBER, None)
    assert parse_policy(fixture("policies/full.yaml").encode(), "full").of(Provider.GCP) is None


def test_the_policy_for_projects_has_its_own_organization_and_what_the_file_says_for_both() -> None:
    policy = parse_policy((SAMPLES / "policy.bank.yaml").read_bytes(), "bank")
    assert STANDALONE.organization == "234567890123"
    assert (STANDALONE.provider, STANDALONE.mode, STANDALONE.gcp) == (Provider.GCP, Mode.STANDALONE, None)
    assert STANDALONE.target == policy.target
    for word in ("tenant_id", "retry_budget_hours", "prechecks", "sweep", "deletions", "notifications", "content_hash"):
        assert getattr(STANDALONE, word) == getattr(policy, word)
    assert STANDALONE.uses_tags


def decided(policy: Policy, **facts: Any) -> Decision:
    return decide(policy, project(**facts))


@pytest.mark.parametrize(
    ("facts", "verdict", "reason"),
    [
        ({}, Verdict.INCLUDE, "profile foundational (default profile)"),
        (
            {"tags": {"criticality": "vital"}},
            Verdict.INCLUDE,
            "profile analytics (rule 1 critical by label: label criticality=vital)",
        ),
        (
            {"ou_path": "/Retail/Cards/Issuing"},
            Verdict.INCLUDE,
            "profile analytics (rule 2 payments: folder path /*/Cards)",
        ),
        ({"ou_path": "/"}, Verdict.INCLUDE, "profile foundational (default profile)"),
        ({"ou_path": "/Sandbox/Anna"}, Verdict.EXCLUDE, "excluded by folder path /Sandbox"),
        ({"name": "training-07"}, Verdict.EXCLUDE, "excluded by project id training-*"),
        ({"name": "sys-12345678901234567890123456"}, Verdict.EXCLUDE, "excluded by project id sys-*"),
        ({"state": AccountState.DELETE_REQUESTED}, Verdict.EXCLUDE, "the project is DELETE_REQUESTED"),
        (
            {"state": AccountState.UNKNOWN},
            Verdict.WAIT,
            "the project is in a state that this version does not know",
        ),
    ],
)
def test_a_project_is_decided_with_its_reason_in_google_s_words(
    facts: dict[str, Any], verdict: Verdict, reason: str
) -> None:
    decision = decided(STANDALONE, **facts)
    assert (decision.verdict, decision.reason) == (verdict, reason)


def test_a_rule_gives_a_project_its_profile_and_place() -> None:
    decision = decided(STANDALONE, ou_path="/Payments")
    assert decision.profile.servers is not None
    assert decision.target.resource_group == "rg-defender-payments"
    assert decided(MEMBER).target.resource_group == "rg-defender-gcp"


def test_an_excluded_project_is_named_by_its_number() -> None:
    assert decided(MEMBER, number="345678901234").reason == "excluded by project number 345678901234"
    assert decided(MEMBER, tags={"defender": "exempt"}).reason == "excluded by label defender=exempt"


def test_the_management_project_has_the_organization_connector_whatever_the_exclusions_say() -> None:
    management = project(MANAGEMENT, ou_path="/Sandbox")
    assert decide(MEMBER, management).reason == "the Organization connector, profile production"
    assert decide(replace(MEMBER, mode=Mode.STANDALONE), management).verdict is Verdict.EXCLUDE
    elsewhere = replace(management, ou_path="/Security")
    assert decide(replace(MEMBER, mode=Mode.STANDALONE), elsewhere).verdict is Verdict.INCLUDE


def test_a_policy_for_one_cloud_says_nothing_about_an_account_of_the_other() -> None:
    with pytest.raises(ValueError, match="a policy for gcp was asked about aws 012345678901"):
        decide(MEMBER, account())
    aws = parse_policy((SAMPLES / "policy.two-clouds.yaml").read_bytes(), "two-clouds")
    with pytest.raises(ValueError, match=f"a policy for aws was asked about gcp {NUMBER}"):
        decide(aws, project())


def test_a_member_stands_beside_the_organization_connector_with_the_management_project_s_identities() -> None:
    member, parent = place_of(MEMBER), place_of(MEMBER, MANAGEMENT, "")
    assert member.connector_id.name == f"gcp-{NUMBER}"
    assert parent.connector_id == replace(member.connector_id, name="gcp-organization")
    data = member.desired["properties"]["environmentData"]
    assert data["organizationalData"] == {
        "organizationMembershipType": "Member",
        "parentHierarchyId": ORGANIZATION,
        "managementProjectNumber": MANAGEMENT,
    }
    assert data["projectDetails"] == {"projectNumber": NUMBER, "projectId": ID}
    for desired in (member.desired, parent.desired):
        native = desired["properties"]["offerings"][0]["nativeCloudConnection"]
        assert native["serviceAccountEmailAddress"].endswith("@mdc-mgmt-proj-123456789012.iam.gserviceaccount.com")
        assert desired["tags"] == {"rollcall": ORGANIZATION}
    top = parent.desired["properties"]
    assert top["hierarchyIdentifier"] == MANAGEMENT
    assert top["environmentData"]["organizationalData"]["excludedProjectNumbers"] == ["345678901234"]
    assert top["environmentData"]["projectDetails"]["projectId"] == "mdc-mgmt-proj-123456789012"


def test_a_standalone_project_signs_in_with_its_own_identities() -> None:
    wanted = place_of(STANDALONE)
    assert wanted.connector_id.name == f"gcp-{NUMBER}"
    properties = wanted.desired["properties"]
    assert properties["environmentData"]["organizationalData"] is None
    native = properties["offerings"][0]["nativeCloudConnection"]
    assert native["serviceAccountEmailAddress"] == f"microsoft-defender-cspm@{ID}.iam.gserviceaccount.com"


def test_what_members_name_as_their_parent_can_be_said() -> None:
    assert MEMBER.organization_connector is not None
    said = replace(MEMBER, organization_connector=replace(MEMBER.organization_connector, parent="another"))
    data = place_of(said).desired["properties"]["environmentData"]["organizationalData"]
    assert data["parentHierarchyId"] == "another"


def test_a_project_without_its_id_has_no_place() -> None:
    for policy in (MEMBER, STANDALONE):
        with pytest.raises(ValueError, match=f"the id of project {NUMBER} is not known"):
            place_of(policy, name="")


@UNTIMED
@given(profile=PROFILES, before=PROFILES, number=st.sampled_from([NUMBER, MANAGEMENT]), is_member=st.booleans())
def test_a_connector_that_is_merged_as_the_policy_asks_has_no_drift_left(
    profile: Any, before: Any, number: str, is_member: bool
) -> None:
    policy = MEMBER if is_member else STANDALONE
    actual = to_create(place(policy, number, before, policy.target, ID).desired)
    wanted = place(policy, number, profile, policy.target, ID).desired
    merged = merge(actual, wanted)
    assert not differences(wanted, merged)
    assert not membership_changes(stand(policy, number), wanted)


def test_a_plan_for_a_project_warns_of_what_a_change_takes_away() -> None:
    quiet = replace(FULL, containers=Containers(audit_logs=False), databases=None)
    actual = to_create(place(MEMBER, NUMBER, FULL, MEMBER.target, ID).desired)
    wanted = place(MEMBER, NUMBER, quiet, MEMBER.target, ID).desired
    notes = {note.key: note.message for note in notes_on_changes(differences(wanted, actual))}
    assert set(notes) == {"audit-logs-off", "plan-removed"}
    assert notes["plan-removed"].startswith("DefenderForDatabasesGcp is taken off")


def test_a_member_waits_for_the_organization_connector() -> None:
    decision = decided(MEMBER)
    missing = missing_parent(MEMBER, decision, NUMBER, [])
    assert missing is not None
    assert "securityConnectors/gcp-organization" in missing.reason
    assert missing_parent(MEMBER, decision, NUMBER, [stand(MEMBER, MANAGEMENT)]) is None
    assert missing_parent(MEMBER, decision, MANAGEMENT, []) is None
    assert missing_parent(STANDALONE, decided(STANDALONE), NUMBER, []) is None


def test_a_member_of_the_management_project_is_ours_whatever_it_is_called() -> None:
    made = stand(MEMBER, tags={})
    made = replace(made, connector_id=replace(made.connector_id, name="gcp-organization_till-prod-7"))
    assert is_ours(made, MEMBER)
    assert not is_ours(made, replace(MEMBER, mode=Mode.STANDALONE))
    assert not is_ours(stand(STANDALONE, tags={}), MEMBER)
    body = to_create(place_of(MEMBER).desired)
    body["properties"]["environmentData"]["organizationalData"]["managementProjectNumber"] = "1"
    assert not is_ours(replace(made, body=body | {"tags": {}}), MEMBER)
    assert is_parent(stand(MEMBER, MANAGEMENT), MEMBER)


def test_the_list_of_excluded_projects_follows_what_is_decided() -> None:
    decisions = [
        (each, decide(MEMBER, each))
        for each in (
            project(),
            project("1", ou_path="/Sandbox"),
            project("2", state=AccountState.DELETE_REQUESTED),
            project("3", name="sys-1"),
            project(MANAGEMENT),
        )
    ]
    found = exclusions_of(MEMBER, decisions)
    assert found == Exclusions(excluded=frozenset("13"), included=frozenset([NUMBER]))
    assert exclusions_of(STANDALONE, [(project(), decided(STANDALONE))]) == Exclusions()
    parent = stand(MEMBER, MANAGEMENT)
    body = to_create(place_of(MEMBER, MANAGEMENT, "").desired)
    body["properties"]["environmentData"]["organizationalData"]["excludedProjectNumbers"] = [NUMBER, "7"]
    wanted = beside(place_of(MEMBER, MANAGEMENT, ""), replace(parent, body=body), found)
    data = wanted.desired["properties"]["environmentData"]["organizationalData"]
    assert data["excludedProjectNumbers"] == ["1", "3", "345678901234", "7"]
    assert "excludedAccountIds" not in data
    assert beside(place_of(MEMBER), None, found) == place_of(MEMBER)


def test_a_switch_of_mode_counts_connectors_of_its_own_cloud_only() -> None:
    policy = parse_policy((SAMPLES / "policy.two-clouds.yaml").read_bytes(), "two-clouds")
    member = stand(MEMBER)
    alone = stand(replace(MEMBER, mode=Mode.STANDALONE), "7")
    excluded = stand(replace(MEMBER, mode=Mode.STANDALONE), "345678901234")
    account_s = place(policy, "012345678901", policy.default_profile, policy.target)
    theirs = Connector(
        connector_id=ConnectorId(subscription_id="s", resource_group="g", name="a"),
        body=to_create(account_s.desired) | {"tags": {"rollcall": ORGANIZATION}},
    )
    everything = [member, alone, excluded, theirs]
    assert of_other_modes(MEMBER, everything) == [alone]
    assert of_other_modes(replace(MEMBER, mode=Mode.STANDALONE), everything) == [member]
    assert of_other_modes(policy, [member, alone]) == []


def test_apps_script_projects_are_connected_where_the_policy_says_so() -> None:
    text = (SAMPLES / "policy.two-clouds.yaml").read_text(encoding="utf-8")
    checked = check_policy(f"{text}  apps_script_projects: true\n".encode())
    assert checked.policy is not None
    assert checked.policy.gcp is not None
    assert decided(checked.policy.gcp, name="sys-1").verdict is Verdict.INCLUDE


def test_each_cloud_has_the_ciem_application_of_its_own() -> None:
    text = (SAMPLES / "policy.two-clouds.yaml").read_text(encoding="utf-8")
    text = text.replace("default_profile: production #", "default_profile: maximum #")
    aws_only = "ciem: {application: mciem-aws, subject: 00000000-0000-4000-8000-0000000000C1}\n"
    both = f"{text}{aws_only}".replace("  target: projects\n", "  target: projects\n  ciem: {application: mciem-gcp}\n")
    for content, application in ((f"{text}{aws_only}", None), (both, "mciem-gcp")):
        policy = parse_policy(content.encode(), "text").of(Provider.GCP)
        assert policy is not None
        assert policy.default_profile.cspm is not None
        ciem = policy.default_profile.cspm.ciem
        assert (ciem.application if ciem else None) == application
