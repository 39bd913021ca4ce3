"""Use case of `lambdas/stack_events`: work on a stack instance ended, so the account's connector may be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.application.outcome import Outcome
from shared.application.patience import unless_lasting
from shared.application.ports import AccountDirectory, Clock, PolicySource, RequestSender, StackSets
from shared.application.requests import Cause, Report, request_for
from shared.domain.accounts import unlisted_account
from shared.domain.findings import ROLES_NOT_REMOVED
from shared.domain.ledger import Result, State
from shared.domain.policy import Verdict, decide
from shared.domain.stack_sets import InstanceState, StackInstance
from shared.errors import PermanentError, RollcallError, TransientError
from shared.messages.connector_request import Action


@dataclass(frozen=True, kw_only=True)
class ReportPorts:
    """What the use case works with."""

    directory: AccountDirectory
    stack_sets: StackSets
    sender: RequestSender
    policy: PolicySource
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class InstanceSignal:
    """Work on a stack instance of ours ended, well or not; `reason` is AWS's text in the event.

    `deletion` says that the work was to delete it.
    """

    account_id: str
    reason: str
    cause: Cause
    deletion: bool = False


def report_instances(signals: Sequence[InstanceSignal], ports: ReportPorts) -> dict[str, Outcome | RollcallError]:
    """Reports each account once; account id → what became of it. Raises ConfigurationError."""
    results: dict[str, Outcome | RollcallError] = {}
    for account_id, signal in {signal.account_id: signal for signal in signals}.items():
        try:
            results[account_id] = report_instance(signal, ports)
        except (TransientError, PermanentError) as error:
            results[account_id] = unless_lasting(error, since=signal.cause.occurred_at, clock=ports.clock)
    return results


def report_instance(signal: InstanceSignal, ports: ReportPorts) -> Outcome:
    """Reads the instance as it is now and tells the Azure side: connect, or a note of why not.

    Raises TransientError, ConfigurationError.
    """
    instance = ports.stack_sets.find_instance(signal.account_id)
    if signal.deletion:
        return _report_deletion(instance, signal, ports)
    if instance is None:
        return Outcome(result=Result.SKIPPED, reason="the account has no stack instance any more")
    if instance.state is InstanceState.IN_PROGRESS:
        return Outcome(result=Result.SKIPPED, reason="the instance is being worked on again; its end will be reported")
    policy = ports.policy.current()
    account = ports.directory.find_account(signal.account_id, with_tags=policy.uses_tags)
    if account is None:
        return Outcome(result=Result.SKIPPED, reason="the account left the organization")
    decision = decide(policy, account)
    if decision.verdict is Verdict.EXCLUDE:
        return Outcome(result=Result.SKIPPED, reason=f"the account takes no part any more: {decision.reason}")
    report = _report(instance, signal, ports.clock.now())
    ports.sender.send(request_for(account, policy, signal.cause, report))
    result = Result.CREATED if report.action is Action.CONNECT else Result.FAILED
    return Outcome(result=result, reason=report.reason)


def _report_deletion(instance: StackInstance | None, signal: InstanceSignal, ports: ReportPorts) -> Outcome:
    """Tells that the roles are gone, or why they are not: for the history, as the state is told by who deletes."""
    if instance is not None and instance.state is not InstanceState.FAILED:
        return Outcome(result=Result.SKIPPED, reason="the account has a stack instance again")
    policy, now = ports.policy.current(), ports.clock.now()
    account = ports.directory.find_account(signal.account_id, with_tags=policy.uses_tags)
    report = Report(status=State.SEEN, reason="its stack instance is gone from the StackSet", at=now)
    if instance is not None:
        said = instance.reason or signal.reason or "AWS gave no reason"
        finding = ROLES_NOT_REMOVED.found(f"its stack instance was not deleted: {said}")
        report = Report(status=State.SEEN, reason=finding.reason, at=now, remedy=finding.remedy)
    ports.sender.send(request_for(account or unlisted_account(signal.account_id), policy, signal.cause, report))
    key = ROLES_NOT_REMOVED.key if instance is not None else ""
    result = Result.DELETED if instance is None else Result.FAILED
    return Outcome(result=result, reason=report.reason, key=key)


def _report(instance: StackInstance, signal: InstanceSignal, now: datetime) -> Report:
    if instance.state in {InstanceState.CURRENT, InstanceState.OUTDATED}:  # outdated roles are roles: Defender checks
        return Report(status=State.DEPLOYED, reason="its stack instance succeeded", at=now)
    reason = instance.reason or signal.reason or "AWS gave no reason"
    return Report(status=State.DEPLOY_FAILED, reason=reason, at=now)
