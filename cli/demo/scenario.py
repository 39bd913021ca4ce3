"""What the demo does to the clouds: an organization, accounts old and new, one that cannot work, a replay."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import requests

if TYPE_CHECKING:
    from sandbox.endpoints import Endpoints

BROKEN_NAME = "broken-crm"
BROKEN_REASON = (
    "ResourceLogicalId:CspmMonitorAwsRole, ResourceType:AWS::IAM::Role, ResourceStatusReason:"
    "API: iam:CreateRole Access Denied by a service control policy."
)
CONNECTORS_API = "2024-08-01-preview"
ARCHIVE = "demo"


@dataclass(frozen=True, kw_only=True)
class NewAccount:
    """An account that was asked for at `asked_at`; it has an id once AWS made it."""

    name: str
    request_id: str
    asked_at: datetime


class Clouds:
    """Plain boto3 and HTTP, as any administrator would use them."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Works on a running sandbox as the management account's administrator."""
        self._endpoints = endpoints
        session = boto3.Session("sandbox", "sandbox", region_name="us-east-1")
        self._organizations = session.client("organizations", endpoint_url=endpoints.aws)
        self._events = session.client("events", endpoint_url=endpoints.aws)
        self._bus = f"arn:aws:events:us-east-1:{self.management_account()}:event-bus/default"

    def management_account(self) -> str:
        """The id of the management account."""
        return self._organizations.describe_organization()["Organization"]["MasterAccountId"]

    def make_units(self) -> dict[str, str]:
        """Nested organizational units; path → id."""
        root = self._organizations.list_roots()["Roots"][0]["Id"]
        units = {"/": root}
        for path in ("/Workloads", "/Workloads/Production", "/Workloads/Development", "/Quarantine"):
            parent, _, name = path.rpartition("/")
            made = self._organizations.create_organizational_unit(ParentId=units[parent or "/"], Name=name)
            units[path] = made["OrganizationalUnit"]["Id"]
        return units

    def plant_accounts(self, units: dict[str, str]) -> dict[str, str]:
        """The accounts that were there before Rollcall; name → id."""
        planted = [
            {"name": "payments", "parent_id": units["/Workloads/Production"]},
            {"name": "incident-4711", "parent_id": units["/Quarantine"]},
            {"name": "old-shop", "parent_id": units["/Workloads/Development"], "state": "SUSPENDED"},
        ]
        answer = self._admin("seed", {"accounts": planted})
        return dict(zip([str(account["name"]) for account in planted], answer["accounts"], strict=True))

    def plant_failure(self) -> None:
        """From now on the broken account's stack instance fails."""
        self._admin("seed", {"stack_failures": [{"account": BROKEN_NAME, "reason": BROKEN_REASON}]})

    def create_account(self, name: str) -> NewAccount:
        """Asks AWS for an account, which is made asynchronously."""
        asked_at = datetime.now(UTC)
        answer = self._organizations.create_account(AccountName=name, Email=f"{name}@accounts.example")
        return NewAccount(name=name, request_id=answer["CreateAccountStatus"]["Id"], asked_at=asked_at)

    def account_id(self, account: NewAccount) -> str | None:
        """The account's id, once it has one."""
        answer = self._organizations.describe_create_account_status(CreateAccountRequestId=account.request_id)
        return answer["CreateAccountStatus"].get("AccountId")

    def archive_events(self) -> None:
        """Keeps a copy of all account events, as EventBridge offers it."""
        self._events.create_archive(
            ArchiveName=ARCHIVE, EventSourceArn=self._bus, EventPattern='{"source": ["aws.organizations"]}'
        )

    def replay_events(self, since: datetime) -> None:
        """Sends every archived event once more, with the id that it had."""
        archive = self._events.describe_archive(ArchiveName=ARCHIVE)["ArchiveArn"]
        self._events.start_replay(
            ReplayName="again",
            EventSourceArn=archive,
            EventStartTime=since - timedelta(minutes=1),
            EventEndTime=datetime.now(UTC) + timedelta(minutes=1),
            Destination={"Arn": self._bus},
        )

    def connectors(self) -> list[dict[str, Any]]:
        """The connectors of every subscription, as Resource Manager has them."""
        subscriptions = self._arm("/subscriptions", "2022-12-01")
        return [
            connector
            for subscription in subscriptions
            for connector in self._arm(
                f"/subscriptions/{subscription['subscriptionId']}/providers/Microsoft.Security/securityConnectors",
                CONNECTORS_API,
            )
        ]

    def _arm(self, path: str, api_version: str) -> list[dict[str, Any]]:
        token = self._admin("token", {"role": "operator", "audience": "https://management.azure.com"})
        answer = requests.get(
            f"{self._endpoints.arm}{path}",
            params={"api-version": api_version},
            headers={"Authorization": f"Bearer {token['access_token']}"},
            verify=self._endpoints.ca_bundle,
            timeout=30,
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["value"]
        return found

    def journal(self, since: int) -> tuple[list[dict[str, Any]], int]:
        """What the clouds were asked since position `since`, and the next position."""
        answer = requests.get(f"{self._endpoints.admin}/journal", params={"since": since}, timeout=30)
        answer.raise_for_status()
        document = answer.json()
        return document["entries"], document["next"]

    def _admin(self, what: str, body: dict[str, Any]) -> Any:
        answer = requests.post(f"{self._endpoints.admin}/{what}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()


def pace(last: float, seconds: float) -> float:
    """Waits until `seconds` after `last` (time.monotonic()); returns the present."""
    time.sleep(max(0.0, last + seconds - time.monotonic()))
    return time.monotonic()
