"""Drift of StackSets: looked for when somebody asks, and then told until somebody asks again.

What was changed by hand in an account is planted (`StackInstance.changed_by_hand`): resources are not compared. The
operation ends at once. Source: CloudFormation API reference 2010-05-15, DetectStackSetDrift,
StackSetDriftDetectionDetails.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from sandbox.aws.active import active
from sandbox.aws.patching import Patch
from sandbox.aws.stack_set_operations import new_operation_id
from sandbox.aws.stack_sets import StackSet


def _detect_stack_set_drift(self: CloudFormationResponse) -> ActionResult:
    stack_set = active().stack_sets.get(self.current_account, self.region, self._get_param("StackSetName"))
    detect(stack_set)
    return ActionResult({"OperationId": self._get_param("OperationId") or new_operation_id()})


def detect(stack_set: StackSet) -> None:
    """Looks at every instance."""
    for instance in stack_set.instances.values():
        instance.drift_status = "DRIFTED" if instance.changed_by_hand else "IN_SYNC"
    stack_set.drift_checked_at = datetime.now(UTC)


def drift_details(stack_set: StackSet) -> dict[str, Any] | None:
    """StackSetDriftDetectionDetails; None before anybody asked."""
    if stack_set.drift_checked_at is None:
        return None
    states = [instance.drift_status for instance in stack_set.instances.values()]
    drifted = states.count("DRIFTED")
    return {
        "DriftStatus": "DRIFTED" if drifted else "IN_SYNC",
        "DriftDetectionStatus": "COMPLETED",
        "LastDriftCheckTimestamp": stack_set.drift_checked_at,
        "TotalStackInstancesCount": len(states),
        "DriftedStackInstancesCount": drifted,
        "InSyncStackInstancesCount": states.count("IN_SYNC"),
        "InProgressStackInstancesCount": 0,
        "FailedStackInstancesCount": 0,
    }


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(CloudFormationResponse, "detect_stack_set_drift", _detect_stack_set_drift)
