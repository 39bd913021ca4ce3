"""Use case of `rollcall offboard`: first a look, then, on a person's word, the connector and after it the roles.

A project has no roles of ours: pools, providers and service accounts at Google are never deleted by us.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from shared.application.ports import (
    AccountDirectory,
    AccountRoles,
    Clock,
    Connectors,
    ConnectorSurroundings,
    Ledger,
    PolicySource,
    RequestSender,
    StackSets,
    TenantSnapshot,
)
from shared.application.provider_policy import policy_for
from shared.application.requests import Cause, Report, correlation_id_of, request_for
from shared.domain.accounts import Account, AccountState
from shared.domain.connectors import ENVIRONMENT_OF, Connector
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.offboarding import OffboardingPlan, RolesFate
from shared.domain.placement import is_member_below, is_organization_connector
from shared.domain.policy import Policy, Verdict, decide
from shared.domain.stack_sets import InstanceState, Removal, StackInstance, removal_id
from shared.errors import PermanentError, TransientError

SOURCE = "rollcall offboard"
_ENDED = frozenset({State.OFFBOARDED, State.PARKED})


@dataclass(frozen=True, kw_only=True)
class RolePorts:
    """Where an account of AWS has what has to go after its connector."""

    stack_sets: StackSets
    roles: AccountRoles


@dataclass(frozen=True, kw_only=True)
class OffboardPorts:
    """What the use case works with; `aws` where it is about an account, and `directory` of the same cloud."""

    directory: AccountDirectory
    connectors: Connectors
    snapshot: TenantSnapshot
    surroundings: ConnectorSurroundings
    sender: RequestSender
    ledger: Ledger
    policy: PolicySource
    clock: Clock
    aws: RolePorts | None = None


def plan_offboarding(key: AccountKey, ports: OffboardPorts) -> OffboardingPlan:
    """Looks at everything and changes nothing. Raises our errors where a part of it cannot be seen."""
    policy, account_id = policy_for(ports.policy.current(), key.provider), key.hierarchy_identifier
    account = ports.directory.find_account(account_id, with_tags=policy.uses_tags)
    ours, foreign = _connectors(account_id, policy, ports)
    instance = ports.aws.stack_sets.find_instance(account_id) if ports.aws is not None else None
    users: tuple[str, ...] | None = ()
    if ports.aws is not None and instance is not None:
        users = ports.aws.roles.find_provider_users(account_id, tenant_id=policy.tenant_id)
    return OffboardingPlan(
        key=key,
        ours=ours,
        foreign=foreign,
        locks=tuple(lock for each in ours for lock in ports.surroundings.list_locks(each.connector_id)),
        instance=instance,
        users=users,
        machines=tuple(ports.surroundings.list_machines(key)),
        members=_members(account_id, policy, ports) if any(map(is_organization_connector, ours)) else 0,
        name=account.name if account is not None else "",
        still_included=_still_included(account, policy),
    )


def _connectors(
    account_id: str, policy: Policy, ports: OffboardPorts
) -> tuple[tuple[Connector, ...], tuple[Connector, ...]]:
    """Ours, each as it is now, and others'. Resource Graph shows connectors for a while after they are gone."""
    environment = ENVIRONMENT_OF[policy.provider]
    shown = [each for each in ports.snapshot.find_by_hierarchy(account_id) if each.environment == environment]
    ours = [each for each in shown if each.organization == policy.organization]
    present = (ports.connectors.find(each.connector_id) for each in ours)
    return tuple(each for each in present if each is not None), tuple(each for each in shown if each not in ours)


def _members(account_id: str, policy: Policy, ports: OffboardPorts) -> int:
    """How many connectors of the tenant, whoever's, are members below that account's."""
    return sum(is_member_below(each, account_id, policy) for each in ports.snapshot.list_all())


def _still_included(account: Account | None, policy: Policy) -> str:
    if account is None:
        return ""
    decision = decide(policy, account)
    return decision.reason if decision.verdict is Verdict.INCLUDE else ""


def remove_connector(plan: OffboardingPlan, ports: OffboardPorts, *, timeout_seconds: float) -> AccountRecord:
    """Asks the Function App to delete the account's connectors of ours, and waits until the ledger says so.

    Raises PermanentError where a lock, members or the Function App refuse, TransientError where it takes too long:
    to ask again does no harm.
    """
    _refuse(plan)
    key, now = plan.key, ports.clock.now()
    before = ports.ledger.find(key)
    cause = Cause(event_id=str(uuid.uuid4()), source=SOURCE, occurred_at=now, correlation_id=correlation_id_of(key))
    report = Report(status=State.OFFBOARDED, reason="an operator asked for it", at=now)
    policy = policy_for(ports.policy.current(), key.provider)
    ports.sender.send(request_for(_account(plan, ports), policy, cause, report))
    waited, last = 0.0, before.state_at if before else None
    while waited < timeout_seconds:
        record = ports.ledger.find(key)
        if record is not None and record.state in _ENDED and record.state_at != last:
            if record.state is State.PARKED:
                raise PermanentError(record.reason, remedy=record.remedy)
            return record
        ports.clock.sleep(0.5)
        waited += 0.5
    raise TransientError(
        f"the Function App has not answered within {timeout_seconds:g} s", remedy="Run the same command again."
    )


def _refuse(plan: OffboardingPlan) -> None:
    """Before anything is asked for."""
    if in_use := plan.in_use:
        raise PermanentError(in_use.reason, remedy=in_use.remedy, key=in_use.key)
    if plan.locks:
        locks = ", ".join(f"{lock.lock_id} ({lock.level})" for lock in plan.locks)
        raise PermanentError(
            f"locked: {locks}",
            remedy="Remove the lock, then offboard again. Runbook: scope-locked.",
            key="scope-locked",
        )


def remove_roles(plan: OffboardingPlan, ports: OffboardPorts, *, timeout_seconds: float) -> bool:
    """Deletes the account's stack instance where nothing else needs what is in it; False where it was left.

    Raises TransientError where the instance is still there when we stop waiting, whether the deletion failed or is
    slow; PermanentError, ConfigurationError where AWS does not take the request.
    """
    if ports.aws is None or plan.roles_fate is not RolesFate.REMOVE:
        return False
    stack_sets, account_id = ports.aws.stack_sets, plan.account_id
    name = removal_id(stack_sets.stack_set_id(), [(account_id, f"offboard {uuid.uuid4()}")])
    before = stack_sets.find_instance(account_id)
    stack_sets.remove(Removal(operation_id=name, account_ids=(account_id,)))
    waited = 0.0
    while waited < timeout_seconds:
        instance = stack_sets.find_instance(account_id)
        if instance is None:
            return True
        if _failed_since(before, instance):
            raise PermanentError(
                f"the stack instance of {account_id} was not deleted: {instance.reason}",
                remedy="Remove the cause that CloudFormation names, then run the same command again.",
            )
        ports.clock.sleep(1.0)
        waited += 1.0
    raise TransientError(
        f"the stack instance of {account_id} is still there after {timeout_seconds:g} s",
        remedy="See the StackSet's operations in CloudFormation, then run the same command again.",
    )


def _failed_since(before: StackInstance | None, now: StackInstance) -> bool:
    """Whether it failed in our operation, and not in an earlier one that it still shows."""
    if now.state is not InstanceState.FAILED:
        return False
    return before is None or before.state is not InstanceState.FAILED or before.tried_at != now.tried_at


def _account(plan: OffboardingPlan, ports: OffboardPorts) -> Account:
    """The account as the organization lists it; one that left it is known by its id only."""
    found = ports.directory.find_account(plan.account_id, with_tags=False)
    if found is not None:
        return found
    provider = plan.key.provider
    return Account(account_id=plan.account_id, name="", state=AccountState.CLOSED, ou_path="/", provider=provider)
