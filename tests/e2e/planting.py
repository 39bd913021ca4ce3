"""Plants what a file names into a running sandbox, behind the product's back, and says what a sweep has to find.

The words that a file may use for an account's `then` are the keys of `DEEDS`; `unit` is the path of its organizational
unit, the root where it has none; a machine says its instance (running, stopped, terminated, absent), its `status`, for
how many `days`, and which tags it is `without`. Under `deployment` the words are those of `DEPLOYMENT_DEEDS`, planted
apart, and what is found is no account's.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import yaml

from shared.domain.connectors import Connector, ConnectorId
from tests.e2e.planted_deeds import DEEDS, DEPLOYMENT_DEEDS, REGION
from tests.e2e.roll import Roll

AMI = "ami-12c6146b"  # one that moto knows


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
        self.undo: list[Callable[[], object]] = []
        self._azure: dict[str, dict[str, Any]] = {}
        self._members: list[str] = []
        self._strangers: list[str] = []

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
        self._azure = self._present()
        self._members = [planted.accounts[each["name"]] for each in asked.get("accounts", []) if "id" not in each]
        self._strangers = [
            planted.accounts[each["name"]]
            for each in asked.get("accounts", [])
            if each not in onboarded and "id" not in each
        ]
        for each in asked.get("accounts", []):
            account_id = planted.accounts[each["name"]]
            for word in each.get("then", []):
                DEEDS[word](self, account_id)
            planted.expected += [Expected(key, account_id) for key in each["found"]]
        home = planted.accounts[onboarded[0]["name"]]
        for each in asked.get("machines", []):
            planted.machines[each["name"]] = self.machine(home, each)
            planted.expected += [Expected(key, home) for key in each["found"]]
        return planted

    def plant_deployment(self, file: Path) -> Planted:
        """What the file names of the deployment itself."""
        planted = Planted()
        for each in yaml.safe_load(file.read_text(encoding="utf-8")).get("deployment", []):
            for word in each["then"]:
                DEPLOYMENT_DEEDS[word](self)
            planted.expected += [Expected(key, "") for key in each["found"]]
        return planted

    def mend(self) -> None:
        """Does what people and Defender would: all is as it was, who was not onboarded is, and everybody is healthy."""
        now = self._present()
        for resource_id in now.keys() - self._azure.keys():
            self.resources.delete(resource_id)
        for resource_id, body in self._azure.items():
            if now.get(resource_id) != body:
                self.put(body)
        for undo in reversed(self.undo):
            undo()
        self.undo.clear()
        for account_id in self._strangers:
            self.roll.ask_onboarding(account_id)
        for account_id in self._strangers:
            self.roll.wait_for_state(account_id, "connected")
        self._strangers.clear()
        self.roll.wait_until_drained()
        for account_id in self._members:
            self.report(account_id, "Healthy")
        self._azure = self._present()

    def _present(self) -> dict[str, dict[str, Any]]:
        return {str(each["id"]).lower(): each for each in self.resources.as_of(time.monotonic())}

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

    def report(self, account_id: str, code: str, *issues: dict[str, str]) -> None:
        """Defender's health report of the account's connector; a later one takes the place of the one before."""
        connector = self.body_of(account_id)["id"]
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, connector.lower()))
        self.put(
            {
                "id": f"{connector}/providers/Microsoft.Security/healthReports/{name}",
                "name": name,
                "type": "Microsoft.Security/healthReports",
                "properties": {
                    "resourceDetails": {"source": "Aws", "id": connector, "connectorId": str(uuid.uuid4())},
                    "environmentDetails": {"nativeResourceId": f"arn:aws:iam::{account_id}"},
                    "healthDataClassification": {"component": "Connectivity", "scope": "Connectors"},
                    "status": {"code": code, "statusChangeDate": "2026-11-01T09:07:18.6759138Z"},
                    "issues": list(issues),
                },
            }
        )

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
