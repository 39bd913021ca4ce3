"""One account whose stack instance is being worked on: read both."""

from __future__ import annotations

import json
import os
from typing import Any

from bench.bare.parts import batch, clients, queues, read_instance, read_policy


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers a batch of one."""
    organizations, cloudformation, _, _, s3 = clients("organizations", "cloudformation", "sts", "sqs", "s3")
    queues()
    read_policy(s3)
    account_id = json.loads(event["Records"][0]["body"])["detail"]["accountId"]
    organizations.describe_account(AccountId=account_id)
    organizations.list_parents(ChildId=account_id)
    list(organizations.get_paginator("list_tags_for_resource").paginate(ResourceId=account_id))
    read_instance(cloudformation)
    cloudformation.describe_stack_set(StackSetName=os.environ["ROLLCALL_STACK_SET_NAME"])
    return batch(event)
