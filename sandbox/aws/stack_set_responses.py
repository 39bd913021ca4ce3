"""The StackSet operations of the CloudFormation API, in moto's place.

Source: CloudFormation API reference 2010-05-15.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from moto.cloudformation.exceptions import StackInstanceNotFound, ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.organizations.models import organizations_backends

from sandbox.aws import stack_set_answers as answers
from sandbox.aws.active import PARTITION, active
from sandbox.aws.errors import AwsError
from sandbox.aws.pages import page
from sandbox.aws.patching import Patch
from sandbox.aws.stack_set_operations import new_operation_id, stop, submit, targets_of
from sandbox.aws.stack_set_parameters import refuse_parameters
from sandbox.aws.stack_set_targets import UnknownUnitError, validate
from sandbox.aws.stack_sets import NOT_MANAGEMENT, Operation, OperationInProgressError, StackSet
from sandbox.aws.stacks import parse_template


def _key_values(items: list[dict[str, str]], key: str, value: str) -> dict[str, str]:
    return {item[key]: item[value] for item in items if value in item}


def _parameters(response: CloudFormationResponse, name: str) -> dict[str, str] | None:
    items = response._get_param(name)
    return None if items is None else _key_values(items, "ParameterKey", "ParameterValue")


def _template(response: CloudFormationResponse) -> str | None:
    url = response._get_param("TemplateURL")
    body: str | None = response._get_stack_from_s3_url(url) if url else response._get_param("TemplateBody")
    return body


def _plain(value: Any) -> Any:
    """A parsed request structure as plain dictionaries and lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _named(self: CloudFormationResponse) -> StackSet:
    return active().stack_sets.get(self.current_account, self.region, self._get_param("StackSetName"))


def _create_stack_set(self: CloudFormationResponse) -> ActionResult:
    name = self._get_param("StackSetName")
    if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", name):
        message = (
            f"1 validation error detected: Value '{name}' at 'stackSetName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
        raise ValidationError(message=message)
    template = _template(self)
    if not template:
        raise ValidationError(message="Either Template URL or Template Body must be specified.")
    stack_set = active().stack_sets.create(
        self.current_account,
        self.region,
        name,
        template=template,
        parameters=_parameters(self, "Parameters") or {},
        description=self._get_param("Description"),
        capabilities=list(self._get_param("Capabilities", [])),
        tags=_key_values(self._get_param("Tags", []), "Key", "Value"),
        permission_model=self._get_param("PermissionModel") or "SELF_MANAGED",
        auto_deployment=_plain(self._get_param("AutoDeployment")),
        managed_execution=bool((self._get_param("ManagedExecution") or {}).get("Active")),
        administration_role_arn=self._get_param("AdministrationRoleARN"),
        execution_role_name=self._get_param("ExecutionRoleName"),
    )
    return ActionResult({"StackSetId": stack_set.id})


def _update_stack_set(self: CloudFormationResponse) -> ActionResult:
    stack_set = _named(self)
    with active().stack_sets.lock:
        managed = self._get_param("ManagedExecution")
        if stack_set.unfinished() and (managed is not None or not stack_set.managed_execution):
            raise OperationInProgressError(f"Another Operation on StackSet {stack_set.arn} is in progress")
        template = _template(self)
        if self._get_param("Capabilities") is not None:
            stack_set.capabilities = list(self._get_param("Capabilities"))
        parsed = parse_template(template or stack_set.template)
        active().stack_sets.check(stack_set, parsed)
        given = self._get_param("Parameters", [])
        kept = {item["ParameterKey"] for item in given if item.get("UsePreviousValue")}
        parameters = {k: v for k, v in stack_set.effective_parameters().items() if k in kept}
        parameters |= _key_values(given, "ParameterKey", "ParameterValue")
        refuse_parameters(parsed, parameters)
        stack_set.parameters = parameters
        stack_set.template = template or stack_set.template
        stack_set.description = self._get_param("Description") or stack_set.description
        if self._get_param("AutoDeployment") is not None:
            stack_set.auto_deployment = _plain(self._get_param("AutoDeployment"))
        if managed is not None:
            stack_set.managed_execution = bool(managed.get("Active"))
        return _submit(self, stack_set, "UPDATE", None, everywhere=True)


def _submit(
    self: CloudFormationResponse,
    stack_set: StackSet,
    action: str,
    overrides: dict[str, str] | None,
    *,
    everywhere: bool = False,
) -> ActionResult:
    deployment_targets = _plain(self._get_param("DeploymentTargets"))
    regions = list(self._get_param("Regions", []))
    accounts = list(self._get_param("Accounts", []))
    everywhere = everywhere and not deployment_targets and not accounts
    unknown_unit = False
    if everywhere:
        keys = set(stack_set.instances)
        deployment_targets = {"OrganizationalUnitIds": stack_set.roots()} if stack_set.service_managed else None
        regions, accounts = sorted({key[1] for key in keys}), sorted({key[0] for key in keys})
    elif stack_set.service_managed:
        validate(deployment_targets, creating=action == "CREATE")
    try:
        targets = targets_of(stack_set, accounts=accounts, regions=regions, deployment_targets=deployment_targets)
    except UnknownUnitError:
        targets, unknown_unit = [], True
    if everywhere or action == "DELETE":
        targets = [target for target in targets if target.key in stack_set.instances]
    if action == "UPDATE" and any(target.key not in stack_set.instances for target in targets):
        raise StackInstanceNotFound
    operation = Operation(
        self._get_param("OperationId") or new_operation_id(),
        action,
        targets,
        _plain(self._get_param("OperationPreferences")) or {},
        overrides,
        None if everywhere else deployment_targets,
        bool(self._get_bool_param("RetainStacks", False)),
    )
    return ActionResult({"OperationId": submit(stack_set, operation, unknown_unit=unknown_unit)})


def _checked_overrides(self: CloudFormationResponse, stack_set: StackSet) -> dict[str, str] | None:
    overrides = _parameters(self, "ParameterOverrides")
    known = parse_template(stack_set.template).get("Parameters") or {}
    unknown = sorted(set(overrides or {}) - set(known))
    if unknown:
        raise ValidationError(message=f"Parameters: {unknown} do not exist in the template")
    return overrides


def _create_stack_instances(self: CloudFormationResponse) -> ActionResult:
    with active().stack_sets.lock:
        stack_set = _named(self)
        active().stack_sets.check(stack_set)
        return _submit(self, stack_set, "CREATE", _checked_overrides(self, stack_set) or {})


def _update_stack_instances(self: CloudFormationResponse) -> ActionResult:
    with active().stack_sets.lock:
        stack_set = _named(self)
        active().stack_sets.check(stack_set)
        return _submit(self, stack_set, "UPDATE", _checked_overrides(self, stack_set))


def _delete_stack_instances(self: CloudFormationResponse) -> ActionResult:
    with active().stack_sets.lock:
        stack_set = _named(self)
        active().stack_sets.check(stack_set)
        return _submit(self, stack_set, "DELETE", None)


def _delete_stack_set(self: CloudFormationResponse) -> EmptyResult:
    active().stack_sets.delete(_named(self))
    return EmptyResult()


def _describe_stack_set(self: CloudFormationResponse) -> ActionResult:
    return ActionResult({"StackSet": answers.stack_set_description(_named(self))})


def _list_stack_sets(self: CloudFormationResponse) -> ActionResult:
    stack_sets = active().stack_sets.of(self.current_account, self.region, deleted=True)
    status = self._get_param("Status")
    found = [stack_set for stack_set in stack_sets if status in {None, stack_set.status}]
    return page(self, found, answers.stack_set_summary)


def _describe_stack_instance(self: CloudFormationResponse) -> ActionResult:
    stack_set = _named(self)
    key = (self._get_param("StackInstanceAccount"), self._get_param("StackInstanceRegion"))
    if key not in stack_set.instances:
        raise StackInstanceNotFound
    return ActionResult({"StackInstance": answers.instance_description(stack_set, stack_set.instances[key])})


def _list_stack_instances(self: CloudFormationResponse) -> ActionResult:
    stack_set = _named(self)
    wanted_account, wanted_region = self._get_param("StackInstanceAccount"), self._get_param("StackInstanceRegion")
    with active().stack_sets.lock:
        found = [
            instance
            for (account, region), instance in stack_set.instances.items()
            if wanted_account in {None, account} and wanted_region in {None, region}
        ]
    summary = partial(answers.instance_summary, stack_set)
    for item in self._get_param("Filters", []):
        found = [instance for instance in found if _filtered(summary(instance), item["Name"]) == item["Values"]]
    return page(self, found, summary)


def _filtered(summary: dict[str, Any], name: str) -> str:
    if name == "DETAILED_STATUS":
        return str(summary["StackInstanceStatus"]["DetailedStatus"])
    return str(summary["LastOperationId" if name == "LAST_OPERATION_ID" else "DriftStatus"])


def _operation(self: CloudFormationResponse) -> tuple[StackSet, Operation]:
    stack_set = _named(self)
    for operation in stack_set.operations:
        if operation.id == self._get_param("OperationId"):
            return stack_set, operation
    raise AwsError("OperationNotFoundException", f"Operation {self._get_param('OperationId')} not found")


def _describe_stack_set_operation(self: CloudFormationResponse) -> ActionResult:
    return ActionResult({"StackSetOperation": answers.operation_description(*_operation(self))})


def _list_stack_set_operations(self: CloudFormationResponse) -> ActionResult:
    return page(self, _named(self).operations[::-1], answers.operation_summary)


def _list_stack_set_operation_results(self: CloudFormationResponse) -> ActionResult:
    _, operation = _operation(self)
    found = list(operation.results.values())
    for item in self._get_param("Filters", []):
        found = [result for result in found if answers.result_summary(result)["Status"] == item["Values"]]
    return page(self, found, answers.result_summary)


def _stop_stack_set_operation(self: CloudFormationResponse) -> EmptyResult:
    with active().stack_sets.lock:
        stop(*_operation(self))
    return EmptyResult()


def _activate_organizations_access(self: CloudFormationResponse) -> EmptyResult:
    if organizations_backends[self.current_account][PARTITION].org is None:
        raise AwsError("InvalidOperationException", NOT_MANAGEMENT)
    active().stack_sets.organizations_access[self.current_account] = "ENABLED"
    return EmptyResult()


def _deactivate_organizations_access(self: CloudFormationResponse) -> EmptyResult:
    active().stack_sets.organizations_access[self.current_account] = "DISABLED"
    return EmptyResult()


def _describe_organizations_access(self: CloudFormationResponse) -> ActionResult:
    status = active().stack_sets.organizations_access.get(self.current_account, "DISABLED")
    return ActionResult({"Status": status})


_OPERATIONS = (
    _activate_organizations_access,
    _create_stack_instances,
    _create_stack_set,
    _deactivate_organizations_access,
    _delete_stack_instances,
    _delete_stack_set,
    _describe_organizations_access,
    _describe_stack_instance,
    _describe_stack_set,
    _describe_stack_set_operation,
    _list_stack_instances,
    _list_stack_set_operation_results,
    _list_stack_set_operations,
    _list_stack_sets,
    _stop_stack_set_operation,
    _update_stack_instances,
    _update_stack_set,
)


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    for operation in _OPERATIONS:
        yield Patch(CloudFormationResponse, operation.__name__.removeprefix("_"), operation)
