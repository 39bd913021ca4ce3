"""Keeps moto from running event source mappings itself.

moto invokes a mapped function from inside SendMessage, in a container where there is one, and otherwise takes
the message and does nothing with it.
"""

from __future__ import annotations

from typing import Any

from moto.sqs.models import Queue

from sandbox.aws.patching import Patch, Patches

_ATTRIBUTE = "lambda_event_source_mappings"


def _no_mappings(queue: Queue) -> dict[str, Any]:
    return {}


def _keep_aside(queue: Queue, value: dict[str, Any]) -> None:
    vars(queue)[_ATTRIBUTE] = value  # for the queues that outlive the patch


def without_own_event_sources() -> Patches:
    """The patches that leave the messages on the queues; mappings can still be made and listed."""
    return Patches([Patch(Queue, _ATTRIBUTE, property(_no_mappings, _keep_aside))])
