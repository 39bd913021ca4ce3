"""What the functions ask of AWS through the ways of an account's life is all that their roles may, and no more.

tests/infra/test_least_privilege.py derives the same from the code; here each role is the one that a stack made, and the
sandbox denies what it does not grant.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest
import yaml

from sandbox.deployment import ARTEFACT_BUCKET
from shared.domain.identity_provider import audiences_of
from shared.domain.profiles import FOUNDATIONAL
from tests.e2e.roll import Roll, running, wait_until
from tests.e2e.used_rights import Used, used_by

LAMBDA = "Lambda does it; the sandbox's own poller and log have no need to"
UNSEEN: dict[str, dict[str, str]] = {
    role: {"sqs:GetQueueAttributes": LAMBDA, "logs:CreateLogStream": LAMBDA, "logs:PutLogEvents": LAMBDA}
    for role in ("account-events", "stack-events", "reconcile-accounts")
}
UNSEEN["reconcile-accounts"]["cloudformation:DescribeStackSetOperation"] = (
    "only where an instance fails between the listing and the look at it"
)
KEYS = {"kms:Decrypt", "kms:GenerateDataKey"}
"""What SQS asks for as the role, where a queue has a key of its own; the sandbox's SQS encrypts nothing."""
UNSEEN_RESOURCES = ("*:log-group:*", "*:kms:*", "*:stackset-target/*", "*:type/resource/*")
"""Resources that no request names: AWS finds out for itself which it needs."""
"""Actions of each role that a sandbox does not see used, and why; that the code calls them is derived from it."""


class Life:
    """One sandbox whose functions have done all that they can be asked for."""

    def __init__(self, roll: Roll) -> None:
        self.roll = roll

    def role_of(self, function: str) -> str:
        """Its ARN."""
        return f"arn:aws:iam::{self.roll.sandbox.aws.management_account_id}:role/rollcall-{function}"

    def used_by(self, function: str) -> Used:
        """What was asked as the role of a function, and what it may."""
        return used_by(self.role_of(function), self.roll.journal.entries())

    def publish(self, **changes: object) -> None:
        """Publishes the policy to the functions, with these changes; None takes a field away."""
        s3, place = self.roll.client("s3"), {"Bucket": ARTEFACT_BUCKET, "Key": "policy.yaml"}
        policy = yaml.safe_load(s3.get_object(**place)["Body"].read()) | changes
        s3.put_object(**place, Body=yaml.safe_dump({k: v for k, v in policy.items() if v is not None}).encode())

    def compare(self) -> None:
        """A run of the comparison, until it has ended."""
        before = self._compared()
        self.roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})
        wait_until(lambda: self._compared() > before, "everything is compared")

    def _compared(self) -> int:
        entries = self.roll.journal.entries(operation="lambda:Invoke")
        return len([each for each in entries if each.detail["function"] == "rollcall-reconcile-accounts"])

    def begin(self) -> None:
        """Before there is any account: units without accounts, and a management account that takes part."""
        self.roll.make_unit("Workloads", "Production")
        policy = {"rules": None, "exclusions": {"tags": {"defender": "exempt"}}}
        parent = {
            "name": "aws-org",
            "management_account": self.roll.sandbox.aws.management_account_id,
            "stack_set_name": "rollcall-member-roles",
        }
        before = self.roll.client("s3").get_object(Bucket=ARTEFACT_BUCKET, Key="policy.yaml")["Body"].read()
        self.publish(**policy, mode="member", organization_connector=parent)
        self.compare()
        self.roll.client("s3").put_object(Bucket=ARTEFACT_BUCKET, Key="policy.yaml", Body=before)

    def live(self) -> None:
        """Accounts come, one not ready and one with the identity provider, move into a unit, and are closed."""
        plain, existing = self.roll.plant_account("plain"), self.roll.plant_account("existing")
        pending = self.roll.plant_account("pending", state="PENDING_ACTIVATION")
        self.roll.plant_provider(existing, *audiences_of(FOUNDATIONAL))
        for account_id in (plain, existing, pending):
            self.roll.ask_onboarding(account_id)
        for account_id in (plain, existing):
            self.roll.wait_for_state(account_id, "connected")
        organizations = self.roll.client("organizations")
        [root] = organizations.list_roots()["Roots"]
        unit = self.roll.make_unit("Workloads", "Production")
        organizations.move_account(AccountId=plain, SourceParentId=root["Id"], DestinationParentId=unit)
        wait_until(lambda: len(self.roll.puts(plain)) > 1, "it has roles and plans of its unit")
        organizations.close_account(AccountId=existing)
        self.roll.wait_for_state(existing, "departed")

    def end(self) -> None:
        """An account that nobody has told of is found by the next comparison."""
        unnoticed = self.roll.plant_account("unnoticed")
        self.compare()
        self.roll.wait_for_state(unnoticed, "connected")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with running(tmp_path_factory.mktemp("rights")) as roll:
        life = Life(roll)
        life.begin()
        life.live()
        life.end()
        yield life


@pytest.mark.parametrize("function", UNSEEN)
def test_nothing_that_a_function_asks_is_denied(life: Life, function: str) -> None:
    entries = [each for each in life.roll.journal.entries() if each.identity == life.role_of(function)]
    assert entries
    assert [each for each in entries if "denied" in each.detail or each.status == 403] == []


@pytest.mark.parametrize("function", UNSEEN)
def test_a_function_uses_every_action_of_its_role_and_no_other(life: Life, function: str) -> None:
    used = life.used_by(function)
    assert used.actions - used.granted == set()
    assert used.granted - used.actions - KEYS == set(UNSEEN[function])


@pytest.mark.parametrize("function", UNSEEN)
def test_a_function_uses_every_resource_of_its_role(life: Life, function: str) -> None:
    unused = [pattern for _, pattern in life.used_by(function).unused_resources()]
    assert [each for each in unused if not any(fnmatchcase(each, known) for known in UNSEEN_RESOURCES)] == []
