"""How deep SQS's queues are and since when they wait, on the simulated AWS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.aws.cloud import AwsCloud
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.faults import Fault, FaultKind
from sandbox.journal import Journal
from shared.adapters.aws.queue_gauge import SqsGauge
from shared.domain.queues import QueueDepth
from tests.fakes.clock import FakeClock

NAMES = ("account-events", "account-events-dead-letters")
TEMPLATE = """
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: account-events}}
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: account-events-dead-letters}}
Outputs:
  AccountEventsQueueUrl: {Value: !Ref Queue}
  AccountEventsDeadLetterQueueUrl: {Value: !Ref Dead}
"""


class Queues:
    """A stack with one of the event queues."""

    def __init__(self, cloud: AwsCloud) -> None:
        self.cloud = cloud
        self._session = boto3.Session("testing", "testing", region_name=cloud.region)
        self.client("cloudformation").create_stack(StackName="rollcall", TemplateBody=TEMPLATE)

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self.cloud.url)  # type: ignore[call-overload]  # by name

    def put(self, name: str) -> None:
        sqs = self.client("sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody="{}")

    def measure(self, now: datetime | None = None) -> dict[str, QueueDepth]:
        clients = [self.client(service) for service in ("sqs", "cloudformation", "cloudwatch")]
        gauge = SqsGauge(*clients, stack_name="rollcall", clock=FakeClock(now or datetime.now(UTC)))
        return {depth.name: depth for depth in gauge.measure()}


@pytest.fixture
def queues(tmp_path: Path) -> Iterator[Queues]:
    cloud = AwsCloud(Journal(), SandboxSettings(folder=tmp_path), Certificates(tmp_path / "certificates")).start()
    try:
        yield Queues(cloud)
    finally:
        cloud.stop()


def test_the_first_message_of_a_queue_tells_its_age(queues: Queues) -> None:
    queues.put(NAMES[1])
    put_at = datetime.now(UTC)
    time.sleep(2)
    queues.put(NAMES[1])

    found = queues.measure()

    assert found[NAMES[0]] == QueueDepth(name=NAMES[0], waiting=0)
    dead = found[NAMES[1]]
    assert dead.waiting == 2
    assert dead.given_up
    assert dead.oldest_at is not None
    assert put_at - timedelta(seconds=61) <= dead.oldest_at <= put_at + timedelta(seconds=1)  # a figure of a minute


def test_a_queue_without_a_figure_has_no_age(queues: Queues) -> None:
    queues.put(NAMES[0])

    found = queues.measure(datetime.now(UTC) - timedelta(days=1))

    assert found[NAMES[0]] == QueueDepth(name=NAMES[0], waiting=1)


def test_empty_queues_ask_nothing_of_cloudwatch(queues: Queues) -> None:
    queues.cloud.faults.plant(Fault(service="monitoring", kind=FaultKind.ERROR, rate=1.0))

    assert {depth.problem for depth in queues.measure().values()} == {""}


def test_counts_are_told_where_cloudwatch_fails(queues: Queues) -> None:
    queues.put(NAMES[0])
    queues.cloud.faults.plant(Fault(service="monitoring", kind=FaultKind.ERROR, rate=1.0))

    depth = queues.measure()[NAMES[0]]

    assert depth.waiting == 1
    assert "CloudWatch" in depth.problem
