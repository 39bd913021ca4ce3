"""A GCP project becomes a connector as an AWS account does, from what it is now and not from what a message says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.application.onboard import onboard
from shared.application.outcome import Outcome
from shared.application.ready_project import VM_MANAGER
from shared.domain.accounts import AccountState, Provider
from shared.domain.connectors import to_create
from shared.domain.gcp_connector_api import OFFERING_OF
from shared.domain.gcp_identities import services_of
from shared.domain.ledger import AccountKey, Result, State
from shared.domain.placement import Placement, place
from shared.domain.policy import Deletions, Mode, Policy
from shared.domain.profiles import Plan
from shared.domain.sweep.project_home import home_of
from shared.domain.sweep.project_identity import PoolSeen, ServiceAccountSeen
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from shared.messages.connector_request import ConnectorRequest
from tests.fixtures.profiles import FULL
from tests.fixtures.read import request
from tests.unit.conftest import AzureSide
from tests.unit.test_project_policy import ID, MANAGEMENT, MEMBER, NUMBER, STANDALONE, project

PRODUCED = ("project-not-ready", "vm-manager-off")
KEY = AccountKey(provider=Provider.GCP, hierarchy_identifier=NUMBER)


class Side(AzureSide):
    """What the Function App works with where the policy's part for projects is `policy`; the project is there."""

    def __init__(self, whole: Policy, policy: Policy) -> None:
        self.projects_policy = replace(policy, default_profile=FULL, rules=())
        super().__init__(replace(whole, gcp=self.projects_policy))
        for number, name in ((NUMBER, ID), (MANAGEMENT, "mdc-mgmt-proj-123456789012")):
            self.google.of_projects.add(project(number, name=name))
            self.google.of_setup.metadata[name] = {VM_MANAGER: "TRUE"}

    def change(self, **changes: Any) -> None:
        self.projects_policy = replace(self.projects_policy, **changes)
        self.source.policy = replace(self.policy, gcp=self.projects_policy)

    def wanted(self, number: str = NUMBER) -> Placement:
        policy = self.projects_policy
        return place(policy, number, policy.default_profile, policy.target, ID)

    def with_parent(self) -> None:
        """As where the management project is connected already."""
        parent = self.wanted(MANAGEMENT)
        self.connectors.plant(parent.connector_id, to_create(parent.desired))
        self.snapshot.refresh()

    def state(self) -> tuple[State, str, str]:
        record = self.ledger.find(KEY)
        assert record is not None
        return record.state, record.reason, record.remedy


@pytest.fixture
def member(policy: Policy) -> Side:
    """Mode `member` with the Organization connector in place."""
    side = Side(policy, MEMBER)
    side.with_parent()
    return side


@pytest.fixture
def alone(policy: Policy) -> Side:
    """Mode `standalone` with everything that the owner makes."""
    side = Side(policy, STANDALONE)
    side.google.make(home_of(project(), FULL, side.projects_policy))
    return side


def asked(**data: Any) -> ConnectorRequest:
    return request("connector-request-1.project", data=data)


def copy() -> ConnectorRequest:
    """What is put on the queue where a request is deferred."""
    return asked().next_attempt(failed=True)


def ours(organization: Policy = STANDALONE, **data: Any) -> ConnectorRequest:
    return asked(organization=organization.organization, **data)


def test_a_project_becomes_a_member_with_the_management_project_s_identities(member: Side) -> None:
    outcome = onboard(asked(), member.ports)
    assert (outcome.result, outcome.reason) == (Result.CREATED, "")
    [(place_, body)] = member.connectors.puts
    assert place_.name == f"gcp-{NUMBER}"
    assert body == to_create(member.wanted().desired)
    assert body["tags"] == {"rollcall": "123456789012"}
    assert body["properties"]["environmentName"] == "GCP"
    assert body["properties"]["environmentData"]["organizationalData"]["organizationMembershipType"] == "Member"
    kinds = {each["offeringType"] for each in body["properties"]["offerings"]}
    assert kinds == {OFFERING_OF[plan] for plan in Plan if plan in OFFERING_OF}
    assert "@mdc-mgmt-proj-123456789012.iam" in str(body["properties"]["offerings"])
    assert member.state()[0] is State.CONNECTED


def test_the_same_request_again_writes_nothing_more(member: Side) -> None:
    onboard(asked(), member.ports)
    assert onboard(asked(), member.ports).result is Result.UNCHANGED
    assert len(member.connectors.puts) == 1
    assert len(member.google.of_setup.enabled) == 1


def test_a_member_waits_for_the_organization_connector_and_nothing_is_switched_on_meanwhile(policy: Policy) -> None:
    side = Side(policy, MEMBER)
    outcome = onboard(asked(), side.ports)
    assert (outcome.result, outcome.key) == (Result.DEFERRED, "organization-connector-missing")
    assert f"`rollcall onboard {MANAGEMENT} --provider gcp`" in side.state()[2]
    assert not side.google.of_setup.enabled
    made = onboard(asked(hierarchy_identifier=MANAGEMENT, name="mdc-mgmt-proj-123456789012"), side.ports)
    assert (made.result, made.connector_id) == (Result.CREATED, str(side.wanted(MANAGEMENT).connector_id))
    assert onboard(copy(), side.ports).result is Result.CREATED


def test_only_apis_that_are_missing_are_enabled(member: Side) -> None:
    missing = {"compute.googleapis.com", "osconfig.googleapis.com"}
    member.google.of_setup.services[NUMBER] = set(services_of(FULL)) - missing
    member.google.of_setup.metadata[ID] = {VM_MANAGER: "FALSE", "other": "kept"}
    assert onboard(asked(), member.ports).result is Result.CREATED
    [(number, enabled)] = member.google.of_setup.enabled
    assert (number, set(enabled)) == (NUMBER, missing)
    assert member.google.of_setup.metadata[ID] == {VM_MANAGER: "TRUE", "other": "kept"}


def test_metadata_is_left_alone_where_no_machine_gets_arc(member: Side) -> None:
    quiet = replace(FULL, arc=replace(FULL.arc, enabled=False))
    member.change(default_profile=quiet)
    member.with_parent()
    member.google.of_setup.metadata.clear()
    assert onboard(asked(), member.ports).result is Result.CREATED
    assert not member.google.of_setup.metadata


@pytest.mark.parametrize("method", ["find_metadata", "set_metadata"])
def test_metadata_that_may_not_be_touched_is_noted_and_holds_nothing_up(member: Side, method: str) -> None:
    member.google.of_setup.metadata.clear()
    for _ in range(2):
        member.google.of_setup.failures.plan(method, TransientError("403", key="gcp-permission-denied"))
        outcome = onboard(asked(), member.ports)
        assert outcome.key == "vm-manager-off"
        assert "gcloud compute project-info" in member.state()[2]
    assert len(member.connectors.puts) == 1
    assert onboard(asked(), member.ports).key == ""
    assert member.state()[1:] == ("", "")


def test_billing_that_is_off_is_no_role_that_is_missing(member: Side) -> None:
    member.google.of_setup.failures.plan("find_metadata", PermanentError("403", key="gcp-billing-off"))
    assert onboard(asked(), member.ports).key == "gcp-billing-off"
    assert not member.connectors.puts


STEPS = ("missing_services", "enable_services", "find_metadata", "set_metadata")


@pytest.mark.parametrize("method", STEPS)
@pytest.mark.parametrize(
    ("error", "result"),
    [
        (TransientError("503", key="gcp-server-error"), Result.DEFERRED),
        (PermanentError("billing", key="gcp-billing-missing"), Result.PARKED),
    ],
    ids=["transient", "permanent"],
)
def test_google_s_refusals_end_as_their_class_says(
    member: Side, method: str, error: RollcallError, result: Result
) -> None:
    member.google.of_setup.metadata.clear()
    member.google.of_setup.failures.plan(method, error)
    outcome = onboard(asked(), member.ports)
    assert (outcome.result, outcome.key) == (result, error.key)
    assert not member.connectors.puts
    assert onboard(copy(), member.ports).result is Result.CREATED


@pytest.mark.parametrize("method", STEPS)
def test_whoever_dies_between_two_switches_goes_on_where_it_ended(member: Side, method: str) -> None:
    member.google.of_setup.metadata.clear()
    member.google.of_setup.failures.plan(method, RollcallError("killed"))
    with pytest.raises(RollcallError, match="killed"):
        onboard(asked(), member.ports)
    assert onboard(asked(), member.ports).result is Result.CREATED
    assert len(member.connectors.puts) == 1


def test_a_deployment_that_cannot_get_into_google_is_wrong_and_the_message_stays(member: Side) -> None:
    member.google.failures.plan("open", ConfigurationError("no audience", setting="ROLLCALL_GCP__AUDIENCE"))
    with pytest.raises(ConfigurationError):
        onboard(asked(), member.ports)


def test_google_is_not_opened_for_an_aws_account(azure: AzureSide) -> None:
    assert onboard(request(), azure.ports).result is Result.CREATED
    assert azure.google.opened == 0


def test_the_project_s_present_folder_labels_and_id_count_and_not_the_message_s(member: Side) -> None:
    member.google.of_projects.add(project(ou_path="/Sandbox"))
    assert onboard(asked(), member.ports).result is Result.SKIPPED
    assert member.state()[:2] == (State.EXCLUDED, "excluded by folder path /Sandbox")
    member.google.of_projects.add(project())
    onboard(asked(name="a-stranger-s-id", ou_path="/Sandbox"), member.ports)
    [(_, body)] = member.connectors.puts
    assert body["properties"]["environmentData"]["projectDetails"]["projectId"] == ID


def test_a_project_that_is_to_be_deleted_gets_nothing_and_has_departed(member: Side) -> None:
    member.google.of_projects.add(project(state=AccountState.DELETE_REQUESTED))
    assert onboard(asked(), member.ports).result is Result.SKIPPED
    assert member.state()[0] is State.DEPARTED
    assert "Runbook: project-deleted." in member.state()[2]
    assert f"`rollcall offboard {ID} --confirm`" in member.state()[2].replace(" --provider gcp", "")
    assert not member.google.of_setup.enabled
    assert not member.connectors.puts


@pytest.mark.parametrize(
    ("seen", "key"), [(None, "project-not-visible"), (project(state=AccountState.UNKNOWN), "")], ids=["unseen", "odd"]
)
def test_a_project_of_which_nothing_is_known_is_looked_at_again(member: Side, seen: Any, key: str) -> None:
    member.google.of_projects.projects.pop(NUMBER)
    if seen is not None:
        member.google.of_projects.add(seen)
    outcome = onboard(asked(), member.ports)
    assert (outcome.result, outcome.key) == (Result.DEFERRED, key)
    member.google.of_projects.add(project())
    assert onboard(copy(), member.ports).result is Result.CREATED


def test_a_project_of_another_organization_is_refused(member: Side) -> None:
    outcome = onboard(asked(organization="999999999999"), member.ports)
    assert (outcome.result, outcome.key) == (Result.PARKED, "other-organization")


def test_an_aws_account_of_the_same_digits_is_no_rival(member: Side) -> None:
    theirs = to_create(member.wanted().desired)
    theirs["properties"] |= {"environmentName": "AWS"}
    member.connectors.plant(replace(member.wanted().connector_id, name="aws"), theirs | {"tags": {}})
    member.snapshot.refresh()
    assert onboard(asked(), member.ports).result is Result.CREATED


def test_another_s_connector_of_the_project_is_refused(member: Side) -> None:
    body = to_create(member.wanted().desired)
    body["properties"]["environmentData"].pop("organizationalData")
    member.connectors.plant(replace(member.wanted().connector_id, name="theirs"), body | {"tags": {}})
    member.snapshot.refresh()
    outcome = onboard(asked(), member.ports)
    assert (outcome.result, outcome.key) == (Result.PARKED, "duplicate-connector")
    assert not member.google.of_setup.enabled


def test_what_is_told_about_exclusions_changes_the_organization_connector_s_list(member: Side) -> None:
    told = asked(
        hierarchy_identifier=MANAGEMENT,
        name="",
        action="note",
        status="seen",
        exclusions={"excluded": ["345678901299"], "included": []},
    )
    assert onboard(told, member.ports).result is Result.UPDATED
    found = member.connectors.find(member.wanted(MANAGEMENT).connector_id)
    assert found is not None
    assert "345678901299" in found.excluded_accounts
    assert found.excluded_accounts >= member.projects_policy.exclusions.account_ids


def test_a_person_disconnects_a_project_whose_id_the_message_does_not_tell(member: Side) -> None:
    onboard(asked(), member.ports)
    gone = asked(action="disconnect", status="seen", name="", ou_path="")
    later = gone.model_copy(update={"occurred_at": member.clock.now()})
    assert onboard(later, member.ports).result is Result.DELETED
    assert [each.name for each in member.connectors.deletes] == [f"gcp-{NUMBER}"]
    assert member.state()[0] is State.OFFBOARDED


@pytest.mark.parametrize("may", [True, False])
def test_a_departed_project_s_connector_goes_only_where_the_policy_says_so(member: Side, may: bool) -> None:
    onboard(asked(), member.ports)
    member.change(deletions=Deletions(departed_accounts=may))
    member.google.of_projects.add(project(state=AccountState.DELETE_REQUESTED))
    gone = asked(action="disconnect", status="departed", reason="the project is DELETE_REQUESTED")
    onboard(gone.model_copy(update={"occurred_at": member.clock.now()}), member.ports)
    assert bool(member.connectors.deletes) is may
    assert member.state()[0] is State.DEPARTED


def out_again(side: Side, status: str = "excluded") -> ConnectorRequest:
    """What was asked for while the project was out, and is worked on now."""
    side.change(deletions=Deletions(excluded_accounts=True, departed_accounts=True))
    onboard(asked(), side.ports)
    side.clock.advance(3600)
    left = asked(action="disconnect", status=status, ou_path="/Sandbox", reason="excluded by folder")
    return left.model_copy(update={"occurred_at": side.clock.now()})


@pytest.mark.parametrize("status", ["excluded", "departed"])
def test_a_project_that_is_included_again_without_an_event_keeps_its_connector(member: Side, status: str) -> None:
    outcome = onboard(out_again(member, status), member.ports)
    assert outcome.result is Result.SKIPPED
    assert "ACTIVE and included now" in outcome.reason
    assert not member.connectors.deletes
    assert member.state()[0] is State.CONNECTED
    assert "so nothing is deleted" in next(iter(member.ledger.history(KEY))).reason


@pytest.mark.parametrize("now", [{"ou_path": "/Sandbox"}, {"state": AccountState.DELETE_REQUESTED}, None])
def test_a_project_that_is_still_out_loses_its_connector(member: Side, now: dict[str, Any] | None) -> None:
    left = out_again(member)
    if now is None:
        del member.google.of_projects.projects[NUMBER]
    else:
        member.google.of_projects.add(project(**now))
    assert onboard(left, member.ports).result is Result.DELETED


def test_what_may_be_taken_is_asked_for_what_the_project_is_now(member: Side) -> None:
    left = out_again(member)
    member.change(deletions=Deletions(excluded_accounts=True))
    member.google.of_projects.add(project(state=AccountState.DELETE_REQUESTED))
    assert onboard(left, member.ports).result is Result.SKIPPED
    assert not member.connectors.deletes
    assert member.state()[0] is State.DEPARTED


def test_a_project_that_cannot_be_asked_about_keeps_its_connector_for_now(member: Side) -> None:
    left = out_again(member)
    member.google.of_projects.failures.plan(f"find {NUMBER}", TransientError("503"))
    assert onboard(left, member.ports).result is Result.DEFERRED
    assert not member.connectors.deletes


def test_google_is_not_asked_about_a_person_s_word(member: Side) -> None:
    left = out_again(member, status="seen")
    member.google.of_projects.failures.plan(f"find {NUMBER}", TransientError("503"))
    assert onboard(left, member.ports).result is Result.DELETED


# Projects with identities of their own: looked at, never changed


def test_a_project_with_identities_of_its_own_is_connected_once_they_are_there(alone: Side) -> None:
    outcome = onboard(ours(), alone.ports)
    assert (outcome.result, outcome.key) == (Result.CREATED, "")
    [(_, body)] = alone.connectors.puts
    assert "organizationalData" not in body["properties"]["environmentData"]
    assert f"@{ID}.iam" in str(body["properties"]["offerings"])
    assert alone.projects_policy.mode is Mode.STANDALONE


def test_everything_that_the_owner_has_not_made_is_told_at_once_and_nothing_is_changed(alone: Side) -> None:
    alone.google.of_setup.services[NUMBER].discard("compute.googleapis.com")
    [(key, pool)] = alone.google.of_identities.pools.items()
    providers = dict(pool.providers)
    cspm = providers.pop("cspm")
    providers["containers"] = replace(providers["containers"], audiences=frozenset({"api://other"}))
    providers["defender-for-servers"] = replace(cspm, issuer="https://elsewhere.example.com/")
    alone.google.of_identities.pools[key] = PoolSeen(usable=True, providers=providers)
    accounts = alone.google.of_identities.accounts
    accounts[f"microsoft-defender-cspm@{ID}.iam.gserviceaccount.com"] = ServiceAccountSeen(usable=True)
    del accounts[f"microsoft-defender-containers@{ID}.iam.gserviceaccount.com"]
    outcome = onboard(ours(), alone.ports)
    assert (outcome.result, outcome.key) == (Result.DEFERRED, "project-not-ready")
    for told in (
        "these services are off: compute.googleapis.com",
        "provider cspm is not there",
        "provider containers lacks the audience",
        "provider defender-for-servers has the issuer https://elsewhere.example.com/",
        f"the pool lacks roles/iam.workloadIdentityUser on microsoft-defender-cspm@{ID}",
        f"service account microsoft-defender-containers@{ID}.iam.gserviceaccount.com is not there",
    ):
        assert told in outcome.reason
    remedy = alone.state()[2]
    assert f"gcloud services enable compute.googleapis.com --project={ID}" in remedy
    assert f"gcloud iam service-accounts create microsoft-defender-containers --project={ID}" in remedy
    assert "terraform" not in remedy
    assert remedy.endswith("Runbook: project-not-ready.")
    assert not alone.google.of_setup.enabled
    assert not alone.connectors.puts


def test_a_deleted_pool_is_none(alone: Side) -> None:
    [(key, pool)] = alone.google.of_identities.pools.items()
    alone.google.of_identities.pools[key] = replace(pool, usable=False, deleted=True)
    assert f"pool {key[1]} is deleted" in onboard(ours(), alone.ports).reason
    assert f"workload-identity-pools undelete {key[1]} --location=global --project={ID}`." in alone.state()[2]


def test_a_look_that_is_refused_is_no_missing_thing(alone: Side) -> None:
    alone.google.of_identities.failures.plan("find_account", TransientError("403", key="gcp-permission-denied"))
    alone.google.of_identities.pools.clear()
    outcome = onboard(ours(), alone.ports)
    assert (outcome.result, outcome.key, outcome.reason) == (Result.DEFERRED, "gcp-permission-denied", "403")


def test_vm_manager_that_an_owner_has_not_switched_on_is_noted(alone: Side) -> None:
    alone.google.of_setup.metadata.clear()
    outcome: Outcome = onboard(ours(), alone.ports)
    assert (outcome.result, outcome.key) == (Result.CREATED, "vm-manager-off")
    assert f"--project={ID} " in alone.state()[2]
    assert not alone.google.of_setup.metadata
