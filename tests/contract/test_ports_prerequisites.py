"""One suite for what the sweep reads of subscriptions, rights and queues, on the fakes and on the simulated Azure."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueServiceClient

from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.seeding import AzureSeed, plant
from shared.adapters.clock import SystemClock
from shared.adapters.defender.subscriptions import ArmSubscriptions
from shared.adapters.policy.problems import parse_policy
from shared.adapters.queue.depth import StorageQueueGauge
from shared.adapters.resource_graph.prerequisites import GraphSubscriptions
from shared.adapters.resource_graph.query import ResourceGraph
from shared.application.sweep_ports import Rights, SweptSubscriptions
from shared.domain.connectors import Connector, ConnectorId, desired_body, desired_project_body
from shared.domain.gcp_connector_api import Project
from shared.domain.policy import Policy
from shared.domain.prechecks import ASSIGN_ROLES, NEEDED_PLANS, Permission
from shared.domain.profiles import Plan, Profile
from shared.domain.queues import QueueDepth
from shared.domain.sweep.rights import missing_rights
from shared.domain.targets import Target
from shared.errors import ConfigurationError, TransientError
from tests.contract.conftest import FixedCredential
from tests.contract.recordings import read
from tests.fakes.aws import FakePolicySource
from tests.fakes.azure_world import World
from tests.fakes.sweep import FakeTenant
from tests.fakes.sweep_prerequisites import FakeRights, FakeSweptSubscriptions
from tests.fixtures.profiles import CSPM_ONLY, FOUNDATIONAL
from tests.fixtures.read import fixture

ORGANIZATION = "o-exampleorg1"
OWNERS_ROLE = "User Access Administrator"
POLICY = parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")
UNTOUCHED = "00000000-0000-4000-8000-0000000000e1"


@dataclass
class Place:
    """Subscriptions behind the port; how a connector is planted, and how a plan, a right or sight is taken away."""

    subscriptions: SweptSubscriptions
    rights: Rights
    target: Target
    connect: Callable[[str, Profile, str], None]
    switch_off: Callable[[str], None]
    take_rights: Callable[[], None]
    hide: Callable[[], None]

    @property
    def scope(self) -> str:
        return f"/subscriptions/{self.target.subscription_id}/resourceGroups/{self.target.resource_group}"

    @property
    def subscription(self) -> str:
        return self.target.subscription_id.lower()


def body_of(account_id: str, profile: Profile, target: Target, organization: str) -> dict[str, Any]:
    """Of a project where the organization is a number."""
    if organization.isdigit():
        project = Project(number=account_id, project_id=f"shop-{account_id}")
        name, body = f"gcp-{account_id}", desired_project_body(project, profile, target, organization)
    else:
        name, body = f"aws-{account_id}", desired_body(account_id, profile, target, organization)
    group = f"/subscriptions/{target.subscription_id}/resourceGroups/{target.resource_group}"
    kind = "Microsoft.Security/securityConnectors"
    return body | {
        "id": f"{group}/providers/{kind}/{name}",
        "name": name,
        "type": kind,
    }


def fake_place(policy: Policy) -> Place:
    tenant, rights = FakeTenant(), FakeRights()
    fake = FakeSweptSubscriptions(tenant, FakePolicySource(policy))
    target = policy.target

    def connect(account_id: str, profile: Profile, organization: str) -> None:
        body = body_of(account_id, profile, target, organization)
        tenant.connectors.append(Connector(connector_id=ConnectorId.parse(body["id"]), body=body))

    def take_rights() -> None:
        scope = f"/subscriptions/{target.subscription_id}/resourceGroups/{target.resource_group}"
        rights.held[scope.lower()] = (Permission(actions=("*/read", "Microsoft.Security/*")),)

    return Place(
        subscriptions=fake,
        rights=rights,
        target=target,
        connect=connect,
        switch_off=lambda name: fake.off.setdefault(target.subscription_id.lower(), set()).add(name),
        take_rights=take_rights,
        hide=lambda: fake.hidden.add(target.subscription_id.lower()),
    )


def real_place(world: World) -> Iterator[Place]:
    azure = world.azure
    target = Target(
        subscription_id=azure.subscription_id, resource_group="rg-defender-connectors", location="westeurope"
    )
    names = NEEDED_PLANS.values()

    def role(name: str, action: str, scope: str | None = None) -> None:
        plant(azure, AzureSeed.model_validate({"roles": [_role(name, action, scope)]}))

    def plans(tier: str, *named: str) -> None:
        pricings = [{"name": name, "properties": {"pricingTier": tier}} for name in named]
        plant(azure, AzureSeed.model_validate({"pricings": pricings}))

    def connect(account_id: str, profile: Profile, organization: str) -> None:
        resources = [body_of(account_id, profile, target, organization)]
        plant(azure, AzureSeed.model_validate({"resources": resources}))

    def hide() -> None:
        role(OWNERS_ROLE, "revoke")
        role("Reader", "revoke", azure.directory.root_scope)

    role(OWNERS_ROLE, "grant")
    plans("Standard", *names)
    graph = ResourceGraph(FixedCredential(world), arm_endpoint=azure.arm_url, patient=SystemClock())
    yield Place(
        subscriptions=GraphSubscriptions(graph),
        rights=ArmSubscriptions(FixedCredential(world), arm_endpoint=azure.arm_url, clock=SystemClock()),
        target=target,
        connect=connect,
        switch_off=lambda name: plans("Free", name),
        take_rights=lambda: role(OWNERS_ROLE, "revoke"),
        hide=hide,
    )
    for name, scope in ((OWNERS_ROLE, None), ("Reader", azure.directory.root_scope)):
        role(name, "revoke", scope)
    role("Reader", "grant", azure.directory.root_scope)
    for each in azure.resources.of_type("Microsoft.Security/securityConnectors"):
        azure.resources.delete(each["id"])


def _role(name: str, action: str, scope: str | None) -> dict[str, Any]:
    return {"identity": FUNCTIONS, "role": name, "action": action} | ({"scope": scope} if scope else {})


@pytest.fixture(params=["fake", "simulator"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "fake":
        yield fake_place(POLICY)
        return
    yield from real_place(request.getfixturevalue("azure_ports"))


def test_plans_of_connectors_are_counted_where_they_stand_and_only_ours(place: Place, account_id: str) -> None:
    place.connect(account_id, CSPM_ONLY, ORGANIZATION)
    place.connect(f"8{account_id[1:]}", CSPM_ONLY, ORGANIZATION)
    place.connect(f"6{account_id[1:]}", FOUNDATIONAL, ORGANIZATION)
    place.connect(f"5{account_id[1:]}", CSPM_ONLY, "o-another")
    held = place.subscriptions.holders(ORGANIZATION, "")
    assert {each: dict(plans) for each, plans in held.items()} == {place.subscription: {Plan.DEFENDER_CSPM: 2}}
    assert place.subscriptions.holders("o-nobodys", "") == {}


def test_plans_of_projects_are_counted_as_those_of_accounts(place: Place, account_id: str) -> None:
    place.connect(account_id, CSPM_ONLY, "123456789012")
    place.connect(f"8{account_id[1:]}", CSPM_ONLY, ORGANIZATION)
    held = place.subscriptions.holders("123456789012", "")
    assert {each: dict(plans) for each, plans in held.items()} == {place.subscription: {Plan.DEFENDER_CSPM: 1}}


def test_a_plan_that_was_switched_off_is_seen_among_the_others(place: Place, account_id: str) -> None:
    place.connect(account_id, CSPM_ONLY, ORGANIZATION)
    assert dict(place.subscriptions.plans()[place.subscription]) == dict.fromkeys(NEEDED_PLANS.values(), True)
    place.switch_off("CloudPosture")
    assert place.subscriptions.plans()[place.subscription] == {
        "CloudPosture": False,
        "VirtualMachines": True,
        "SqlServerVirtualMachines": True,
    }


def test_a_subscription_is_shown_until_it_may_not_be_read(place: Place) -> None:
    assert place.subscription in place.subscriptions.shown()
    place.hide()
    assert place.subscription not in place.subscriptions.shown()


def test_what_our_identity_may_do_is_read_as_it_is_now(place: Place) -> None:
    asking = replace(POLICY, target=place.target)
    assert missing_rights(asking, place.scope, place.rights.list_permissions(place.scope)) == ()
    place.take_rights()
    assert missing_rights(asking, place.scope, place.rights.list_permissions(place.scope)) == (ASSIGN_ROLES,)


def test_rights_that_may_not_be_read_are_an_error_and_not_none_at_all(azure_ports: World) -> None:
    nobody = FixedCredential(azure_ports, "rollcall-lambda-queue-sender")
    rights = ArmSubscriptions(nobody, arm_endpoint=azure_ports.azure.arm_url, clock=SystemClock())
    with pytest.raises((ConfigurationError, TransientError)):
        rights.list_permissions(azure_ports.group)


def test_plans_that_nobody_ever_touched_have_rows_and_are_off(azure_ports: World) -> None:
    azure_ports.azure.resources.add_subscription(UNTOUCHED)
    graph = ResourceGraph(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url, patient=SystemClock())
    assert GraphSubscriptions(graph).plans()[UNTOUCHED] == dict.fromkeys(NEEDED_PLANS.values(), False)


def test_a_recorded_list_of_plans_is_read_alike_through_resource_graph(azure_ports: World, evidence: Path) -> None:
    recorded = read(evidence, "security-pricings-list-200").body["value"]
    subscription = str(uuid.uuid4())
    azure_ports.azure.resources.add_subscription(subscription)
    for plan in recorded:
        azure_ports.azure.pricings.seed(subscription, plan["name"], plan["properties"])
    graph = ResourceGraph(FixedCredential(azure_ports), arm_endpoint=azure_ports.azure.arm_url, patient=SystemClock())
    tiers = {plan["name"]: plan["properties"]["pricingTier"] == "Standard" for plan in recorded}
    expected = {name: tiers.get(name, False) for name in NEEDED_PLANS.values()}
    assert GraphSubscriptions(graph).plans()[subscription] == expected
    assert set(tiers.values()) == {True, False}


def test_a_poison_queue_that_the_host_has_not_made_yet_holds_nothing(azure_ports: World) -> None:
    credential, endpoint = FixedCredential(azure_ports), azure_ports.azure.queue_url
    gauge = StorageQueueGauge(credential, queue_endpoint=endpoint, name="sweep", poison_may_be_absent=True)
    with QueueServiceClient(endpoint, credential=credential) as service:
        service.delete_queue("sweep-poison")  # before its deployment made it, only the host did
        assert gauge.measure()[1] == QueueDepth(name="sweep-poison", waiting=0, given_up=True)
        queue = service.create_queue("sweep-poison")
        queue.send_message("e30=")
        found = gauge.measure()[1]
        assert (found.waiting, found.given_up, found.problem, found.oldest_at is not None) == (1, True, "", True)
        queue.clear_messages()


def test_a_queue_that_should_be_there_and_is_not_is_a_problem(azure_ports: World) -> None:
    credential, endpoint = FixedCredential(azure_ports), azure_ports.azure.queue_url
    for options in ({}, {"poison_may_be_absent": True}):
        main, poison = StorageQueueGauge(credential, queue_endpoint=endpoint, name="no-such", **options).measure()
        assert main.problem
        assert bool(poison.problem) is not bool(options)
