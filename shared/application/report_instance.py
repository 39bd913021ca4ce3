"""Use case of `lambdas/stack_events`: work on a stack instance ended, so the account's connector may be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.application.outcome import Outcome
from shared.application.patience import unless_lasting
from shared.application.ports import AccountDirectory, AccountRetries, Clock, PolicySource, RequestSender, StackSets
from shared.application.requests import Cause, Report, request_for
from shared.application.waiting import NotReady, wait_for
from shared.domain.accounts import Account, unlisted_account
from shared.domain.findings import ROLES_NOT_REMOVED
from shared.domain.identity_provider import ADOPTING, USED, may_adopt, parameters_for, provider_advice, uses_existing
from shared.domain.instance_failures import PROVIDER_EXISTS, diagnose_instance
from shared.domain.ledger import Result, State
from shared.domain.policy import Verdict, decide
from shared.domain.profiles import Profile
from shared.domain.readiness import Attempt, Readiness, Retry
from shared.domain.stack_sets import InstanceState, StackInstance
from shared.errors import PermanentError, RollcallError, TransientError


@dataclass(frozen=True, kw_only=True)
class ReportPorts:
    """What the use case works with."""

    directory: AccountDirectory
    stack_sets: StackSets
    sender: RequestSender
    retries: AccountRetries
    readiness: Readiness
    policy: PolicySource
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class InstanceSignal:
    """Work on a stack instance of ours ended, well or not; `reason` is AWS's text in the event.

    `deletion` says that the work was to delete it, `deployment` that it was to make or change it; some do not say.
    """

    account_id: str
    reason: str
    cause: Cause
    deletion: bool = False
    deployment: bool = False


def report_instances(signals: Sequence[InstanceSignal], ports: ReportPorts) -> dict[str, Outcome | RollcallError]:
    """Reports each account once, for its newest signal; account id → what became of it.

    Raises ConfigurationError.
    """
    results: dict[str, Outcome | RollcallError] = {}
    newest = {signal.account_id: signal for signal in sorted(signals, key=lambda each: each.cause.occurred_at)}
    for account_id, signal in newest.items():
        try:
            results[account_id] = report_instance(signal, ports)
        except (TransientError, PermanentError) as error:
            results[account_id] = unless_lasting(error, since=signal.cause.occurred_at, clock=ports.clock)
    return results


def report_instance(signal: InstanceSignal, ports: ReportPorts) -> Outcome:
    """Reads the instance as it is now and tells the Azure side: connect, or a note of why not.

    Raises TransientError, ConfigurationError.
    """
    looked_at = ports.clock.now()  # before anything is read: what others read later counts for more than this
    instance = ports.stack_sets.find_instance(signal.account_id)
    if signal.deletion:
        return _report_deletion(instance, signal, ports)
    if instance is None or instance.state is InstanceState.IN_PROGRESS:
        again = "the instance is being worked on again; its end will be reported"
        return Outcome(
            result=Result.SKIPPED, reason=again if instance else "the account has no stack instance any more"
        )
    policy = ports.policy.current()
    account = ports.directory.find_account(signal.account_id, with_tags=policy.uses_tags)
    if account is None:
        return Outcome(result=Result.SKIPPED, reason="the account left the organization")
    decision = decide(policy, account)
    if decision.verdict is Verdict.EXCLUDE:
        return _look_anew(signal, decision.reason, ports, failed=instance.state in _NOT_DEPLOYED)
    if instance.state in _NOT_DEPLOYED:
        return _report_failure(instance, account, signal, ports)
    return _report_success(instance, account, signal, looked_at, ports)


def _report_success(
    instance: StackInstance, account: Account, signal: InstanceSignal, looked_at: datetime, ports: ReportPorts
) -> Outcome:
    """Outdated roles are roles: Defender checks. Those of another profile are not the ones that it would ask for."""
    policy = ports.policy.current()
    profile = decide(policy, account).profile
    if _has_other_roles(instance, profile, ports):
        return _look_anew(signal, "its roles are those of another profile", ports, failed=False)
    existing = uses_existing(instance.parameters)
    report = Report(
        status=State.DEPLOYED,
        reason="its stack instance succeeded" + (f"; {USED}" if existing else ""),
        at=looked_at,
        remedy=provider_advice(account.account_id, profile) if existing else "",
    )
    ports.sender.send(request_for(account, policy, signal.cause, report))
    return Outcome(result=Result.CREATED, reason=report.reason)


def _has_other_roles(instance: StackInstance, profile: Profile, ports: ReportPorts) -> bool:
    """Whether the account came to another profile since, which nobody told us: its connector would lack roles."""
    declared = ports.stack_sets.declared_parameters()
    present = instance.as_declared(declared)
    return dict(present.parameters) != parameters_for(profile, present, declared)


def _look_anew(signal: InstanceSignal, why: str, ports: ReportPorts, *, failed: bool) -> Outcome:
    """Has an account that is elsewhere by now looked at by who decides what becomes of it.

    Not where work failed that may have been the deletion, which would be asked for again and again.
    """
    if failed and not signal.deployment:
        return Outcome(result=Result.SKIPPED, reason=f"{why}; the work on its stack instance failed")
    occurred_at = signal.cause.occurred_at
    first = Attempt(number=1, first_at=occurred_at)
    ports.retries.ask_again(signal.account_id, Retry(attempt=first, due_at=occurred_at, since=occurred_at))
    return Outcome(result=Result.SKIPPED, reason=f"{why}: it is looked at anew")


def _report_failure(instance: StackInstance, account: Account, signal: InstanceSignal, ports: ReportPorts) -> Outcome:
    """An account that is not ready is tried again; of others only the reason is told."""
    reason = instance.reason or signal.reason or "AWS gave no reason"
    occurred_at = signal.cause.occurred_at
    tried_at = instance.tried_at or occurred_at
    attempt = instance.attempt or Attempt(number=1, first_at=tried_at)
    if instance.state is InstanceState.FAILED and ports.readiness.is_not_ready(account, attempt, reason):
        found = NotReady(
            account=account,
            cause=signal.cause,
            why=reason,
            attempt=attempt,
            tried_at=tried_at,
            failed_at=occurred_at,
        )
        return wait_for(found, ports)
    failure = diagnose_instance(reason)
    remedy = ""
    if failure is PROVIDER_EXISTS:
        retry = ports.readiness.next_retry(attempt, tried_at=tried_at, failed_at=occurred_at)
        if retry is not None and may_adopt(instance, ports.stack_sets.declared_parameters()):
            return _adopt(account, retry, signal, ports)
        remedy = f"{failure.remedy} {_provider_advice(account, ports)}"
    report = Report(status=State.DEPLOY_FAILED, reason=reason, at=ports.clock.now(), remedy=remedy)
    ports.sender.send(request_for(account, ports.policy.current(), signal.cause, report))
    return Outcome(result=Result.FAILED, reason=reason, key=failure.key)


def _adopt(account: Account, retry: Retry, signal: InstanceSignal, ports: ReportPorts) -> Outcome:
    """Asks for a deployment that makes no provider, then reports it: a crash in between does both again.

    The first is asked for at once. Others only follow where AWS kept the instance's parameters: ever later.
    """
    first = retry.attempt.number == _SECOND
    ports.retries.ask_again(account.account_id, replace(retry, due_at=signal.cause.occurred_at) if first else retry)
    remedy = _provider_advice(account, ports)
    report = Report(status=State.DEPLOYING, reason=ADOPTING, at=ports.clock.now(), remedy=remedy)
    ports.sender.send(request_for(account, ports.policy.current(), signal.cause, report))
    return Outcome(result=Result.DEFERRED, reason=ADOPTING, key=PROVIDER_EXISTS.key)


def _provider_advice(account: Account, ports: ReportPorts) -> str:
    return provider_advice(account.account_id, decide(ports.policy.current(), account).profile)


_SECOND = 2
"""The number of the attempt that follows the first."""


def _report_deletion(instance: StackInstance | None, signal: InstanceSignal, ports: ReportPorts) -> Outcome:
    """Tells that the roles are gone, or why they are not: for the history, as the state is told by who deletes."""
    if instance is not None and instance.state not in _NOT_DEPLOYED:
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


_NOT_DEPLOYED = {InstanceState.FAILED, InstanceState.SUSPENDED}
