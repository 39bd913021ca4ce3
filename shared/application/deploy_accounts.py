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
from shared.application.outcome import Outcome
from shared.application.patience import unless_lasting
from shared.application.ports import AccountDirectory, Clock, PolicySource, RequestSender, StackSets
from shared.application.requests import Cause, Report, request_for
from shared.domain.accounts import Account, AccountState, unlisted_account
from shared.domain.findings import ROLES_NOT_REMOVED
from shared.domain.leaving import InstanceFate, Leaving, leave_closed, leave_departed, leave_excluded, spare
from shared.domain.ledger import Result, State
from shared.domain.policy import Decision, Policy, Verdict, decide
from shared.domain.stack_sets import Deployment, Step, next_step, operation_id, removal_id
from shared.errors import PermanentError, RollcallError, TransientError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DeployPorts:
    """What the use case works with."""

    directory: AccountDirectory
    stack_sets: StackSets
    sender: RequestSender
    policy: PolicySource
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class AccountSignal:
    """Some event said that there may be something to do about an account.

    `departed` is how the account left the organization, where the event tells so.
    """

    account_id: str
    cause: Cause
    departed: str = ""


@dataclass(frozen=True, kw_only=True)
class _Run:
    policy: Policy
    ports: DeployPorts


@dataclass(frozen=True, kw_only=True)
class _Exit:
    account: Account
    signal: AccountSignal
    leaving: Leaving


@dataclass(frozen=True, kw_only=True)
class _Task:
    account: Account
    signal: AccountSignal
    parameters: Mapping[str, str]
    update: bool
    reason: str


AccountResult = Outcome | RollcallError
"""What became of one account: done, or the error that its record has to be returned with."""


def deploy_accounts(signals: Sequence[AccountSignal], ports: DeployPorts) -> dict[str, AccountResult]:
    """Brings every account named to the state that the policy asks for; account id → what became of it.

    Several signals about one account act once. One account's failure never touches another's.
    Raises ConfigurationError where the deployment itself is wrong.
    """
    run = _Run(policy=ports.policy.current(), ports=ports)
    results: dict[str, AccountResult] = {}
    tasks: list[_Task] = []
    exits: list[_Exit] = []
    for account_id, signal in _newest(signals).items():
        try:
            found = _look_at(signal, run)
        except (TransientError, PermanentError) as error:
            results[account_id] = unless_lasting(error, since=signal.cause.occurred_at, clock=ports.clock)
            continue
        if isinstance(found, _Task):
            tasks.append(found)
        elif isinstance(found, _Exit):
            exits.append(found)
        else:
            results[account_id] = found
    for group in _groups(tasks):
        results |= _deploy_group(group, run)
    return results | _let_go_all(exits, run)


def _newest(signals: Sequence[AccountSignal]) -> dict[str, AccountSignal]:
    """Each account's newest signal, which knows of a departure whichever of its signals told so."""
    newest: dict[str, AccountSignal] = {}
    for signal in sorted(signals, key=lambda signal: signal.cause.occurred_at):
        before = newest.get(signal.account_id)
        departed = signal.departed or (before.departed if before else "")
        newest[signal.account_id] = replace(signal, departed=departed)
    return newest


def _look_at(signal: AccountSignal, run: _Run) -> _Task | _Exit | Outcome:
    policy, ports = run.policy, run.ports
    account = ports.directory.find_account(signal.account_id, with_tags=policy.uses_tags)
    if account is None:
        return _departed(signal, run)
    decision = decide(policy, account)
    if decision.verdict is Verdict.WAIT:
        raise TransientError(decision.reason)
    if decision.verdict is Verdict.EXCLUDE:
        return _Exit(account=account, signal=signal, leaving=_leaving(account, decision, run))
    return _included(account, decision, signal, run)


def _included(account: Account, decision: Decision, signal: AccountSignal, run: _Run) -> _Task | Outcome:
    if account.is_management:
        _report(account, signal.cause, run, State.DEPLOYED, decision.reason)
        return Outcome(result=Result.UNCHANGED, reason="the management account: its own stack has the roles")
    parameters = decision.profile.stack_parameters()
    step = next_step(run.ports.stack_sets.find_instance(account.account_id), parameters, signal.cause.occurred_at)
    if step is Step.WAIT:
        return Outcome(result=Result.SKIPPED, reason="its stack instance is being worked on")
    if step is Step.GIVE_UP:
        return Outcome(result=Result.SKIPPED, reason="its stack instance failed since this event; ask for it again")
    if step is Step.NOTHING:
        _report(account, signal.cause, run, State.DEPLOYED, "the roles were there already")
        return Outcome(result=Result.UNCHANGED, reason="its stack instance is current")
    return _Task(
        account=account,
        signal=signal,
        parameters=parameters,
        update=step is Step.UPDATE,
        reason=decision.reason,
    )


def _leaving(account: Account, decision: Decision, run: _Run) -> Leaving:
    may = run.policy.deletions
    instance = None if account.is_management else run.ports.stack_sets.find_instance(account.account_id)
    if account.state is AccountState.ACTIVE:
        return leave_excluded(account, decision, instance, may)
    return leave_closed(decision, instance, may)


def _departed(signal: AccountSignal, run: _Run) -> _Exit:
    instance = run.ports.stack_sets.find_instance(signal.account_id)
    leaving = leave_departed(signal.departed, instance, run.policy.deletions)
    if leaving is None:
        raise refusals.ACCOUNT_NOT_LISTED.error("the organization does not list this account")
    return _Exit(account=unlisted_account(signal.account_id), signal=signal, leaving=leaving)


def _let_go_all(exits: Sequence[_Exit], run: _Run) -> dict[str, AccountResult]:
    """Reports all of them; connectors and roles are deleted for so many only as the policy allows in one run."""
    results: dict[str, AccountResult] = {}
    deletions = 0
    for each in exits:
        leaving, most = each.leaving, run.policy.deletions.most_per_run
        deletions += leaving.disconnect
        if leaving.disconnect and deletions > most:
            leaving = spare(leaving, most)
        try:
            results[each.account.account_id] = _let_go(replace(each, leaving=leaving), run)
        except (TransientError, PermanentError) as error:
            since = each.signal.cause.occurred_at
            results[each.account.account_id] = unless_lasting(error, since=since, clock=run.ports.clock)
    return results


def _let_go(exit_: _Exit, run: _Run) -> Outcome:
    """Reports, then takes the stack instance: a crash in between does both again."""
    account, cause, leaving, ports = exit_.account, exit_.signal.cause, exit_.leaving, run.ports
    report = Report(
        status=leaving.status,
        reason=leaving.reason,
        at=ports.clock.now(),
        remedy=leaving.remedy,
        disconnect=leaving.disconnect,
    )
    ports.sender.send(request_for(account, run.policy, cause, report))
    if leaving.fate is InstanceFate.KEEP:
        return Outcome(result=Result.SKIPPED, reason=leaving.reason)
    operation = removal_id(ports.stack_sets.stack_set_id(), account.account_id, cause.event_id)
    try:
        ports.stack_sets.remove(account.account_id, operation, retain_stack=leaving.fate is InstanceFate.LET_GO)
    except PermanentError as error:
        finding = ROLES_NOT_REMOVED.found(f"its stack instance is still there: {error.reason}")
        failure = Report(status=State.SEEN, reason=finding.reason, at=ports.clock.now(), remedy=finding.remedy)
        ports.sender.send(request_for(account, run.policy, cause, failure))
        return Outcome(result=Result.FAILED, reason=finding.reason, key=finding.key)
    return Outcome(result=Result.DELETED, reason=leaving.reason)


def _groups(tasks: Sequence[_Task]) -> list[list[_Task]]:
    groups: dict[tuple[tuple[tuple[str, str], ...], bool], list[_Task]] = defaultdict(list)
    for task in tasks:
        groups[tuple(sorted(task.parameters.items())), task.update].append(task)
    return list(groups.values())


def _deploy_group(group: list[_Task], run: _Run) -> dict[str, AccountResult]:
    """Deploys accounts of one profile together; where AWS refuses them together, each on its own.

    They are deploying since the call began: its answer may come so late that an account is connected by then.
    """
    began = run.ports.clock.now()
    try:
        _deploy(group, run.ports)
    except PermanentError as error:
        if len(group) == 1:
            return {group[0].account.account_id: error}
        logger.warning("stack_set_operation_refused", extra={"accounts": len(group), "reason": error.reason})
        alone: dict[str, AccountResult] = {}
        for task in group:
            alone |= _deploy_group([task], run)
        return alone
    except TransientError as error:
        return {task.account.account_id: error for task in group}
    return {task.account.account_id: _reported(task, run, began) for task in group}


def _deploy(group: list[_Task], ports: DeployPorts) -> None:
    causes = [(task.account.account_id, task.signal.cause.event_id) for task in group]
    update = group[0].update
    ports.stack_sets.deploy(
        Deployment(
            operation_id=operation_id(ports.stack_sets.stack_set_id(), causes, update=update),
            account_ids=tuple(sorted(task.account.account_id for task in group)),
            parameters=group[0].parameters,
            update=update,
        )
    )


def _reported(task: _Task, run: _Run, began: datetime) -> AccountResult:
    try:
        report = Report(status=State.DEPLOYING, reason=task.reason, at=began)
        run.ports.sender.send(request_for(task.account, run.policy, task.signal.cause, report))
    except (TransientError, PermanentError) as error:
        return unless_lasting(error, since=task.signal.cause.occurred_at, clock=run.ports.clock)
    result = Result.UPDATED if task.update else Result.CREATED
    return Outcome(result=result, reason=task.reason)


def _report(account: Account, cause: Cause, run: _Run, status: State, reason: str) -> None:
    report = Report(status=status, reason=reason, at=run.ports.clock.now())
    run.ports.sender.send(request_for(account, run.policy, cause, report))
