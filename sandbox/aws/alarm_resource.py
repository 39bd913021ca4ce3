"""`AWS::CloudWatch::Alarm`, which moto's CloudFormation lacks, and the limits that CloudWatch sets to alarms.

moto keeps an alarm and never evaluates it. Source: CloudFormation template reference, AWS::CloudWatch::Alarm;
CloudWatch API 2010-08-01, PutMetricAlarm.
"""

from __future__ import annotations

from typing import Any

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.cloudwatch.models import Alarm, cloudwatch_backends
from moto.core.common_models import CloudFormationModel

_KNOWN = {
    "AlarmActions",
    "AlarmDescription",
    "AlarmName",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluationPeriods",
    "MetricName",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Threshold",
    "TreatMissingData",
}
_HOUR, _DAY = 3600, 86400


class AlarmResource(CloudFormationModel):
    """An alarm made by a stack."""

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm

    @property
    def physical_resource_id(self) -> str:
        """What `Ref` returns: the name."""
        return str(self.alarm.name)

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names it."""
        return "AlarmName"

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether `Fn::GetAtt` knows `attr`."""
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The value of `Fn::GetAtt`."""
        if attribute_name == "Arn":
            return str(self.alarm.alarm_arn)
        raise UnformattedGetAttTemplateException

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> AlarmResource:
        """Makes the alarm."""
        properties = cloudformation_json["Properties"]
        unknown = sorted(set(properties) - _KNOWN)
        if unknown:
            raise ValidationError(message=f"Encountered unsupported property {unknown[0]}")
        _check_window(int(properties["Period"]), int(properties["EvaluationPeriods"]))
        alarm = cloudwatch_backends[account_id][region_name].put_metric_alarm(
            name=resource_name,
            namespace=properties["Namespace"],
            metric_name=properties["MetricName"],
            comparison_operator=properties["ComparisonOperator"],
            evaluation_periods=int(properties["EvaluationPeriods"]),
            datapoints_to_alarm=properties.get("DatapointsToAlarm"),
            period=properties["Period"],
            threshold=float(properties["Threshold"]),
            statistic=properties["Statistic"],
            description=properties.get("AlarmDescription", ""),
            dimensions=_dimensions(properties),
            alarm_actions=properties.get("AlarmActions", []),
            ok_actions=properties.get("OKActions", []),
            treat_missing_data=properties.get("TreatMissingData"),
        )
        return cls(alarm)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: AlarmResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> AlarmResource:
        """PutMetricAlarm replaces the alarm of a name."""
        return cls.create_from_cloudformation_json(
            original_resource.physical_resource_id, cloudformation_json, account_id, region_name
        )

    def delete(self, account_id: str, region_name: str) -> None:
        """Deletes the alarm."""
        cloudwatch_backends[account_id][region_name].delete_alarms([self.physical_resource_id])

    def is_created(self) -> bool:
        """Alarms exist at once."""
        return True


def _check_window(period: int, evaluations: int) -> None:
    """Refuses what CloudWatch would: a day at most for periods below an hour, else a week."""
    if period * evaluations > (_DAY if period < _HOUR else 7 * _DAY):
        message = "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)."
        raise ValidationError(message=message)


def _dimensions(holder: dict[str, Any]) -> list[dict[str, str]]:
    return [{"Name": each["Name"], "Value": str(each["Value"])} for each in holder.get("Dimensions", [])]
