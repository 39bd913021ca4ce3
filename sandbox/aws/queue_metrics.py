"""The one figure of CloudWatch that SQS publishes and moto does not: the age of a queue's oldest message.

Published at the moment of asking rather than once a minute; a queue without messages has the age nought.
"""

from __future__ import annotations

from datetime import UTC, datetime

from moto.cloudwatch.models import MetricDatum
from moto.core.common_models import CloudWatchMetricProvider
from moto.core.utils import unix_time
from moto.sqs.models import Queue, sqs_backends


class QueueMetrics(CloudWatchMetricProvider):
    """moto asks every provider whenever it is asked for metrics; being imported is enough."""

    @staticmethod
    def get_cloudwatch_metrics(account_id: str, region: str) -> list[MetricDatum]:
        """`ApproximateAgeOfOldestMessage` of every queue, in seconds."""
        return [_age(name, queue) for name, queue in list(sqs_backends[account_id][region].queues.items())]


def _age(name: str, queue: Queue) -> MetricDatum:
    now = unix_time()
    with queue._messages_lock:
        sent = [(message.sent_timestamp or 0) / 1000 for message in queue._messages]  # milliseconds
    return MetricDatum(
        namespace="AWS/SQS",
        name="ApproximateAgeOfOldestMessage",
        value=max(0.0, now - min(sent)) if sent else 0.0,
        timestamp=datetime.fromtimestamp(now, tz=UTC).replace(tzinfo=None),  # as moto keeps it
        dimensions=[{"Name": "QueueName", "Value": name}],
        unit="Seconds",
    )
