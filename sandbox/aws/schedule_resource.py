"""`AWS::Scheduler::Schedule` and `AWS::Scheduler::ScheduleGroup`, which moto's CloudFormation lacks.

They are made as the template says and never fire: what a schedule would put, a test puts.
Source: CloudFormation template reference, AWS::Scheduler::Schedule, AWS::Scheduler::ScheduleGroup.
"""

from __future__ import annotations

from typing import Any

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.core.common_models import CloudFormationModel
from moto.scheduler.models import Schedule, ScheduleGroup, scheduler_backends

_KNOWN = {
    "Description",
    "FlexibleTimeWindow",
    "GroupName",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "State",
    "Target",
}
_DEFAULT_GROUP = "default"


class ScheduleResource(CloudFormationModel):
    """A schedule made by a stack."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    @property
    def physical_resource_id(self) -> str:
        """What `Ref` returns: the name."""
        return self.schedule.name

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names it."""
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::Scheduler::Schedule"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether `Fn::GetAtt` knows `attr`."""
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The value of `Fn::GetAtt`."""
        if attribute_name == "Arn":
            return self.schedule.arn
        raise UnformattedGetAttTemplateException

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> ScheduleResource:
        """Makes the schedule in its group."""
        properties = cloudformation_json["Properties"]
        backend = scheduler_backends[account_id][region_name]
        schedule = backend.create_schedule(
            name=resource_name,
            group_name=properties.get("GroupName", _DEFAULT_GROUP),
            action_after_completion=None,
            **_fields(properties),
        )
        return cls(schedule)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: ScheduleResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> ScheduleResource:
        """Changes the schedule where it is."""
        original_resource.schedule.update(**_fields(cloudformation_json["Properties"]))
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Deletes the schedule; its group may be gone already, and all of it with the group."""
        group = scheduler_backends[account_id][region_name].schedule_groups.get(self.schedule.group_name)
        if group is not None and self.schedule.name in group.schedules:
            group.delete_schedule(self.schedule.name)

    def is_created(self) -> bool:
        """Schedules exist at once."""
        return True


def _fields(properties: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(properties) - _KNOWN)
    if unknown:
        raise ValidationError(message=f"Encountered unsupported property {unknown[0]}")
    return {
        "description": properties.get("Description"),
        "end_date": None,
        "flexible_time_window": properties["FlexibleTimeWindow"],
        "kms_key_arn": None,
        "schedule_expression": properties["ScheduleExpression"],
        "schedule_expression_timezone": properties.get("ScheduleExpressionTimezone"),
        "start_date": None,
        "state": properties.get("State"),
        "target": properties["Target"],
    }


class ScheduleGroupResource(CloudFormationModel):
    """A group of schedules made by a stack."""

    def __init__(self, group: ScheduleGroup) -> None:
        self.group = group

    @property
    def physical_resource_id(self) -> str:
        """What `Ref` returns: the name."""
        return self.group.name

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names it."""
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::Scheduler::ScheduleGroup"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether `Fn::GetAtt` knows `attr`."""
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The value of `Fn::GetAtt`."""
        if attribute_name == "Arn":
            return self.group.arn
        raise UnformattedGetAttTemplateException

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> ScheduleGroupResource:
        """Makes the group."""
        tags = cloudformation_json.get("Properties", {}).get("Tags", [])
        return cls(scheduler_backends[account_id][region_name].create_schedule_group(resource_name, tags))

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: ScheduleGroupResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> ScheduleGroupResource:
        """Nothing of a group but its tags can change, and nothing reads these."""
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Deletes the group with all of its schedules."""
        scheduler_backends[account_id][region_name].schedule_groups.pop(self.group.name, None)

    def is_created(self) -> bool:
        """Groups exist at once."""
        return True
