"""Bucket policies with their conditions, where moto looks at none: a denial without TLS would deny everything.

Source: S3 user guide, "Bucket policies and user policies".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from sandbox.aws.patching import Patch
from sandbox.aws.policy_conditions import Context, as_list, condition_holds

_REQUEST: Context = {"aws:SecureTransport": "true"}  # the sandbox's http stands for AWS's https


def _get_permission(self: FakeBucket, action: str, resource: str) -> Any:
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy)
    statements = [each for each in as_list(policy["Statement"]) if condition_holds(each.get("Condition"), _REQUEST)]
    if not statements:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps(policy | {"Statement": statements})).is_action_permitted(action, resource)


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(FakeBucket, "get_permission", _get_permission)
