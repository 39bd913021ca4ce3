"""The sandbox's AWS with short times, and plain boto3 beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sandbox.aws.cloud import AwsCloud, Credentials
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.journal import Journal

TEMPLATES = Path(__file__).parents[1] / "fixtures" / "aws"
TENANT = "00000000-0000-0000-0000-00000000bbbb"
ALL_AT_ONCE = {
    "MaxConcurrentPercentage": 100,
    "FailureTolerancePercentage": 100,
    "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
}


class AwsWorld:
    def __init__(self, folder: Path, **settings: float) -> None:
        short: dict[str, Any] = {
            "account_creation_seconds": 0.05,
            "event_delay_seconds": 0.02,
            "stack_instance_seconds": 0.1,
        }
        self.journal = Journal()
        self.certificates = Certificates(folder)
        self.cloud = AwsCloud(self.journal, SandboxSettings(**(short | settings)), self.certificates)

    def client(self, service: str, credentials: Credentials | None = None, **config: Any) -> Any:
        key = credentials or Credentials("test", "test", "")
        return boto3.client(  # type: ignore[call-overload]  # the service's name is a variable here
            service,
            region_name="us-east-1",
            endpoint_url=self.cloud.url,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            aws_session_token=key.session_token or None,
            config=Config(retries={"max_attempts": 0}, **config),
        )

    def member(self, service: str, account_id: str) -> Any:
        """A client inside a member account, through the role that Organizations makes there."""
        role = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
        return self.client(service, self.cloud.credentials_for_role(role))

    def queue_of(self, pattern: dict[str, Any], name: str = "watch", *, source_arn: str | None = None) -> str:
        """The URL of a queue that gets every event of the pattern."""
        events, sqs = self.client("events"), self.client("sqs")
        rule = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
        url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": source_arn or rule}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        return url

    def received(self, url: str) -> list[dict[str, Any]]:
        """Takes every event out of a queue."""
        sqs, events = self.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                events.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return events

    def stack_set(self, **changes: Any) -> str:
        """Makes the StackSet `roles` of the member template."""
        given = {
            "StackSetName": "roles",
            "TemplateBody": (TEMPLATES / "member.yaml").read_text(encoding="utf-8"),
            "PermissionModel": "SERVICE_MANAGED",
            "AutoDeployment": {"Enabled": False},
            "ManagedExecution": {"Active": True},
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Parameters": [{"ParameterKey": "TenantId", "ParameterValue": TENANT}],
        }
        return str(self.client("cloudformation").create_stack_set(**(given | changes))["StackSetId"])

    def deploy(self, *accounts: str, **changes: Any) -> str:
        """Starts an operation on accounts of the organization, wherever they are in it."""
        targets = {
            "OrganizationalUnitIds": [self.root()],
            "Accounts": list(accounts),
            "AccountFilterType": "INTERSECTION",
        }
        given = {
            "StackSetName": "roles",
            "DeploymentTargets": targets,
            "Regions": ["us-east-1"],
            "OperationPreferences": ALL_AT_ONCE,
        }
        operation = self.client("cloudformation").create_stack_instances(**(given | changes))
        return str(operation["OperationId"])

    def finished(self, operation_id: str) -> dict[str, Any]:
        """The operation's description when it has ended."""
        cloudformation = self.client("cloudformation")

        def look() -> Any:
            described = cloudformation.describe_stack_set_operation(StackSetName="roles", OperationId=operation_id)[
                "StackSetOperation"
            ]
            return described if described["Status"] in {"SUCCEEDED", "FAILED", "STOPPED"} else None

        return dict(wait_until(look))

    def instance(self, account_id: str) -> dict[str, Any]:
        """The stack instance of one account."""
        described = self.client("cloudformation").describe_stack_instance(
            StackSetName="roles", StackInstanceAccount=account_id, StackInstanceRegion="us-east-1"
        )
        return dict(described["StackInstance"])

    def results(self, operation_id: str) -> dict[str, dict[str, Any]]:
        """What the operation did, by account."""
        answer = self.client("cloudformation").list_stack_set_operation_results(
            StackSetName="roles", OperationId=operation_id
        )
        return {summary["Account"]: summary for summary in answer["Summaries"]}

    def root(self) -> str:
        """The organization's root."""
        return str(self.client("organizations").list_roots()["Roots"][0]["Id"])

    def roles_in(self, account: str) -> set[str]:
        """The roles that StackSets made in an account."""
        found = self.cloud.inspect_account(account)
        assert found is not None
        return {role.name for role in found.roles} - {"OrganizationAccountAccessRole"}


@contextmanager
def aws_world(folder: Path, **settings: float) -> Iterator[AwsWorld]:
    world = AwsWorld(folder, **settings)
    world.cloud.start()
    try:
        yield world
    finally:
        world.cloud.stop()


def wait_until(look: Callable[[], Any], seconds: float = 10) -> Any:
    """The first truthy answer of `look`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    message = f"nothing after {seconds} s"
    raise AssertionError(message)
