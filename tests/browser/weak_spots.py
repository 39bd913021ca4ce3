"""What goes wrong in the demo's clouds before the pictures are taken: by the admin API, as in docs/sandbox.md.

Accounts that were there before and are brought on their way; then what people and time do to some of them.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import requests

WORKLOADS = {
    "/Workloads/Production": (
        "checkout",
        "ledger",
        "identity",
        "search",
        "claims",
        "risk-models",
        "data-lake",
        "mobile",
    ),
    "/Workloads/Development": ("checkout-dev", "ledger-dev", "search-dev", "data-lake-dev", "mobile-dev"),
}
"""Accounts that were there before Rollcall, by their unit."""
ACQUIRED = "acquired-shop"
_REFUSED = (
    "ResourceLogicalId:CspmMonitorAwsRole, ResourceType:AWS::IAM::Role, ResourceStatusReason:"
    "API: iam:CreateRole Access Denied by a service control policy."
)
_ISSUES = {
    "claims": ("Role is missing", "<ol><li>Deploy the roles of the member template again.</li></ol>"),
    "data-lake": (
        "AWS CloudFormation StackSet name invalid or does not exist",
        "<ol><li>Compare the name of the StackSet in the connector with that in AWS.</li></ol>",
    ),
}
_CONNECTORS = "2024-08-01-preview"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """An Arc machine whose instance nobody finds, in an account by its name; silent for so many days."""

    account: str
    status: str
    days: int
    tags: tuple[str, ...] = ("MDFCSecurityConnector", "Cloud", "AccountId", "InstanceId")


MACHINES = (
    Machine(account="search", status="Expired", days=61),
    Machine(account="checkout", status="Disconnected", days=12),
    Machine(account="mobile", status="Disconnected", days=9, tags=("MDFCSecurityConnector", "AccountId", "InstanceId")),
)


class Clouds:
    """The simulated clouds of a running sandbox, from outside; `endpoints` are those of endpoints.json."""

    def __init__(self, endpoints: dict[str, str]) -> None:
        self._endpoints = endpoints
        session = boto3.Session("sandbox", "sandbox", region_name="us-east-1")
        self._organizations = session.client("organizations", endpoint_url=endpoints["aws"])

    def plant_accounts(self) -> dict[str, str]:
        """Those that were there before; name → id."""
        parents = self._units()
        joined_at = (datetime.now(UTC) - timedelta(days=400)).isoformat()
        planted = [
            {"name": name, "parent_id": parents[unit], "joined_at": joined_at}
            for unit, names in WORKLOADS.items()
            for name in names
        ]
        made = self._seed(accounts=planted)["accounts"]
        return dict(zip((each["name"] for each in planted), made, strict=True))

    def spoil(self, accounts: dict[str, str]) -> None:
        """Two are unhealthy, one has lost a plan, one its connector, one trial ends; machines lose their instances.

        An account that came with an acquisition gets no roles: its organization's policy forbids them.
        """
        connectors = {each["properties"]["hierarchyIdentifier"]: each for each in self.connectors()}
        of = {name: connectors[account] for name, account in accounts.items()}
        resources = [_report(of[name], accounts[name], *issue) for name, issue in _ISSUES.items()]
        resources += [_without_a_plan(of["ledger"]), _near_the_end_of_its_trial(of["identity"])]
        group = str(of["search"]["id"]).partition("/providers/")[0]
        resources += [_machine(each, accounts[each.account], group) for each in MACHINES]
        joined_at = (datetime.now(UTC) - timedelta(days=3)).isoformat()
        self._seed(
            resources=resources,
            accounts=[{"name": ACQUIRED, "parent_id": self._units()["/Workloads"], "joined_at": joined_at}],
            stack_failures=[{"account": ACQUIRED, "reason": _REFUSED}],
        )
        self._delete(of["mobile-dev"]["id"])

    def connectors(self) -> Iterator[dict[str, Any]]:
        """Every connector, as Resource Manager has it."""
        for subscription in self._arm("GET", "/subscriptions", "2022-12-01").json()["value"]:
            path = f"{subscription['id']}/providers/Microsoft.Security/securityConnectors"
            yield from self._arm("GET", path, _CONNECTORS).json()["value"]

    def _units(self) -> dict[str, str]:
        """Units below /Workloads, by their path."""
        [root] = self._organizations.list_roots()["Roots"]
        [workloads] = [each for each in self._below(root["Id"]) if each["Name"] == "Workloads"]
        below = {f"/Workloads/{each['Name']}": each["Id"] for each in self._below(workloads["Id"])}
        return {"/Workloads": workloads["Id"], **below}

    def _below(self, parent: str) -> list[Any]:
        found = self._organizations.list_organizational_units_for_parent(ParentId=parent)
        return list(found["OrganizationalUnits"])

    def _delete(self, resource_id: str) -> None:
        self._arm("DELETE", resource_id, _CONNECTORS)

    def _arm(self, method: str, path: str, api_version: str) -> requests.Response:
        wanted = {"role": "operator", "audience": "https://management.azure.com"}
        token = requests.post(f"{self._endpoints['admin']}/token", json=wanted, timeout=30).json()["access_token"]
        answer = requests.request(
            method,
            f"{self._endpoints['arm']}{path}",
            params={"api-version": api_version},
            headers={"Authorization": f"Bearer {token}"},
            verify=self._endpoints["ca_bundle"],
            timeout=30,
        )
        answer.raise_for_status()
        return answer

    def _seed(self, **parts: Any) -> Any:
        answer = requests.post(f"{self._endpoints['admin']}/seed", json=parts, timeout=30)
        answer.raise_for_status()
        return answer.json()


def _report(connector: dict[str, Any], account: str, issue: str, steps: str) -> dict[str, Any]:
    """Defender's word that a connector is not healthy."""
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, connector["id"].lower()))
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, issue))
    return {
        "id": f"{connector['id']}/providers/Microsoft.Security/healthReports/{name}",
        "name": name,
        "type": "Microsoft.Security/healthReports",
        "properties": {
            "resourceDetails": {"source": "Aws", "id": connector["id"], "connectorId": name},
            "environmentDetails": {"nativeResourceId": f"arn:aws:iam::{account}"},
            "healthDataClassification": {"component": "Connectivity", "scope": "Connectors"},
            "status": {"code": "NotHealthy", "statusChangeDate": (datetime.now(UTC) - timedelta(hours=7)).isoformat()},
            "issues": [{"issueKey": key, "issueName": issue, "remediationSteps": steps}],
        },
    }


def _without_a_plan(connector: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(connector)
    changed["properties"]["offerings"].pop()
    return changed


def _near_the_end_of_its_trial(connector: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(connector)
    ends_at = datetime.now(UTC) + timedelta(days=3)
    changed["properties"]["hierarchyIdentifierTrialEndDate"] = f"{ends_at:%Y-%m-%dT%H:%M:%S}.0000000Z"
    return changed


def _machine(asked: Machine, account: str, group: str) -> dict[str, Any]:
    instance = f"i-{uuid.uuid5(uuid.NAMESPACE_URL, asked.account).hex[:17]}"
    tags = {"MDFCSecurityConnector": "true", "Cloud": "AWS", "AccountId": account, "InstanceId": instance}
    since = datetime.now(UTC) - timedelta(days=asked.days)
    return {
        "id": f"{group}/providers/Microsoft.HybridCompute/machines/{instance}",
        "name": instance,
        "type": "Microsoft.HybridCompute/machines",
        "location": "westeurope",
        "tags": {name: tags[name] for name in asked.tags},
        "properties": {"status": asked.status, "lastStatusChange": since.isoformat()},
    }
