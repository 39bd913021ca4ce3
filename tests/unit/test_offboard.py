"""Offboarding from the command line: the look, the connector, and the roles after it; adopting another's connector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cli.offboard import FATES
from shared.application.offboard import OffboardPorts, RolePorts, plan_offboarding, remove_connector, remove_roles
from shared.application.onboard import onboard
from shared.application.request_onboarding import AdoptPorts, adopt
from shared.domain.accounts import AccountState, Provider
from shared.domain.connector_api import Member, Organization
from shared.domain.connectors import ConnectorId, connector_id_for, desired_body, to_create
from shared.domain.ledger import AccountKey, State
from shared.domain.offboarding import Lock, Machine, RolesFate
from shared.domain.stack_sets import InstanceState, StackInstance
from shared.errors import PermanentError, TransientError
from tests.fakes.aws import FakeAccountDirectory, FakeStackSets
from tests.fakes.clock import NOON
from tests.fakes.queues import FakeRequestQueue
from tests.fixtures.profiles import FOUNDATIONAL
from tests.fixtures.read import ACCOUNT_ID, account, request
from tests.unit.conftest import AzureSide

KEY = request().key
MANAGEMENT = "111111111111"


@dataclass
class Around:
    """Locks and machines."""

    locks: list[Lock] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)

    def list_locks(self, connector_id: ConnectorId) -> Iterator[Lock]:
        return iter(self.locks)

    def list_machines(self, key: AccountKey) -> Iterator[Machine]:
        return iter(self.machines)


@dataclass
class Roles:
    """Who else uses the provider; None where nobody may look."""

    users: tuple[str, ...] | None = ()
    tenants: list[str] = field(default_factory=list)

    def find_provider_users(self, account_id: str, *, tenant_id: str) -> tuple[str, ...] | None:
        self.tenants.append(tenant_id)
        return self.users


class WorkingQueue(FakeRequestQueue):
    """Azure's side takes what is put on it at once."""

    def __init__(self, azure: AzureSide) -> None:
        super().__init__()
        self.azure = azure

    def send(self, request: Any, *, delay_seconds: float = 0.0) -> None:
        super().send(request, delay_seconds=delay_seconds)
        self.azure.clock.advance(1)
        onboard(request, self.azure.ports)


@dataclass
class Desk:
    """An operator's desk, with an account that is connected."""

    azure: AzureSide

    def __post_init__(self) -> None:
        self.directory = FakeAccountDirectory(account())
        self.stack_sets = FakeStackSets()
        self.stack_sets.put(StackInstance(account_id=ACCOUNT_ID, state=InstanceState.CURRENT, parameters={}))
        self.around, self.roles, self.queue = Around(), Roles(), WorkingQueue(self.azure)
        onboard(request(), self.azure.ports)
        self.ports = OffboardPorts(
            directory=self.directory,
            connectors=self.azure.connectors,
            snapshot=self.azure.snapshot,
            surroundings=self.around,
            sender=self.queue,
            ledger=self.azure.ledger,
            policy=self.azure.source,
            clock=self.azure.clock,
            aws=RolePorts(stack_sets=self.stack_sets, roles=self.roles),
        )


@pytest.fixture
def desk(azure: AzureSide) -> Desk:
    return Desk(azure)


def test_the_look_changes_nothing_and_shows_everything(desk: Desk) -> None:
    desk.around.machines.append(Machine(resource_id="/m/1", name="i-1", status="Connected"))
    plan = plan_offboarding(KEY, desk.ports)
    assert [str(each.connector_id) for each in plan.ours] == [
        str(connector_id_for(ACCOUNT_ID, desk.azure.policy.target))
    ]
    assert (plan.roles_fate, plan.foreign, plan.locks) == (RolesFate.REMOVE, (), ())
    assert [each.name for each in plan.machines] == ["i-1"]
    assert "default profile" in plan.still_included
    assert (desk.queue.sent, desk.azure.connectors.deletes, desk.stack_sets.removed) == ([], [], [])


def test_the_connector_goes_first_and_the_roles_after_it(desk: Desk) -> None:
    plan = plan_offboarding(KEY, desk.ports)
    assert remove_connector(plan, desk.ports, timeout_seconds=5).state is State.OFFBOARDED
    assert desk.stack_sets.removed == []
    assert remove_roles(plan, desk.ports, timeout_seconds=5)
    assert desk.stack_sets.removed == [ACCOUNT_ID]
    again = plan_offboarding(KEY, desk.ports)
    assert (again.ours, again.roles_fate) == ((), RolesFate.NONE)
    assert again.has_nothing_to_do


def test_a_lock_stops_it_before_anything_is_asked(desk: Desk) -> None:
    desk.around.locks.append(Lock(lock_id="/locks/held", level="CanNotDelete"))
    with pytest.raises(PermanentError, match="/locks/held") as refused:
        remove_connector(plan_offboarding(KEY, desk.ports), desk.ports, timeout_seconds=5)
    assert refused.value.key == "scope-locked"
    assert desk.queue.sent == []


@pytest.mark.parametrize(
    ("users", "fate"), [(("OIDC_Sentinel",), RolesFate.KEEP_IN_USE), (None, RolesFate.KEEP_UNSEEN)]
)
def test_the_provider_stays_where_something_else_uses_it_or_might(
    desk: Desk, users: tuple[str, ...] | None, fate: RolesFate
) -> None:
    desk.roles.users = users
    plan = plan_offboarding(KEY, desk.ports)
    assert plan.roles_fate is fate
    assert not remove_roles(plan, desk.ports, timeout_seconds=5)
    assert desk.stack_sets.removed == []


@pytest.mark.parametrize(
    ("ciem", "users", "fate"),
    [
        ("false", ("OIDC_Sentinel",), RolesFate.REMOVE),
        ("false", None, RolesFate.REMOVE),
        ("true", ("OIDC_Sentinel",), RolesFate.KEEP_IN_USE),
    ],
)
def test_a_stack_that_makes_no_provider_takes_none_along(
    desk: Desk, ciem: str, users: tuple[str, ...] | None, fate: RolesFate
) -> None:
    parameters = FOUNDATIONAL.stack_parameters() | {"IdentityProvider": "existing", "Ciem": ciem}
    found = desk.stack_sets.instances[ACCOUNT_ID]
    desk.stack_sets.put(replace(found, parameters=parameters))
    desk.roles.users = users
    assert plan_offboarding(KEY, desk.ports).roles_fate is fate


def test_the_provider_of_the_policy_s_tenant_is_looked_at_too(desk: Desk) -> None:
    plan_offboarding(KEY, desk.ports)
    assert desk.roles.tenants == [desk.azure.policy.tenant_id]


def test_the_roles_stay_where_another_s_connector_needs_them(desk: Desk) -> None:
    mine = desk.azure.connectors.everything()[0]
    theirs = ConnectorId(subscription_id="s", resource_group="theirs", name="portal")
    desk.azure.connectors.plant(theirs, mine.body | {"tags": {}})
    desk.azure.snapshot.refresh()
    plan = plan_offboarding(KEY, desk.ports)
    assert ([each.connector_id for each in plan.foreign], plan.roles_fate) == ([theirs], RolesFate.KEEP_CONNECTED)
    assert plan.is_refused
    assert not remove_roles(plan, desk.ports, timeout_seconds=5)
    assert desk.stack_sets.removed == []


def test_every_fate_of_the_roles_has_words() -> None:
    assert set(FATES) == set(RolesFate)


def test_a_connector_that_resource_graph_still_shows_is_not_there(desk: Desk) -> None:
    [connector] = desk.azure.connectors.everything()
    desk.azure.connectors.delete(connector.connector_id)
    plan = plan_offboarding(KEY, desk.ports)
    assert (plan.ours, plan.foreign, plan.locks) == ((), (), ())


def fails(desk: Desk, *, tried_at: datetime | None = None, reason: str = "") -> None:
    desk.stack_sets.put(
        StackInstance(
            account_id=ACCOUNT_ID, state=InstanceState.FAILED, parameters={}, reason=reason, tried_at=tried_at
        )
    )


@pytest.mark.parametrize("failed_before", [False, True])
def test_a_deletion_that_fails_is_said_at_once_with_aws_s_reason(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failed_before: bool
) -> None:
    if failed_before:
        fails(desk, tried_at=NOON - timedelta(days=1))
    plan, started = plan_offboarding(KEY, desk.ports), desk.azure.clock.now()
    monkeypatch.setattr(
        desk.stack_sets, "remove", lambda *_: fails(desk, tried_at=NOON, reason="the role has attached policies")
    )
    with pytest.raises(PermanentError, match="the role has attached policies") as failed:
        remove_roles(plan, desk.ports, timeout_seconds=600)
    assert failed.value.remedy
    assert desk.azure.clock.now() == started


def test_a_failure_of_an_earlier_operation_is_not_taken_for_ours(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(desk, tried_at=NOON - timedelta(days=1), reason="long ago")
    plan = plan_offboarding(KEY, desk.ports)
    monkeypatch.setattr(desk.stack_sets, "remove", lambda *_: None)
    with pytest.raises(TransientError, match="still there"):
        remove_roles(plan, desk.ports, timeout_seconds=3)


def organization_with(desk: Desk, *parents: str) -> AccountKey:
    """The Organization connector, and a member below each of `parents`."""
    target, policy = desk.azure.policy.target, desk.azure.policy
    top = Organization(stack_set_name="roles")
    bodies = {MANAGEMENT: desired_body(MANAGEMENT, FOUNDATIONAL, target, policy.organization, top)}
    for number, parent in enumerate(parents):
        account_id = f"{number:012d}"
        bodies[account_id] = desired_body(account_id, FOUNDATIONAL, target, "o-x", Member(parent=parent))
    for account_id, body in bodies.items():
        desk.azure.connectors.plant(connector_id_for(account_id, target), to_create(body))
    desk.azure.snapshot.refresh()
    return AccountKey(provider=Provider.AWS, hierarchy_identifier=MANAGEMENT)


def in_use(desk: Desk) -> str:
    plan = plan_offboarding(organization_with(desk, MANAGEMENT, "999999999999", MANAGEMENT), desk.ports)
    assert plan.members == 2
    with pytest.raises(PermanentError, match="2 member connector") as refused:
        remove_connector(plan, desk.ports, timeout_seconds=5)
    assert refused.value.remedy.endswith(f"Runbook: {refused.value.key}.")
    return refused.value.key


REFUSED: dict[str, Callable[[Desk], str]] = {"organization-connector-in-use": in_use}


@pytest.mark.parametrize("key", REFUSED)
def test_what_is_refused_before_anything_is_asked_has_its_key(desk: Desk, key: str) -> None:
    assert REFUSED[key](desk) == key
    assert (desk.queue.sent, desk.azure.connectors.deletes) == ([], [])


def test_an_organization_connector_whose_members_are_gone_may_go(desk: Desk) -> None:
    plan = plan_offboarding(organization_with(desk, "999999999999"), desk.ports)
    assert (plan.members, len(plan.ours)) == (0, 1)
    assert remove_connector(plan, desk.ports, timeout_seconds=5).state is State.OFFBOARDED


def test_what_azure_s_side_parks_is_said(desk: Desk) -> None:
    desk.azure.connectors.failures.plan("delete", PermanentError("a policy denies it", remedy="Ask them."))
    with pytest.raises(PermanentError, match="a policy denies it"):
        remove_connector(plan_offboarding(KEY, desk.ports), desk.ports, timeout_seconds=5)


def test_no_answer_in_time_is_said_and_asking_again_does_no_harm(desk: Desk) -> None:
    desk.azure.connectors.failures.plan("delete", TransientError("throttled"))
    plan = plan_offboarding(KEY, desk.ports)
    with pytest.raises(TransientError, match="has not answered"):
        remove_connector(plan, desk.ports, timeout_seconds=2)
    desk.azure.clock.advance(7200)
    assert remove_connector(plan, desk.ports, timeout_seconds=2).state is State.OFFBOARDED


def test_an_account_that_left_the_organization_can_be_offboarded(desk: Desk) -> None:
    desk.directory.accounts.clear()
    plan = plan_offboarding(KEY, desk.ports)
    assert plan.still_included == ""
    assert remove_connector(plan, desk.ports, timeout_seconds=5).state is State.OFFBOARDED


def test_an_account_that_is_excluded_would_not_come_back(desk: Desk) -> None:
    desk.directory.accounts[ACCOUNT_ID] = account(state=AccountState.SUSPENDED)
    assert plan_offboarding(KEY, desk.ports).still_included == ""


def test_another_s_connector_is_adopted_by_our_tag_only(azure: AzureSide) -> None:
    made = onboard(request(), azure.ports)
    connector_id = ConnectorId.parse(made.connector_id)
    theirs = azure.connectors.find(connector_id)
    assert theirs is not None
    azure.connectors.plant(connector_id, theirs.body | {"tags": {"owner": "secops"}})
    azure.snapshot.refresh()
    ports = AdoptPorts(snapshot=azure.snapshot, connectors=azure.connectors)
    adopted = adopt(KEY, azure.policy, ports)
    assert adopted is not None
    assert adopted.body["tags"] == {"owner": "secops", "rollcall": azure.policy.organization}
    assert adopted.body["properties"] == theirs.body["properties"]
    azure.snapshot.refresh()
    assert adopt(KEY, azure.policy, ports) is None


def test_of_several_connectors_none_is_adopted(azure: AzureSide) -> None:
    made = onboard(request(), azure.ports)
    body = azure.connectors.find(ConnectorId.parse(made.connector_id))
    assert body is not None
    elsewhere = ConnectorId(subscription_id="s", resource_group="g", name="second")
    azure.connectors.plant(elsewhere, body.body | {"tags": {}})
    azure.snapshot.refresh()
    with pytest.raises(PermanentError, match="several connectors"):
        adopt(KEY, azure.policy, AdoptPorts(snapshot=azure.snapshot, connectors=azure.connectors))
