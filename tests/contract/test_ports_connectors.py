"""One suite for connectors and their snapshot: the fakes, and the sandbox's Resource Manager and Resource Graph."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.azure.directory import OPERATOR, QUEUE_SENDER
from shared.adapters.defender.connectors import DefenderConnectors
from shared.adapters.resource_graph import query as graph
from shared.adapters.resource_graph.snapshot import ResourceGraphSnapshot
from shared.application.ports import Connectors, TenantSnapshot
from shared.domain.connectors import Connector, ConnectorId, connector_id_for, desired_body, merge, to_create
from shared.domain.drift import differences
from shared.domain.profiles import Profile
from shared.domain.targets import Target
from shared.errors import ConfigurationError, PermanentError, TransientError
from tests.contract.conftest import FixedCredential, becomes_wrong_deployment
from tests.fakes.azure_world import World
from tests.fakes.clock import FakeClock
from tests.fakes.connectors import FakeConnectors, FakeSnapshot
from tests.fixtures.profiles import CSPM_ONLY as FULL
from tests.fixtures.profiles import FOUNDATIONAL as BASIC
from tests.fixtures.profiles import FULL as RECOMMENDED

ORGANIZATION = "o-exampleorg1"


@dataclass
class Tenant:
    """Connectors, and a snapshot as a process that starts now would see it."""

    connectors: Connectors
    snapshot: Callable[[], TenantSnapshot]
    target: Target


@pytest.fixture(params=["fake", "arm"])
def tenant(request: pytest.FixtureRequest, account_id: str) -> Tenant:
    if request.param == "fake":
        fake = FakeConnectors()
        target = Target(subscription_id="s", resource_group="rg-connectors", location="westeurope")
        return Tenant(fake, lambda: FakeSnapshot(fake), target)
    world: World = request.getfixturevalue("azure_ports")
    world.prepare(account_id)
    return real_tenant(world, FakeClock())


def real_tenant(world: World, clock: FakeClock, identity: str = "rollcall-functions") -> Tenant:
    credential, arm = FixedCredential(world, identity), world.azure.arm_url
    [subscription] = world.azure.resources.subscriptions()
    target = Target(subscription_id=subscription.id, resource_group="rg-defender-connectors", location="westeurope")
    return Tenant(
        DefenderConnectors(credential, arm_endpoint=f"{arm}/"),
        lambda: ResourceGraphSnapshot(credential, arm_endpoint=arm, clock=clock),
        target,
    )


def body(tenant: Tenant, account_id: str, profile: Profile = FULL) -> dict[str, Any]:
    return to_create(desired_body(account_id, profile, tenant.target, ORGANIZATION))


def test_a_connector_that_was_never_made_is_not_found(tenant: Tenant, account_id: str) -> None:
    assert tenant.connectors.find(connector_id_for(account_id, tenant.target)) is None
    assert tenant.snapshot().find_by_hierarchy(account_id) == ()


def test_a_connector_that_was_put_is_found_without_differences(tenant: Tenant, account_id: str) -> None:
    place, wanted = connector_id_for(account_id, tenant.target), body(tenant, account_id)
    written = tenant.connectors.put(place, wanted)
    found = tenant.connectors.find(place)
    assert found is not None
    for connector in (written, found):
        assert connector.connector_id.same_as(place)
        assert (connector.hierarchy_identifier, connector.organization) == (account_id, ORGANIZATION)
        assert differences(wanted, connector.body) == ()
    [seen] = tenant.snapshot().find_by_hierarchy(account_id)
    assert seen.connector_id.same_as(place)
    assert seen.organization == ORGANIZATION
    assert differences(wanted, seen.body) == ()


def test_a_connector_is_replaced_by_the_next_put(tenant: Tenant, account_id: str) -> None:
    place = connector_id_for(account_id, tenant.target)
    first = tenant.connectors.put(place, body(tenant, account_id))
    wanted = body(tenant, account_id, BASIC)
    second = tenant.connectors.put(place, merge(first.body, wanted))
    assert differences(wanted, second.body) == ()
    assert len(second.body["properties"]["offerings"]) == 1
    assert len(tenant.snapshot().find_by_hierarchy(account_id)) == 1


def test_what_we_do_not_know_survives_reading_merging_and_writing(tenant: Tenant, account_id: str) -> None:
    place, wanted = connector_id_for(account_id, tenant.target), body(tenant, account_id, RECOMMENDED)
    strange = body(tenant, account_id)
    servers = {"offeringType": "DefenderForServersAws", "subPlan": "P1", "fieldOfTomorrow": {"kept": [1]}}
    strange["properties"]["offerings"].append(servers)
    strange["tags"] = {"rollcall": ORGANIZATION, "owner": "secops"}
    tenant.connectors.put(place, strange)
    found = tenant.connectors.find(place)
    assert found is not None
    written = tenant.connectors.put(place, merge(found.body, wanted))
    assert differences(wanted, written.body) == ()
    [kept] = [one for one in written.body["properties"]["offerings"] if one["offeringType"] == "DefenderForServersAws"]
    assert (kept["fieldOfTomorrow"], kept["subPlan"]) == ({"kept": [1]}, "P2")
    assert written.body["tags"]["owner"] == "secops"


def test_a_tag_is_added_to_those_that_are_there(tenant: Tenant, account_id: str) -> None:
    place = connector_id_for(account_id, tenant.target)
    theirs = body(tenant, account_id)
    theirs["tags"] = {"owner": "secops", "RollCall": "o-elsewhere"}
    tenant.connectors.put(place, theirs)
    tenant.connectors.tag(place, "rollcall", ORGANIZATION)
    found = tenant.connectors.find(place)
    assert found is not None
    assert (found.organization, found.body["tags"]["owner"]) == (ORGANIZATION, "secops")
    assert differences(theirs | {"tags": {}}, found.body) == ()


def test_a_connector_that_is_deleted_is_gone_and_stays_out_of_the_snapshot(tenant: Tenant, account_id: str) -> None:
    place = connector_id_for(account_id, tenant.target)
    tenant.connectors.put(place, body(tenant, account_id))
    snapshot = tenant.snapshot()
    assert snapshot.find_by_hierarchy(account_id)
    tenant.connectors.delete(place)
    snapshot.forget(place)
    assert snapshot.find_by_hierarchy(account_id) == ()
    assert tenant.connectors.find(place) is None
    tenant.connectors.delete(place)


def test_a_snapshot_shows_what_was_remembered(tenant: Tenant, account_id: str) -> None:
    snapshot = tenant.snapshot()
    assert snapshot.find_by_hierarchy(account_id) == ()
    place = connector_id_for(account_id, tenant.target)
    written = tenant.connectors.put(place, body(tenant, account_id))
    snapshot.remember(written)
    assert [found.connector_id for found in snapshot.find_by_hierarchy(account_id)] == [place]
    newer = Connector(connector_id=place, body=body(tenant, account_id, BASIC))
    snapshot.remember(newer)
    assert snapshot.find_by_hierarchy(account_id) == (newer,)


def test_a_snapshot_lists_the_whole_tenant_with_what_was_remembered(tenant: Tenant, account_id: str) -> None:
    place, wanted = connector_id_for(account_id, tenant.target), body(tenant, account_id)
    tenant.connectors.put(place, wanted)
    snapshot = tenant.snapshot()

    def mine() -> list[Connector]:
        return [found for found in snapshot.list_all() if found.hierarchy_identifier == account_id]

    [found] = mine()
    assert found.connector_id.same_as(place)
    assert differences(wanted, found.body) == ()
    newer = Connector(connector_id=place, body=body(tenant, account_id, BASIC))
    snapshot.remember(newer)
    assert mine() == [newer]


def test_a_snapshot_tells_apart_those_that_say_something_about_an_organization(tenant: Tenant, account_id: str) -> None:
    place, wanted = connector_id_for(account_id, tenant.target), body(tenant, account_id)
    alone = tenant.connectors.put(place, wanted)
    snapshot = tenant.snapshot()

    def found(*, organizational: bool) -> list[Connector]:
        listed = snapshot.list_organizational(organizational=organizational)
        return [each for each in listed if each.hierarchy_identifier == account_id]

    assert [each.connector_id.same_as(place) for each in found(organizational=False)] == [True]
    assert found(organizational=True) == []
    member = json.loads(json.dumps(alone.body))
    member["properties"]["environmentData"]["organizationalData"] = {"organizationMembershipType": "Member"}
    snapshot.remember(Connector(connector_id=place, body=member))
    assert found(organizational=False) == []
    assert [each.membership for each in found(organizational=True)] == ["member"]
    snapshot.forget(place)
    assert found(organizational=True) == found(organizational=False) == []
    assert snapshot.find_by_hierarchy(account_id) == ()


def test_a_snapshot_is_read_again_after_a_minute(azure_ports: World, account_id: str) -> None:
    clock = FakeClock()
    tenant = real_tenant(azure_ports, clock)
    azure_ports.prepare(account_id)
    snapshot = tenant.snapshot()
    snapshot.find_by_hierarchy(account_id)
    place = connector_id_for(account_id, tenant.target)
    written = tenant.connectors.put(place, body(tenant, account_id))
    before = len(azure_ports.journal.entries(operation="arm:QueryResources"))
    clock.advance(60)
    assert snapshot.find_by_hierarchy(account_id) == ()
    clock.advance(1)
    assert len(snapshot.find_by_hierarchy(account_id)) == 1
    assert len(azure_ports.journal.entries(operation="arm:QueryResources")) == before + 1
    snapshot.remember(Connector(connector_id=place, body=written.body | {"tags": {"rollcall": "mine"}}))
    assert snapshot.find_by_hierarchy(account_id)[0].organization == "mine"
    clock.advance(61)
    assert snapshot.find_by_hierarchy(account_id)[0].organization == ORGANIZATION


def test_a_tenant_of_many_pages_is_read_to_its_end(
    azure_ports: World, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = real_tenant(azure_ports, FakeClock())
    numbers = [f"{int(account_id) + 10_000 + step:012d}" for step in range(5)]
    for number in numbers:
        azure_ports.prepare(number)
        tenant.connectors.put(connector_id_for(number, tenant.target), body(tenant, number))
    monkeypatch.setattr(graph, "PAGE_SIZE", 2)
    snapshot = tenant.snapshot()
    assert all(snapshot.find_by_hierarchy(number) for number in numbers)
    assert set(numbers) <= {connector.hierarchy_identifier for connector in snapshot.list_all()}


def test_roles_that_are_missing_are_a_reason_to_wait(azure_ports: World, account_id: str) -> None:
    tenant = real_tenant(azure_ports, FakeClock())
    place = connector_id_for(account_id, tenant.target)
    with pytest.raises(TransientError, match=r"(?i)identity provider is missing"):
        tenant.connectors.put(place, body(tenant, account_id))
    azure_ports.prepare(account_id)
    azure_ports.accounts[account_id].roles.clear()
    with pytest.raises(TransientError, match=r"(?i)role"):
        tenant.connectors.put(place, body(tenant, account_id))
    azure_ports.prepare(account_id)
    assert tenant.connectors.put(place, body(tenant, account_id)).hierarchy_identifier == account_id


def test_a_second_connector_of_an_account_never_can_be(azure_ports: World, account_id: str) -> None:
    tenant = real_tenant(azure_ports, FakeClock())
    azure_ports.prepare(account_id)
    place = connector_id_for(account_id, tenant.target)
    tenant.connectors.put(place, body(tenant, account_id))
    second = ConnectorId(subscription_id=place.subscription_id, resource_group=place.resource_group, name="another")
    with pytest.raises(PermanentError):
        tenant.connectors.put(second, body(tenant, account_id))


def test_a_resource_group_that_is_missing_is_a_wrong_policy(azure_ports: World, account_id: str) -> None:
    tenant = real_tenant(azure_ports, FakeClock())
    nowhere = ConnectorId(
        subscription_id=tenant.target.subscription_id, resource_group="rg-nowhere", name=f"aws-{account_id}"
    )
    with pytest.raises(ConfigurationError, match="ResourceGroupNotFound") as wrong:
        tenant.connectors.find(nowhere)
    assert wrong.value.setting == "target in the policy"
    with pytest.raises(ConfigurationError, match="ResourceGroupNotFound"):
        tenant.connectors.put(nowhere, body(tenant, account_id))


@pytest.mark.parametrize("identity", [OPERATOR, QUEUE_SENDER])
def test_an_identity_that_may_not_write_is_a_wrong_deployment_when_it_lasts(
    azure_ports: World, account_id: str, identity: str
) -> None:
    tenant = real_tenant(azure_ports, FakeClock(), identity)
    azure_ports.prepare(account_id)
    with pytest.raises(TransientError, match="AuthorizationFailed") as refused:
        tenant.connectors.put(connector_id_for(account_id, tenant.target), body(tenant, account_id))
    assert becomes_wrong_deployment(refused.value)
