"""StackSets, stacks and delegated administrators as an operator sees them.

Source: CloudFormation API 2010-05-15 (DescribeStackSet with StackSetDriftDetectionDetails, ListStackInstances,
DescribeStacks), Organizations API 2016-11-28 (ListDelegatedAdministrators).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.adapters.aws.management_stack import CloudFormationManagementStack
from shared.domain.doctor.aws_organization import StackSetSeen
from shared.domain.reconciliation import ManagementStack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_organizations.client import OrganizationsClient

_STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"


class StackSetSettings:
    """StackSets of the management account, by their names."""

    def __init__(self, cloudformation: CloudFormationClient) -> None:
        """Works in the management account."""
        self._client = cloudformation

    def find(self, name: str) -> StackSetSeen | None:
        """One with its settings, its template and its instances that are not current."""
        with translated(f"read StackSet {name}"):
            try:
                found: Any = self._client.describe_stack_set(StackSetName=name)["StackSet"]
            except ClientError as error:
                if error_code(error) == "StackSetNotFoundException":
                    return None
                raise
            drift = found.get("StackSetDriftDetectionDetails", {})
            return StackSetSeen(
                name=name,
                template=found["TemplateBody"],
                service_managed=found.get("PermissionModel") == "SERVICE_MANAGED",
                auto_deployment=bool(found.get("AutoDeployment", {}).get("Enabled")),
                managed_execution=bool(found.get("ManagedExecution", {}).get("Active")),
                names_roles="CAPABILITY_NAMED_IAM" in found.get("Capabilities", []),
                drift=drift.get("DriftStatus", "NOT_CHECKED"),
                drifted_instances=drift.get("DriftedStackInstancesCount", 0),
                drift_checked_at=drift.get("LastDriftCheckTimestamp"),
                behind=self._behind(name),
            )

    def _behind(self, name: str) -> dict[str, str]:
        pages: Any = self._client.get_paginator("list_stack_instances").paginate(StackSetName=name)
        return {
            each["Account"]: each.get("StatusReason", "")
            for page in pages
            for each in page["Summaries"]
            if each["Status"] != "CURRENT"
        }


class NamedStacks:
    """Stacks of the management account, by their names."""

    def __init__(self, cloudformation: CloudFormationClient) -> None:
        """Works in the management account."""
        self._client = cloudformation

    def find(self, name: str) -> ManagementStack | None:
        """One as it is now."""
        return CloudFormationManagementStack(self._client, name=name).find()


class StackSetDelegations:
    """Who may operate StackSets besides."""

    def __init__(self, organizations: OrganizationsClient) -> None:
        """Works in the management account."""
        self._client = organizations

    def administrators(self) -> Sequence[str]:
        """The ids of delegated administrators of StackSets."""
        with translated("list the delegated administrators of StackSets"):
            pages = self._client.get_paginator("list_delegated_administrators").paginate(ServicePrincipal=_STACK_SETS)
            return [each["Id"] for page in pages for each in page["DelegatedAdministrators"]]
