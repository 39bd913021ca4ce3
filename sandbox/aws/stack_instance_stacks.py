"""The stack behind a stack instance: made, changed and deleted in the member account."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from moto.cloudformation.models import Stack, cloudformation_backends
from moto.cloudformation.parsing import ResourceMap, clean_json
from moto.core.exceptions import ServiceException
from moto.organizations.models import organizations_backends

from sandbox.aws.active import PARTITION, active
from sandbox.aws.stack_set_parameters import effective
from sandbox.aws.stack_sets import StackInstance, StackSet
from sandbox.aws.stacks import RESOURCE_ERRORS, ResourceFailedError, create_or_roll_back, parse_template, reason_of


def new_stack_id(stack_set: StackSet, instance: StackInstance) -> str:
    """The id of the stack that an instance is about to get."""
    stack = f"StackSet-{stack_set.name}-{uuid.uuid4()}/{uuid.uuid4()}"
    return f"arn:aws:cloudformation:{instance.region}:{instance.account}:stack/{stack}"


def _planted_failure(account_id: str) -> str | None:
    names = {account_id}
    for accounts in organizations_backends.values():
        names |= {account.name for account in accounts[PARTITION].accounts if account.id == account_id}
    for name in names:
        failure = active().stack_failures.get(name)
        if failure is not None and failure.remaining != 0:
            failure.remaining = None if failure.remaining is None else failure.remaining - 1
            return failure.reason
    return None


def _failed(failure: ResourceFailedError) -> str:
    return (
        f"ResourceLogicalId:{failure.logical_id}, ResourceType:{failure.resource_type}, "
        f"ResourceStatusReason:{failure.reason}."
    )


def deploy(stack_set: StackSet, instance: StackInstance) -> str | None:
    """Brings the instance's stack to the StackSet's template and parameters; the reason where that failed."""
    planted = _planted_failure(instance.account)
    if planted is not None:
        return planted
    # Overrides that an earlier template declared stay with the instance and count for nothing.
    template = parse_template(stack_set.template)
    parameters = effective(template, stack_set.parameters | instance.overrides)
    backend = cloudformation_backends[instance.account][instance.region]
    stack = backend.stacks.get(instance.stack_id or "")
    if stack is not None and stack.status == "ROLLBACK_COMPLETE":
        # StackSets deletes a stack whose creation failed before it tries again.
        backend.stacks.pop(stack.stack_id)
        stack = None
    try:
        if stack is None:
            return _create(stack_set, instance, parameters)
        change(stack, stack_set.template, parameters)
    except ServiceException as error:
        if stack is not None:
            stack.status = "UPDATE_FAILED"
        return _failed(error) if isinstance(error, ResourceFailedError) else reason_of(error)
    return None


def _create(stack_set: StackSet, instance: StackInstance, parameters: dict[str, str]) -> str | None:
    if instance.stack_id is None:
        instance.stack_id = new_stack_id(stack_set, instance)
    backend = cloudformation_backends[instance.account][instance.region]
    stack = Stack(  # type: ignore[abstract]  # moto itself makes it so
        stack_id=instance.stack_id,
        name=instance.stack_id.split("/")[1],
        template=stack_set.template,
        parameters=parameters,
        account_id=instance.account,
        region_name=instance.region,
        tags=dict(stack_set.tags),
        cross_stack_resources=backend.exports,
    )
    backend.stacks[stack.stack_id] = stack
    stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
    failure = create_or_roll_back(stack)
    return None if failure is None else _failed(failure)


def change(stack: Stack, template: str, parameters: dict[str, str]) -> None:
    """Updates a stack: resources that came, went or changed are made, deleted or replaced.

    moto's own update overlooks conditions that turn with a parameter and parameters used by `Fn::Sub`.

    Raises:
        ResourceFailedError: at the first resource that fails.
        ServiceException: if the template is none.
    """
    stack._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
    old = stack.resource_map
    stack.template = template
    stack._parse_template()
    stack.parameters = parameters
    new = stack._create_resource_map()
    new.tags.update(old.tags)
    made = {name: old._parsed_resources[name] for name in old.resources if name in old._parsed_resources}
    before = {name: _resolved(name, old) for name in made}
    new._parsed_resources.update({name: resource for name, resource in made.items() if resource is not None})
    for name, resource in made.items():
        if resource is not None and (not _wanted(name, new) or _resolved(name, new) != before[name]):
            _delete(name, old)
            new._parsed_resources.pop(name)
    stack.resource_map = new
    for name in list(new.resources):
        if _wanted(name, new):
            _ = new[name]  # moto's map makes what it is asked for
    stack.output_map = stack._create_output_map()
    stack._add_stack_event("UPDATE_COMPLETE")
    stack.status = "UPDATE_COMPLETE"


def _wanted(name: str, resources: ResourceMap) -> bool:
    if name not in resources.resources:
        return False
    condition = resources._resource_json_map[name].get("Condition")
    return not condition or bool(resources.lazy_condition_map[condition])


def _resolved(name: str, resources: ResourceMap) -> Any:
    if name not in resources.resources:
        return None
    definition = resources._resource_json_map[name]
    properties = copy.deepcopy(definition.get("Properties", {}))
    return [definition["Type"], clean_json(properties, resources)]


def _delete(name: str, resources: ResourceMap) -> None:
    definition = resources._resource_json_map[name]
    try:
        resources._delete_resource(resources._parsed_resources.pop(name), definition)
    except RESOURCE_ERRORS as error:
        raise ResourceFailedError(name, definition["Type"], reason_of(error)) from error


def delete(instance: StackInstance) -> str | None:
    """Deletes the instance's stack with its resources; the reason where that failed."""
    planted = _planted_failure(instance.account)
    if planted is not None:
        return planted
    backend = cloudformation_backends[instance.account][instance.region]
    if instance.stack_id not in backend.stacks:
        return None
    try:
        backend.delete_stack(instance.stack_id)
    except RESOURCE_ERRORS as error:
        return reason_of(error)
    return None
