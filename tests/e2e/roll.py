"""A running sandbox as the tests see it: plain SDK clients of both clouds, the journal and the ledger."""

from __future__ import annotations

import base64
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.storage.queue import QueueClient, QueueMessage

from sandbox.azure.tokens import LIFETIME_SECONDS
from sandbox.cloud import Sandbox
from sandbox.config import SandboxSettings
from sandbox.deployment import TEMPLATE
from sandbox.journal import JournalEntry
from shared.adapters.ledger.parked_bodies import TableParkedBodies
from shared.adapters.ledger.table_ledger import TableLedger
from shared.application.status import account_status
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry
from shared.domain.roles import PROVIDER_HOST
from shared.messages.parked_request import ParkedRequest
from tests.e2e.kill_points import unmapped

QUICK: dict[str, Any] = {
    "cold_functions": ["rollcall-reconcile-accounts"],  # few tests need it, and a start is a second of processor time
    "account_creation_seconds": 0.2,
    "event_delay_seconds": 0.1,
    "stack_instance_seconds": 0.5,
    "sqs_batch_window_scale": 0.025,
    "sqs_visibility_seconds": 4,
    "readiness_first_delay_seconds": 1,
    "resource_graph_lag_seconds": 0.5,
    "crash_invisibility_seconds": 3.0,
    "max_polling_interval_seconds": 0.4,
    "retry_first_seconds": 1.0,
    "retry_longest_seconds": 10.0,
    "retry_contended_seconds": 1.0,
    "gcp_operation_seconds": 0.1,
    "gcp_push_pause_seconds": 0.5,
}
"""Times that are minutes in the clouds."""

PATIENCE_SECONDS = 90.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
THUMBPRINT = "626d44e704d1ceabe3bf0d53397464ac8080142c"
STACK_SET_OPERATIONS = {"cloudformation:CreateStackInstances", "cloudformation:UpdateStackInstances"}
CONNECTORS_API = "2024-08-01-preview"


def wait_until(done: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Fails the test with `what` if it does not come true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not looked_at(done):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")


def looked_at(done: Callable[[], bool]) -> bool:
    """Whether it is true now; else a pause follows, in proportion to what a look at hundreds of accounts takes.

    Without it the looking takes the processor from what is looked at.
    """
    started = time.monotonic()
    if done():
        return True
    time.sleep(min(max(SHORTEST_PAUSE_SECONDS, 4 * (time.monotonic() - started)), LONGEST_PAUSE_SECONDS))
    return False


class Identity:
    """A token credential of one of the sandbox's identities."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self._sandbox = sandbox
        self._name = name

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        token = self._sandbox.azure.mint(self._name, scopes[0].removesuffix("/.default"))
        return AccessToken(token, int(time.time()) + LIFETIME_SECONDS)


class Roll:
    """One organization and its Azure side; every method is what an outsider could do."""

    def __init__(self, sandbox: Sandbox, stack: ExitStack) -> None:
        self.sandbox = sandbox
        self.journal = sandbox.journal
        self.ledger = TableLedger(Identity(sandbox, "operator"), table_endpoint=sandbox.azure.table_url)
        self.bodies = TableParkedBodies(Identity(sandbox, "operator"), table_endpoint=sandbox.azure.table_url)
        self.onboarding = self._queue("onboarding", stack)
        self.poison = self._queue("onboarding-poison", stack)
        self.broken_events = 0  # how many that nobody can handle were put on AccountEventsQueue
        self._session = sandbox.management_session()
        self._clients: dict[str, Any] = {}
        stacks = self.client("cloudformation").describe_stacks(StackName="rollcall")["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    def _queue(self, name: str, stack: ExitStack) -> QueueClient:
        client = QueueClient(self.sandbox.azure.queue_url, name, credential=Identity(self.sandbox, "operator"))
        stack.callback(client.close)
        return client

    def client(self, service: str) -> Any:
        """A plain boto3 client of the management account's administrator; making one takes longer than asking."""
        if service not in self._clients:
            made = self._session.client(service, endpoint_url=self.sandbox.aws.url)  # type: ignore[call-overload]  # by name
            self._clients[service] = made
        return self._clients[service]

    # Accounts

    @cached_property
    def organization(self) -> str:
        """The organization's id."""
        return str(self.client("organizations").describe_organization()["Organization"]["Id"])

    def ask_for_account(self, name: str, *, email: str = "") -> str:
        """CreateAccount; returns the id of the request."""
        answer = self.client("organizations").create_account(
            AccountName=name, Email=email or f"{name}@accounts.example"
        )
        return str(answer["CreateAccountStatus"]["Id"])

    def wait_for_account(self, request_id: str) -> str:
        """The id of the account that came of a request."""
        organizations, found = self.client("organizations"), {}

        def known() -> bool:
            answer = organizations.describe_create_account_status(CreateAccountRequestId=request_id)
            found.update(answer["CreateAccountStatus"])
            return "AccountId" in found

        wait_until(known, "the account has an id")
        return str(found["AccountId"])

    def create_account(self, name: str) -> str:
        """Creates an account and waits for its id, not for what follows."""
        return self.wait_for_account(self.ask_for_account(name))

    def make_unit(self, *names: str) -> str:
        """Nested organizational units under the root; the id of the innermost."""
        organizations = self.client("organizations")
        parent = organizations.list_roots()["Roots"][0]["Id"]
        for name in names:
            units = organizations.list_organizational_units_for_parent(ParentId=parent)["OrganizationalUnits"]
            same = [unit["Id"] for unit in units if unit["Name"] == name]
            made = same or [organizations.create_organizational_unit(ParentId=parent, Name=name)]
            parent = same[0] if same else made[0]["OrganizationalUnit"]["Id"]
        return str(parent)

    def seed(self, **what: Any) -> dict[str, Any]:
        """The admin API's `POST /seed`."""
        endpoints = json.loads((self.sandbox.folder / "endpoints.json").read_bytes())
        answer = requests.post(f"{endpoints['admin']}/seed", json=what, timeout=10)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    def plant_account(self, name: str, **fields: Any) -> str:
        """An account that has been there for long: no event tells of it."""
        return str(self.seed(accounts=[{"name": name, **fields}])["accounts"][0])

    def inside(self, account_id: str) -> Any:
        """IAM in a member account, through the role that Organizations makes there."""
        role = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
        keys = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return boto3.client(
            "iam",
            endpoint_url=self.sandbox.aws.url,
            region_name="us-east-1",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def plant_provider(self, account_id: str, *client_ids: str) -> None:
        """Defender's identity provider in a member account, as somebody else made it."""
        self.inside(account_id).create_open_id_connect_provider(
            Url=f"https://{PROVIDER_HOST}", ClientIDList=list(client_ids), ThumbprintList=[THUMBPRINT]
        )

    # Events

    def ask_onboarding(self, account_id: str) -> None:
        """What `rollcall onboard` puts on the bus."""
        self.put_event("rollcall", "Account Onboarding Requested", {"accountId": account_id})

    def ask_disconnecting(self, account_id: str) -> None:
        """What `rollcall offboard --confirm` puts on the queue."""
        request = {
            "schema": "connector-request/1",
            "message_id": str(uuid.uuid4()),
            "correlation_id": f"account-{account_id}",
            "occurred_at": now(),
            "first_enqueued_at": now(),
            "data": {
                "provider": "aws",
                "organization": self.organization,
                "hierarchy_identifier": account_id,
                "action": "disconnect",
                "status": "offboarded",
                "source": "rollcall offboard",
            },
        }
        self.onboarding.send_message(base64.b64encode(json.dumps(request).encode()).decode(), time_to_live=-1)

    def put_event(self, source: str, detail_type: str, detail: dict[str, Any]) -> str:
        """PutEvents on the bus `default`; returns the event's id."""
        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
        answer = self.client("events").put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0
        return str(answer["Entries"][0]["EventId"])

    def deliver(self, queue: str, *bodies: str) -> None:
        """Puts messages on `AccountEventsQueue` or `StackEventsQueue`, as a repeated delivery would."""
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        answer = self.client("sqs").send_message_batch(QueueUrl=self.outputs[f"{queue}Url"], Entries=entries)
        assert not answer.get("Failed")

    def messages_on(self, queue: str) -> int:
        """How many messages an SQS queue of the stack holds, those in flight included."""
        names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=self.outputs[f"{queue}Url"], AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def wait_until_drained(self) -> None:
        """Waits until nothing is left on the path's three queues, in the path's order."""
        wait_until(self._account_events_drained, "AccountEventsQueue is empty")
        wait_until(lambda: self.messages_on("StackEventsQueue") == 0, "StackEventsQueue is empty")
        wait_until(lambda: self.onboarding.get_queue_properties().approximate_message_count == 0, "onboarding is empty")

    def _account_events_drained(self) -> bool:
        left = self.messages_on("AccountEventsQueue") + self.messages_on("AccountEventsDeadLetterQueue")
        return left == self.broken_events

    # What came of it

    def record(self, account_id: str) -> AccountRecord | None:
        """The account's line in the ledger."""
        return self.ledger.find(key_of(account_id))

    def history(self, account_id: str) -> list[HistoryEntry]:
        """The account's history, oldest first."""
        found = account_status(key_of(account_id), self.ledger)
        return list(found.history) if found else []

    def wait_for_state(self, account_id: str, state: str, seconds: float = PATIENCE_SECONDS) -> AccountRecord:
        """The account's line once it is in `state`."""
        found: list[AccountRecord] = []

        def reached() -> bool:
            record = self.record(account_id)
            found[:] = [record] if record else []
            return record is not None and record.state == state

        wait_until(reached, f"{account_id} is {state}", seconds)
        return found[0]

    def puts(self, account_id: str) -> list[JournalEntry]:
        """The connector PUTs that Resource Manager got for an account, refused ones too."""
        entries = self.journal.entries(operation="arm:PutSecurityConnector")
        return [entry for entry in entries if entry.path.partition("?")[0].endswith(f"/aws-{account_id}")]

    def operations(self, *account_ids: str) -> list[JournalEntry]:
        """The StackSet operations that were asked for any of these accounts."""
        return [
            entry
            for entry in self.journal.entries(service="cloudformation")
            if entry.operation in STACK_SET_OPERATIONS and set(account_ids) & set(entry.detail.get("accounts", ()))
        ]

    def connectors(self, account_id: str) -> list[dict[str, Any]]:
        """An account's connectors as Resource Manager lists them."""
        subscription = self.sandbox.settings.subscription_id
        token = self.sandbox.azure.mint("operator", "https://management.azure.com")
        answer = requests.get(
            f"{self.sandbox.azure.arm_url}/subscriptions/{subscription}"
            f"/providers/Microsoft.Security/securityConnectors?api-version={CONNECTORS_API}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["value"]
        return [each for each in found if each["properties"]["hierarchyIdentifier"] == account_id]

    def poisoned(self) -> list[QueueMessage]:
        """Everything on the poison queue, raw; it stays there."""
        return list(self.poison.peek_messages(max_messages=32))

    def parked_body(self, message: QueueMessage) -> bytes | None:
        """The bytes of a message that was parked apart from its reason."""
        parked = ParkedRequest.from_json(base64.b64decode(message.content))
        assert parked.reason
        assert parked.remedy
        return self.bodies.find(parked.raw_sha256 or "")


def key_of(account_id: str) -> AccountKey:
    """An AWS account's key in the ledger."""
    return AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id)


def now() -> str:
    """The present as events write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _unpacked() -> tempfile.TemporaryDirectory[str]:
    """What all sandboxes of this process unpack their artefacts into; gone with the process."""
    return tempfile.TemporaryDirectory(prefix="rollcall-unpacked-")


@contextmanager
def running(folder: Path, *, template: Path = TEMPLATE, **settings: Any) -> Iterator[Roll]:
    """A sandbox in `folder` with shortened times; gone at the end, the environment as it was.

    Fails at the end where the product asked for something that is neither a kill point nor excused.
    """
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("REQUESTS_CA_BUNDLE", "")  # the sandbox sets it; this puts it back
        shared = {"unpacked_folder": Path(_unpacked().name)}
        sandbox = Sandbox(SandboxSettings(folder=folder, **(QUICK | shared | settings)), template=template)
        stack.callback(sandbox.stop)
        sandbox.start()
        yield Roll(sandbox, stack)
        strange = unmapped(sandbox.journal.entries())
        assert not strange, f"requests that nobody kills a process at: {strange} (tests/e2e/kill_points.py)"
