"""Odd answers of Resource Manager, Resource Graph, Storage and Entra to the real adapters, below their SDKs."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from shared.adapters.azure.credentials import federated_credential
from shared.adapters.azure.errors import translated
from shared.adapters.azure.foundations import ArmFoundations
from shared.adapters.defender.arc_machines import ArmMachines
from shared.adapters.defender.automations import ArmAutomations
from shared.adapters.defender.compliance import ArmCompliance
from shared.adapters.defender.connectors import DefenderConnectors
from shared.adapters.defender.subscriptions import ArmSubscriptions
from shared.adapters.defender.surroundings import ArmSurroundings
from shared.adapters.ledger.pacing import TablePacer
from shared.adapters.ledger.table_ledger import TableLedger
from shared.adapters.policy.blob import BlobPolicyStore
from shared.adapters.queue.storage_queue import StorageRequestQueue
from shared.adapters.resource_graph.advice import GraphAdvice
from shared.adapters.resource_graph.prerequisites import GraphSubscriptions
from shared.adapters.resource_graph.query import ResourceGraph
from shared.adapters.resource_graph.snapshot import ResourceGraphSnapshot
from shared.adapters.resource_graph.swept import GraphHealth, GraphTenant
from shared.adapters.resource_graph.swept_compliance import GraphCompliance
from shared.domain.pacing import WriteRate
from shared.domain.targets import Target
from tests.fakes.answering_azure import ENTRY, PLACE, AnyToken
from tests.fakes.clock import NOON, FakeClock
from tests.fixtures.read import request
from tests.fuzz.answers import Answer, Wire, bases_of
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch

ARM = "https://arm.example"
STORAGE = "https://account.example"
SUBSCRIPTION = PLACE.subscription_id
TARGET = Target(subscription_id=SUBSCRIPTION, resource_group="rg", location="westeurope")
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/i-0123"
REFUSALS = "refused"


class _Adapters:
    """Each adapter once, as long as it keeps nothing of an answer."""

    def __init__(self) -> None:
        self.clock, token = FakeClock(), AnyToken()
        self.connectors = DefenderConnectors(token, arm_endpoint=ARM)
        self.snapshot = ResourceGraphSnapshot(token, arm_endpoint=ARM, clock=self.clock)
        graph = ResourceGraph(token, arm_endpoint=ARM, patient=self.clock)
        self.tenant, self.health, self.advice = GraphTenant(graph), GraphHealth(graph), GraphAdvice(graph)
        self.prerequisites, self.swept = GraphSubscriptions(graph), GraphCompliance(graph)
        self.subscriptions = ArmSubscriptions(token, arm_endpoint=ARM, clock=self.clock)
        self.compliance = ArmCompliance(token, arm_endpoint=ARM)
        self.surroundings = ArmSurroundings(token, arm_endpoint=ARM)
        self.foundations = ArmFoundations(token, arm_endpoint=ARM)
        self.machines = ArmMachines(token, arm_endpoint=ARM)
        self.automations = ArmAutomations(token, arm_endpoint=ARM)
        self.ledger = TableLedger(token, table_endpoint=STORAGE)
        self.queue = StorageRequestQueue(token, queue_endpoint=STORAGE)
        self.policy = BlobPolicyStore(token, f"{STORAGE}/policy/policy.yaml")

    def pacer(self) -> TablePacer:
        """One that has no slots yet."""
        return TablePacer(AnyToken(), table_endpoint=STORAGE, rate=WriteRate(), clock=self.clock)

    def by_entra(self) -> object:
        """A token is asked for first."""
        credential = federated_credential(
            tenant_id="tenant", client_id="client", authority_host=ARM, assertion=lambda: "assertion"
        )
        with translated("get a token"):
            return credential.get_token(f"{ARM}/.default")


def _used(connectors: Sequence[Any]) -> object:
    """Connectors as use cases look at them."""
    return [
        (each.hierarchy_identifier, each.organization, each.membership, each.excluded_accounts, each.environment)
        for each in connectors
        if each is not None
    ]


CALLS: Mapping[str, Callable[[_Adapters], object]] = {
    "connector": lambda on: _used([on.connectors.find(PLACE)]),
    "connector put": lambda on: _used([on.connectors.put(PLACE, {"location": "centralus"})]),
    "connector tag": lambda on: _used([on.connectors.tag(PLACE, "name", "value")]),
    "connector delete": lambda on: on.connectors.delete(PLACE),
    "graph.connectors": lambda on: _used([*on.snapshot.find_by_hierarchy("012345678901"), *on.snapshot.list_all()]),
    "graph.listed": lambda on: _used(list(on.tenant.list_connectors())),
    "graph.listed some": lambda on: _used(on.tenant.connectors_of(["012345678901"])),
    "graph.machines": lambda on: list(on.tenant.list_machines()),
    "graph.machines some": lambda on: on.tenant.machines([MACHINE]),
    "graph.machines tagged": lambda on: list(on.surroundings.list_machines(request().key)),
    "graph.health": lambda on: on.health.reports_of([str(PLACE)]),
    "graph.discovered": lambda on: on.health.discovered_by([str(PLACE)]),
    "graph.assessed": lambda on: on.advice.assessed([str(PLACE)], ["a"]),
    "graph.sql": lambda on: on.advice.sql_machines_of(["012345678901"]),
    "graph.subscriptions": lambda on: on.prerequisites.shown(),
    "graph.holders": lambda on: on.prerequisites.holders("o-exampleorg1", "900000000001"),
    "graph.plans": lambda on: on.prerequisites.plans(),
    "graph.assignments": lambda on: on.swept.assignments_of([str(PLACE)]),
    "graph.rules": lambda on: on.swept.rules_of([str(PLACE)]),
    "subscription": lambda on: on.subscriptions.inspect(TARGET, max_age_seconds=-1),
    "pricings": lambda on: on.subscriptions.list_plans(SUBSCRIPTION),
    "pricing": lambda on: on.subscriptions.enable_plan(SUBSCRIPTION, "CloudPosture"),
    "permissions": lambda on: on.subscriptions.list_permissions(f"/subscriptions/{SUBSCRIPTION}"),
    "standards": lambda on: on.compliance.list_standards(PLACE),
    "assigned": lambda on: on.compliance.list_assigned(PLACE),
    "rule": lambda on: on.compliance.find_rule(PLACE, "rule"),
    "locks": lambda on: list(on.surroundings.list_locks(PLACE)),
    "assignments": lambda on: on.foundations.root("t", "p"),
    "provider": lambda on: on.foundations.registration(SUBSCRIPTION),
    "machine": lambda on: on.machines.find(MACHINE),
    "callback": lambda on: on.automations.callback_url("/subscriptions/x/workflows/y"),
    "ledger.row": lambda on: on.ledger.find(request().key),
    "ledger.row claim": lambda on: on.ledger.claim(request().key, owner="o", now=NOON, seconds=1),
    "ledger.row record": lambda on: on.ledger.record(ENTRY),
    "ledger.rows": lambda on: list(on.ledger.list_records()),
    "pacing.row": lambda on: on.pacer().reserve("subscription"),
    "token": lambda on: on.by_entra(),
    "message": lambda on: on.queue.send(request()),
    "policy": lambda on: on.policy.fetch(None),
}
NAMES = tuple(CALLS)


class AzureAnswers:
    """Surface: what Azure answers. The call is that of the base, or any for a refusal."""

    name = "azure-answers"

    def __init__(self) -> None:
        self._wire, self._adapters = Wire(), _Adapters()
        self._taken = 0

    @cached_property
    def bases(self) -> Sequence[Base]:
        """Every valid answer, and refusals of every envelope."""
        return [Base(name, content, content) for name, content in bases_of("azure").items()]

    def take(self, case: Case, watch: Watch) -> str:
        """The answer comes to one call, as its first or its second."""
        mine = [name for name in NAMES if name.partition(" ")[0] == case.base]
        free = case.choice // 4099 % 8 == 7 or not mine
        name = NAMES[case.choice % len(NAMES)] if free else mine[case.choice // 31 % len(mine)]
        self._wire.plan(Answer.odd(case.choice, case.content), turn=int(case.choice % 16 == 15))
        self._adapters.clock.advance(61)
        self._taken += 1
        if self._taken % 500 == 0:
            gc.collect()  # downloads that broke off
        with self._wire.instead_of_the_network():
            CALLS[name](self._adapters)
        return "read"


def every_call() -> Iterator[str]:
    """The calls' names."""
    yield from NAMES
