"""Many accounts and machines in a running sandbox, as the product and Defender would have left them.

One account is onboarded by the product; the others get copies of what it has: stack instance, connector, health
report, assessments, line in the ledger. The machines are connected, but for some suspects, of which some are orphaned.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import yaml
from azure.data.tables import TableClient

from sandbox.aws.active import active
from sandbox.policy_upload import publish_policy, sample_policy
from shared.adapters.ledger.rows import account_entity
from tests.e2e.planted_deeds import REGION
from tests.e2e.planting import Planter
from tests.e2e.roll import Identity, Roll, key_of

PLANTER = "planter"
"""Who writes the lines of the ledger: what the product's identities ask for is counted."""
STACK_SET = "rollcall-member-roles"
KINDS = ("ec2 instance", "s3 bucket", "iam role")
"""What Defender is said to have found in every account, one of each."""
SUSPECTS_IN_ACCOUNT = 2
_IN_TRANSACTION = 100
_LONG_AGO = timedelta(days=30)


class Crowd:
    """Accounts and machines of one sandbox; more can be added."""

    def __init__(self, roll: Roll) -> None:
        """The first account, by the product, and a policy that asks for no tags: each would be a request."""
        self.roll = roll
        self.planter = Planter(roll)
        self.machines = 0
        self._joined = datetime.now(UTC) - _LONG_AGO
        _publish_without_tags(roll)
        first = roll.plant_account("many-0", joined_at=self._joined.isoformat())
        roll.ask_onboarding(first)
        roll.wait_for_state(first, "connected")
        roll.wait_until_drained()
        self.accounts = [first]
        self._connector = json.dumps(self.planter.body_of(first))
        directory = roll.sandbox.azure.directory
        directory.add(PLANTER, "user-assigned")
        directory.assign(PLANTER, "Storage Table Data Contributor", directory.storage_scope)
        self._put_connectors([first])

    def add_accounts(self, number: int) -> None:
        """So many more, each with all that the first has."""
        known = len(self.accounts)
        names = [f"many-{known + each}" for each in range(number)]
        added = [self.roll.sandbox.aws.add_account(name, joined_at=self._joined) for name in names]
        self._copy_instance(added)
        self._copy_record(added)
        self._put_connectors(added)
        self.accounts += added

    def _copy_instance(self, added: list[str]) -> None:
        stack_sets = active().stack_sets
        with stack_sets.lock:
            [stack_set] = [each for each in stack_sets.all if each.name == STACK_SET]
            like = stack_set.instances[self.accounts[0], REGION]
            for account_id in added:
                stack_set.instances[account_id, REGION] = replace(like, account=account_id)

    def _copy_record(self, added: list[str]) -> None:
        like = self.roll.record(self.accounts[0])
        assert like is not None
        names, url = iter(added), self.roll.sandbox.azure.table_url
        with TableClient(url, "accounts", credential=Identity(self.roll.sandbox, PLANTER)) as table:
            while batch := list(islice(names, _IN_TRANSACTION)):
                rows = [account_entity(replace(like, key=key_of(account_id))) for account_id in batch]
                table.submit_transaction([("upsert", row) for row in rows])

    def _put_connectors(self, added: list[str]) -> None:
        resources = self.roll.sandbox.azure.resources
        for account_id in added:
            connector = json.loads(self._connector.replace(self.accounts[0], account_id))
            for body in (connector, *_defenders_word(connector, account_id)):
                resources.put(body, seen_by_graph_at=0)

    def add_machines(self, number: int) -> None:
        """So many more, connected, one after the other for each account."""
        for each in range(self.machines, self.machines + number):
            self._put_machine(self.accounts[each % len(self.accounts)], f"i-{each:017x}", "Connected")
        self.machines += number

    def add_suspects(self, number: int, orphans: int) -> None:
        """So many silent ones, the first of them without an instance."""
        for each in range(number):
            account_id = self.accounts[each // SUSPECTS_IN_ACCOUNT]
            instance = self.planter.instance(account_id, "absent" if each < orphans else "stopped")
            self._put_machine(account_id, instance, "Disconnected")
        self.machines += number

    def _put_machine(self, account_id: str, instance: str, status: str) -> None:
        settings = self.planter.settings
        group = f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
        body = {
            "id": f"{group}/providers/Microsoft.HybridCompute/machines/{instance}",
            "name": instance,
            "type": "Microsoft.HybridCompute/machines",
            "location": "westeurope",
            "tags": {"AccountId": account_id, "Cloud": "AWS", "InstanceId": instance, "MDFCSecurityConnector": "true"},
            "properties": {"status": status, "lastStatusChange": self._joined.isoformat()},
        }
        self.roll.sandbox.azure.resources.put(body, seen_by_graph_at=0)


def _publish_without_tags(roll: Roll) -> None:
    azure = roll.sandbox.azure
    organization = roll.client("organizations").describe_organization()["Organization"]["Id"]
    policy = yaml.safe_load(sample_policy(organization, roll.sandbox.settings))
    del policy["exclusions"]["tags"]
    publish_policy(yaml.safe_dump(policy).encode(), azure)
    for host in roll.sandbox.function_hosts:
        roll.sandbox.start_host(host.name)


def _defenders_word(connector: dict[str, Any], account_id: str) -> Iterator[dict[str, Any]]:
    """A connector's health report, and one assessment of each kind."""
    name, above = str(uuid.uuid4()), connector["id"]
    yield {
        "id": f"{above}/providers/Microsoft.Security/healthReports/{name}",
        "name": name,
        "type": "Microsoft.Security/healthReports",
        "properties": {
            "resourceDetails": {"source": "Aws", "id": above, "connectorId": str(uuid.uuid4())},
            "environmentDetails": {"nativeResourceId": f"arn:aws:iam::{account_id}"},
            "healthDataClassification": {"component": "Connectivity", "scope": "Connectors"},
            "status": {"code": "Healthy", "statusChangeDate": "2026-11-01T09:07:18.6759138Z"},
            "issues": [],
        },
    }
    for kind in KINDS:
        name = str(uuid.uuid4())
        resource = f"{above}/securityentitydata/aws-{kind.replace(' ', '-')}-{name[:8]}"
        yield {
            "id": f"{resource}/providers/Microsoft.Security/assessments/{name}",
            "name": name,
            "type": "Microsoft.Security/assessments",
            "properties": {
                "displayName": f"{kind} should be in order",
                "resourceDetails": {"Source": "Aws", "Id": resource, "ResourceType": kind},
                "status": {"code": "Healthy"},
            },
        }
