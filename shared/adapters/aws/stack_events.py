"""What events of stack instances say. Source: CloudFormation user guide, "StackSets events"."""

from __future__ import annotations

from shared.adapters.aws.events import (
    EventBridgeEvent,
    Ignored,
    cause_of,
    checked_account,
    get_part,
    read_envelope,
)
from shared.application.report_instance import InstanceSignal
from shared.errors import quotable


def read_stack_event(body: str) -> InstanceSignal | Ignored:
    """What an event of the queue `stack-events` says. Raises PermanentError where it is broken."""
    event = read_envelope(body)
    if event.detail_type == "CloudFormation StackSet Operation Status Change":
        return _operation(event)
    if event.detail_type != "CloudFormation StackSet StackInstance Status Change":
        return Ignored(reason=f"{event.detail_type} is nothing that we act on")
    status = get_part(event, "status-details")
    detailed = str(status.get("detailed-status", "")).upper()
    action = str(event.detail.get("action", "")).upper()
    if detailed not in _ENDED:
        return Ignored(reason=f"the instance is {detailed or 'without a detailed status'}")
    if action not in {"", "CREATE", "UPDATE", "DELETE"}:
        return Ignored(reason=f"{action} of an instance is nothing that we act on")
    stack_id = str(event.detail.get("stack-id", "")).split(":")
    account_id = stack_id[4] if len(stack_id) > 5 else ""  # noqa: PLR2004 - arn:partition:service:region:account:…
    if detailed == _SKIPPED and not account_id:  # a suspended account's instance may have no stack that could name it
        return Ignored(reason="an instance without a stack was left out, as its account is suspended", failed=True)
    return InstanceSignal(
        account_id=checked_account(event, account_id),
        reason=quotable(str(status.get("status-reason") or _REASONS.get(detailed, ""))),
        deletion=action == "DELETE",
        deployment=action in {"CREATE", "UPDATE"},
        cause=cause_of(event, account_id),
    )


_SKIPPED = "SKIPPED_SUSPENDED_ACCOUNT"
_REASONS = {
    _SKIPPED: "it was left out, as the account is suspended",
    "CANCELLED": "the work on it was cancelled",
    "FAILED_IMPORT": "its stack could not be imported into the StackSet",
    "INOPERABLE": "the StackSet cannot work on it any more",
}
"""What an ending says by itself where AWS gives no reason."""
_ENDED = {"SUCCEEDED", "FAILED", *_REASONS}


def _operation(event: EventBridgeEvent) -> Ignored:
    """An operation is only told of: its instances have events of their own."""
    status = get_part(event, "status-details")
    word = str(status.get("status", "")).upper()
    why = f": {quotable(str(status['status-reason']))}" if status.get("status-reason") else ""
    said = (
        f"operation {event.detail.get('stack-set-operation-id')} of the StackSet is {word or 'without a status'}{why}"
    )
    return Ignored(reason=f"{said}; its stack instances are told of one by one", failed=word in {"FAILED", "STOPPED"})
