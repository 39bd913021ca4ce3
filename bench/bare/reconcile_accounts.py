"""An organization with its management account alone."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger

from bench.bare.parts import clients, queues, read_policy


def handler(event: dict[str, Any], context: object) -> None:
    """Lists both sides and finds nothing to do."""
    organizations, cloudformation, _, _, s3 = clients("organizations", "cloudformation", "events", "sts", "s3")
    queues()
    read_policy(s3)
    list(organizations.get_paginator("list_accounts").paginate())
    list(organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId="r-root"))
    names = {"StackSetName": os.environ["ROLLCALL_STACK_SET_NAME"], "StackInstanceRegion": os.environ["AWS_REGION"]}
    list(cloudformation.get_paginator("list_stack_instances").paginate(**names))
    Logger().info("handled")
