"""Events on their way to another bus, another region's included: with the role of the target, as they are.

moto finds buses in the rule's own region only, and asks for no role.
Source: EventBridge user guide, "Sending and receiving events between AWS Regions in Amazon EventBridge".
"""

from __future__ import annotations

import copy
from typing import Any

from moto.events.models import Rule, events_backends
from moto.utilities.arns import parse_arn

from sandbox.aws.callers import Caller, find_role
from sandbox.aws.iam_enforcement import refusal_of_role


def is_bus(arn: str) -> bool:
    """Whether a target is an event bus."""
    parsed = parse_arn(arn)
    return bool(parsed.service == "events" and parsed.resource_type == "event-bus")


def forward(rule: Rule, target: dict[str, Any], event: dict[str, Any]) -> str | None:
    """Hands the event to the rules of the target's bus; the reason where that was refused."""
    parsed = parse_arn(target["Arn"])
    bus = events_backends[parsed.account][parsed.region].event_buses.get(parsed.resource_id)
    if bus is None:
        return "the event bus does not exist"
    role_arn = target.get("RoleArn")
    role = find_role(role_arn) if role_arn else None
    if role_arn is None or role is None:
        return "the target has no role that could put events on that bus"
    refused = refusal_of_role(Caller(rule.account_id, role_arn, role=role), "events:PutEvents", target["Arn"])
    if refused is not None:
        return refused
    for listening in list(bus.rules.values()):
        listening.send_to_targets(copy.deepcopy(event))  # type: ignore[arg-type]  # moto's TypedDict of the same shape
    return None
