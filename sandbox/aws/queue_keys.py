"""Queues that are encrypted with a key of the account: whoever uses one needs the key as well.

moto keeps the name of a queue's key and never asks for it, and cannot read the policy of a key that a stack made.
Source: SQS developer guide, "Key management": a producer needs kms:GenerateDataKey and kms:Decrypt, a consumer
kms:Decrypt. That SQS asks KMS on behalf of its caller is what `kms:ViaService` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from moto.kms.models import Key, kms_backends
from moto.sqs.models import Queue, sqs_backends

from sandbox.aws.patching import Patch
from sandbox.aws.policy_conditions import Context, as_list, condition_holds, wildcard_matches
from sandbox.aws.request_facts import RequestFacts

TO_SEND = ("kms:GenerateDataKey", "kms:Decrypt")
_moto_create = Key.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]  # a class method's own
_TO_RECEIVE = ("kms:Decrypt",)
_NEEDED = {"SendMessage": TO_SEND, "SendMessageBatch": TO_SEND, "ReceiveMessage": _TO_RECEIVE}


def key_of(queue: Queue) -> Key | None:
    """The key that the queue is encrypted with; None where SQS does that with its own.

    Raises:
        LookupError: the key does not exist.
    """
    named = getattr(queue, "kms_master_key_id", None)
    if not named or named == "alias/aws/sqs":
        return None
    backend = kms_backends[queue.account_id][queue.region]
    return backend.keys[backend.any_id_to_key_id(named)]


def needed_of_roles(facts: RequestFacts) -> list[tuple[str, str]]:
    """What a request to a queue needs besides its own permission: actions, each with the key's ARN."""
    actions = _NEEDED.get(facts.operation, ()) if facts.service == "sqs" else ()
    if not actions or "QueueUrl" not in facts.parameters:
        return []
    owner, name = facts.parameters["QueueUrl"].rstrip("/").rsplit("/", 2)[-2:]
    queue = sqs_backends[owner][facts.region].queues.get(name)
    key = key_of(queue) if queue is not None else None
    return [(action, key.arn) for action in actions] if key is not None else []


def refusal_of_service(queue: Queue, service: str, context: Context) -> str | None:
    """Why the queue's key does not let an AWS service send; None where it does, or the queue has no key."""
    key = key_of(queue)
    if key is None:
        return None
    statements = as_list(json.loads(key.policy)["Statement"])
    for action in TO_SEND:
        effects = {each["Effect"] for each in statements if _applies(each, service, action, context)}
        if effects != {"Allow"}:
            return f"the key's policy does not allow {action} to {service} for {context['aws:SourceArn']}"
    return None


def _applies(statement: dict[str, Any], service: str, action: str, context: Context) -> bool:
    principal = statement.get("Principal")
    named = principal == "*" or (isinstance(principal, dict) and service in as_list(principal.get("Service")))
    return (
        named
        and any(wildcard_matches(pattern, action, ignore_case=True) for pattern in as_list(statement.get("Action")))
        and condition_holds(statement.get("Condition"), context)
    )


def _create(cls: type[Key], /, *arguments: Any, **options: Any) -> Any:
    key = _moto_create(cls, *arguments, **options)
    key.policy = json.dumps(key.policy, default=str)  # moto keeps the template's object, and reads a text
    return key


def _update(cls: type[Key], /, *, original_resource: Key, cloudformation_json: dict[str, Any], **_: Any) -> Key:
    properties = cloudformation_json["Properties"]
    original_resource.policy = json.dumps(properties["KeyPolicy"], default=str)
    original_resource.key_rotation_status = properties.get("EnableKeyRotation", False)
    return original_resource


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(Key, "create_from_cloudformation_json", classmethod(_create))
    yield Patch(Key, "update_from_cloudformation_json", classmethod(_update))
