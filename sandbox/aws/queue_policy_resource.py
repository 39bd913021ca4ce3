"""`AWS::SQS::QueuePolicy`, which moto's CloudFormation lacks.

Source: CloudFormation template reference, AWS::SQS::QueuePolicy.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.moto_api._internal import mock_random
from moto.sqs.models import Queue, sqs_backends


class QueuePolicyResource(CloudFormationModel):
    """One policy document on one or more queues."""

    def __init__(self, queues: list[str]) -> None:
        self.physical_resource_id = str(mock_random.uuid4())
        self.queues = queues

    @staticmethod
    def cloudformation_name_type() -> str:
        """The resource has no name property."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::SQS::QueuePolicy"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether `Fn::GetAtt` knows `attr`."""
        return attr == "Id"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The value of `Fn::GetAtt`."""
        return self.physical_resource_id

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> QueuePolicyResource:
        """Sets the policy on every queue of `Queues`, which are queue URLs."""
        properties = cloudformation_json["Properties"]
        document = json.dumps(properties["PolicyDocument"], default=str)
        for url in properties["Queues"]:
            _queue(url, account_id, region_name).policy = document
        return cls(properties["Queues"])

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: QueuePolicyResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> QueuePolicyResource:
        """Replaces the policy."""
        original_resource.delete(account_id, region_name)
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

    def delete(self, account_id: str, region_name: str) -> None:
        """Takes the policy off the queues that still exist."""
        backend = sqs_backends[account_id][region_name]
        for url in self.queues:
            queue = backend.queues.get(url.rsplit("/", 1)[-1])
            if queue is not None:
                queue.policy = None

    def is_created(self) -> bool:
        """Policies hold at once."""
        return True


def _queue(url: str, account_id: str, region_name: str) -> Queue:
    return sqs_backends[account_id][region_name].get_queue(url.rsplit("/", 1)[-1])
