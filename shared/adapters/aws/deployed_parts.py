"""Rules, queues, event sources and bucket of AWS's side, looked at and put right.

Source: the APIs of each service:

EventBridge 2015-10-07 (DescribeRule, ListTargetsByRule, EnableRule), SQS 2012-11-05 (GetQueueAttributes,
SetQueueAttributes), Lambda 2015-03-31 (ListEventSourceMappings, UpdateEventSourceMapping), EventBridge Scheduler
2021-06-30 (GetSchedule), S3 2006-03-01, IAM 2010-05-08 (EnableOutboundWebIdentityFederation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.adapters.aws.queue_urls import queue_urls
from shared.domain.doctor.aws_parts import EventSourceSeen, QueueSeen, RuleSeen

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_events.client import EventBridgeClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

_GONE = "ResourceNotFoundException"


@dataclass(frozen=True, kw_only=True)
class PartClients:
    """One client for each service that is asked; `scheduler` has no published types among ours."""

    cloudformation: CloudFormationClient
    events: EventBridgeClient
    sqs: SQSClient
    lambda_: LambdaClient
    scheduler: Any
    s3: S3Client
    iam: IAMClient


class AwsParts:
    """What the stack of infra/aws/template.yaml made, by the names that it gives."""

    def __init__(self, clients: PartClients, *, stack_name: str) -> None:
        """`stack_name` is the stack's."""
        self._clients = clients
        self._stack_name = stack_name

    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack."""
        return queue_urls(self._clients.cloudformation, self._stack_name)

    def find_rule(self, name: str) -> RuleSeen | None:
        """A rule of the default bus, with its targets; it never has more than five."""
        with translated(f"look at rule {name}"):
            try:
                found = self._clients.events.describe_rule(Name=name)
            except ClientError as error:
                if error_code(error) == _GONE:
                    return None
                raise
            targets = self._clients.events.list_targets_by_rule(Rule=name)["Targets"]
            return RuleSeen(
                name=name,
                arn=found["Arn"],
                enabled=found["State"].startswith("ENABLED"),
                targets={each["Arn"]: each.get("DeadLetterConfig", {}).get("Arn", "") for each in targets},
            )

    def get_queue(self, label: str, url: str) -> QueueSeen:
        """A queue with its policy."""
        with translated(f"look at queue {label}"):
            found = self._clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy", "QueueArn"])
            attributes = found["Attributes"]
            return QueueSeen(label=label, url=url, arn=attributes["QueueArn"], policy=attributes.get("Policy", ""))

    def find_event_source(self, function: str) -> EventSourceSeen | None:
        """The function's only mapping."""
        with translated(f"look at the event source of {function}"):
            try:
                found = self._clients.lambda_.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
            except ClientError as error:
                if error_code(error) == _GONE:
                    return None
                raise
            if not found:
                return None
            return EventSourceSeen(function=function, identifier=found[0]["UUID"], state=found[0]["State"])

    def find_schedule(self, group: str, name: str) -> str | None:
        """ENABLED or DISABLED."""
        with translated(f"look at schedule {name}"):
            try:
                return str(self._clients.scheduler.get_schedule(GroupName=group, Name=name)["State"])
            except ClientError as error:
                if error_code(error) == _GONE:
                    return None
                raise

    def enable_rule(self, name: str) -> None:
        """EnableRule."""
        with translated(f"enable rule {name}"):
            self._clients.events.enable_rule(Name=name)

    def set_queue_policy(self, url: str, policy: str) -> None:
        """SetQueueAttributes."""
        with translated(f"give queue {url.rpartition('/')[2]} its policy"):
            self._clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def enable_event_source(self, identifier: str) -> None:
        """UpdateEventSourceMapping."""
        with translated("enable an event source"):
            self._clients.lambda_.update_event_source_mapping(UUID=identifier, Enabled=True)

    def enable_versions(self, bucket: str) -> None:
        """PutBucketVersioning."""
        with translated(f"let bucket {bucket} keep versions"):
            self._clients.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def set_bucket_policy(self, bucket: str, policy: str) -> None:
        """PutBucketPolicy."""
        with translated(f"give bucket {bucket} its policy"):
            self._clients.s3.put_bucket_policy(Bucket=bucket, Policy=policy)

    def enable_federation(self) -> None:
        """EnableOutboundWebIdentityFederation; that it is on already is no error."""
        with translated("switch outbound web identity federation on"):
            try:
                self._clients.iam.enable_outbound_web_identity_federation()
            except ClientError as error:
                if error_code(error) not in {"FeatureEnabled", "FeatureEnabledException"}:
                    raise
