"""The management account's own stack of the member template. Source: CloudFormation API 2010-05-15, DescribeStacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.domain.reconciliation import ManagementStack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient


class CloudFormationManagementStack:
    """One stack by its name, in the region of the StackSet's instances."""

    def __init__(self, cloudformation: CloudFormationClient, *, name: str) -> None:
        """Works in the management account."""
        self._client = cloudformation
        self._name = name

    @property
    def name(self) -> str:
        """The name that it has to have."""
        return self._name

    def find(self) -> ManagementStack | None:
        """The stack as it is now; None where there is none, or none any more."""
        with translated(f"read stack {self._name}"):
            try:
                found: Any = self._client.describe_stacks(StackName=self._name)["Stacks"][0]
            except ClientError as error:
                if _is_absent(error):
                    return None
                raise
            return ManagementStack(
                name=self._name,
                status=found["StackStatus"],
                parameters={
                    entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in found.get("Parameters", [])
                },
                reason=found.get("StackStatusReason", ""),
            )


def _is_absent(error: ClientError) -> bool:
    """CloudFormation has no code of its own for it. Source: AWS knowledge center and awscli's `stack-exists` waiter.

    "Stack with id NAME does not exist", with the code ValidationError.
    """
    message = str(error.response.get("Error", {}).get("Message", ""))
    return error_code(error) == "ValidationError" and "does not exist" in message
