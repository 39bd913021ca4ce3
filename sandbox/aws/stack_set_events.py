"""The status events of StackSets, which EventBridge delivers durably to the administrator account.

Source: CloudFormation user guide, "Managing events with Amazon EventBridge", StackSets event examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.aws.events import emit

if TYPE_CHECKING:
    from sandbox.aws.stack_sets import Operation, StackInstance, StackSet


def _emit(stack_set: StackSet, detail_type: str, detail: dict[str, Any]) -> None:
    event = {
        "detail-type": detail_type,
        "source": "aws.cloudformation",
        "resources": [stack_set.arn],
        "detail": {"stack-set-arn": stack_set.arn} | detail,
    }
    emit(stack_set.account_id, event, region=stack_set.region)


def operation_changed(stack_set: StackSet, operation: Operation) -> None:
    """Tells of an operation's new status."""
    detail = {"stack-set-operation-id": operation.id, "status-details": {"status": operation.status}}
    _emit(stack_set, "CloudFormation StackSet Operation Status Change", detail)


def instance_changed(stack_set: StackSet, instance: StackInstance, action: str) -> None:
    """Tells of a stack instance's new status; an instance without a stack has nothing to name and is silent."""
    if instance.stack_id is None:
        return
    detail = {
        "stack-id": instance.stack_id,
        "action": action,
        "status-details": {
            "status": instance.status,
            "status-reason": instance.reason,
            "detailed-status": instance.detailed_status,
        },
    }
    _emit(stack_set, "CloudFormation StackSet StackInstance Status Change", detail)
