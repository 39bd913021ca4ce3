"""A whole sweep in memory: documents, the queue `sweep`, the tenant, Defender's word and the instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.application.plan_sweep import ask_for_sweep
from shared.application.sweep_ports import SweepPorts
from shared.application.sweep_slice import sweep_slice
from shared.domain.accounts import Account, Provider
from shared.domain.connectors import Connector
from shared.domain.gcp_identities import services_of
from shared.domain.placement import place
from shared.domain.policy import Policy, decide
from shared.domain.queues import QueueDepth
from shared.domain.roles import AUDIENCE_OF
from shared.domain.stack_sets import InstanceState as StackState
from shared.domain.sweep.health import HealthIssue, HealthReport
from shared.domain.sweep.identity import THUMBPRINT, IdentitySeen, ProviderSeen, RoleSeen
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.domain.sweep.project_home import home_of_members
from shared.domain.sweep.report import SweepReport
from shared.domain.sweep.slices import MachineRef
from shared.domain.sweep.templates import InstanceSeen
from shared.errors import RollcallError, TransientError
from tests.fakes.aws import FakeAccountDirectory, FakeAccountListing, FakePolicySource
from tests.fakes.clock import FakeClock
from tests.fakes.connectors import FakeConnectors
from tests.fakes.failures import Failures
from tests.fakes.gcp import FakeGoogle
from tests.fakes.ledger import FakeLedger, FakeSweepLog
from tests.fakes.queues import FakeRequestQueue
from tests.fakes.subscriptions import FakeCompliance
from tests.fakes.sweep_advice import FakeAdvice, FakeProfiles
from tests.fakes.sweep_compliance import FakeSweptCompliance
from tests.fakes.sweep_prerequisites import FakeRights, FakeSweptSubscriptions
from tests.fakes.sweep_store import FakeDocuments, FakeSliceQueue

TENANT = "00000000-0000-4000-8000-0000000000f1"
"""That of the policy `full.yaml`."""


class FakeTenant:
    """Connectors and machines; deleting a machine is here, too."""

    def __init__(self) -> None:
        self.connectors: list[Connector] = []
        self.everything: dict[str, ArcMachine] = {}
        self.deleted: list[str] = []
        self.failures = Failures()

    def list_connectors(self) -> Iterator[Connector]:
        """All."""
        self.failures.strike("list_connectors")
        return iter(self.connectors)

    def connectors_of(self, account_ids: Sequence[str]) -> tuple[Connector, ...]:
        """Those of these accounts."""
        self.failures.strike("connectors_of")
        return tuple(each for each in self.connectors if each.hierarchy_identifier in account_ids)

    def list_machines(self) -> Iterator[MachineRef]:
        """Defender's."""
        self.failures.strike("list_machines")
        return iter(
            [
                MachineRef(
                    machine_id=each.machine_id, account=each.account, instance=each.instance, provider=each.provider
                )
                for each in self.everything.values()
                if each.is_defenders
            ]
        )

    def machines(self, machine_ids: Sequence[str]) -> tuple[ArcMachine, ...]:
        """These."""
        self.failures.strike("machines")
        return tuple(self.everything[each] for each in machine_ids if each in self.everything)

    def find(self, machine_id: str) -> tuple[ArcMachine, bytes] | None:
        """One."""
        self.failures.strike("find")
        found = self.everything.get(machine_id)
        return None if found is None else (found, repr(found).encode())

    def delete(self, machine_id: str) -> None:
        """Takes it away."""
        self.failures.strike("delete")
        self.deleted.append(machine_id)
        self.everything.pop(machine_id, None)


class FakeHealth:
    """Health reports and discoveries by connector id in lower case."""

    def __init__(self) -> None:
        self.reports: dict[str, tuple[HealthReport, ...]] = {}
        self.discovered: dict[str, dict[str, int]] = {}
        self.failures = Failures()

    def reports_of(self, connector_ids: Sequence[str]) -> Mapping[str, tuple[HealthReport, ...]]:
        """Of these."""
        self.failures.strike("reports_of")
        return {each.lower(): self.reports[each.lower()] for each in connector_ids if each.lower() in self.reports}

    def discovered_by(self, connector_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Of these."""
        self.failures.strike("discovered_by")
        return {each.lower(): self.discovered.get(each.lower(), {}) for each in connector_ids}


class FakeInstances:
    """What instances are; those that nobody planted are gone."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], InstanceState] = {}
        self.unreachable: set[str] = set()
        self.asked: list[str] = []
        self.regions: list[tuple[str, ...]] = []

    def states_of(
        self, account_id: str, instance_ids: Sequence[str], regions: Sequence[str] = ()
    ) -> Mapping[str, InstanceState]:
        """What each is."""
        self.asked.append(account_id)
        self.regions.append(tuple(regions))
        if account_id in self.unreachable:
            raise TransientError(f"account {account_id} does not answer")
        return {each: self.states.get((account_id, each), InstanceState.GONE) for each in instance_ids}


class FakeIdentities:
    """What is in accounts; where nothing was planted everything is as the profile needs it."""

    def __init__(self) -> None:
        self.changes: dict[str, dict[str, Any]] = {}
        self.unreachable: set[str] = set()
        self.asked: list[str] = []

    def inspect(self, account_id: str, roles: Sequence[str]) -> IdentitySeen:
        """The provider and the roles."""
        self.asked.append(account_id)
        if account_id in self.unreachable:
            raise TransientError(f"account {account_id} does not answer")
        changed = self.changes.get(account_id, {})
        audiences = frozenset(AUDIENCE_OF.values())
        session = frozenset({f"MicrosoftDefenderForClouds_{TENANT}"})
        intact = RoleSeen(audiences=audiences, session_names=session)
        provider = ProviderSeen(client_ids=audiences, thumbprints=frozenset({THUMBPRINT}))
        return IdentitySeen(
            provider=changed.get("provider", provider), roles={name: changed.get(name, intact) for name in roles}
        )


class FakeTemplates:
    """Stack instances with the StackSet's template, until a test changes one."""

    def __init__(self) -> None:
        self.changes: dict[str, dict[str, str]] = {}
        self.without_instance: set[str] = set()
        self.unreachable: set[str] = set()
        self.asked: list[str] = []

    def inspect(self, account_id: str) -> InstanceSeen | None:
        """The account's."""
        self.asked.append(account_id)
        if account_id in self.unreachable:
            raise TransientError(f"account {account_id} does not answer")
        if account_id in self.without_instance:
            return None
        current = InstanceSeen(
            status="CURRENT",
            detailed_status="SUCCEEDED",
            reason="",
            stack=f"StackSet-roles-{account_id}",
            template_hash="aa",
            stack_set_hash="aa",
        )
        return replace(current, **self.changes.get(account_id, {}))


class FakeStackStates:
    """States of stack instances."""

    def __init__(self) -> None:
        self.states: dict[str, StackState] = {}
        self.failures = Failures()

    def list_states(self) -> Mapping[str, StackState]:
        """All."""
        self.failures.strike("list_states")
        return dict(self.states)


class FakeGauge:
    """The poison queue's depth."""

    def __init__(self) -> None:
        self.depth = QueueDepth(name="onboarding-poison", waiting=0, given_up=True)

    def measure(self) -> list[QueueDepth]:
        """That, and a queue that waits for nobody."""
        return [QueueDepth(name="onboarding", waiting=7), self.depth]


@dataclass
class SweepWorld:
    """An organization, its tenant, and what a sweep works with."""

    policy: Policy
    clock: FakeClock = field(default_factory=FakeClock)
    documents: FakeDocuments = field(default_factory=FakeDocuments)
    queue: FakeSliceQueue = field(default_factory=FakeSliceQueue)
    tenant: FakeTenant = field(default_factory=FakeTenant)
    manager: FakeConnectors = field(default_factory=FakeConnectors)
    health: FakeHealth = field(default_factory=FakeHealth)
    instances: FakeInstances = field(default_factory=FakeInstances)
    advice: FakeAdvice = field(default_factory=FakeAdvice)
    profiles: FakeProfiles = field(default_factory=FakeProfiles)
    identities: FakeIdentities = field(default_factory=FakeIdentities)
    templates: FakeTemplates = field(default_factory=FakeTemplates)
    stacks: FakeStackStates = field(default_factory=FakeStackStates)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    sender: FakeRequestQueue = field(default_factory=FakeRequestQueue)
    gauge: FakeGauge = field(default_factory=FakeGauge)
    rights: FakeRights = field(default_factory=FakeRights)
    log: FakeSweepLog = field(default_factory=FakeSweepLog)
    directory: FakeAccountDirectory = field(default_factory=FakeAccountDirectory)
    google: FakeGoogle = field(default_factory=FakeGoogle)

    def __post_init__(self) -> None:
        self.listing = FakeAccountListing(self.directory)
        self.compliance = FakeSweptCompliance(FakeCompliance())
        self.source = FakePolicySource(self.policy)
        self.subscriptions = FakeSweptSubscriptions(self.tenant, self.source)
        projects = self.policy.of(Provider.GCP)
        shared = home_of_members(projects) if projects is not None else None
        if shared is not None:
            self.google.make(shared)

    @property
    def ports(self) -> SweepPorts:
        """All of it."""
        return SweepPorts(
            documents=self.documents,
            slices=self.queue,
            tenant=self.tenant,
            health=self.health,
            compliance=self.compliance,
            listing=self.listing,
            google=self.google,
            stack_instances=self.stacks,
            instances=self.instances,
            advice=self.advice,
            profiles=self.profiles,
            identities=self.identities,
            templates=self.templates,
            machines=self.tenant,
            connectors=self.manager,
            ledger=self.ledger,
            sender=self.sender,
            gauges=(self.gauge,),
            subscriptions=self.subscriptions,
            rights=self.rights,
            sweeps=self.log,
            policy=self.source,
            clock=self.clock,
        )

    def add(self, account: Account, *, connected: bool = True) -> None:
        """An account with roles, and with the connector that the policy wants, healthy, where `connected`."""
        self.directory.add(account)
        self.stacks.states[account.account_id] = StackState.CURRENT
        if connected:
            self.connect(account)

    def connect(self, account: Account) -> Connector:
        """The account's or project's connector as the policy wants it, healthy."""
        policy = self.source.policy.of(account.provider)
        assert policy is not None
        decision = decide(policy, account)
        wanted = place(policy, account.account_id, decision.profile, decision.target, account.name)
        connector = Connector(connector_id=wanted.connector_id, body=wanted.desired)
        self.tenant.connectors.append(connector)
        known = str(connector.connector_id).lower()
        self.health.reports[known] = (HealthReport(connector_id=known, code="Healthy"),)
        self.health.discovered[known] = {"ec2": 3} if account.provider is Provider.AWS else {"gcp/clusters": 1}
        if account.provider is Provider.GCP:
            services = self.google.of_setup.services.setdefault(account.account_id, set())
            services.update(services_of(decision.profile))
            self.advice.project_machines[account.account_id] = 1
        return connector

    def call_unhealthy(self, account_id: str) -> str:
        """Defender finds an issue through the account's connector, whose id is returned."""
        [connector] = [each for each in self.tenant.connectors if each.hierarchy_identifier == account_id]
        known = str(connector.connector_id).lower()
        issue = HealthIssue(key="a", name="no access")
        self.health.reports[known] = (HealthReport(connector_id=known, code="NotHealthy", issues=(issue,)),)
        return known

    def replace_body(self, connector: Connector, **properties: object) -> None:
        """Changes a connector behind our back."""
        body = {**connector.body, "properties": {**connector.body["properties"], **properties}}
        self.tenant.connectors = [
            replace(each, body=body) if each.connector_id == connector.connector_id else each
            for each in self.tenant.connectors
        ]

    def sweep(self) -> SweepReport | None:
        """A whole sweep, message by message, each with the queue's five tries; the report, if it came to one."""
        ask_for_sweep(self.queue, self.clock)
        report = self.work()
        self.clock.advance(60)
        return report

    def work(self) -> SweepReport | None:
        """Everything that lies on the queue; a message whose tries are spent is dropped."""
        report = None
        while self.queue.messages:
            message = self.queue.messages.popleft()
            for attempt in range(1, 6):
                try:
                    report = sweep_slice(message, self.ports, tries_left=5 - attempt) or report
                except (RollcallError, ValueError):  # the host tries again, whatever was raised
                    continue
                break
        return report
