"""One stack instance that is being worked on again."""

from __future__ import annotations

from typing import Any

from bench.bare.parts import batch, clients, queues, read_instance


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers a batch of one."""
    _, cloudformation, _, _, _ = clients("organizations", "cloudformation", "sts", "sqs", "s3")
    queues()
    read_instance(cloudformation)
    return batch(event)
