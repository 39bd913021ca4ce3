"""What EventBridge Scheduler puts on a queue for a schedule: its input, with the context attributes filled in.

Source: EventBridge Scheduler user guide, "Adding context attributes".
"""

from __future__ import annotations

EXECUTION = "d32c5kddcf5bb8c3"
SCHEDULED_AT = "2022-03-22T18:59:43Z"


def message_of(schedule_input: str, *, schedule_arn: str, execution: str = EXECUTION) -> str:
    """The body of the message."""
    attributes = {
        "<aws.scheduler.schedule-arn>": schedule_arn,
        "<aws.scheduler.scheduled-time>": SCHEDULED_AT,
        "<aws.scheduler.execution-id>": execution,
        "<aws.scheduler.attempt-number>": "1",
    }
    for attribute, value in attributes.items():
        schedule_input = schedule_input.replace(attribute, value)
    return schedule_input
