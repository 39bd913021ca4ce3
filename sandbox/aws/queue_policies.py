"""Whether a queue's resource policy, and that of its key, let an EventBridge rule send to it.

Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge" (Amazon SQS permissions).
"""

from __future__ import annotations

import json
from typing import Any

from moto.sqs.models import Queue

from sandbox.aws.policy_conditions import Context, as_list, condition_holds, wildcard_matches
from sandbox.aws.queue_keys import refusal_of_service

_SERVICE = "events.amazonaws.com"


def _is_for_eventbridge(principal: Any) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    return _SERVICE in as_list(principal.get("Service")) or "*" in as_list(principal.get("AWS"))


def _applies(statement: dict[str, Any], queue_arn: str, context: Context) -> bool:
    return (
        _is_for_eventbridge(statement.get("Principal"))
        and any(
            wildcard_matches(action, "sqs:SendMessage", ignore_case=True) for action in as_list(statement.get("Action"))
        )
        and any(wildcard_matches(resource, queue_arn) for resource in as_list(statement.get("Resource")))
        and condition_holds(statement.get("Condition"), context)
    )


def refusal(queue: Queue, *, rule_arn: str, rule_account: str) -> str | None:
    """Why `queue` refuses events of the rule; None where it and its key allow them."""
    if not queue.policy:
        return "the queue has no resource policy"
    policy = json.loads(queue.policy)
    context: Context = {
        "aws:SourceArn": rule_arn,
        "aws:SourceAccount": rule_account,
        "aws:SecureTransport": "true",
    }
    effects = {
        statement["Effect"]
        for statement in as_list(policy.get("Statement"))
        if _applies(statement, queue.queue_arn, context)
    }
    if "Deny" in effects:
        return f"the queue's policy denies sqs:SendMessage from {rule_arn}"
    if "Allow" not in effects:
        return f"the queue's policy does not allow sqs:SendMessage from {rule_arn}"
    return refusal_of_service(queue, _SERVICE, context)
