"""Which queues the stack of infra/aws/template.yaml has, by its outputs; for whoever counts and whoever replays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

OUTPUTS = {"account-events": "AccountEvents", "stack-events": "StackEvents", "reconcile": "Reconcile"}
"""The event queues, and how the stack's outputs begin that name each and its dead-letter queue."""


def queue_urls(cloudformation: CloudFormationClient, stack_name: str) -> dict[str, str]:
    """The outputs of the stack, the queues' addresses among them. Raises TransientError, PermanentError."""
    with translated(f"read the outputs of stack {stack_name}"):
        stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
