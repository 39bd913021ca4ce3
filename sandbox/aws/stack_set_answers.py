"""StackSets as the CloudFormation API describes them.

Source: CloudFormation API reference 2010-05-15; the suspended account's shape is that of recorded answers.
"""

from __future__ import annotations

from typing import Any

from sandbox.aws.stack_set_drift import drift_details
from sandbox.aws.stack_sets import Operation, OperationResult, StackInstance, StackSet


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _parameters(parameters: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def stack_set_summary(stack_set: StackSet) -> dict[str, Any]:
    """StackSetSummary."""
    return _given(
        StackSetName=stack_set.name,
        StackSetId=stack_set.id,
        Description=stack_set.description,
        Status=stack_set.status,
        AutoDeployment=stack_set.auto_deployment,
        PermissionModel=stack_set.permission_model,
        DriftStatus="NOT_CHECKED",
        ManagedExecution={"Active": stack_set.managed_execution},
    )


def stack_set_description(stack_set: StackSet) -> dict[str, Any]:
    """StackSet."""
    units = sorted({i.organizational_unit_id for i in stack_set.instances.values()} - {""})
    administration = stack_set.administration_role_arn or (
        f"arn:aws:iam::{stack_set.account_id}:role/AWSCloudFormationStackSetAdministrationRole"
    )
    execution = stack_set.execution_role_name or "AWSCloudFormationStackSetExecutionRole"
    return _given(
        StackSetName=stack_set.name,
        StackSetId=stack_set.id,
        Description=stack_set.description,
        Status=stack_set.status,
        TemplateBody=stack_set.template,
        Parameters=stack_set.effective_parameters(),  # moto itself turns these two into lists of pairs
        Capabilities=stack_set.capabilities,
        Tags=stack_set.tags,
        StackSetARN=stack_set.arn,
        AdministrationRoleARN=None if stack_set.service_managed else administration,
        ExecutionRoleName=None if stack_set.service_managed else execution,
        AutoDeployment=stack_set.auto_deployment,
        PermissionModel=stack_set.permission_model,
        OrganizationalUnitIds=units if stack_set.service_managed else None,
        ManagedExecution={"Active": stack_set.managed_execution},
        StackSetDriftDetectionDetails=drift_details(stack_set),
        Regions=sorted({instance.region for instance in stack_set.instances.values()}),
    )


def instance_summary(stack_set: StackSet, instance: StackInstance) -> dict[str, Any]:
    """StackInstanceSummary."""
    return _given(
        StackSetId=stack_set.id,
        Region=instance.region,
        Account=instance.account,
        StackId=instance.stack_id,
        Status=instance.status,
        StatusReason=instance.reason or None,
        StackInstanceStatus={"DetailedStatus": instance.detailed_status},
        OrganizationalUnitId=instance.organizational_unit_id,
        DriftStatus=instance.drift_status,
        LastOperationId=instance.last_operation_id,
    )


def instance_description(stack_set: StackSet, instance: StackInstance) -> dict[str, Any]:
    """StackInstance."""
    overrides = _parameters(instance.overrides)
    return instance_summary(stack_set, instance) | {"ParameterOverrides": overrides}


def operation_summary(operation: Operation) -> dict[str, Any]:
    """StackSetOperationSummary."""
    return _given(
        OperationId=operation.id,
        Action=operation.action,
        Status=operation.status,
        CreationTimestamp=operation.created,
        EndTimestamp=operation.ended,
        StatusReason=operation.reason or None,
        StatusDetails={"FailedStackInstancesCount": operation.failed_count},
        OperationPreferences=operation.preferences,
    )


def operation_description(stack_set: StackSet, operation: Operation) -> dict[str, Any]:
    """StackSetOperation."""
    return operation_summary(operation) | _given(
        StackSetId=stack_set.id,
        RetainStacks=operation.retain_stacks if operation.action == "DELETE" else None,
        DeploymentTargets=operation.deployment_targets,
    )


def result_summary(result: OperationResult) -> dict[str, Any]:
    """StackSetOperationResultSummary."""
    return _given(
        Account=result.target.account,
        Region=result.target.region,
        Status=result.status,
        StatusReason=result.reason or None,
        AccountGateResult={"Status": "SKIPPED", "StatusReason": "No account gate function"},
        OrganizationalUnitId=result.target.organizational_unit_id,
    )
