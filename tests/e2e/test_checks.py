"""Every precheck, post-step and mode on the running sandbox: where the account ends, and what `status ID` shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from sandbox.azure.connectors import TYPE as CONNECTORS
from sandbox.azure.directory import FUNCTIONS
from sandbox.deployment import ARTEFACT_BUCKET, MEMBER_TEMPLATE
from sandbox.faults import Fault, FaultKind
from sandbox.policy_upload import publish_policy
from shared.domain.connectors import OWNER_TAG
from shared.domain.roles import PROVIDER_HOST
from tests.e2e.processes import Command
from tests.e2e.roll import Roll, running, wait_until
from tests.infra.azure_module import variable

OWN_STACK = "rollcall-member-roles"  # the template's ManagementStackName
STANDARD, FREE = {"pricingTier": "Standard"}, {"pricingTier": "Free"}


class Place:
    """A running sandbox, its policy, and the command line in its folder."""

    def __init__(self, folder: Path, roll: Roll) -> None:
        self.folder = folder
        self.roll = roll
        self.azure = roll.sandbox.azure
        target = {
            "subscription": roll.sandbox.settings.subscription_id,
            "resource_group": roll.sandbox.settings.resource_group,
            "location": "westeurope",
        }
        organization = roll.client("organizations").describe_organization()["Organization"]
        self.management = str(organization["MasterAccountId"])
        self.policy: dict[str, Any] = {
            "version": 1,
            "organization": organization["Id"],
            "tenant": roll.sandbox.settings.tenant_id,
            "target": target,
            "default_profile": "recommended",
        }

    def ask(self, name: str, **changes: Any) -> str:
        """Publishes the changed policy, lets every process begin anew, and asks for a new account; returns its id."""
        self.publish(**changes)
        account_id = self.roll.plant_account(name)
        self.roll.ask_onboarding(account_id)
        return account_id

    def publish(self, **changes: Any) -> None:
        content = yaml.safe_dump(self.policy | changes).encode()
        publish_policy(content, self.azure)
        self.roll.client("s3").put_object(Bucket=ARTEFACT_BUCKET, Key="policy.yaml", Body=content)
        for function in ("rollcall-account-events", "rollcall-stack-events", "rollcall-reconcile-accounts"):
            self.roll.sandbox.kill(f"lambda:{function}")
        for host in self.roll.sandbox.function_hosts:
            self.roll.sandbox.start_host(host.name)

    def run(self, *arguments: str) -> Command:
        return Command(self.folder, *arguments)

    def status(self, account_id: str) -> str:
        shown = self.run("status", account_id)
        assert shown.code == 0, shown.err
        return shown.out

    def ends(self, account_id: str, state: str, *words: str) -> None:
        """The account comes to that state, and the command line says so, with these words."""
        self.roll.wait_for_state(account_id, state)
        shown = self.status(account_id)
        for word in (state, *words):
            assert word in shown, shown

    def connector(self, account_id: str) -> dict[str, Any]:
        [found] = self.roll.connectors(account_id)
        return found

    def deploy_own_stack(self) -> None:
        """What a person does for the management account, which no StackSet reaches; once."""
        cloudformation = self.roll.client("cloudformation")
        if any(stack["StackName"] == OWN_STACK for stack in cloudformation.describe_stacks()["Stacks"]):
            return
        cloudformation.create_stack(
            StackName=OWN_STACK,
            TemplateBody=MEMBER_TEMPLATE.read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": "TenantId", "ParameterValue": self.roll.sandbox.settings.tenant_id}],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def remove_connectors(self) -> None:
        """Takes every connector away without anybody having asked."""
        for each in self.azure.resources.of_type(CONNECTORS):
            self.azure.resources.delete(each["id"])

    def trust_provider(self, account_id: str, name: str) -> None:
        """A role of somebody else in a member account that trusts Defender's identity provider."""
        role = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
        keys = self.roll.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        iam = boto3.client(
            "iam",
            endpoint_url=self.roll.sandbox.aws.url,
            region_name="us-east-1",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{account_id}:oidc-provider/{PROVIDER_HOST}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))

    def plan(self, name: str, properties: dict[str, Any]) -> None:
        self.azure.pricings.seed(self.azure.subscription_id, name, properties)


@pytest.fixture(scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("checks")
    with running(folder / ".sandbox") as roll:
        yield Place(folder, roll)


@pytest.fixture
def place(_place: Place) -> Iterator[Place]:
    """The same sandbox with the subscription as it was."""
    yield _place
    azure = _place.azure
    azure.resources.find_subscription(azure.subscription_id).state = "Enabled"  # type: ignore[union-attr]  # it is there
    for name in ("CloudPosture", "VirtualMachines", "SqlServerVirtualMachines"):
        _place.plan(name, STANDARD)
    azure.classic_connectors.clear()
    azure.directory.unassign(FUNCTIONS, "User Access Administrator")
    azure.directory.assign(FUNCTIONS, "User Access Administrator", f"/subscriptions/{azure.subscription_id}")
    _place.roll.poison.clear_messages()


def offering(connector: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in connector["properties"]["offerings"] if one["offeringType"] == kind)
    return found


# Prechecks


def test_every_plan_is_connected_where_nothing_is_missing(place: Place) -> None:
    account_id = place.ask("everything")
    place.ends(account_id, "connected")
    kinds = {one["offeringType"] for one in place.connector(account_id)["properties"]["offerings"]}
    assert kinds == {
        "CspmMonitorAws",
        "DefenderCspmAws",
        "DefenderForServersAws",
        "DefenderForContainersAws",
        "DefenderForDatabasesAws",
    }


def test_a_disabled_subscription_parks_the_account(place: Place) -> None:
    place.azure.resources.find_subscription(place.azure.subscription_id).state = "Disabled"  # type: ignore[union-attr]  # it is there
    account_id = place.ask("disabled")
    place.ends(account_id, "parked", "is Disabled", "Runbook: subscription-not-enabled")
    assert place.roll.puts(account_id) == []


def test_a_classic_connector_parks_the_account_with_the_removal_steps(place: Place) -> None:
    place.publish()
    account_id = place.roll.plant_account("classic")
    details = {"authenticationType": "awsAssumeRole", "accountId": account_id}
    place.azure.classic_connectors.add(place.azure.subscription_id, "old", details)
    for host in place.roll.sandbox.function_hosts:
        place.roll.sandbox.start_host(host.name)
    place.roll.ask_onboarding(account_id)
    place.ends(account_id, "parked", "has a classic connector", "Delete the classic connector")
    assert place.roll.puts(account_id) == []


def test_a_plan_that_is_off_parks_the_account_or_is_only_told_as_the_policy_says(place: Place) -> None:
    place.plan("VirtualMachines", FREE)
    refused = place.ask("plan-off")
    place.ends(refused, "parked", "VirtualMachines", "rollcall subscription enable")
    warned = place.ask("plan-warned", prechecks={"subscription_plans": "warn"})
    place.ends(warned, "connected", "VirtualMachines", "Runbook: subscription-plan-off")


def test_what_needs_an_owner_parks_the_account_or_is_left_out_as_the_policy_says(place: Place) -> None:
    place.azure.directory.unassign(FUNCTIONS, "User Access Administrator")
    refused = place.ask("no-owner")
    place.ends(refused, "parked", "Arc provisioning", "Runbook: owner-missing")
    left_out = place.ask("downgraded", prechecks={"owner_features": "downgrade"})
    place.ends(left_out, "connected", "left out, since they need an Owner")
    servers = offering(place.connector(left_out), "DefenderForServersAws")
    assert servers["arcAutoProvisioning"]["enabled"] is False
    assert servers["mdeAutoProvisioning"]["enabled"] is True


def test_a_subscription_that_is_not_registered_is_registered_and_the_account_connected(place: Place) -> None:
    found = place.azure.resources.find_subscription(place.azure.subscription_id)
    assert found is not None
    found.registered.discard("microsoft.security")
    account_id = place.ask("unregistered")
    wait_until(lambda: "microsoft.security" in found.registered, "the subscription is registered")
    place.ends(account_id, "connected", "is being registered for Microsoft.Security")
    asked = place.roll.journal.entries(operation="arm:RegisterProvider")
    assert len([entry for entry in asked if entry.identity == FUNCTIONS]) <= len(place.roll.sandbox.function_hosts)


# What is already there


def test_another_s_connector_is_refused_with_its_id_and_adopted_on_a_person_s_word(place: Place) -> None:
    place.publish()
    account_id = place.roll.plant_account("portal-made")
    scope = f"/subscriptions/{place.azure.subscription_id}/resourceGroups/{place.roll.sandbox.settings.resource_group}"
    theirs = f"{scope}/providers/Microsoft.Security/securityConnectors/made-in-the-portal"
    document = {
        "id": theirs,
        "name": "made-in-the-portal",
        "type": "Microsoft.Security/securityconnectors",
        "location": "northeurope",
        "tags": {"owner": "secops"},
        "properties": {
            "environmentName": "AWS",
            "hierarchyIdentifier": account_id,
            "environmentData": {"environmentType": "AwsAccount", "fieldOfTomorrow": "kept"},
            "offerings": [],
        },
    }
    place.roll.seed(resources=[document])
    place.roll.ask_onboarding(account_id)
    place.ends(account_id, "parked", "made-in-the-portal", "--adopt")
    adopted = place.run("onboard", account_id, "--adopt")
    assert adopted.code == 0, adopted.err
    assert "made-in-the-portal" in adopted.out
    connector = place.connector(account_id)
    assert (connector["name"], connector["location"]) == ("made-in-the-portal", "northeurope")
    assert connector["tags"] == {"owner": "secops", OWNER_TAG: place.policy["organization"]}
    assert connector["properties"]["environmentData"]["fieldOfTomorrow"] == "kept"
    assert len(connector["properties"]["offerings"]) == 5
    again = place.run("onboard", account_id, "--adopt", "--json")
    assert (again.code, again.document["state"]) == (0, "connected")


@pytest.fixture
def empty(place: Place) -> Iterator[Place]:
    """The same sandbox without any connector, as after a migration: modes do not stand side by side."""
    place.remove_connectors()
    yield place
    place.roll.sandbox.faults.clear()
    place.remove_connectors()


def member_mode(place: Place, **changes: Any) -> dict[str, Any]:
    parent = {"name": "aws-org", "management_account": place.management, "stack_set_name": "rollcall-member-roles"}
    return {"mode": "member", "organization_connector": parent, "default_profile": "foundational"} | changes


def test_in_mode_member_accounts_wait_for_their_organization_connector_and_stand_beside_it(empty: Place) -> None:
    account_id = empty.ask("member", **member_mode(empty))
    empty.ends(account_id, "deferred", "no Organization connector", "rollcall onboard")
    empty.deploy_own_stack()
    empty.roll.ask_onboarding(empty.management)
    empty.ends(empty.management, "connected")
    empty.ends(account_id, "connected", f"aws-org_{account_id}")
    data = empty.connector(account_id)["properties"]["environmentData"]["organizationalData"]
    assert data == {"organizationMembershipType": "Member", "parentHierarchyId": empty.management}
    assert empty.connector(empty.management)["name"] == "aws-org"


def organization(place: Place) -> dict[str, Any]:
    """What the Organization connector says of the organization; empty where there is none."""
    found = place.roll.connectors(place.management)
    data: dict[str, Any] = found[0]["properties"]["environmentData"]["organizationalData"] if found else {}
    return data


def excluded(place: Place) -> list[str]:
    return sorted(organization(place).get("excludedAccountIds", []))


def connector_writes(place: Place, since: int, name: str = "/") -> list[tuple[str, int]]:
    entries = place.roll.journal.entries(operation="arm:PutSecurityConnector", since=since)
    return [(each.path.rpartition("/")[2], each.status) for each in entries if name in each.path]


def test_the_organization_connector_excludes_whom_the_policy_excludes_and_is_written_once_for_each_change(
    empty: Place,
) -> None:
    roll, unit = empty.roll, empty.roll.make_unit("Quarantine")
    inside = [roll.plant_account(f"inside-{number}", parent_id=unit) for number in range(3)]
    outside = [roll.plant_account(f"outside-{number}") for number in range(2)]
    empty.deploy_own_stack()
    by_unit = member_mode(empty, exclusions={"ou_paths": ["/Quarantine"]})
    empty.publish(**by_unit)
    before = len(roll.journal)
    assert empty.run("backfill").code == 0
    for account_id in outside:
        empty.ends(account_id, "connected", f"aws-org_{account_id}")
    assert organization(empty) == {
        "organizationMembershipType": "Organization",
        "stacksetName": "rollcall-member-roles",
        "excludedAccountIds": sorted(inside),
    }
    assert [roll.connectors(account_id) for account_id in inside] == [[], [], []]
    assert [status for _, status in connector_writes(empty, before, "/aws-org?")] == [201]

    empty.publish(**member_mode(empty, exclusions={"names": ["outside-*", "inside-0"]}))
    named, before = sorted([*outside, inside[0]]), len(roll.journal)
    roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})
    wait_until(lambda: excluded(empty) == named, "the list follows the policy")
    for account_id in inside[1:]:
        empty.ends(account_id, "connected", f"aws-org_{account_id}")
    assert [status for _, status in connector_writes(empty, before, "/aws-org?")] == [200]

    roll.wait_until_drained()
    before = len(roll.journal)
    assert empty.run("backfill").code == 0
    roll.wait_until_drained()
    assert connector_writes(empty, before) == []

    empty.publish(**member_mode(empty, exclusions={"names": ["nobody"]}))
    broken = {"operation": "ListOrganizationalUnitsForParent", "kind": FaultKind.ERROR, "rate": 1}
    roll.sandbox.faults.plant(Fault(service="organizations", **broken))
    assert empty.run("backfill").code == 1
    roll.sandbox.faults.clear()
    roll.wait_until_drained()
    assert connector_writes(empty, before) == []
    assert excluded(empty) == named


def test_an_account_that_moves_is_put_on_the_list_and_taken_off_by_its_own_event(empty: Place) -> None:
    roll, unit = empty.roll, empty.roll.make_unit("Quarantine")
    root = roll.make_unit()
    empty.deploy_own_stack()
    empty.publish(**member_mode(empty, exclusions={"ou_paths": ["/Quarantine"]}))
    roll.ask_onboarding(empty.management)
    wait_until(lambda: organization(empty) != {}, "the Organization connector is there")
    account_id = roll.plant_account("mover", parent_id=unit)
    roll.ask_onboarding(account_id)
    wait_until(lambda: excluded(empty) == [account_id], "the account is excluded there")
    before = len(roll.journal)
    roll.client("organizations").move_account(AccountId=account_id, SourceParentId=unit, DestinationParentId=root)
    empty.ends(account_id, "connected", f"aws-org_{account_id}")
    assert excluded(empty) == []
    written = [name.partition("?")[0] for name, status in connector_writes(empty, before) if status < 300]
    assert written == ["aws-org", f"aws-org_{account_id}"]


def test_a_switch_of_mode_is_refused_while_connectors_of_the_other_mode_are_left(empty: Place) -> None:
    standing = empty.ask("before-the-switch", default_profile="foundational")
    empty.ends(standing, "connected")
    path = empty.folder / "member.yaml"
    path.write_text(yaml.safe_dump(empty.policy | member_mode(empty)), encoding="utf-8")
    refused = empty.run("policy", "publish", str(path), "--json")
    assert (refused.code, "Runbook: mode-switch." in refused.document["error"]["remedy"]) == (1, True)
    planned = empty.run("plan", "--policy", str(path), "--json")
    assert planned.code == 1
    keys = {each["hierarchy_identifier"]: each["key"] for each in planned.document["accounts"]}
    assert (keys[standing], keys[empty.management]) == ("membership-change", "mode-switch")
    account_id = empty.ask("after-the-switch", **member_mode(empty))
    empty.ends(account_id, "parked", f"aws-{standing}", "Runbook: mode-switch")
    assert empty.connector(standing)["name"] == f"aws-{standing}"
    done = empty.run("offboard", standing, "--confirm")
    assert done.code == 0, done.err
    assert empty.run("policy", "publish", str(path)).code == 0
    empty.deploy_own_stack()
    assert empty.run("backfill").code == 0
    for each in (standing, account_id):
        empty.ends(each, "connected", f"aws-org_{each}")


def test_a_member_that_defender_does_not_make_is_a_finding(empty: Place) -> None:
    overdue = {"native_member_hours": 0.001}
    account_id = empty.ask("native", **member_mode(empty, mode="native", sweep=overdue))
    empty.ends(account_id, "parked", "has not made the account's connector", "Runbook: native-member-overdue")
    assert empty.roll.connectors(account_id) == []


# What follows the connector

RULE = {"name": "High first", "priority": 10, "severities": ["High"], "owner": "secops@example.com"}


def profile(**changes: Any) -> dict[str, Any]:
    return {"profiles": {"own": {"extends": "recommended"} | changes}, "default_profile": "own"}


def writes(place: Place, account_id: str) -> list[str]:
    """What was written about an account's connector and below it."""
    entries = place.roll.journal.entries(service="arm")
    return [
        entry.operation
        for entry in entries
        if entry.method in {"PUT", "PATCH", "DELETE"} and f"/aws-{account_id}" in entry.path
    ]


def test_standards_and_governance_rules_follow_the_connector_once(place: Place) -> None:
    account_id = place.ask("standards", **profile(standards=["CIS AWS Foundations v3.0.0"], governance=[RULE]))
    place.ends(account_id, "connected")
    written = writes(place, account_id)
    assert written == ["arm:PutSecurityConnector", "arm:PutStandardAssignment", "arm:PutGovernanceRule"]
    assert place.run("onboard", account_id).code == 0
    assert writes(place, account_id) == written


def test_a_standard_that_does_not_exist_is_said_of_a_connected_account(place: Place) -> None:
    account_id = place.ask("unknown-standard", **profile(standards=["CIS of tomorrow"]))
    place.ends(account_id, "connected", "CIS of tomorrow", "Runbook: standard-unknown")


def test_the_function_app_asks_for_every_action_of_the_role_of_connectors(place: Place) -> None:
    since, of_reader = len(place.roll.journal), {"Microsoft.Authorization/permissions/read"}
    account_id = place.ask("every-right", **profile(standards=["CIS AWS Foundations v3.0.0"], governance=[RULE]))
    place.ends(account_id, "connected")
    place.roll.ask_disconnecting(account_id)
    place.roll.wait_for_state(account_id, "offboarded")
    group = f"/resourcegroups/{place.roll.sandbox.settings.resource_group}/"
    asked = {
        entry.detail["action"]
        for entry in place.roll.journal.entries(service="arm", since=since)
        if entry.identity == FUNCTIONS and group in entry.path.lower() and "action" in entry.detail
    }
    assert asked - of_reader == set(variable("connectors.bicep", "connectorActions"))


def test_a_plan_that_is_too_low_for_standards_is_said_of_a_connected_account(place: Place) -> None:
    low = {"extends": "foundational", "plans": {"servers": {"sub_plan": "P1"}}, "standards": ["PCI DSS 4.0.1"]}
    account_id = place.ask("too-low", profiles={"low": low}, default_profile="low")
    place.ends(account_id, "connected", "PCI DSS 4.0.1", "Runbook: standard-refused")


# Offboarding


def machine(place: Place, account_id: str) -> dict[str, Any]:
    group = f"/subscriptions/{place.azure.subscription_id}/resourceGroups/{place.roll.sandbox.settings.resource_group}"
    return {
        "id": f"{group}/providers/Microsoft.HybridCompute/machines/i-0123",
        "name": "i-0123",
        "type": "Microsoft.HybridCompute/machines",
        "location": "westeurope",
        "tags": {"AccountId": account_id, "Cloud": "AWS"},
        "properties": {"status": "Connected"},
    }


def test_offboarding_looks_first_minds_locks_and_then_takes_connector_and_roles(place: Place) -> None:
    account_id = place.ask("leaving")
    place.ends(account_id, "connected")
    place.roll.seed(resources=[machine(place, account_id)])
    connector_id = place.connector(account_id)["id"]
    before = len(place.roll.journal)
    dry = place.run("offboard", account_id)
    assert dry.code == 0, dry.err
    for words in (f"aws-{account_id}", "the stack instance goes", "i-0123 (Connected)", "still includes", "--confirm"):
        assert words in dry.out
    entries = place.roll.journal.entries(since=before)
    assert not [each for each in entries if each.method in {"PUT", "PATCH", "DELETE"} and each.identity == "operator"]
    place.azure.locks.put(connector_id, "held", "CanNotDelete")
    locked = place.run("offboard", account_id, "--confirm")
    assert (locked.code, "held" in locked.err) == (1, True)
    assert place.connector(account_id)
    place.azure.locks.remove(connector_id, "held")
    done = place.run("offboard", account_id, "--confirm", "--json")
    assert (done.code, done.document["state"], done.document["roles_removed"]) == (0, "offboarded", True)
    assert place.roll.connectors(account_id) == []
    place.ends(account_id, "offboarded", f"aws-{account_id}")
    again = place.run("offboard", account_id, "--confirm", "--json")
    assert (again.code, again.document["connectors"], again.document["roles"]) == (0, [], "none")


def test_an_account_whose_identity_provider_others_use_keeps_its_roles(place: Place) -> None:
    account_id = place.ask("sentinel-first")
    place.ends(account_id, "connected")
    place.trust_provider(account_id, "OIDC_MicrosoftSentinelRole")
    dry = place.run("offboard", account_id)
    assert "OIDC_MicrosoftSentinelRole" in dry.out
    done = place.run("offboard", account_id, "--confirm", "--json")
    assert (done.code, done.document["roles"], done.document["roles_removed"]) == (0, "keep_in_use", False)
    assert place.roll.connectors(account_id) == []


def test_the_subscription_s_plans_are_shown_and_switched_on(place: Place) -> None:
    place.plan("SqlServerVirtualMachines", FREE)
    place.azure.pricings.gap_seconds = 0
    shown = place.run("subscription", "show", "--json").document
    assert {plan["name"]: plan["is_on"] for plan in shown["plans"]}["SqlServerVirtualMachines"] is False
    done = place.run("subscription", "enable", "--plans", "cspm,databases", "--gap", "0", "--json")
    assert {plan["name"]: plan["result"] for plan in done.document["plans"]} == {
        "CloudPosture": "unchanged",
        "SqlServerVirtualMachines": "updated",
    }
    wrong = place.run("subscription", "enable", "--plans", "malware", "--json")
    assert (wrong.code, "malware" in wrong.document["error"]["reason"]) == (2, True)
