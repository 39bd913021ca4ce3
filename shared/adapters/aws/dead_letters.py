"""The dead-letter queues of AWS's side, for whoever replays. Source: SQS API 2012-11-05.

A dead letter has no reason of its own: what cannot be read says what is wrong with it, of the others the function's
log knows. It goes back as it was, as a message of the queue that it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.errors import translated
from shared.adapters.aws.events import Ignored, read_envelope
from shared.adapters.aws.queue_urls import OUTPUTS, queue_urls
from shared.adapters.aws.reconcile_events import read_reconcile_event
from shared.adapters.aws.stack_events import read_stack_event
from shared.application.replay_ports import GivenUp, Taken
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey
from shared.domain.replay import GIVEN_UP, UNREADABLE
from shared.errors import PermanentError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

PAGE = 10
_NOT_OURS = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "AWS.SimpleQueueService.MessageNotInflight"}
_KEPT = timedelta(days=14)  # MessageRetentionPeriod of the template's dead-letter queues


@dataclass(frozen=True, kw_only=True)
class _Kind:
    name: str
    account_in: Callable[[str], str]

    @property
    def output(self) -> str:
        """How the stack's outputs about it begin."""
        return OUTPUTS[self.name]


def _no_account(body: str) -> str:
    read_reconcile_event(body)
    return ""


def _account_of_event(body: str) -> str:
    found = read_account_event(body)
    return "" if isinstance(found, Ignored) else found.account_id


def _account_of_instance(body: str) -> str:
    found = read_stack_event(body)
    return "" if isinstance(found, Ignored) else found.account_id


_KINDS = (
    _Kind(name="account-events", account_in=_account_of_event),
    _Kind(name="stack-events", account_in=_account_of_instance),
    _Kind(name="reconcile", account_in=_no_account),
)


class SqsDeadLetters:
    """One dead-letter queue."""

    def __init__(self, sqs: SQSClient, kind: _Kind, *, queue_url: str, source_url: str) -> None:
        """`source_url` is the queue that its messages came from."""
        self.name = f"{kind.name}-dead-letters"
        self._client = sqs
        self._kind = kind
        self._queue_url = queue_url
        self._source_url = source_url

    def take(self, seconds: int) -> Sequence[Taken]:
        """At most ten messages, from all of the service's servers."""
        with translated(f"look through {self.name}"):
            answer = self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=PAGE,
                VisibilityTimeout=seconds,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            return [_taken(each) for each in answer.get("Messages", [])]

    def give_back(self, taken: Taken) -> None:
        """Ends the time for which it is hidden."""
        with translated(f"give a message back to {self.name}"):
            try:
                self._client.change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=taken.receipt, VisibilityTimeout=0
                )
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NOT_OURS:
                    raise

    def remove(self, taken: Taken) -> bool:
        """Deletes it by its receipt."""
        with translated(f"delete a message of {self.name}"):
            try:
                self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=taken.receipt)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NOT_OURS:
                    raise
                return False
            return True

    def put(self, body: bytes) -> None:
        """Sends it to the queue that it came from."""
        with translated(f"put a message on {self._kind.name}"):
            self._client.send_message(QueueUrl=self._source_url, MessageBody=body.decode())

    def read(self, taken: Taken) -> GivenUp:
        """The event, and the account that it names."""
        return self._given_up(taken, taken.text)

    def reread(self, found: GivenUp, body: bytes) -> GivenUp:
        """The same message, saying something else."""
        try:
            again = self._given_up(found.taken, body.decode())
        except UnicodeDecodeError as error:
            return replace(found, body=body, fault=f"not UTF-8: {error.reason} at byte {error.start}")
        return replace(again, key=again.key or found.key)

    def _given_up(self, taken: Taken, text: str) -> GivenUp:
        fault, account_id, asks = "", "", ""
        try:
            event = read_envelope(text)
            asks = str(event.detail.get("eventName", event.detail_type))
            account_id = self._kind.account_in(text)
        except PermanentError as error:
            fault = error.reason
        key = AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id) if account_id else None
        return GivenUp(
            queue=self.name,
            taken=taken,
            body=text.encode(),
            reason_class=UNREADABLE if fault else GIVEN_UP,
            reason=fault or "the function gave it up after five tries",
            remedy=_MEND if fault else _SEE_LOG,
            key=key,
            asks=asks,
            fault=fault,
            since=taken.put_at,
        )


_SEE_LOG = "Look for its message id in the function's log; replay it when the cause is removed."
_MEND = "Export it, mend it and put it back, or discard it with a reason."


def dead_letter_queues(
    sqs: SQSClient, cloudformation: CloudFormationClient, *, stack_name: str
) -> tuple[SqsDeadLetters, ...]:
    """Those that the stack of infra/aws/template.yaml names in its outputs. Raises TransientError, PermanentError."""
    urls = queue_urls(cloudformation, stack_name)
    return tuple(
        SqsDeadLetters(
            sqs,
            kind,
            queue_url=urls[f"{kind.output}DeadLetterQueueUrl"],
            source_url=urls[f"{kind.output}QueueUrl"],
        )
        for kind in _KINDS
        if f"{kind.output}DeadLetterQueueUrl" in urls
    )


def _taken(found: MessageTypeDef) -> Taken:
    sent = datetime.fromtimestamp(int(found["Attributes"]["SentTimestamp"]) / 1000, tz=UTC)
    return Taken(
        message_id=found["MessageId"],
        text=found["Body"],
        receipt=found["ReceiptHandle"],
        put_at=sent,
        expires_at=sent + _KEPT,
    )
