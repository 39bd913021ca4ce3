"""What every bare handler imports and builds: the SDKs of ours, its queue clients and its credential."""

from __future__ import annotations

import os
from typing import Any

import boto3
import pydantic_settings
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from azure.identity import ClientAssertionCredential
from azure.storage.queue import QueueClient, TextBase64EncodePolicy
from botocore.config import Config

CONFIG = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10)
SDKS = (pydantic_settings, Metrics, EventBridgeModel)
"""What ours imports besides, without a call on this path."""


def clients(*services: str) -> tuple[Any, ...]:
    """One for each service."""
    return tuple(boto3.client(service, config=CONFIG) for service in services)  # type: ignore[call-overload] # by name


def queues() -> list[QueueClient]:
    """Where requests go, and where those go that never can."""
    credential = ClientAssertionCredential(
        os.environ["ROLLCALL_TENANT_ID"],
        os.environ["ROLLCALL_CLIENT_ID"],
        lambda: "",
        authority=os.environ["ROLLCALL_AUTHORITY_HOST"],
        disable_instance_discovery=True,
    )
    endpoint = os.environ["ROLLCALL_QUEUE__QUEUESERVICEURI"]
    policy = TextBase64EncodePolicy()
    names = ("onboarding", "onboarding-poison")
    return [QueueClient(endpoint, name, credential=credential, message_encode_policy=policy) for name in names]


def read_policy(s3: Any) -> Any:
    """The policy's YAML, as the C library reads it; ours, too, imports it where there is a policy to read."""
    import yaml

    bucket, _, key = os.environ["ROLLCALL_POLICY"].removeprefix("s3://").partition("/")
    return yaml.load(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), Loader=yaml.CSafeLoader)  # noqa: S506 - safe


def read_instance(cloudformation: Any) -> None:
    """One account's stack instance."""
    cloudformation.describe_stack_instance(
        StackSetName=os.environ["ROLLCALL_STACK_SET_NAME"],
        StackInstanceAccount="111122223333",
        StackInstanceRegion=os.environ["AWS_REGION"],
    )


def batch(event: dict[str, Any]) -> dict[str, Any]:
    """The answer for a batch of which nothing goes back."""
    Logger().info("handled")
    processor = BatchProcessor(event_type=EventType.SQS)
    answer = process_partial_response(event=event, record_handler=lambda record: None, processor=processor)
    return dict(answer)
