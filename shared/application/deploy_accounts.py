"""Use case of `lambdas/account_events`: a batch of accounts becomes one StackSet operation per profile.

Accounts that take no part, or no part any more, are reported, and let go as far as the policy allows.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.application import refusals
from shared.application.account_batch import AccountResult, AccountSignal, Batch, DeployPorts
from shared.application.let_go import Exit, let_go
from shared.application.outcome import Outcome
from shared.application.requests import Report
from shared.application.side_by_side import side_by_side
from shared.application.tell_exclusions import tell_exclusions
from shared.domain.accounts import Account, AccountState, unlisted_account
from shared.domain.exclusions import exclusions_of
from shared.domain.identity_provider import ADOPTING, USED, may_adopt, parameters_for, provider_advice, uses_existing
from shared.domain.leaving import Leaving, leave_closed, leave_departed, leave_excluded
from shared.domain.ledger import Result, State
from shared.domain.policy import Decision, Verdict, decide
from shared.domain.readiness import ACCOUNT_NOT_READY, Attempt
from shared.domain.stack_sets import Deployment, Step, next_step, operation_id
from shared.errors import PermanentError, TransientError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """An account with nothing to deploy; `connect` is the account where it has its roles, as it was at `looked_at`."""

    signal: AccountSignal
    result: AccountResult
    connect: Account | None = None
    looked_at: datetime | None = None
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class _Waits:
    account: Account
    signal: AccountSignal
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Later:
    """An account whose stack instance is being worked on, perhaps away: it is looked at again after that."""

    account: Account
    signal: AccountSignal


@dataclass(frozen=True, kw_only=True)
class _Task:
    account: Account
    signal: AccountSignal
    parameters: Mapping[str, str]
    update: bool
    reason: str
    remedy: str = ""


_Found = _Task | Exit | _Seen | _Waits | _Later


def deploy_accounts(signals: Sequence[AccountSignal], ports: DeployPorts) -> dict[str, AccountResult]:
    """Brings every account named to the state that the policy asks for; account id → what became of it.

    Several signals about one account act once. One account's failure never touches another's.
    Raises ConfigurationError where the deployment itself is wrong.
    """
    batch, began = Batch(policy=ports.policy.current(), ports=ports), ports.clock.now()
    found = side_by_side(lambda signal: _look(signal, batch), _newest(signals).values())
    results: dict[str, AccountResult] = {}
    seen = [each for each in found if isinstance(each, _Seen)]
    for one, told in zip(seen, side_by_side(lambda each: _tell(each, batch), seen), strict=True):
        results[one.signal.account_id] = told
    waits = [each for each in found if isinstance(each, _Waits)]
    put_off = side_by_side(lambda each: batch.wait(each.account, each.signal, each.reason), waits)
    results |= {each.signal.account_id: result for each, result in zip(waits, put_off, strict=True)}
    results |= {each.signal.account_id: batch.look_later(each.signal) for each in found if isinstance(each, _Later)}
    for group in _groups([each for each in found if isinstance(each, _Task)]):
        results |= _deploy_group(group, batch)
    results |= let_go([each for each in found if isinstance(each, Exit)], batch)
    return results | _tell_exclusions(found, batch, began)


def _tell_exclusions(found: Sequence[_Found], batch: Batch, began: datetime) -> dict[str, AccountResult]:
    """What the batch means for the Organization connector; where that cannot be told, who is excluded comes again."""
    decided: list[tuple[Account, Decision]] = []
    for each in found:
        account = each.connect if isinstance(each, _Seen) else each.account
        if account is not None:
            decided.append((account, decide(batch.policy, account)))
    exclusions = exclusions_of(batch.policy, decided)
    report = Report(status=State.SEEN, reason="accounts were looked at", at=began)
    signals = [each.signal for each in found]
    error = tell_exclusions(report, exclusions, signals[0], batch) if signals else None
    return dict.fromkeys(exclusions.excluded, error) if error is not None else {}


def _newest(signals: Sequence[AccountSignal]) -> dict[str, AccountSignal]:
    """Each account's newest signal, which knows of a departure whichever of its signals told so."""
    newest: dict[str, AccountSignal] = {}
    for signal in sorted(signals, key=lambda signal: signal.asked_at):
        before = newest.get(signal.account_id)
        departed = signal.departed or (before.departed if before else "")
        newest[signal.account_id] = replace(signal, departed=departed)
    return newest


def _look(signal: AccountSignal, batch: Batch) -> _Found:
    """Reads and decides; changes nothing, so that many accounts are looked at side by side."""
    try:
        return _look_at(signal, batch)
    except (TransientError, PermanentError) as error:
        return _Seen(signal=signal, result=batch.settled(error, signal))


def _look_at(signal: AccountSignal, batch: Batch) -> _Found:
    policy, ports = batch.policy, batch.ports
    looked_at = ports.clock.now()  # before it is read: what is read later by others counts for more than this
    account = ports.directory.find_account(signal.account_id, with_tags=policy.uses_tags)
    if account is None:
        return _departed(signal, batch, looked_at)
    decision = decide(policy, account)
    if account.state is AccountState.PENDING_ACTIVATION:
        return _Waits(account=account, signal=signal, reason=decision.reason)
    if decision.verdict is Verdict.WAIT:
        raise TransientError(decision.reason)
    if decision.verdict is Verdict.EXCLUDE:
        leaving = _leaving(account, decision, batch)
        return Exit(account=account, signal=signal, leaving=leaving, looked_at=looked_at)
    found = _included(account, decision, signal, batch)
    return replace(found, looked_at=looked_at) if isinstance(found, _Seen) else found


def _included(account: Account, decision: Decision, signal: AccountSignal, batch: Batch) -> _Task | _Seen | _Later:
    if account.is_management:
        why = "the management account: its own stack has the roles"
        return _has_roles(account, signal, why, decision.reason)
    declared = batch.ports.stack_sets.declared_parameters()
    found = batch.ports.stack_sets.find_instance(account.account_id)
    instance = found and found.as_declared(declared)
    parameters = parameters_for(decision.profile, instance, declared)
    remedy = provider_advice(account.account_id, decision.profile) if uses_existing(parameters) else ""
    step = next_step(instance, parameters, signal.asked_at)
    if step is Step.NOTHING:
        reason = "the roles were there already" + (f"; {USED}" if remedy else "")
        return _has_roles(account, signal, "its stack instance is current", reason, remedy)
    if step is Step.WAIT and batch.policy.deletions.excluded_accounts:
        return _Later(account=account, signal=signal)
    if step in _PASSED_OVER:
        return _Seen(signal=signal, result=Outcome(result=Result.SKIPPED, reason=_PASSED_OVER[step]))
    return _Task(
        account=account,
        signal=signal,
        parameters=parameters,
        update=step is Step.UPDATE,
        reason=ADOPTING if may_adopt(instance, declared) else decision.reason,
        remedy=remedy,
    )


_PASSED_OVER = {
    Step.WAIT: "its stack instance is being worked on",
    Step.GIVE_UP: "its stack instance failed since this event; ask for it again",
}


def _has_roles(account: Account, signal: AccountSignal, why: str, reason: str, remedy: str = "") -> _Seen:
    result = Outcome(result=Result.UNCHANGED, reason=why)
    return _Seen(signal=signal, result=result, connect=account, reason=reason, remedy=remedy)


def _tell(seen: _Seen, batch: Batch) -> AccountResult:
    """Asks for the connector of an account that has its roles."""
    if seen.connect is None:
        return seen.result
    at = seen.looked_at or batch.ports.clock.now()
    report = Report(status=State.DEPLOYED, reason=seen.reason, at=at, remedy=seen.remedy)
    return batch.send(seen.connect, seen.signal, report) or seen.result


def _leaving(account: Account, decision: Decision, batch: Batch) -> Leaving:
    may = batch.policy.deletions
    instance = None if account.is_management else batch.ports.stack_sets.find_instance(account.account_id)
    if account.state is AccountState.ACTIVE:
        return leave_excluded(account, decision, instance, may)
    return leave_closed(account.account_id, decision, instance, may)


def _departed(signal: AccountSignal, batch: Batch, looked_at: datetime) -> Exit:
    instance = batch.ports.stack_sets.find_instance(signal.account_id)
    leaving = leave_departed(signal.account_id, signal.departed, instance, batch.policy.deletions)
    if leaving is None:
        raise refusals.ACCOUNT_NOT_LISTED.error("the organization does not list this account")
    account = unlisted_account(signal.account_id)
    return Exit(account=account, signal=signal, leaving=leaving, looked_at=looked_at)


def _groups(tasks: Sequence[_Task]) -> list[list[_Task]]:
    """Accounts that one operation can do together: an operation is one attempt for all of them."""
    groups: dict[tuple[tuple[tuple[str, str], ...], bool, Attempt | None], list[_Task]] = defaultdict(list)
    for task in tasks:
        groups[tuple(sorted(task.parameters.items())), task.update, task.signal.attempt].append(task)
    return list(groups.values())


def _deploy_group(group: list[_Task], batch: Batch) -> dict[str, AccountResult]:
    """Deploys accounts of one profile together; where AWS refuses them together, each half on its own.

    They are deploying since the call began: its answer may come so late that an account is connected by then.
    """
    began = batch.ports.clock.now()
    try:
        _deploy(group, batch.ports)
    except PermanentError as error:
        if len(group) == 1:
            return {group[0].account.account_id: error}
        logger.warning("stack_set_operation_refused", extra={"accounts": len(group), "reason": error.reason})
        middle = len(group) // 2
        return _deploy_group(group[:middle], batch) | _deploy_group(group[middle:], batch)
    except TransientError as error:
        if error.key == ACCOUNT_NOT_READY:
            return {task.account.account_id: batch.wait(task.account, task.signal, error.reason) for task in group}
        return {task.account.account_id: error for task in group}
    reported = side_by_side(lambda task: _reported(task, batch, began), group)
    return {task.account.account_id: result for task, result in zip(group, reported, strict=True)}


def _deploy(group: list[_Task], ports: DeployPorts) -> None:
    causes = [(task.account.account_id, task.signal.cause.event_id) for task in group]
    update, attempt = group[0].update, group[0].signal.attempt
    ports.stack_sets.deploy(
        Deployment(
            operation_id=operation_id(ports.stack_sets.stack_set_id(), causes, update=update, attempt=attempt),
            account_ids=tuple(sorted(task.account.account_id for task in group)),
            parameters=group[0].parameters,
            update=update,
        )
    )


def _reported(task: _Task, batch: Batch, began: datetime) -> AccountResult:
    report = Report(status=State.DEPLOYING, reason=task.reason, at=began, remedy=task.remedy)
    result = Result.UPDATED if task.update else Result.CREATED
    return batch.send(task.account, task.signal, report) or Outcome(result=result, reason=task.reason)
