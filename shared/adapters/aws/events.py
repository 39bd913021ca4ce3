"""EventBridge events as they come out of SQS: the envelope, and what stack instance events say.

Events name an account and decide nothing; account events are read in `account_events`.
Source: CloudFormation user guide, "StackSets events".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from shared.application.reconcile import Part
from shared.application.report_instance import InstanceSignal
from shared.application.requests import Cause, correlation_id_for
from shared.domain.accounts import is_account_id
from shared.errors import PermanentError, quotable


class EventBridgeEvent(EventBridgeModel):
    """The envelope of every EventBridge event; the detail is read by its kind.

    Fields that nothing here asks for may be missing: an event that somebody forwarded, or wrote by hand, has few.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str = "0"
    id: str = Field(min_length=1)
    account: str = ""
    region: str = ""
    resources: list[str] = Field(default_factory=list)
    time: AwareDatetime
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """An event that asks nothing of us, and why; `failed` where it reports somebody's failure."""

    reason: str
    failed: bool = False


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
    why = f": {status['status-reason']}" if status.get("status-reason") else ""
    said = (
        f"operation {event.detail.get('stack-set-operation-id')} of the StackSet is {word or 'without a status'}{why}"
    )
    return Ignored(reason=f"{said}; its stack instances are told of one by one", failed=word in {"FAILED", "STOPPED"})


def read_reconcile_event(body: str) -> Part:
    """Which part of which run an event of the queue `reconcile` asks for. Raises PermanentError where it is broken.

    The schedule's own event, and one that only asks for a run, begin a run that is named after the event.
    """
    event = read_envelope(body)
    run, after = event.detail.get("run", event.id), event.detail.get("after", "")
    if not isinstance(run, str) or not run or (after != "" and checked_account(event, after) != after):
        raise PermanentError(
            f"event {event.id} names no run to go on with", remedy="See who puts such messages on the queue."
        )
    return Part(run=run, after=after)


def read_envelope(body: str) -> EventBridgeEvent:
    """The envelope of a message's event. Raises PermanentError where it is none."""
    try:
        return EventBridgeEvent.model_validate_json(body)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise PermanentError(
            f"not an EventBridge event: {problems}", remedy="See who puts such messages on the queue."
        ) from error


def find_part(holder: Any, name: str) -> Any:
    """What `holder` has under `name`, in any case; None where it has nothing of the kind, or is no object."""
    if not isinstance(holder, dict):
        return None
    if name in holder:
        return holder[name]
    return next((value for key, value in holder.items() if key.casefold() == name.casefold()), None)


def get_part(event: EventBridgeEvent, *path: str) -> dict[str, Any]:
    """The object that the detail has at `path`, names in any case. Raises PermanentError where it has none."""
    found: Any = event.detail
    for name in path:
        found = find_part(found, name)
    if not isinstance(found, dict):
        raise PermanentError(
            f"event {event.id} has no detail.{'.'.join(path)}", remedy="See who puts such messages on the queue."
        )
    return found


def checked_account(event: EventBridgeEvent, account_id: Any) -> str:
    """The account id. Raises PermanentError where it is none."""
    if not isinstance(account_id, str) or not is_account_id(account_id):
        digits = isinstance(account_id, str) and account_id.isdigit()  # anything else may be a person's
        shown = str(account_id)[:20] if digits else type(account_id).__name__
        raise PermanentError(
            f"event {event.id} names no account: {shown}", remedy="See who puts such messages on the queue."
        )
    return account_id


def cause_of(event: EventBridgeEvent, account_id: str) -> Cause:
    """The event as the cause of what is done about an account."""
    return Cause(
        event_id=event.id,
        source=event.source,
        occurred_at=event.time,
        correlation_id=correlation_id_for(account_id),
    )
