"""EventBridge events as they come out of SQS: the envelope, and how its parts are found.

Events name an account and decide nothing. What they say is read by kind: `account_events`, `stack_events` and
`reconcile_events`, of which a function imports its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from shared.application.requests import Cause, correlation_id_for
from shared.domain.accounts import is_account_id
from shared.errors import PermanentError
from shared.messages.defaults import empty_list


class EventBridgeEvent(EventBridgeModel):
    """The envelope of every EventBridge event; the detail is read by its kind.

    Fields that nothing here asks for may be missing: an event that somebody forwarded, or wrote by hand, has few.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str = "0"
    id: str = Field(min_length=1)
    account: str = ""
    region: str = ""
    resources: list[str] = Field(default_factory=empty_list)
    time: AwareDatetime
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """An event that asks nothing of us, and why; `failed` where it reports somebody's failure."""

    reason: str
    failed: bool = False


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
