"""What `account_events` is to look at later, on the queue of the sandbox's SQS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.account_retries import SqsAccountRetries
from shared.application.account_batch import AccountSignal
from shared.domain.readiness import Attempt, Retry
from shared.errors import TransientError
from tests.fakes.aws_world import AwsWorld, aws_world, wait_until
from tests.fakes.clock import NOON, FakeClock
from tests.fixtures.read import ACCOUNT_ID

ATTEMPT = Attempt(number=2, first_at=NOON - timedelta(minutes=2))


def retry(due_at: datetime, attempt: Attempt = ATTEMPT) -> Retry:
    return Retry(attempt=attempt, due_at=due_at, since=NOON - timedelta(minutes=1))


@dataclass
class Queue:
    """A queue of its own, and ours on it."""

    client: Any
    url: str
    clock: FakeClock

    def ask(self, wanted: Retry) -> None:
        SqsAccountRetries(self.client, self.clock, queue_url=self.url).ask_again(ACCOUNT_ID, wanted)

    def messages(self) -> list[str]:
        received = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in received.get("Messages", [])]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    with aws_world(tmp_path_factory.mktemp("retries")) as made:
        yield made


@pytest.fixture
def queue(world: AwsWorld, request: pytest.FixtureRequest) -> Queue:
    client = world.client("sqs")
    url = client.create_queue(QueueName=f"queue-{abs(hash(request.node.name))}")["QueueUrl"]
    return Queue(client, url, FakeClock())


def test_a_retry_is_read_again_as_it_was_asked_for(queue: Queue) -> None:
    wanted = retry(NOON - timedelta(seconds=1))
    queue.ask(wanted)
    [body] = queue.messages()
    found = read_account_event(body)
    assert isinstance(found, AccountSignal)
    assert (found.account_id, found.retry) == (ACCOUNT_ID, wanted)
    assert found.cause.source == "rollcall"


def test_a_retry_is_seen_when_it_is_due_and_not_before(queue: Queue) -> None:
    began = datetime.now(UTC)
    queue.ask(retry(NOON + timedelta(seconds=1.2)))
    assert queue.messages() == []
    wait_until(queue.messages)
    assert datetime.now(UTC) - began >= timedelta(seconds=1.9)  # whole seconds, and never too early


def test_the_same_retry_is_the_same_event_and_every_other_another(queue: Queue) -> None:
    past = NOON - timedelta(seconds=1)
    for wanted in (
        retry(past),
        retry(past - timedelta(seconds=5)),
        retry(past, Attempt(number=3, first_at=ATTEMPT.first_at)),
        retry(past, Attempt(number=2, first_at=NOON)),
    ):
        queue.ask(wanted)
    found = [read_account_event(body) for body in queue.messages()]
    ids = [each.cause.event_id for each in found if isinstance(each, AccountSignal)]
    assert (len(ids), len(set(ids))) == (4, 3)


@pytest.mark.parametrize(("minutes", "seconds"), [(-3, 0), (0, 0), (15, 900), (600, 900)])
def test_the_delay_is_one_that_sqs_takes(minutes: float, seconds: int) -> None:
    client = boto3.client("sqs", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    sent: list[dict[str, Any]] = []
    client.meta.events.register("provide-client-params.sqs.SendMessage", lambda params, **_: sent.append(params))
    with Stubber(client) as stub:
        stub.add_response("send_message", {"MessageId": "m"})
        SqsAccountRetries(client, FakeClock(), queue_url="https://q").ask_again(
            ACCOUNT_ID, retry(NOON + timedelta(minutes=minutes))
        )
    assert sent[0]["DelaySeconds"] == seconds


def test_a_queue_that_does_not_answer_is_tried_again() -> None:
    client = boto3.client("sqs", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_client_error("send_message", "ServiceUnavailable", http_status_code=503)
        with pytest.raises(TransientError, match="ask again for account"):
            SqsAccountRetries(client, FakeClock(), queue_url="https://q").ask_again(ACCOUNT_ID, retry(NOON))
