"""The StackSet of the roles and the management account's Stack, as far as publishing goes.

Source: CloudFormation API 2010-05-15.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore import handlers
from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.domain.template_rollout import DeployedTemplate, Rollout

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

_CAPABILITY: Final[Literal["CAPABILITY_NAMED_IAM"]] = "CAPABILITY_NAMED_IAM"
_ALL_AT_ONCE: dict[str, Any] = {
    "FailureTolerancePercentage": 100,
    "MaxConcurrentPercentage": 100,
    "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
}
_AUTO, _MANAGED, _CAPABILITIES = "automatic deployment is on", "managed execution is off", f"{_CAPABILITY} is missing"
_ENDED = {"SUCCEEDED", "FAILED", "STOPPED"}


class RoleStackSet:
    """The service-managed StackSet, with automatic deployment off and managed execution on."""

    def __init__(self, cloudformation: CloudFormationClient, *, name: str) -> None:
        """`name` is the StackSet's."""
        self._client = cloudformation
        self._name = name

    def find(self) -> DeployedTemplate | None:
        """Its template and settings; an instance that is not current is behind."""
        with translated(f"read StackSet {self._name}"):
            try:
                found: Any = self._client.describe_stack_set(StackSetName=self._name)["StackSet"]
            except ClientError as error:
                if error_code(error) == "StackSetNotFoundException":
                    return None
                raise
            wrong = {
                _AUTO: bool(found.get("AutoDeployment", {}).get("Enabled")),
                _MANAGED: not found.get("ManagedExecution", {}).get("Active"),
                _CAPABILITIES: _CAPABILITY not in found.get("Capabilities", []),
            }
            return DeployedTemplate(
                template_hash=_hash(found["TemplateBody"]),
                parameters=_parameters(found),
                wrong_settings=tuple(words for words, is_wrong in wrong.items() if is_wrong),
                service_managed=found.get("PermissionModel") == "SERVICE_MANAGED",
                behind=self._behind(),
            )

    def _behind(self) -> dict[str, str]:
        pages = self._client.get_paginator("list_stack_instances").paginate(StackSetName=self._name)
        return {
            each["Account"]: each.get("StatusReason", "")
            for page in pages
            for each in page["Summaries"]
            if each["Status"] != "CURRENT"
        }

    def create(self, template_url: str, parameters: Mapping[str, str]) -> str:
        """CreateStackSet; nobody has an instance yet."""
        with translated(f"create StackSet {self._name}"):
            self._client.create_stack_set(
                StackSetName=self._name,
                TemplateURL=template_url,
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=[_CAPABILITY],
                PermissionModel="SERVICE_MANAGED",
                AutoDeployment={"Enabled": False},
                ManagedExecution={"Active": True},
            )
        return ""

    def update(self, template_url: str, parameters: Mapping[str, str], present: DeployedTemplate) -> str:
        """UpdateStackSet, which reaches every instance there is. Settings are named only where they change."""
        changed: dict[str, Any] = {}
        if _AUTO in present.wrong_settings:
            changed["AutoDeployment"] = {"Enabled": False}
        if _MANAGED in present.wrong_settings:
            changed["ManagedExecution"] = {"Active": True}
        with translated(f"update StackSet {self._name}"):
            return self._client.update_stack_set(
                StackSetName=self._name,
                TemplateURL=template_url,
                Parameters=_kept(parameters, present),  # type: ignore[arg-type] # literal maps
                Capabilities=[_CAPABILITY],
                OperationPreferences=_ALL_AT_ONCE,  # type: ignore[arg-type] # a literal map, not a TypedDict
                **changed,
            )["OperationId"]

    def progress(self, waiting_for: str) -> Rollout:
        """The operation, and where it failed once it has ended."""
        with translated(f"read operation {waiting_for} of StackSet {self._name}"):
            answer = self._client.describe_stack_set_operation(StackSetName=self._name, OperationId=waiting_for)
            status = answer["StackSetOperation"]["Status"]
            if status not in _ENDED:
                return Rollout(ended=False)
            pages = self._client.get_paginator("list_stack_set_operation_results").paginate(
                StackSetName=self._name, OperationId=waiting_for
            )
            failed = {
                each["Account"]: each.get("StatusReason", "")
                for page in pages
                for each in page["Summaries"]
                if each["Status"] in {"FAILED", "CANCELLED"}
            }
        return Rollout(ended=True, succeeded=status == "SUCCEEDED" and not failed, failed=failed)


class ManagementStack:
    """The Stack of the same template in the management account, which StackSets never reach."""

    def __init__(self, cloudformation: CloudFormationClient, *, name: str) -> None:
        """`name` is the Stack's. The client gives templates as they are from here on, JSON ones, too."""
        self._client = cloudformation
        self._name = name
        self._client.meta.events.unregister("after-call.cloudformation.GetTemplate", handlers.json_decode_template_body)

    def find(self) -> DeployedTemplate | None:
        """Its template as it was given."""
        with translated(f"read stack {self._name}"):
            stack = self._find()
            if stack is None or stack["StackStatus"] == "DELETE_COMPLETE":
                return None
            body: Any = self._client.get_template(StackName=self._name, TemplateStage="Original")["TemplateBody"]
            unfinished = () if stack["StackStatus"] in _SETTLED else (f"the stack is {stack['StackStatus']}",)
        return DeployedTemplate(template_hash=_hash(body), parameters=_parameters(stack), wrong_settings=unfinished)

    def _find(self) -> Any:
        try:
            return self._client.describe_stacks(StackName=self._name)["Stacks"][0]
        except ClientError as error:
            # The API has no code of its own for it. Source: CloudFormation API reference, DescribeStacks.
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    def create(self, template_url: str, parameters: Mapping[str, str]) -> str:
        """CreateStack."""
        with translated(f"create stack {self._name}"):
            return self._client.create_stack(
                StackName=self._name,
                TemplateURL=template_url,
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=[_CAPABILITY],
            )["StackId"]

    def update(self, template_url: str, parameters: Mapping[str, str], present: DeployedTemplate) -> str:
        """UpdateStack."""
        with translated(f"update stack {self._name}"):
            return self._client.update_stack(
                StackName=self._name,
                TemplateURL=template_url,
                Parameters=_kept(parameters, present),  # type: ignore[arg-type] # literal maps
                Capabilities=[_CAPABILITY],
            )["StackId"]

    def progress(self, waiting_for: str) -> Rollout:
        """The stack's status; a rollback is a failure."""
        with translated(f"read stack {self._name}"):
            stack: Any = self._client.describe_stacks(StackName=waiting_for)["Stacks"][0]
        status = stack["StackStatus"]
        if status.endswith("_IN_PROGRESS"):
            return Rollout(ended=False)
        if status in _COMPLETE:
            return Rollout(ended=True, succeeded=True)
        account = waiting_for.split(":")[4]
        return Rollout(ended=True, failed={account: f"{status} {stack.get('StackStatusReason', '')}".strip()})


_COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_SETTLED = {*_COMPLETE, "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
"""The stack is what its template says; of one that was rolled back GetTemplate gives the template that it has."""


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _parameters(found: Any) -> dict[str, str]:
    return {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])}


def _kept(parameters: Mapping[str, str], present: DeployedTemplate) -> list[dict[str, Any]]:
    """These parameters, and those that are there already as they are."""
    kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in present.parameters if key not in parameters]
    return kept + [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
