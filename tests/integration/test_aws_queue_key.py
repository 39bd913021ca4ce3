"""The key of the queues, in the sandbox: without its grants nothing gets on a queue, and nobody takes anything off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.deployment import TEMPLATE
from tests.integration.test_aws_deployment import Sandbox, account_event

VIA_SQS = "kms:ViaService: !Sub sqs.${AWS::Region}.amazonaws.com"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path)
    yield made
    made.patches.remove()
    made.cloud.stop()


def changed(folder: Path, old: str, new: str, *, count: int = 1) -> Path:
    """The template with a part of its text replaced."""
    text = TEMPLATE.read_text()
    assert text.count(old) >= count
    path = folder / "template.yaml"
    path.write_text(text.replace(old, new, count))
    return path


def sqs_of_role(sandbox: Sandbox, role_arn: str) -> Any:
    role = sandbox.cloud.credentials_for_role(role_arn)
    session = boto3.Session(role.access_key_id, role.secret_access_key, role.session_token, region_name="us-east-1")
    return session.client("sqs", endpoint_url=sandbox.cloud.url)


def reasons(sandbox: Sandbox) -> list[str]:
    return [str(entry.detail["reason"]) for entry in sandbox.journal.entries(operation="events:DeliverToTarget")]


def test_every_queue_is_encrypted_with_the_key_of_the_stack(sandbox: Sandbox) -> None:
    deployment = sandbox.deploy()
    kms, sqs = sandbox.client("kms"), sandbox.client("sqs")
    key = kms.describe_key(KeyId="alias/rollcall-queues")["KeyMetadata"]
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    urls = [url for name, url in deployment.outputs.items() if name.endswith("QueueUrl")]
    assert len(urls) == 6
    for url in urls:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["KmsMasterKeyId"] == key["Arn"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Service: events.amazonaws.com\n            Action: [kms:Decrypt, kms:GenerateDataKey]", None),
        ("policies say\n              StringEquals:\n                aws:SourceAccount: !Ref AWS::AccountId", None),
    ],
    ids=["no data key", "another account"],
)
def test_an_event_gets_no_further_than_the_grant_of_the_key(
    sandbox: Sandbox, tmp_path: Path, old: str, new: str | None
) -> None:
    new = new or old.replace("kms:GenerateDataKey", "kms:Encrypt").replace("!Ref AWS::AccountId", '"999999999999"')
    deployment = sandbox.deploy(template=changed(tmp_path, old, new))
    sandbox.put_event(account_event("CreateAccountResult.SUCCEEDED"))
    [reason] = reasons(sandbox)
    assert reason.startswith("the key's policy does not allow kms:")
    for queue in ("AccountEventsQueueUrl", "AccountEventsDeadLetterQueueUrl"):
        attributes = sandbox.client("sqs").get_queue_attributes(
            QueueUrl=deployment.outputs[queue], AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "0"


def test_with_the_grants_of_the_template_the_event_gets_through(sandbox: Sandbox) -> None:
    deployment = sandbox.deploy()
    sandbox.put_event(account_event("CreateAccountResult.SUCCEEDED"))
    assert reasons(sandbox) == ["None"]
    assert len(sandbox.received(deployment.outputs["AccountEventsQueueUrl"])) == 1


def test_a_role_takes_nothing_and_sends_nothing_without_the_key(sandbox: Sandbox, tmp_path: Path) -> None:
    elsewhere = VIA_SQS.replace("sqs.", "s3.")
    deployment = sandbox.deploy(template=changed(tmp_path, VIA_SQS, elsewhere))  # of account-events, the first
    queue = deployment.outputs["AccountEventsQueueUrl"]
    sqs = sqs_of_role(sandbox, deployment.outputs["AccountEventsRoleArn"])
    for operation, given in (("receive_message", {}), ("send_message", {"MessageBody": "m"})):
        with pytest.raises(ClientError, match="not authorized to perform: kms:") as refused:
            getattr(sqs, operation)(QueueUrl=queue, **given)
        assert refused.value.response["Error"]["Code"] == "KMS.AccessDeniedException"
    sender = sqs_of_role(sandbox, deployment.outputs["StackEventsRoleArn"])
    assert sender.send_message(QueueUrl=queue, MessageBody="m")["MessageId"]


def test_who_only_receives_cannot_send(sandbox: Sandbox) -> None:
    deployment = sandbox.deploy()
    sqs = sqs_of_role(sandbox, deployment.outputs["ReconcileAccountsRoleArn"])
    queue = deployment.outputs["ReconcileQueueUrl"]
    assert sqs.receive_message(QueueUrl=queue).get("Messages", []) == []
    with pytest.raises(ClientError, match="sqs:SendMessage"):
        sqs.send_message(QueueUrl=queue, MessageBody="m")


def test_messages_are_counted_without_the_key(sandbox: Sandbox, tmp_path: Path) -> None:
    """So the reader hub, which counts dead letters, needs none."""
    deployment = sandbox.deploy(template=changed(tmp_path, VIA_SQS, VIA_SQS.replace("sqs.", "s3.")))
    sqs = sqs_of_role(sandbox, deployment.outputs["AccountEventsRoleArn"])
    queue = deployment.outputs["AccountEventsQueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    assert answer["Attributes"]["ApproximateNumberOfMessages"] == "0"
