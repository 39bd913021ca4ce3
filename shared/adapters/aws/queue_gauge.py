"""How deep the queues of AWS's side are, and since when their first message waits.

Source: SQS API 2012-11-05 for the counts. Only CloudWatch knows the age, `ApproximateAgeOfOldestMessage` of `AWS/SQS`
in seconds, a figure a minute: of a dead letter since it was moved there, of a queue without traffic for six hours only
after some minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated
from shared.adapters.aws.queue_urls import OUTPUTS, queue_urls
from shared.application.ports import Clock
from shared.domain.queues import QueueDepth
from shared.errors import RollcallError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricStatTypeDef, MetricTypeDef
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_COUNTS: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_LOOKED_BACK = timedelta(minutes=15)
_PERIOD_SECONDS = 60


class SqsGauge:
    """Each event queue and its dead-letter queue, or only the latter."""

    def __init__(  # noqa: PLR0913 - one client for each service that it asks
        self,
        sqs: SQSClient,
        cloudformation: CloudFormationClient,
        cloudwatch: CloudWatchClient,
        *,
        stack_name: str,
        clock: Clock,
        given_up_only: bool = False,
    ) -> None:
        """`stack_name` is that of infra/aws/template.yaml."""
        self._sqs = sqs
        self._cloudformation = cloudformation
        self._cloudwatch = cloudwatch
        self._stack_name = stack_name
        self._clock = clock
        self._given_up_only = given_up_only

    def measure(self) -> Sequence[QueueDepth]:
        """The depths, with the ages of those that hold something."""
        try:
            urls = queue_urls(self._cloudformation, self._stack_name)
        except RollcallError as error:
            return [QueueDepth(name="queues of AWS's side", problem=error.reason)]
        outputs = {
            f"{name}{suffix}": (f"{begin}{end}Url", given_up)
            for name, begin in OUTPUTS.items()
            for suffix, end, given_up in (("", "Queue", False), ("-dead-letters", "DeadLetterQueue", True))
            if given_up or not self._given_up_only
        }
        named = {name: (urls[output], given_up) for name, (output, given_up) in outputs.items() if output in urls}
        depths = [self._depth(name, url, given_up=given_up) for name, (url, given_up) in named.items()]
        return self._aged(depths, {name: url for name, (url, _) in named.items()})

    def _depth(self, name: str, url: str, *, given_up: bool) -> QueueDepth:
        try:
            with translated(f"look at {name}"):
                found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
        except RollcallError as error:
            return QueueDepth(name=name, given_up=given_up, problem=error.reason)
        return QueueDepth(name=name, waiting=sum(int(found.get(each, 0)) for each in _COUNTS), given_up=given_up)

    def _aged(self, depths: Sequence[QueueDepth], urls: Mapping[str, str]) -> Sequence[QueueDepth]:
        filled = {depth.name: urls[depth.name].rsplit("/", 1)[-1] for depth in depths if depth.waiting}
        if not filled:
            return depths
        try:
            oldest = self._oldest(list(filled.values()))
        except RollcallError as error:
            return [replace(each, problem=error.reason) if each.name in filled else each for each in depths]
        return [replace(each, oldest_at=oldest.get(filled.get(each.name, ""))) for each in depths]

    def _oldest(self, queues: Sequence[str]) -> Mapping[str, datetime]:
        """Queue name → since when its first message waits; without those that CloudWatch has no figure of."""
        now = self._clock.now()
        with translated("ask CloudWatch for the age of messages"):
            answer = self._cloudwatch.get_metric_data(
                MetricDataQueries=[_age_of(queue, number) for number, queue in enumerate(queues)],
                StartTime=now - _LOOKED_BACK,
                EndTime=now + timedelta(seconds=_PERIOD_SECONDS),
                ScanBy="TimestampDescending",
            )
            return {
                queues[int(each["Id"][1:])]: each["Timestamps"][0] - timedelta(seconds=each["Values"][0])
                for each in answer["MetricDataResults"]
                if each["Values"]
            }


def _age_of(queue: str, number: int) -> MetricDataQueryTypeDef:
    metric: MetricTypeDef = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
    }
    figure: MetricStatTypeDef = {"Metric": metric, "Period": _PERIOD_SECONDS, "Stat": "Maximum"}
    return {"Id": f"q{number}", "MetricStat": figure}
