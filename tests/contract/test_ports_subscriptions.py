"""One suite for what subscriptions have and allow, standards, rules and automations: fakes, and the sandbox's ARM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sandbox.azure.seeding import AzureSeed, plant
from shared.adapters.defender.automations import ArmAutomations
from shared.adapters.defender.compliance import ArmCompliance
from shared.adapters.defender.subscriptions import ArmSubscriptions
from shared.adapters.defender.surroundings import ArmSurroundings
from shared.application.aftercare import ensure_aftercare
from shared.application.ports import Compliance, Subscriptions
from shared.application.subscription_plans import SubscriptionPorts, enable_plans, ensure_alert_export
from shared.domain.accounts import Provider
from shared.domain.connectors import ConnectorId, connector_id_for, desired_body, to_create
from shared.domain.ledger import AccountKey, Result
from shared.domain.prechecks import ASSIGN_ROLES, NEEDED_PLANS
from shared.domain.profiles import Profile
from shared.domain.subscription_plans import AlertExport
from shared.domain.targets import Target
from shared.errors import PermanentError
from tests.contract.conftest import FixedCredential
from tests.contract.test_ports_connectors import ORGANIZATION, real_tenant
from tests.fakes.azure_world import World
from tests.fakes.clock import FakeClock
from tests.fakes.subscriptions import CONTRIBUTOR, OWNER, FakeCompliance, FakeSubscriptions
from tests.fixtures.profiles import CSPM_ONLY, FOUNDATIONAL
from tests.unit.test_aftercare import PROFILE

FUNCTIONS = "rollcall-functions"
OWNERS_ROLE = "User Access Administrator"


@dataclass
class Place:
    """A subscription, and how a test changes what it has."""

    subscriptions: Subscriptions
    target: Target
    clock: FakeClock
    change: Callable[..., None]


class RealPlace:
    """Changes the simulated subscription by seeds, and puts it back."""

    def __init__(self, world: World) -> None:
        self.azure = world.azure

    def change(self, **present: Any) -> None:
        seed: dict[str, Any] = {}
        if "state" in present:
            seed["subscriptions"] = [{"state": present["state"]}]
        if "plans" in present:
            on = {"pricingTier": "Standard"}
            off = {"pricingTier": "Free"}
            named = present["plans"]
            seed["pricings"] = [
                {"name": name, "properties": on if name in named else off} for name in NEEDED_PLANS.values()
            ]
        if "permissions" in present:
            action = "grant" if present["permissions"] == (OWNER,) else "revoke"
            if action == "grant" or OWNERS_ROLE in self._roles():
                seed["roles"] = [{"identity": FUNCTIONS, "role": OWNERS_ROLE, "action": action}]
        for account_id, _ in present.get("classic_connectors", {}).items():
            details = {"authenticationType": "awsAssumeRole", "accountId": account_id}
            seed.setdefault("classic_connectors", []).append({"name": "old", "authentication_details": details})
        plant(self.azure, AzureSeed.model_validate(seed))

    def _roles(self) -> set[str]:
        identity = self.azure.directory.get(FUNCTIONS)
        scope = f"/subscriptions/{self.azure.subscription_id}"
        return {role.name for role in self.azure.directory.roles_on(identity, scope)}

    def restore(self) -> None:
        self.change(state="Enabled", plans=frozenset(), permissions=(CONTRIBUTOR,))
        self.azure.classic_connectors.clear()


@pytest.fixture(params=["fake", "arm"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    clock = FakeClock()
    if request.param == "fake":
        fake = FakeSubscriptions(clock)
        target = Target(subscription_id="s", resource_group="rg", location="westeurope")
        yield Place(fake, target, clock, lambda **present: fake.present.update(present))
        return
    world: World = request.getfixturevalue("azure_ports")
    real = RealPlace(world)
    real.change(plans=frozenset(NEEDED_PLANS.values()), permissions=(OWNER,))
    adapter = ArmSubscriptions(FixedCredential(world), arm_endpoint=world.azure.arm_url, clock=clock)
    yield Place(adapter, real_tenant(world, clock).target, clock, real.change)
    real.restore()


def test_everything_about_a_subscription_is_read(place: Place) -> None:
    facts = place.subscriptions.inspect(place.target, max_age_seconds=0)
    assert facts.state == "Enabled"
    assert facts.plans >= set(NEEDED_PLANS.values())
    assert facts.may(ASSIGN_ROLES)
    assert dict(facts.classic_connectors) == {}
    assert facts.read_at == place.clock.now()


def test_what_changed_is_seen_when_the_facts_are_older_than_asked_for(place: Place) -> None:
    place.subscriptions.inspect(place.target, max_age_seconds=0)
    place.change(
        state="Disabled",
        plans=frozenset({"CloudPosture"}),
        permissions=(CONTRIBUTOR,),
        classic_connectors={"012345678901": "old"},
    )
    place.clock.advance(60)
    assert place.subscriptions.inspect(place.target, max_age_seconds=60).state == "Enabled"
    place.clock.advance(1)
    facts = place.subscriptions.inspect(place.target, max_age_seconds=60)
    assert facts.state == "Disabled"
    assert facts.plans & set(NEEDED_PLANS.values()) == {"CloudPosture"}
    assert not facts.may(ASSIGN_ROLES)
    assert set(facts.classic_connectors) == {"012345678901"}


@pytest.mark.parametrize("answer", ["not-found", "gone", "list"])
def test_a_retired_api_for_classic_connectors_means_that_there_are_none(azure_ports: World, answer: str) -> None:
    clock = FakeClock()
    plant(azure_ports.azure, AzureSeed.model_validate({"classic_answer": answer}))
    adapter = ArmSubscriptions(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url, clock=clock)
    facts = adapter.inspect(real_tenant(azure_ports, clock).target, max_age_seconds=0)
    assert dict(facts.classic_connectors) == {}
    azure_ports.azure.classic_connectors.clear()


def test_facts_are_read_once_however_many_ask(azure_ports: World) -> None:
    clock = FakeClock()
    adapter = ArmSubscriptions(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url, clock=clock)
    since = len(azure_ports.journal)
    for _ in range(50):
        adapter.inspect(real_tenant(azure_ports, clock).target, max_age_seconds=300)
    assert len(azure_ports.journal.entries(since=since, service="arm")) == 4


def test_plans_are_switched_on_once_and_with_a_pause_between_them(azure_ports: World) -> None:
    clock = FakeClock()
    azure_ports.azure.pricings.gap_seconds = 0
    real = RealPlace(azure_ports)
    real.change(plans=frozenset({"CloudPosture"}))
    adapter = ArmSubscriptions(
        FixedCredential(azure_ports, "operator"), arm_endpoint=azure_ports.azure.arm_url, clock=clock
    )
    plant(azure_ports.azure, AzureSeed.model_validate({"roles": [{"identity": "operator", "role": "Security Admin"}]}))
    ports, subscription = (
        SubscriptionPorts(plans=adapter, clock=clock, gap_seconds=12),
        azure_ports.azure.subscription_id,
    )
    asked = ["CloudPosture", "VirtualMachines", "SqlServerVirtualMachines"]
    started = clock.now()
    results = {plan.name: (plan.is_on, result) for plan, result in enable_plans(asked, subscription, ports)}
    assert results == {
        "CloudPosture": (True, Result.UNCHANGED),
        "VirtualMachines": (True, Result.UPDATED),
        "SqlServerVirtualMachines": (True, Result.UPDATED),
    }
    assert (clock.now() - started).total_seconds() == 12
    assert {result for _, result in enable_plans(asked, subscription, ports)} == {Result.UNCHANGED}
    real.restore()


def test_a_change_of_somebody_else_s_is_waited_out(azure_ports: World) -> None:
    clock = FakeClock()
    adapter = ArmSubscriptions(
        FixedCredential(azure_ports, "operator"), arm_endpoint=azure_ports.azure.arm_url, clock=clock
    )
    plant(azure_ports.azure, AzureSeed.model_validate({"roles": [{"identity": "operator", "role": "Security Admin"}]}))
    azure_ports.azure.pricings.gap_seconds = 0
    subscription = azure_ports.azure.subscription_id
    adapter.enable_plan(subscription, "KeyVaults")
    azure_ports.azure.pricings.gap_seconds = 3600
    with pytest.raises(PermanentError, match="in progress"):
        list(enable_plans(["Arm"], subscription, SubscriptionPorts(plans=adapter, clock=clock)))
    assert clock.slept
    azure_ports.azure.pricings.gap_seconds = 0
    [(plan, result)] = enable_plans(["Arm"], subscription, SubscriptionPorts(plans=adapter, clock=clock))
    assert (plan.is_on, result) == (True, Result.UPDATED)


@pytest.fixture(params=["fake", "arm"])
def connected(request: pytest.FixtureRequest, account_id: str) -> Callable[[Profile], tuple[Compliance, ConnectorId]]:
    """A connector with the plans of a profile, and what belongs to it."""
    if request.param == "fake":
        target = Target(subscription_id="s", resource_group="rg", location="westeurope")

        def fake(profile: Profile) -> tuple[Compliance, ConnectorId]:
            made = FakeCompliance()
            made.refuses = "" if profile.cspm else "the plan is too low"
            return made, connector_id_for(account_id, target)

        return fake
    world: World = request.getfixturevalue("azure_ports")
    world.prepare(account_id)
    tenant = real_tenant(world, FakeClock())

    def real(profile: Profile) -> tuple[Compliance, ConnectorId]:
        connector_id = connector_id_for(account_id, tenant.target)
        tenant.connectors.put(connector_id, to_create(desired_body(account_id, profile, tenant.target, ORGANIZATION)))
        return ArmCompliance(FixedCredential(world), arm_endpoint=world.azure.arm_url), connector_id

    return real


def test_standards_and_rules_are_there_once_and_the_second_time_changes_nothing(
    connected: Callable[[Profile], tuple[Compliance, ConnectorId]],
) -> None:
    compliance, connector_id = connected(CSPM_ONLY)
    assert ensure_aftercare(connector_id, PROFILE, compliance) == ()
    offered = compliance.list_standards(connector_id)
    assigned = {each.lower() for each in compliance.list_assigned(connector_id)}
    for name in ("CIS AWS Foundations v3.0.0", "PCI DSS 4.0.1"):
        assert offered[name].lower() in assigned
    assert ensure_aftercare(connector_id, PROFILE, compliance) == ()


def test_a_plan_that_is_too_low_is_a_finding_with_defender_s_words(
    connected: Callable[[Profile], tuple[Compliance, ConnectorId]],
) -> None:
    compliance, connector_id = connected(FOUNDATIONAL)
    found = ensure_aftercare(connector_id, PROFILE, compliance)
    assert [each.key for each in found] == ["standard-refused", "standard-refused", "governance-refused"]
    assert all("plan" in each.reason.lower() for each in found)


def test_the_export_of_alerts_is_made_once_per_scope(azure_ports: World) -> None:
    azure = azure_ports.azure
    plant(azure, AzureSeed.model_validate({"roles": [{"identity": "operator", "role": "Contributor"}]}))
    tenant = real_tenant(azure_ports, FakeClock())
    group = f"/subscriptions/{tenant.target.subscription_id}/resourceGroups/{tenant.target.resource_group}"
    app = f"{group}/providers/Microsoft.Logic/workflows/alerts"
    azure.resources.put({"id": app, "name": "alerts", "type": "Microsoft.Logic/workflows", "location": "x"})
    scope = f"/subscriptions/{tenant.target.subscription_id}"
    export = AlertExport(resource_group_id=group, location="westeurope", scope=scope, logic_app_id=app)
    automations = ArmAutomations(FixedCredential(azure_ports, "operator"), arm_endpoint=azure.arm_url)
    assert ensure_alert_export(export, automations) is Result.CREATED
    since = len(azure_ports.journal)
    assert ensure_alert_export(export, automations) is Result.UNCHANGED
    assert {entry.method for entry in azure_ports.journal.entries(since=since, service="arm")} == {"GET"}
    actual = automations.find(export.automation_id)
    assert actual is not None
    assert "sig=" not in str(actual), "the address of the Logic App is a secret"


def test_locks_are_found_on_the_connector_and_around_it(azure_ports: World, account_id: str) -> None:
    azure_ports.prepare(account_id)
    tenant, azure = real_tenant(azure_ports, FakeClock()), azure_ports.azure
    connector_id = connector_id_for(account_id, tenant.target)
    tenant.connectors.put(connector_id, to_create(desired_body(account_id, FOUNDATIONAL, tenant.target, ORGANIZATION)))
    surroundings = ArmSurroundings(FixedCredential(azure_ports), arm_endpoint=azure.arm_url)
    assert list(surroundings.list_locks(connector_id)) == []
    group = str(connector_id).partition("/providers/")[0]
    azure.locks.put(group, "around", "CanNotDelete")
    azure.locks.put(str(connector_id), "on-it", "ReadOnly")
    try:
        assert {lock.level for lock in surroundings.list_locks(connector_id)} == {"CanNotDelete", "ReadOnly"}
        with pytest.raises(PermanentError) as refused:
            tenant.connectors.delete(connector_id)
        assert refused.value.key == "scope-locked"
    finally:
        azure.locks.remove(group, "around")
        azure.locks.remove(str(connector_id), "on-it")
    tenant.connectors.delete(connector_id)
    tenant.connectors.delete(connector_id)
    assert tenant.connectors.find(connector_id) is None


def test_an_account_s_arc_machines_are_found_by_their_tag(azure_ports: World, account_id: str) -> None:
    group = real_tenant(azure_ports, FakeClock()).target.resource_group
    base = f"/subscriptions/{azure_ports.azure.subscription_id}/resourceGroups/{group}"
    owners: dict[str, dict[str, str]] = {
        "i-1": {"AccountId": account_id, "Cloud": "AWS"},
        "i-2": {"AccountId": "999999999999", "Cloud": "AWS"},
        "vm-1": {"ProjectNumber": account_id, "ProjectId": "acme-shop-1", "Cloud": "GCP"},
    }
    for name, tags in owners.items():
        azure_ports.azure.resources.put(
            {
                "id": f"{base}/providers/Microsoft.HybridCompute/machines/{name}",
                "name": name,
                "type": "Microsoft.HybridCompute/machines",
                "location": "westeurope",
                "tags": tags,
                "properties": {"status": "Disconnected"},
            }
        )
    surroundings = ArmSurroundings(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url)
    for provider, name in ((Provider.AWS, "i-1"), (Provider.GCP, "vm-1")):
        key = AccountKey(provider=provider, hierarchy_identifier=account_id)
        assert [(each.name, each.status) for each in surroundings.list_machines(key)] == [(name, "Disconnected")]
        with pytest.raises(PermanentError):
            list(surroundings.list_machines(replace(key, hierarchy_identifier="' or true")))
