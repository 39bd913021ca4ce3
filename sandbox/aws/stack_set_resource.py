"""`AWS::CloudFormation::StackSet` as a resource of a stack, which moto lacks.

Source: CloudFormation template reference, AWS::CloudFormation::StackSet: `Ref` and `StackSetId` are the id.
"""

from __future__ import annotations

from typing import Any

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.core.common_models import CloudFormationModel

from sandbox.aws.active import PARTITION, active
from sandbox.aws.stack_set_operations import new_operation_id, submit, targets_of
from sandbox.aws.stack_set_parameters import refuse_parameters
from sandbox.aws.stack_set_targets import validate
from sandbox.aws.stack_sets import Operation, StackSet
from sandbox.aws.stacks import parse_template, template_from_url

_KNOWN = {
    "AdministrationRoleARN",
    "AutoDeployment",
    "CallAs",
    "Capabilities",
    "Description",
    "ExecutionRoleName",
    "ManagedExecution",
    "OperationPreferences",
    "Parameters",
    "PermissionModel",
    "StackInstancesGroup",
    "StackSetName",
    "Tags",
    "TemplateBody",
    "TemplateURL",
}


class StackSetResource(CloudFormationModel):
    """A StackSet made by a stack."""

    def __init__(self, stack_set: StackSet) -> None:
        self.stack_set = stack_set

    @property
    def physical_resource_id(self) -> str:
        """What `Ref` returns: `name:uuid`."""
        return self.stack_set.id

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names it."""
        return "StackSetName"

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::CloudFormation::StackSet"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether `Fn::GetAtt` knows `attr`."""
        return attr == "StackSetId"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The value of `Fn::GetAtt`."""
        if attribute_name == "StackSetId":
            return self.stack_set.id
        raise UnformattedGetAttTemplateException

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> StackSetResource:
        """Makes the StackSet, and its first stack instances where the template has them."""
        properties = cloudformation_json["Properties"]
        unknown = sorted(set(properties) - _KNOWN)
        if unknown:
            raise ValidationError(message=f"Encountered unsupported property {unknown[0]}")
        stack_set = active().stack_sets.create(
            account_id,
            region_name,
            properties["StackSetName"],
            **_fields(properties, account_id),
            permission_model=properties["PermissionModel"],
        )
        for group in properties.get("StackInstancesGroup", []):
            _deploy(stack_set, group, properties.get("OperationPreferences", {}))
        return cls(stack_set)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: StackSetResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> StackSetResource:
        """Changes the StackSet and brings its instances up to date."""
        stack_set = original_resource.stack_set
        stack_sets = active().stack_sets
        with stack_sets.lock:
            fields = _fields(cloudformation_json["Properties"], account_id)
            stack_set.capabilities = fields["capabilities"]
            parsed = parse_template(fields["template"])
            stack_sets.check(stack_set, parsed)
            refuse_parameters(parsed, fields["parameters"])
            for name, value in fields.items():
                setattr(stack_set, name, value)
            regions = sorted({instance.region for instance in stack_set.instances.values()})
            everywhere = targets_of(
                stack_set,
                accounts=sorted({instance.account for instance in stack_set.instances.values()}),
                regions=regions,
                deployment_targets={"OrganizationalUnitIds": stack_set.roots()},
            )
            targets = [target for target in everywhere if target.key in stack_set.instances]
            if targets:
                preferences = cloudformation_json["Properties"].get("OperationPreferences", {})
                submit(stack_set, Operation(new_operation_id(), "UPDATE", targets, preferences))
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Deletes the StackSet, which must have no instances left."""
        active().stack_sets.delete(self.stack_set)

    def is_created(self) -> bool:
        """StackSets exist at once; their instances come later."""
        return True


def _fields(properties: dict[str, Any], account_id: str) -> dict[str, Any]:
    template = properties.get("TemplateBody")
    if "TemplateURL" in properties:
        template = template_from_url(properties["TemplateURL"], account_id, PARTITION)
    if not template:
        raise ValidationError(message="Either TemplateURL or TemplateBody must be specified")
    parameters = {item["ParameterKey"]: str(item["ParameterValue"]) for item in properties.get("Parameters", [])}
    auto_deployment = properties.get("AutoDeployment")
    return {
        "template": template,
        "parameters": parameters,
        "description": properties.get("Description"),
        "capabilities": properties.get("Capabilities", []),
        "tags": {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])},
        "auto_deployment": auto_deployment and {key: _flag(value) for key, value in auto_deployment.items()},
        "managed_execution": _flag(properties.get("ManagedExecution", {}).get("Active", False)),
        "administration_role_arn": properties.get("AdministrationRoleARN"),
        "execution_role_name": properties.get("ExecutionRoleName"),
    }


def _flag(value: Any) -> Any:
    """A boolean of a template, which may be written as text."""
    return value.lower() == "true" if isinstance(value, str) else value


def _deploy(stack_set: StackSet, group: dict[str, Any], preferences: dict[str, Any]) -> None:
    targets = group["DeploymentTargets"]
    if stack_set.service_managed:
        validate(targets, creating=True)
    found = targets_of(stack_set, accounts=[], regions=group["Regions"], deployment_targets=targets)
    overrides = {item["ParameterKey"]: item["ParameterValue"] for item in group.get("ParameterOverrides", [])}
    submit(stack_set, Operation(new_operation_id(), "CREATE", found, preferences, overrides, targets))
