"""`AWS::SNS::TopicPolicy`, which moto's CloudFormation lacks.

moto keeps a topic's policy and never evaluates it. Source: CloudFormation template reference, AWS::SNS::TopicPolicy.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.moto_api._internal import mock_random
from moto.sns.models import sns_backends


class TopicPolicyResource(CloudFormationModel):
    """One policy document on one or more topics."""

    def __init__(self) -> None:
        self.physical_resource_id = str(mock_random.uuid4())

    @staticmethod
    def cloudformation_name_type() -> str:
        """The resource has no name property."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::SNS::TopicPolicy"

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
    ) -> TopicPolicyResource:
        """Sets the policy on every topic of `Topics`, which are ARNs."""
        properties = cloudformation_json["Properties"]
        document = json.dumps(properties["PolicyDocument"], default=str)
        for arn in properties["Topics"]:
            sns_backends[account_id][region_name].get_topic(arn).policy = document
        return cls()

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: TopicPolicyResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> TopicPolicyResource:
        """Replaces the policy."""
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

    def delete(self, account_id: str, region_name: str) -> None:
        """A stack deletes its topic along."""

    def is_created(self) -> bool:
        """Policies hold at once."""
        return True
