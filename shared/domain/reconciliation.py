"""What the present state of an account asks for: an account event, a connect request, a note, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.accounts import Account, AccountState
from shared.domain.identity_provider import USED, parameters_for, provider_advice, uses_existing
from shared.domain.ledger import State
from shared.domain.policy import Decision, Verdict
from shared.domain.stack_sets import InstanceState, StackInstance, Step, declared_only, next_step


class Signal(StrEnum):
    """What is sent about an account.

    `account_event`: to the function `account_events`, which looks at the account as it is then; `connect_request`
    and `note`: to the queue `onboarding`; `waits`: nothing, since its instance is being worked on, or AWS has not
    activated the account yet.
    """

    ACCOUNT_EVENT = "account_event"
    CONNECT_REQUEST = "connect_request"
    NOTE = "note"
    WAITS = "waits"


@dataclass(frozen=True, kw_only=True)
class Sending:
    """A signal and why; `status` is what a request or a note reports, with `remedy` where a person has to do something.

    `repeated`: it only tries again what failed before, or looks again at an account that left.
    """

    signal: Signal
    reason: str
    status: State | None = None
    repeated: bool = False
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class ManagementStack:
    """The management account's own stack of the member template. Source: CloudFormation API, `Stack`."""

    name: str
    status: str
    parameters: Mapping[str, str]
    reason: str = ""


_ROLES_ARE_THERE = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
_ASKED_FOR = {
    InstanceState.CURRENT: "its stack instance has other parameters than its profile",
    InstanceState.OUTDATED: "its stack instance is outdated",
    InstanceState.FAILED: "its stack instance failed",
    InstanceState.SUSPENDED: "its stack instance was left out while the account was suspended",
}


def sending_for(account: Account, decision: Decision, state: InstanceState | None) -> Sending:
    """What an account needs whose instance is in `state` (None: there is none).

    An instance that is current says nothing about its parameters: for an included account that is no management
    account, `sending_for_instance` decides from them.
    """
    if decision.verdict is Verdict.WAIT:
        return Sending(signal=Signal.WAITS, reason=decision.reason)
    if decision.verdict is Verdict.EXCLUDE:
        return _sending_for_excluded(account, decision, state)
    if state is InstanceState.IN_PROGRESS:
        return Sending(signal=Signal.WAITS, reason="its stack instance is being worked on")
    reason = decision.reason if state is None else _ASKED_FOR.get(state, decision.reason)
    return Sending(signal=Signal.ACCOUNT_EVENT, reason=reason, repeated=state is InstanceState.FAILED)


def _sending_for_excluded(account: Account, decision: Decision, state: InstanceState | None) -> Sending:
    """A closed account, or one with roles that the policy does not want, is for `account_events` to look at."""
    if account.state is not AccountState.ACTIVE:
        return Sending(signal=Signal.ACCOUNT_EVENT, reason=decision.reason, repeated=True)
    if state is not None:
        return Sending(signal=Signal.ACCOUNT_EVENT, reason=f"{decision.reason}; it has a stack instance", repeated=True)
    return Sending(signal=Signal.NOTE, reason=decision.reason, status=State.EXCLUDED)


def sending_for_instance(
    account: Account, decision: Decision, instance: StackInstance | None, declared: frozenset[str], now: datetime
) -> Sending:
    """What an included account needs, by its stack instance as it is now.

    Of its parameters and its profile's those count that the StackSet's template declares.
    """
    instance = instance and instance.as_declared(declared)
    parameters = parameters_for(decision.profile, instance, declared)
    step = next_step(instance, parameters, now)
    if step is Step.NOTHING:
        existing = uses_existing(parameters)
        return Sending(
            signal=Signal.CONNECT_REQUEST,
            reason="its stack instance is current" + (f"; {USED}" if existing else ""),
            status=State.DEPLOYED,
            remedy=provider_advice(account.account_id, decision.profile) if existing else "",
        )
    if step is Step.UPDATE and instance is not None and instance.state is InstanceState.IN_PROGRESS:
        return Sending(signal=Signal.ACCOUNT_EVENT, reason="its stack instance gets other parameters than its profile")
    return sending_for(account, decision, instance.state if instance else None)


def sending_for_management(decision: Decision, stack: ManagementStack | None, name: str) -> Sending:
    """What the management account needs where the policy includes it: StackSets never reach it.

    Of its profile's parameters those count that its stack shows, which are all that the stack's template declares.
    """
    if stack is None:
        return _without_roles(f"the management account has no stack {name}")
    if stack.status not in _ROLES_ARE_THERE:
        why = f"the management account's stack {name} is {stack.status}"
        if stack.status.endswith("_IN_PROGRESS") and "ROLLBACK" not in stack.status:
            return Sending(signal=Signal.NOTE, reason=why, status=State.DEPLOYING)
        return _without_roles(f"{why}: {stack.reason}" if stack.reason else why)
    wanted = declared_only(decision.profile.stack_parameters(), frozenset(stack.parameters))
    others = sorted(key for key, value in wanted.items() if stack.parameters[key] != value)
    if others:
        return _without_roles(
            f"the management account's stack {name} has other parameters than its profile: "
            + ", ".join(f"{key} should be {wanted[key]!r}" for key in others)
        )
    reason = f"the management account's stack {name} is complete"
    return Sending(signal=Signal.CONNECT_REQUEST, reason=reason, status=State.DEPLOYED)


def sending_for_departed() -> Sending:
    """What is sent about an instance whose account the organization does not list."""
    reason = "the organization does not list the account of this stack instance"
    return Sending(signal=Signal.ACCOUNT_EVENT, reason=reason, repeated=True)


def _without_roles(reason: str) -> Sending:
    return Sending(signal=Signal.NOTE, reason=reason, status=State.DEPLOY_FAILED)
