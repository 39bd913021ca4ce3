"""One suite for what follows connectors as the sweep sees it, on the fakes and on the simulated Azure."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sandbox.azure.directory import QUEUE_SENDER
from shared.adapters.defender.compliance import ArmCompliance
from shared.adapters.resource_graph.query import ResourceGraph
from shared.adapters.resource_graph.swept_compliance import GraphCompliance
from shared.application.aftercare import ensure_aftercare
from shared.application.ports import Compliance
from shared.application.sweep_ports import SweptCompliance
from shared.domain.aftercare import rule_body, rule_differences, rule_id
from shared.domain.connectors import ConnectorId, connector_id_for, desired_body, to_create
from shared.domain.profiles import DefenderCspm, GovernanceRule, Profile
from shared.domain.sweep.compliance import Assignment, named_standards
from tests.contract.conftest import FixedCredential
from tests.contract.test_ports_connectors import real_tenant
from tests.fakes.azure_world import World
from tests.fakes.clock import FakeClock
from tests.fakes.subscriptions import FakeCompliance
from tests.fakes.sweep_compliance import FakeSweptCompliance
from tests.fixtures.bodies import ORGANIZATION, TARGET

CIS, PCI = "CIS AWS Foundations v3.0.0", "PCI DSS 4.0.1"
RULE = GovernanceRule(
    name="High first",
    priority=100,
    severities=("High",),
    owner="secops@example.com",
    owner_from_tag=False,
    remediation_days=7,
    grace_period=False,
)
PROFILE = Profile(name="asking", cspm=DefenderCspm(), standards=(CIS, PCI), governance=(RULE,))


@dataclass
class Place:
    """What writes, what the sweep reads, and the connector that it is about."""

    compliance: Compliance
    swept: SweptCompliance
    connector: ConnectorId

    @property
    def id(self) -> str:
        return str(self.connector)

    def shown(self) -> dict[str, Assignment]:
        return {each.display_name: each for each in self.swept.assignments_of([self.id])}

    def rules(self) -> Mapping[str, Mapping[str, Any]]:
        return self.swept.rules_of([self.id]).get(self.id.lower(), {})


@pytest.fixture(params=["fake", "simulator"])
def place(request: pytest.FixtureRequest, account_id: str) -> Place:
    if request.param == "fake":
        compliance = FakeCompliance()
        return Place(compliance, FakeSweptCompliance(compliance), connector_id_for(account_id, TARGET))
    world: World = request.getfixturevalue("azure_ports")
    world.prepare(account_id)
    tenant = real_tenant(world, FakeClock())
    connector = connector_id_for(account_id, tenant.target)
    tenant.connectors.put(connector, to_create(desired_body(account_id, PROFILE, tenant.target, ORGANIZATION)))
    return Place(ArmCompliance(FixedCredential(world), arm_endpoint=world.azure.arm_url), graph_of(world), connector)


def graph_of(world: World, identity: str | None = None) -> GraphCompliance:
    credential = FixedCredential(world, identity) if identity else FixedCredential(world)
    return GraphCompliance(ResourceGraph(credential, arm_endpoint=world.azure.arm_url))


def comes(true: Callable[[], bool]) -> None:
    """Resource Graph is late."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_what_aftercare_makes_is_seen_as_it_was_made(place: Place) -> None:
    assert place.shown() == {}
    assert place.rules() == {}
    assert ensure_aftercare(place.connector, PROFILE, place.compliance) == ()
    comes(lambda: {CIS, PCI} <= set(place.shown()) and bool(place.rules()))
    offered = {name: each.lower() for name, each in place.compliance.list_standards(place.connector).items()}
    for name in (CIS, PCI):
        seen = place.shown()[name]
        assert (seen.is_ours, seen.standard.lower(), seen.connector.same_as(place.connector)) == (
            True,
            offered[name],
            True,
        )
    assert named_standards(place.swept.assignments_of([place.id]))[CIS.casefold()] == {place.shown()[CIS].key}
    [rule] = [body for name, body in place.rules().items() if name == rule_id(place.connector, RULE)]
    assert rule_differences(rule_body(RULE), dict(rule)) == ()
    changed = rule_body(replace(RULE, priority=7, severities=("High", "Low")))
    place.compliance.put_rule(place.connector, rule_id(place.connector, RULE), changed)
    comes(lambda: rule_differences(rule_body(RULE), dict(next(iter(place.rules().values())))) != ())
    assert rule_differences(rule_body(RULE), dict(next(iter(place.rules().values())))) == (
        "rulePriority",
        "conditionSets",
    )


def test_an_exemption_from_one_assessment_assigns_no_standard(place: Place) -> None:
    standard = place.compliance.list_standards(place.connector)[CIS]
    properties = {"displayName": CIS, "assignedStandard": {"id": standard}, "excludedScopes": []}
    before = place.compliance.list_assigned(place.connector)
    for effect in ("Exempt", "Attest"):
        body = {"properties": properties | {"effect": effect}}
        place.compliance.assign(place.connector, str(uuid.uuid4()), body)
    assert place.compliance.list_assigned(place.connector) == before
    ours = {"properties": properties | {"displayName": "by hand", "effect": "Audit"}}
    place.compliance.assign(place.connector, str(uuid.uuid4()), ours)
    assert standard in place.compliance.list_assigned(place.connector)
    comes(lambda: "by hand" in place.shown())
    assert CIS not in place.shown()
    assert not place.shown()["by hand"].is_ours


def test_of_connectors_that_nobody_asked_for_nothing_is_told(place: Place) -> None:
    ensure_aftercare(place.connector, PROFILE, place.compliance)
    comes(lambda: CIS in place.shown())
    longer = replace(place.connector, name=f"{place.connector.name}0")
    assert place.swept.assignments_of([str(longer)]) == ()
    assert place.swept.rules_of([str(longer)]) == {}


@pytest.mark.parametrize("place", ["simulator"], indirect=True)
def test_what_the_identity_may_not_read_is_left_out_without_a_word(place: Place, azure_ports: World) -> None:
    ensure_aftercare(place.connector, PROFILE, place.compliance)
    comes(lambda: CIS in place.shown())
    stranger = graph_of(azure_ports, QUEUE_SENDER)
    assert stranger.assignments_of([place.id]) == ()
    assert stranger.rules_of([place.id]) == {}
