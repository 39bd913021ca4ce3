"""The Lambda service with a small handler of its own: what Lambda and SQS do with each kind of ending."""

from __future__ import annotations

import io
import json
import os
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from mypy_boto3_sqs import SQSClient

from sandbox.config import SandboxSettings
from sandbox.journal import Journal, JournalEntry
from sandbox.lambda_service.batches import failed_messages
from sandbox.lambda_service.emulator import without_own_event_sources
from sandbox.lambda_service.service import LambdaService
from sandbox.serving import Service

REGION = "us-east-1"
BUCKET = "artefacts"
HANDLER = textwrap.dedent(
    """
    import json, os, time

    def handler(event, context):
        failures = []
        for record in event["Records"]:
            body = json.loads(record["body"])
            print(json.dumps({"saw": body, "record": record, "left_ms": context.get_remaining_time_in_millis()}))
            if body["do"] == "fail":
                failures.append({"itemIdentifier": record["messageId"]})
            elif body["do"] == "raise":
                raise ValueError("no good")
            elif body["do"] == "sleep":
                time.sleep(body["seconds"])
            elif body["do"] == "exit":
                os._exit(3)
            elif body["do"] == "end after the answer":
                from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

                LambdaRuntimeClient.wait_next_invocation = lambda _: (time.sleep(1), os._exit(3))
            elif body["do"] == "answer":
                return body["answer"]
            elif body["do"] == "who":
                import boto3
                print(json.dumps({"who": boto3.client("sts").get_caller_identity()["Arn"]}))
            elif body["do"] == "import":
                try:
                    __import__(body["module"])
                    print(json.dumps({"imported": body["module"]}))
                except ImportError as error:
                    print(json.dumps({"missing": error.name}))
        return {"batchItemFailures": failures}
    """
)


@dataclass(frozen=True)
class RoleSession:
    access_key_id: str
    secret_access_key: str
    session_token: str


@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    patches = without_own_event_sources()
    patches.apply()
    service = Service(DomainDispatcherApplication(create_backend_app)).start()
    BackendDict.reset()  # moto keeps what other tests of this process left
    yield service.url
    service.stop()
    patches.remove()


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session("testing", "testing", region_name=REGION)


class Bench:
    """One deployed function with its queue and dead-letter queue."""

    def __init__(self, session: boto3.Session, url: str, name: str, folder: Path) -> None:
        self.name = name
        self.journal = Journal()
        self.sqs: SQSClient = session.client("sqs", endpoint_url=url)
        self._session = session
        self._url = url
        self._folder = folder
        self.service: LambdaService | None = None

    def deploy(
        self,
        *,
        source: str = HANDLER,
        timeout: int = 5,
        batch_size: int = 10,
        window: int = 0,
        visibility: int = 1,
        reports: bool = True,
    ) -> None:
        self.dead_letters = self.sqs.create_queue(QueueName=f"{self.name}-dlq")["QueueUrl"]
        redrive = {"deadLetterTargetArn": self._arn(self.dead_letters), "maxReceiveCount": 2}
        self.queue = self.sqs.create_queue(
            QueueName=self.name,
            Attributes={"VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(redrive)},
        )["QueueUrl"]
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as writer:
            writer.writestr("probe.py", source)
        s3 = self._session.client("s3", endpoint_url=self._url)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key=f"{self.name}.zip", Body=archive.getvalue())
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        role = self._session.client("iam", endpoint_url=self._url).create_role(
            RoleName=self.name, AssumeRolePolicyDocument=json.dumps(trust)
        )["Role"]["Arn"]
        functions = self._session.client("lambda", endpoint_url=self._url)
        functions.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Handler="probe.handler",
            Role=role,
            Code={"S3Bucket": BUCKET, "S3Key": f"{self.name}.zip"},
            Timeout=timeout,
            Environment={"Variables": {"GREETING": "hello"}},
        )
        functions.create_event_source_mapping(
            EventSourceArn=self._arn(self.queue),
            FunctionName=self.name,
            BatchSize=batch_size,
            MaximumBatchingWindowInSeconds=window,
            FunctionResponseTypes=["ReportBatchItemFailures"] if reports else [],
        )

    def run(self, **settings: Any) -> None:
        self.service = LambdaService(
            self._session,
            self._url,
            credentials_for_role=self._credentials,
            journal=self.journal,
            code_bucket=BUCKET,
            folder=self._folder,
            settings=SandboxSettings(**settings),
        ).start()

    def stop(self) -> None:
        if self.service:
            self.service.stop()
        functions = self._session.client("lambda", endpoint_url=self._url)
        for found in functions.list_event_source_mappings(FunctionName=self.name)["EventSourceMappings"]:
            functions.delete_event_source_mapping(UUID=found["UUID"])

    def send(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(body))

    def invocations(self, at_least: int) -> list[JournalEntry]:
        eventually(lambda: len(self.journal.entries(operation="lambda:Invoke")) >= at_least)
        return self.journal.entries(operation="lambda:Invoke")

    def printed(self, key: str) -> list[Any]:
        assert self.service is not None
        lines = self.service.log_of(self.name).read_text().splitlines()
        return [json.loads(line)[key] for line in lines if line.startswith(f'{{"{key}"')]

    def waiting(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]  # names are literals
        return sum(int(value) for value in found.values())

    def _arn(self, url: str) -> str:
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def _credentials(self, role_arn: str) -> RoleSession:
        sts = self._session.client("sts", endpoint_url=self._url)
        found = sts.assume_role(RoleArn=role_arn, RoleSessionName=self.name)["Credentials"]
        return RoleSession(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def bench(session: boto3.Session, aws_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(session, aws_url, f"probe-{abs(hash(request.node.name)) % 10**8}", tmp_path)
    yield made
    made.stop()


def test_handled_messages_leave_the_queue_and_failed_ones_come_back(bench: Bench) -> None:
    bench.deploy()
    bench.send({"do": "nothing"}, {"do": "fail"}, {"do": "nothing"})
    bench.run()
    first = bench.invocations(1)[0]
    assert first.detail["failures"] == 1
    assert first.detail["records"] == 3
    eventually(lambda: bench.waiting(bench.queue) <= 1)
    again = bench.invocations(2)[1]
    assert (again.detail["records"], again.detail["failures"]) == (1, 1)


def test_poison_message_ends_on_the_dead_letter_queue(bench: Bench) -> None:
    bench.deploy(reports=False)
    bench.send({"do": "raise"})
    bench.run()
    eventually(lambda: bench.waiting(bench.dead_letters) == 1)
    tries = bench.invocations(2)
    assert [entry.detail["error"] for entry in tries] == ["ValueError: no good"] * 2


def test_time_out_kills_the_process_and_the_next_event_gets_a_new_one(bench: Bench) -> None:
    bench.deploy(timeout=1, batch_size=1, visibility=30)
    bench.run()
    assert bench.service is not None
    before = bench.service.process_ids(bench.name)
    bench.send({"do": "sleep", "seconds": 60})
    entry = bench.invocations(1)[0]
    assert "Task timed out after 1.00 seconds" in entry.detail["error"]
    with pytest.raises(ProcessLookupError):
        os.kill(before[0], 0)
    bench.send({"do": "nothing"})
    assert bench.invocations(2)[1].detail["failures"] == 0
    assert bench.service.process_ids(bench.name) != before


def test_process_that_dies_counts_as_an_error(bench: Bench) -> None:
    bench.deploy(visibility=30)
    bench.send({"do": "exit"})
    bench.run()
    assert bench.invocations(1)[0].detail["error"].startswith("Runtime.ExitError")
    assert bench.waiting(bench.queue) == 1


def test_process_that_ends_after_its_answer_gets_no_further_event(bench: Bench) -> None:
    bench.deploy(timeout=30, batch_size=1, visibility=30)
    bench.run()
    bench.send({"do": "end after the answer"})
    bench.invocations(1)
    bench.send({"do": "nothing"})
    assert [entry.detail.get("error") for entry in bench.invocations(2)] == [None, None]


def test_artefact_that_cannot_be_imported_counts_as_an_error(bench: Bench) -> None:
    bench.deploy(source="import nowhere_to_be_found\n", visibility=30)
    bench.send({"do": "nothing"})
    bench.run()
    error = bench.invocations(1)[0].detail["error"]
    assert error.startswith("Runtime.ImportModuleError")
    assert "nowhere_to_be_found" in error


def test_burst_becomes_one_batch_within_the_window(bench: Bench) -> None:
    bench.deploy(batch_size=100, window=4, visibility=30)
    bench.run(sqs_batch_window_scale=0.5)
    bench.send(*({"do": "nothing", "number": number} for number in range(25)))
    entry = bench.invocations(1)[0]
    assert entry.detail["records"] == 25
    assert {body["number"] for body in bench.printed("saw")} == set(range(25))
    eventually(lambda: bench.waiting(bench.queue) == 0)


def test_handler_sees_the_record_that_lambda_documents(bench: Bench) -> None:
    bench.deploy(timeout=30)
    bench.sqs.send_message(
        QueueUrl=bench.queue,
        MessageBody='{"do": "nothing"}',
        MessageAttributes={"colour": {"DataType": "String", "StringValue": "blue"}},
    )
    bench.run()
    bench.invocations(1)
    assert bench.service is not None
    line = json.loads(bench.service.log_of(bench.name).read_text().splitlines()[0])
    record = line["record"]
    assert set(record) == {
        "messageId",
        "receiptHandle",
        "body",
        "attributes",
        "messageAttributes",
        "md5OfBody",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    }
    assert record["eventSource"] == "aws:sqs"
    assert record["awsRegion"] == REGION
    assert record["eventSourceARN"].endswith(f":{bench.name}")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["colour"] == {
        "dataType": "String",
        "stringValue": "blue",
        "stringListValues": [],
        "binaryListValues": [],
    }
    assert 0 < line["left_ms"] <= 30_000


def test_handler_acts_as_the_function_role_and_knows_only_its_artefact(bench: Bench) -> None:
    bench.deploy(timeout=30)
    bench.send({"do": "who"}, {"do": "import", "module": "sandbox"}, {"do": "import", "module": "boto3"})
    bench.run()
    assert bench.invocations(1)[0].detail.get("error") is None
    assert bench.printed("who")[0].split(":")[-1].startswith(f"assumed-role/{bench.name}/")
    assert bench.printed("missing") == ["sandbox"]
    assert bench.printed("imported") == ["boto3"]


def test_stopped_service_leaves_no_process_behind(bench: Bench) -> None:
    bench.deploy(timeout=60, visibility=30)
    bench.send({"do": "sleep", "seconds": 60})
    bench.run()
    assert bench.service is not None
    eventually(lambda: bench.printed("saw") != [])
    (pid,) = bench.service.process_ids(bench.name)
    started = time.monotonic()
    bench.service.stop()
    assert time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert bench.waiting(bench.queue) == 1


def test_a_function_that_is_invoked_answers_for_itself(bench: Bench, session: boto3.Session, aws_url: str) -> None:
    bench.deploy(source="def handler(event, context):\n    return {'asked': event['who']}\n")
    bench.run()
    client = session.client("lambda", endpoint_url=aws_url)
    answer = client.invoke(FunctionName=bench.name, Payload=b'{"who": "me"}')
    assert (answer["StatusCode"], json.loads(answer["Payload"].read())) == (200, {"asked": "me"})
    assert "FunctionError" not in answer
    failed = client.invoke(FunctionName=bench.name, Payload=b"{}")
    assert (failed["FunctionError"], json.loads(failed["Payload"].read())["errorType"]) == ("Unhandled", "KeyError")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="no-such", Payload=b"{}")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="does not simulate"):
        client.invoke(FunctionName=bench.name, Payload=b"{}", InvocationType="Event")


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("", set()),
        ("null", set()),
        ("{}", set()),
        ('{"batchItemFailures": []}', set()),
        ('{"batchItemFailures": null}', set()),
        ('{"batchItemFailures": [{"itemIdentifier": "a"}]}', {"a"}),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"bad": "a"}]}', {"a", "b"}),
        ('{"batchItemFailures": [{"itemIdentifier": "stranger"}]}', {"a", "b"}),
        ('{"batchItemFailures": "a"}', {"a", "b"}),
        ('{"other": 1}', {"a", "b"}),
        ('"text"', {"a", "b"}),
        ("not json", {"a", "b"}),
    ],
)
def test_answer_decides_which_messages_stay(answer: str, kept: set[str]) -> None:
    assert failed_messages(answer.encode(), {"a", "b"}, reports_failures=True) == kept
    assert failed_messages(answer.encode(), {"a", "b"}, reports_failures=False) == set()
