"""UpdateStack, as thorough as the stacks behind stack instances: moto's own overlooks what conditions turn on.

Source: CloudFormation API reference 2010-05-15, UpdateStack.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.cloudformation.models import CloudFormationBackend, Stack

from sandbox.aws.patching import Patch
from sandbox.aws.stack_instance_stacks import change
from sandbox.aws.stacks import ResourceFailedError


def _update_stack(self: CloudFormationBackend, **asked: Any) -> Stack:
    stack: Stack = self.get_stack(asked["name"])
    before = stack.parameters
    given = {
        each["ParameterKey"]: before[each["ParameterKey"]] if each.get("UsePreviousValue") else each["ParameterValue"]
        for each in asked["parameters"]
        if not each.get("UsePreviousValue") or each["ParameterKey"] in before
    }
    if asked["tags"] is not None:
        stack.tags = asked["tags"]
    try:
        change(stack, asked["template"], given)
    except ResourceFailedError as failure:
        stack._add_stack_event("UPDATE_FAILED", resource_status_reason=failure.reason)
        stack.status = "UPDATE_FAILED"
    return stack


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(CloudFormationBackend, "update_stack", _update_stack)
