"""Plants what a file names into a running sandbox, behind the product's back, and says what a sweep has to find.

The words that a file may use for an account's `then` are the keys of `DEEDS`; `unit` is the path of its organizational
unit, the root where it has none; a machine says its instance (running, stopped, terminated, absent), its `status`, for
how many `days`, and which tags it is `without`. Under `deployment` the words are those of `DEPLOYMENT_DEEDS`, and what
is found is no account's.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import yaml
from azure.data.tables import TableClient, UpdateMode
from azure.storage.queue import QueueServiceClient

from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.governance_rules import TYPE as RULES
from sandbox.azure.standards import ASSIGNMENTS, DEFAULT
from shared.domain.connectors import Connector, ConnectorId
from shared.domain.roles import AUDIENCE_OF, PROVIDER_HOST, Role
from shared.domain.sweep.kinds import ARC_ASSESSMENT, SSM_ASSESSMENT
from tests.e2e.roll import Identity, Roll

AMI = "ami-12c6146b"  # one that moto knows
REGION = "us-east-1"


@dataclass(frozen=True)
class Expected:
    """A kind of finding and the account that it is about; empty where it is about none."""

    key: str
    account: str


@dataclass
class Planted:
    """What was planted: ids by name, and every finding that a sweep has to come to."""

    accounts: dict[str, str] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)
    expected: list[Expected] = field(default_factory=list)


class Planter:
    """Works on one sandbox."""

    def __init__(self, roll: Roll) -> None:
        self.roll = roll
        self.settings = roll.sandbox.settings
        self.resources = roll.sandbox.azure.resources
        self.organization = roll.client("organizations").describe_organization()["Organization"]["Id"]
        self.template: dict[str, Any] = {}

    def plant(self, file: Path) -> Planted:
        """Everything that the file names."""
        asked = yaml.safe_load(file.read_text(encoding="utf-8"))
        planted = Planted()
        long_ago = (datetime.now(UTC) - timedelta(days=30)).isoformat()
        for each in asked.get("accounts", []):
            planted.accounts[each["name"]] = each.get("id") or self.account(each, long_ago)
        onboarded = [each for each in asked.get("accounts", []) if each.get("onboarded", "id" not in each)]
        for each in onboarded:
            self.roll.ask_onboarding(planted.accounts[each["name"]])
        for each in onboarded:
            self.roll.wait_for_state(planted.accounts[each["name"]], "connected")
        self.roll.wait_until_drained()
        self.template = self.body_of(planted.accounts[onboarded[0]["name"]])
        for each in asked.get("accounts", []):
            account_id = planted.accounts[each["name"]]
            for word in each.get("then", []):
                DEEDS[word](self, account_id)
            planted.expected += [Expected(key, account_id) for key in each["found"]]
        home = planted.accounts[onboarded[0]["name"]]
        for each in asked.get("machines", []):
            planted.machines[each["name"]] = self.machine(home, each)
            planted.expected += [Expected(key, home) for key in each["found"]]
        for each in asked.get("deployment", []):
            for word in each["then"]:
                DEPLOYMENT_DEEDS[word](self)
            planted.expected += [Expected(key, "") for key in each["found"]]
        return planted

    def account(self, asked: dict[str, Any], joined_at: str) -> str:
        """An account of the organization, in its unit or directly under the root."""
        names = [name for name in asked.get("unit", "").split("/") if name]
        return self.roll.plant_account(asked["name"], joined_at=joined_at, parent_id=self.roll.make_unit(*names))

    def body_of(self, account_id: str) -> dict[str, Any]:
        """The connector of an account, as Resource Manager has it."""
        [found] = self.roll.connectors(account_id)
        return found

    def put(self, body: dict[str, Any]) -> None:
        """A resource as it is given, without a check."""
        self.roll.seed(resources=[body])

    def connector(self, account_id: str, name: str, **tags: str) -> None:
        """A copy of the first account's connector for another."""
        was = Connector(connector_id=ConnectorId.parse(self.template["id"]), body=self.template)
        text = yaml.safe_dump(self.template).replace(was.hierarchy_identifier, account_id)
        body = yaml.safe_load(text)
        body["id"] = str(self.template["id"]).rpartition("/")[0] + f"/{name}"
        body["name"] = name
        body["properties"]["hierarchyIdentifier"] = account_id
        body["tags"] = tags
        self.put(body)

    def machine(self, account_id: str, asked: dict[str, Any]) -> str:
        """An Arc machine, and the instance behind it as it is said to be."""
        instance = self.instance(account_id, asked["instance"])
        tags = {"AccountId": account_id, "Cloud": "AWS", "InstanceId": instance, "MDFCSecurityConnector": "true"}
        tags = {name: value for name, value in tags.items() if name not in asked.get("without", ())}
        if asked.get("multicloud"):
            tags["PublicCloudConnectorsResourceId"] = "/subscriptions/…"
        since = datetime.now(UTC) - timedelta(days=asked.get("days", 0))
        names = [instance, *([f"{instance}-twin"] if asked.get("twin") else [])]
        group = f"/subscriptions/{self.settings.subscription_id}/resourceGroups/{self.settings.resource_group}"
        for name in names:
            self.put(
                {
                    "id": f"{group}/providers/Microsoft.HybridCompute/machines/{name}",
                    "name": name,
                    "type": "Microsoft.HybridCompute/machines",
                    "location": "westeurope",
                    "tags": tags,
                    "properties": {"status": asked["status"], "lastStatusChange": since.isoformat()},
                }
            )
        return f"{group}/providers/Microsoft.HybridCompute/machines/{instance}"

    def instance(self, account_id: str, state: str) -> str:
        """An EC2 instance of the account in that state; one that never was for `absent`."""
        if state == "absent":
            return f"i-{uuid.uuid4().hex[:17]}"
        ec2 = self.ec2(account_id)
        made = str(ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"])
        if state == "stopped":
            ec2.stop_instances(InstanceIds=[made])
        if state == "terminated":
            ec2.terminate_instances(InstanceIds=[made])
        return made

    def ec2(self, account_id: str) -> Any:
        """EC2 in a member account."""
        return self.inside(account_id, "ec2")

    def inside(self, account_id: str, service: str) -> Any:
        """A service of a member account."""
        role = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
        keys = self.roll.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return boto3.client(  # type: ignore[call-overload]  # by name
            service,
            endpoint_url=self.roll.sandbox.aws.url,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    # What is done behind the product's back

    def delete_connector(self, account_id: str) -> None:
        self.resources.delete(self.body_of(account_id)["id"])

    def drop_offering(self, account_id: str) -> None:
        body = copy.deepcopy(self.body_of(account_id))
        body["properties"]["offerings"] = body["properties"]["offerings"][:-1]
        self.put(body)

    def report_unhealthy(self, account_id: str) -> None:
        connector = self.body_of(account_id)["id"]
        name = str(uuid.uuid4())
        self.put(
            {
                "id": f"{connector}/providers/Microsoft.Security/healthReports/{name}",
                "name": name,
                "type": "Microsoft.Security/healthReports",
                "properties": {
                    "resourceDetails": {"source": "Aws", "id": connector, "connectorId": str(uuid.uuid4())},
                    "environmentDetails": {"nativeResourceId": f"arn:aws:iam::{account_id}"},
                    "healthDataClassification": {"component": "Connectivity", "scope": "Connectors"},
                    "status": {"code": "NotHealthy", "statusChangeDate": "2026-11-01T09:07:18.6759138Z"},
                    "issues": [
                        {
                            "issueKey": "414af15d-207e-4c63-b8eb-624d1b652e45",
                            "issueName": "AWS CloudFormation StackSet name invalid or does not exist",
                            "remediationSteps": "<ol><li>Compare the names.</li></ol>",
                        }
                    ],
                },
            }
        )

    def delete_role(self, account_id: str) -> None:
        iam, name = self.roll.inside(account_id), "CspmMonitorAws"
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)

    def unmanaged_machines(self, account_id: str) -> None:
        """Defender has discovered two machines and nothing else; one is managed, none is connected to Azure Arc."""
        unmanaged = self.instance(account_id, "running")
        connector = self.body_of(account_id)["id"]
        statuses = {SSM_ASSESSMENT: ("Unhealthy", "Healthy"), ARC_ASSESSMENT: ("Unhealthy", "Unhealthy")}
        self.roll.seed(
            assessments=[
                {
                    "connector": connector,
                    "resource": f"ec2-instance-{instance}-{REGION}",
                    "resource_type": "ec2instance",
                    "key": key,
                    "status": status,
                }
                for key, by_machine in statuses.items()
                for instance, status in zip((unmanaged, "i-00000000000000001"), by_machine, strict=True)
            ]
        )

    def take_client_id(self, account_id: str) -> None:
        iam, arn = self.roll.inside(account_id), f"arn:aws:iam::{account_id}:oidc-provider/{PROVIDER_HOST}"
        known = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"]
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)  # moto takes no single one away
        self.roll.plant_provider(account_id, *(each for each in known if each != AUDIENCE_OF[Role.CSPM_MONITOR]))

    def change_template(self, account_id: str) -> None:
        instance = self.roll.client("cloudformation").describe_stack_instance(
            StackSetName="rollcall-member-roles", StackInstanceAccount=account_id, StackInstanceRegion=REGION
        )["StackInstance"]
        client, stack = self.inside(account_id, "cloudformation"), instance["StackId"]
        template = client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
        parameters = client.describe_stacks(StackName=stack)["Stacks"][0]["Parameters"]
        client.update_stack(
            StackName=stack,
            TemplateBody=f"{template}# mended by hand\n",
            Parameters=[{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in parameters],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def move_connector(self, account_id: str) -> None:
        body, elsewhere = copy.deepcopy(self.body_of(account_id)), "rg-elsewhere"
        self.roll.seed(subscriptions=[{"resource_groups": [elsewhere]}])
        self.resources.delete(body["id"])
        place = replace(ConnectorId.parse(body["id"]), resource_group=elsewhere)
        self.put(body | {"id": str(place)})

    def grow_older(self, account_id: str) -> None:
        """The account was connected two hours ago: what follows its connector is not missed at once."""
        ledger = TableClient(
            self.roll.sandbox.azure.table_url, "accounts", credential=Identity(self.roll.sandbox, FUNCTIONS)
        )
        with ledger:
            line = ledger.get_entity("aws", account_id)
            line["connected_at"] = datetime.now(UTC) - timedelta(hours=2)
            ledger.update_entity(line, mode=UpdateMode.REPLACE)

    def unassign_standard(self, account_id: str) -> None:
        [ours] = [
            each
            for each in self.resources.of_type(ASSIGNMENTS, self.body_of(account_id)["id"])
            if each["properties"]["displayName"] != DEFAULT
        ]
        self.resources.delete(ours["id"])

    def change_rule(self, account_id: str) -> None:
        [rule] = self.resources.of_type(RULES, self.body_of(account_id)["id"])
        self.put(rule | {"properties": rule["properties"] | {"rulePriority": 900}})

    def second_connector(self, account_id: str) -> None:
        self.connector(account_id, f"copy-{account_id}", rollcall=self.organization)

    def connector_by_hand(self, account_id: str) -> None:
        self.connector(account_id, f"aws-{account_id}", rollcall=self.organization)

    def foreign_connector(self, account_id: str) -> None:
        self.connector(account_id, f"theirs-{account_id}", owner="somebody")

    def add_paid_plan(self, account_id: str) -> None:
        body = copy.deepcopy(self.body_of(account_id))
        body["properties"]["offerings"].append({"offeringType": "DefenderCspmAws"})
        self.put(body)

    def end_trial(self, account_id: str) -> None:
        body = copy.deepcopy(self.body_of(account_id))
        ends_at = datetime.now(UTC) + timedelta(days=3)
        body["properties"]["hierarchyIdentifierTrialEndDate"] = f"{ends_at:%Y-%m-%dT%H:%M:%S}.0000000Z"
        self.put(body)

    def switch_plan_off(self) -> None:
        self.roll.seed(pricings=[{"name": "CloudPosture", "properties": {"pricingTier": "Free"}}])

    def take_role_away(self) -> None:
        self.roll.seed(roles=[{"identity": FUNCTIONS, "role": "User Access Administrator", "action": "revoke"}])

    def give_up_slice(self) -> None:
        credential = Identity(self.roll.sandbox, "operator")
        with QueueServiceClient(self.roll.sandbox.azure.queue_url, credential=credential) as service:
            service.create_queue("sweep-poison").send_message("e30=")  # as the host does when it needs it

    def give_up_event(self) -> None:
        self.roll.deliver("ReconcileDeadLetterQueue", "{}")

    def forget_instance(self, account_id: str) -> None:
        self.roll.client("cloudformation").delete_stack_instances(
            StackSetName="rollcall-member-roles",
            DeploymentTargets={
                "OrganizationalUnitIds": [self.roll.client("organizations").list_roots()["Roots"][0]["Id"]],
                "Accounts": [account_id],
                "AccountFilterType": "INTERSECTION",
            },
            Regions=[REGION],
            RetainStacks=True,
        )


DEEDS: dict[str, Callable[[Planter, str], None]] = {
    "delete-connector": Planter.delete_connector,
    "drop-offering": Planter.drop_offering,
    "report-unhealthy": Planter.report_unhealthy,
    "delete-role": Planter.delete_role,
    "unmanaged-machines": Planter.unmanaged_machines,
    "take-client-id": Planter.take_client_id,
    "change-template": Planter.change_template,
    "move-connector": Planter.move_connector,
    "grow-older": Planter.grow_older,
    "unassign-standard": Planter.unassign_standard,
    "change-rule": Planter.change_rule,
    "second-connector": Planter.second_connector,
    "connector-by-hand": Planter.connector_by_hand,
    "foreign-connector": Planter.foreign_connector,
    "forget-instance": Planter.forget_instance,
    "add-paid-plan": Planter.add_paid_plan,
    "end-trial": Planter.end_trial,
}
"""The words of a planting file."""

DEPLOYMENT_DEEDS: dict[str, Callable[[Planter], None]] = {
    "switch-plan-off": Planter.switch_plan_off,
    "take-role-away": Planter.take_role_away,
    "give-up-slice": Planter.give_up_slice,
    "give-up-event": Planter.give_up_event,
}
"""Its words for what belongs to no account."""
