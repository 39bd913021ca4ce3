"""The world of the unit tests: one organization, one policy, everything in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from shared.adapters.policy.problems import parse_policy
from shared.application.account_batch import DeployPorts
from shared.application.onboard_ports import OnboardPorts
from shared.application.report_instance import ReportPorts
from shared.domain.identity_provider import parameters_for
from shared.domain.policy import Policy, decide
from shared.domain.readiness import Readiness
from tests.fakes.aws import FakeAccountDirectory, FakePolicySource, FakeStackSets
from tests.fakes.clock import FakeClock
from tests.fakes.connectors import FakeConnectors, FakePacer, FakeSnapshot
from tests.fakes.gcp import FakeGoogle
from tests.fakes.ledger import FakeLedger
from tests.fakes.queues import FakeAccountRetries, FakeParkedBodies, FakeRequestQueue
from tests.fakes.removals import FakeRemovals
from tests.fakes.subscriptions import FakeCompliance, FakeSubscriptions
from tests.fixtures.read import ACCOUNT_ID, account, fixture


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The policy `full.yaml`."""
    return parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")


@dataclass
class AwsSide:
    """What the Lambda functions work with."""

    policy: Policy
    clock: FakeClock = field(default_factory=FakeClock)
    directory: FakeAccountDirectory = field(default_factory=lambda: FakeAccountDirectory(account()))
    stack_sets: FakeStackSets = field(default_factory=FakeStackSets)
    queue: FakeRequestQueue = field(default_factory=FakeRequestQueue)
    retries: FakeAccountRetries = field(default_factory=FakeAccountRetries)

    def __post_init__(self) -> None:
        self.source = FakePolicySource(self.policy)
        self.deploy = DeployPorts(
            directory=self.directory,
            stack_sets=self.stack_sets,
            sender=self.queue,
            retries=self.retries,
            readiness=Readiness(),
            policy=self.source,
            clock=self.clock,
        )
        self.report = ReportPorts(
            directory=self.directory,
            stack_sets=self.stack_sets,
            sender=self.queue,
            retries=self.retries,
            readiness=Readiness(),
            policy=self.source,
            clock=self.clock,
        )

    def wanted(self, account_id: str = ACCOUNT_ID) -> dict[str, str]:
        """The stack parameters that the account's profile asks for."""
        found = self.directory.find_account(account_id, with_tags=False)
        profile = decide(self.source.current(), found or account(account_id)).profile
        return parameters_for(profile, None, self.stack_sets.declared)


@dataclass
class AzureSide:
    """What the Function App works with."""

    policy: Policy
    clock: FakeClock = field(default_factory=FakeClock)
    queue: FakeRequestQueue = field(default_factory=FakeRequestQueue)
    bodies: FakeParkedBodies = field(default_factory=FakeParkedBodies)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    connectors: FakeConnectors = field(default_factory=FakeConnectors)

    def __post_init__(self) -> None:
        self.snapshot = FakeSnapshot(self.connectors)
        self.subscriptions = FakeSubscriptions(self.clock)
        self.compliance = FakeCompliance()
        self.pacer = FakePacer(self.clock)
        self.removals = FakeRemovals()
        self.source = FakePolicySource(self.policy)
        self.google = FakeGoogle()
        self.ports = OnboardPorts(
            queue=self.queue,
            bodies=self.bodies,
            ledger=self.ledger,
            connectors=self.connectors,
            snapshot=self.snapshot,
            subscriptions=self.subscriptions,
            compliance=self.compliance,
            pacer=self.pacer,
            removals=self.removals,
            policy=self.source,
            google=self.google,
            clock=self.clock,
        )


@pytest.fixture
def aws(policy: Policy) -> AwsSide:
    """AWS with one account and no stack instance."""
    return AwsSide(policy)


@pytest.fixture
def azure(policy: Policy) -> AzureSide:
    """Azure without any connector."""
    return AzureSide(policy)
