"""How StackSet operations run: queued or refused, in waves, each stack instance in its own time.

Source: CloudFormation API reference 2010-05-15 (StackSetOperationPreferences, ManagedExecution) and user guide,
"StackSets concepts": an operation fails when more stack instances fail in a Region than its tolerance allows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from sandbox.aws import stack_instance_stacks as stacks
from sandbox.aws.active import active
from sandbox.aws.errors import AwsError
from sandbox.aws.stack_set_events import instance_changed, operation_changed
from sandbox.aws.stack_set_targets import Target, UnknownUnitError, resolve
from sandbox.aws.stack_sets import (
    Operation,
    OperationInProgressError,
    OperationResult,
    StackInstance,
    StackSet,
)

SUSPENDED = (
    "This account is suspended. To remove this instance from the stack set, run DeleteStackInstances with the "
    "RetainStacks parameter."
)


class OperationIdAlreadyExistsError(AwsError):
    """The caller's OperationId was used before: the job is submitted already."""

    code = "OperationIdAlreadyExistsException"


def submit(stack_set: StackSet, operation: Operation, *, unknown_unit: bool = False) -> str:
    """Accepts an operation and returns its id.

    Raises:
        OperationIdAlreadyExistsError: if the id was used before.
        OperationInProgressError: if something runs and ManagedExecution is off.
    """
    with active().stack_sets.lock:
        if any(other.id == operation.id for other in stack_set.operations):
            raise OperationIdAlreadyExistsError(f"Operation {operation.id} already exists")
        busy = bool(stack_set.unfinished())
        if busy and not stack_set.managed_execution:
            running = stack_set.unfinished()[0].id
            message = f"Another Operation on StackSet {stack_set.arn} is in progress: {running}"
            raise OperationInProgressError(message)
        operation.results = {target.key: OperationResult(target) for target in operation.targets}
        stack_set.operations.append(operation)
        operation.status = "QUEUED" if busy else "RUNNING"
        if unknown_unit:
            operation.reason = str(UnknownUnitError())
            _later(0, lambda: _end(stack_set, operation, "FAILED"))
        elif busy:
            _later(0, lambda: operation_changed(stack_set, operation))
            _later(0, lambda: _start_queued(stack_set))
        else:
            _later(0, lambda: _start(stack_set, operation))
        return operation.id


def new_operation_id() -> str:
    """An id for callers that chose none."""
    return str(uuid.uuid4())


def deploy_automatically(stack_set: StackSet, account_id: str) -> None:
    """AutoDeployment: gives an account the stack if it now lives under one of the StackSet's targets."""
    if not (stack_set.auto_deployment or {}).get("Enabled"):
        return
    unit_ids = sorted({i.organizational_unit_id for i in stack_set.instances.values()} - {""})
    regions = sorted({instance.region for instance in stack_set.instances.values()})
    wanted = {"OrganizationalUnitIds": unit_ids, "Accounts": [account_id], "AccountFilterType": "INTERSECTION"}
    targets = [
        target for target in resolve(stack_set.organization, wanted, regions) if target.key not in stack_set.instances
    ]
    if targets:
        preferences = {"MaxConcurrentPercentage": 100, "FailureTolerancePercentage": 100}
        submit(stack_set, Operation(new_operation_id(), "CREATE", targets, preferences, {}))


def stop(stack_set: StackSet, operation: Operation) -> None:
    """Stops a running or queued operation: what has not begun is cancelled."""
    if operation.status not in {"RUNNING", "QUEUED"}:
        message = f"Operation {operation.id} is not in a state that can be stopped"
        raise AwsError("InvalidOperationException", message)
    if operation.status == "QUEUED":
        _cancel_pending(stack_set, operation)
        _end(stack_set, operation, "STOPPED")
    else:
        operation.status = "STOPPING"


def _later(seconds: float, task: Callable[[], None]) -> None:
    def locked() -> None:
        with active().stack_sets.lock:
            task()

    active().scheduler.after(seconds, locked)


def _start_queued(stack_set: StackSet) -> None:
    """Starts queued operations in order; one waits for those before it that share a stack instance."""
    ahead: set[tuple[str, str]] = set()
    for operation in stack_set.unfinished():
        keys = set(operation.results)
        if operation.status == "QUEUED" and not keys & ahead:
            operation.status = "RUNNING"
            _start(stack_set, operation)
        ahead |= keys


def _start(stack_set: StackSet, operation: Operation) -> None:
    operation_changed(stack_set, operation)
    if operation.action != "CREATE":  # an operation that ran before this one may have deleted instances
        operation.results = {key: result for key, result in operation.results.items() if key in stack_set.instances}
    for result in operation.results.values():
        target = result.target
        if operation.action != "DELETE":
            instance = stack_set.instances.setdefault(target.key, StackInstance(target.account, target.region))
            instance.organizational_unit_id = target.organizational_unit_id
            if operation.overrides is not None:
                instance.overrides = dict(operation.overrides)
        else:
            instance = stack_set.instances[target.key]
        instance.last_operation_id = operation.id
        instance.status, instance.reason = "OUTDATED", "User Initiated"
        instance.detailed_status = "PENDING"
        if target.suspended and not operation.retain_stacks:
            instance.reason, instance.detailed_status = SUSPENDED, "SKIPPED_SUSPENDED_ACCOUNT"
            result.status, result.reason = "SUCCEEDED", SUSPENDED
        instance_changed(stack_set, instance, operation.action)
    _next_wave(stack_set, operation)


def _share(preferences: dict[str, int], kind: str, total: int, default: int) -> int:
    if f"{kind}Percentage" in preferences:
        return int(preferences[f"{kind}Percentage"]) * total // 100
    return int(preferences.get(f"{kind}Count", default))


def _wave(operation: Operation) -> list[OperationResult]:
    """The stack instances that run next: of one Region, as many as the preferences allow."""
    pending = [result for result in operation.results.values() if result.status == "PENDING"]
    if not pending:
        return []
    parallel = operation.preferences.get("RegionConcurrencyType") == "PARALLEL"
    order = operation.preferences.get("RegionOrder") or list(dict.fromkeys(r.target.region for r in pending))
    regions = [region for region in order if any(result.target.region == region for result in pending)]
    wave: list[OperationResult] = []
    for region in regions if parallel else regions[:1]:
        here = [result for result in operation.results.values() if result.target.region == region]
        size = max(1, _share(operation.preferences, "MaxConcurrent", len(here), 1))
        if operation.preferences.get("ConcurrencyMode") != "SOFT_FAILURE_TOLERANCE":
            size = min(size, _share(operation.preferences, "FailureTolerance", len(here), 0) + 1)
        wave += [result for result in here if result.status == "PENDING"][:size]
    return wave


def _next_wave(stack_set: StackSet, operation: Operation) -> None:
    wave = _wave(operation)
    if operation.status == "STOPPING" or not wave:
        _cancel_pending(stack_set, operation)
        _end(stack_set, operation, "STOPPED" if operation.status == "STOPPING" else "SUCCEEDED")
        return
    for result in wave:
        instance = stack_set.instances[result.target.key]
        result.status = instance.detailed_status = "RUNNING"
        if instance.stack_id is None and operation.action != "DELETE":
            instance.stack_id = stacks.new_stack_id(stack_set, instance)
        instance_changed(stack_set, instance, operation.action)
    seconds = active().settings.stack_instance_seconds
    _later(seconds, lambda: _finish_wave(stack_set, operation, wave))


def _finish_wave(stack_set: StackSet, operation: Operation, wave: list[OperationResult]) -> None:
    for result in wave:
        _finish_instance(stack_set, operation, result)
    for region in {result.target.region for result in wave}:
        here = [result for result in operation.results.values() if result.target.region == region]
        failed = sum(result.status == "FAILED" for result in here)
        if failed > _share(operation.preferences, "FailureTolerance", len(here), 0):
            _cancel_pending(stack_set, operation)
            _end(stack_set, operation, "FAILED")
            return
    _next_wave(stack_set, operation)


def _finish_instance(stack_set: StackSet, operation: Operation, result: OperationResult) -> None:
    instance = stack_set.instances[result.target.key]
    if operation.action == "DELETE":
        reason = None if operation.retain_stacks else stacks.delete(instance)
    else:
        reason = stacks.deploy(stack_set, instance)
    if reason is None:
        result.status, instance.status, instance.detailed_status, instance.reason = (
            "SUCCEEDED",
            "CURRENT",
            "SUCCEEDED",
            "",
        )
        if operation.action == "DELETE":
            stack_set.instances.pop(result.target.key)
    else:
        result.status, result.reason = "FAILED", reason
        instance.detailed_status, instance.reason = "FAILED", reason
        instance.status = "INOPERABLE" if operation.action == "DELETE" else "OUTDATED"
    instance_changed(stack_set, instance, operation.action)


def _cancel_pending(stack_set: StackSet, operation: Operation) -> None:
    for result in operation.results.values():
        if result.status != "PENDING":
            continue
        result.status, result.reason = "CANCELLED", "Cancelled since failure tolerance has exceeded"
        instance = stack_set.instances.get(result.target.key)
        if instance is not None:
            instance.detailed_status, instance.reason = "CANCELLED", result.reason
            instance_changed(stack_set, instance, operation.action)


def _end(stack_set: StackSet, operation: Operation, status: str) -> None:
    operation.status = status
    operation.ended = datetime.now(UTC)
    operation_changed(stack_set, operation)
    _start_queued(stack_set)


def targets_of(
    stack_set: StackSet, *, accounts: list[str], regions: list[str], deployment_targets: dict[str, object] | None
) -> list[Target]:
    """The (account, region) pairs that an operation means.

    Raises:
        UnknownUnitError: if an OU is not in the organization.
    """
    if stack_set.service_managed:
        return resolve(stack_set.organization, deployment_targets or {}, regions)
    named = accounts or list((deployment_targets or {}).get("Accounts") or [])  # type: ignore[call-overload]  # a list of ids
    return [Target(account, region) for region in regions for account in named]
