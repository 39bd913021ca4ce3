"""An operator's shell for projects, on fakes of both clouds: what every test of this folder works with."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cli import bootstrap, cloud_bootstrap, environment, output, queue_bootstrap
from shared.adapters.aws import account_listing, own_organization
from shared.adapters.defender import surroundings
from shared.application.onboard import onboard
from shared.application.ports import PolicySource
from shared.application.provider_policy import policy_for
from shared.application.replay_ports import ReplayPorts
from shared.application.request_onboarding import WaitPorts
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.ledger import AccountKey, AccountRecord
from shared.domain.policy import Policy
from shared.messages.connector_request import ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from tests.fakes.aws import FakeAccountDirectory, FakeAccountListing
from tests.fakes.clock import NOON
from tests.fakes.gcp import FakeProjects
from tests.fakes.ledger import FakeSweepLog
from tests.fakes.queues import FakeGivenUpQueue
from tests.fixtures.read import account, request
from tests.unit.conftest import AzureSide
from tests.unit.test_offboard import Around, WorkingQueue
from tests.unit.test_policy_command import Said, Shell
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, ORGANIZATION, project

SHOP, SAND, CLOSED = "100000000101", "100000000102", "1000000000103"  # numbers have no fixed length
MANAGEMENT_ID = "mdc-mgmt-proj-123456789012"
NAMES = {SHOP: "acme-shop-1", SAND: "acme-sand-1", CLOSED: "acme-gone-1", MANAGEMENT: MANAGEMENT_ID}
ENTRY = {
    "protoPayload": {
        "serviceName": "cloudresourcemanager.googleapis.com",
        "methodName": "google.cloud.resourcemanager.v3.Projects.CreateProject",
        "request": {"project": {"projectId": NAMES[SHOP]}},
    },
    "insertId": "entry-1",
    "timestamp": (NOON - timedelta(hours=3)).isoformat(),
}


def shop(number: str, **changes: Any) -> Account:
    return project(number, **{"name": NAMES[number], **changes})


def key_of(number: str) -> AccountKey:
    return AccountKey(provider=Provider.GCP, hierarchy_identifier=number)


@dataclass
class Desk:
    """An operator's shell; whatever is asked for is worked on at once."""

    shell: Shell
    azure: AzureSide
    around: Around
    poison: FakeGivenUpQueue
    sent: WorkingQueue

    @property
    def projects(self) -> FakeProjects:
        return self.azure.google.of_projects

    def seen(self, policies: PolicySource) -> FakeProjects:
        """The organization's projects. Raises ConfigurationError where the policy names none."""
        policy_for(policies.current(), Provider.GCP)
        return self.projects

    def run(self, *arguments: str) -> Said:
        self.azure.snapshot.refresh()
        return self.shell.run(*arguments)

    def record(self, number: str = SHOP) -> AccountRecord | None:
        return self.azure.ledger.find(key_of(number))

    def change(self, **changes: Any) -> None:
        """Changes what the policy says about projects."""
        gcp = self.azure.source.policy.gcp
        assert gcp is not None
        self.azure.source.policy = replace(self.azure.source.policy, gcp=replace(gcp, **changes))

    def connect(self) -> None:
        """The Organization connector and one member."""
        for number in (MANAGEMENT, SHOP):
            assert self.run("onboard", number, "--provider", "gcp").code == 0
        self.sent.sent.clear()

    def park(self, body: bytes, remedy: str, reason: str = "why") -> None:
        parked = ParkedRequest.of(body, reason=reason, remedy=remedy, at=NOON - timedelta(hours=2)).to_json()
        message_id = f"message-{len(self.poison.messages)}"
        self.poison.messages[message_id] = base64.b64encode(parked.encode()).decode()


class WorkingPoison(FakeGivenUpQueue):
    """Given-up messages; what goes back to the queue is worked on at once."""

    def __init__(self, azure: AzureSide) -> None:
        super().__init__(azure.clock)
        self._azure = azure

    def put(self, body: bytes) -> None:
        super().put(body)
        onboard(ConnectorRequest.from_json(body), self._azure.ports)


@pytest.fixture
def desk(policy: Policy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    azure = AzureSide(replace(policy, gcp=replace(MEMBER, content_hash=policy.content_hash)))
    for number, facts in {SHOP: {}, SAND: {"ou_path": "/Sandbox"}, MANAGEMENT: {"ou_path": "/"}}.items():
        azure.google.of_projects.add(shop(number, **facts))
    azure.google.of_projects.add(shop(CLOSED, state=AccountState.DELETE_REQUESTED))
    made = Desk(Shell(monkeypatch, capsys), azure, Around(), WorkingPoison(azure), WorkingQueue(azure))
    _open_clouds(made, monkeypatch)
    _open_queues(made, monkeypatch)
    monkeypatch.setattr(output.console, "_width", 80)
    monkeypatch.setattr(output.console, "_height", 40)
    return made


def _open_clouds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    azure = desk.azure
    said = SimpleNamespace(policy="policy.yaml", ledger=object(), arm_endpoint="https://arm.test")
    for name, answer in {
        "settings": said,
        "credential": None,
        "ledger": azure.ledger,
        "request_sender": desk.sent,
        "snapshot": azure.snapshot,
        "connectors": azure.connectors,
        "subscriptions": azure.subscriptions,
        "wait_ports": WaitPorts(ledger=azure.ledger, clock=azure.clock),
    }.items():
        monkeypatch.setattr(bootstrap, name, lambda answer=answer: answer)
    monkeypatch.setattr(environment, "announce_sandbox", lambda: None)
    listing = FakeAccountListing(FakeAccountDirectory(account(), account("111111111111", is_management=True)))
    monkeypatch.setattr(bootstrap, "policy_source", lambda _: azure.source)
    monkeypatch.setattr(bootstrap, "policy", azure.source.current)
    monkeypatch.setattr(cloud_bootstrap, "projects", desk.seen)
    monkeypatch.setattr(cloud_bootstrap, "SystemClock", lambda: azure.clock)
    monkeypatch.setattr(surroundings, "ArmSurroundings", lambda *_, **__: desk.around)
    monkeypatch.setattr(account_listing, "AwsAccountListing", lambda *_: listing)
    own = SimpleNamespace(organization_id=lambda: azure.source.current().organization)
    monkeypatch.setattr(own_organization, "AwsOwnOrganization", lambda _: own)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: None)


def _open_queues(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = ReplayPorts(
        queues=(desk.poison,),
        sender=desk.sent,
        ledger=desk.azure.ledger,
        policy=desk.azure.source,
        clock=desk.azure.clock,
        actor="somebody",
        projects=lambda: desk.seen(desk.azure.source),
    )
    monkeypatch.setattr(queue_bootstrap, "replay_ports", lambda _: ports)
    monkeypatch.setattr(queue_bootstrap, "queue_gauges", list)
    monkeypatch.setattr(queue_bootstrap, "sweep_log", FakeSweepLog)


def flat(text: str) -> str:
    return " ".join(text.split())


def push(entry: dict[str, Any] = ENTRY) -> bytes:
    data = base64.b64encode(json.dumps(entry).encode()).decode()
    return json.dumps({"message": {"data": data, "messageId": "1"}, "subscription": "s"}).encode()


@pytest.fixture
def parked(desk: Desk) -> Desk:
    """One request about an account, one about a project, two pushes: one out of sight then, one broken."""
    desk.connect()
    now = desk.azure.clock.now().isoformat()
    about = {"provider": "gcp", "organization": ORGANIZATION, "hierarchy_identifier": SHOP, "name": "acme-shop-1"}
    desk.park(request().to_json().encode(), "Do it. Runbook: scope-locked.")
    desk.park(
        request(data={**about, "ou_path": "/Shops", "tags": {}}, occurred_at=now).to_json().encode(),
        "Do it. Runbook: scope-locked.",
    )
    desk.park(push(), "Give it. Runbook: project-not-visible.")
    desk.park(b'{"message": {"data": "%%%"}}', "See it. Runbook: unreadable-push.")
    return desk
