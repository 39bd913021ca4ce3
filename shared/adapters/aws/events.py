"""EventBridge events as they come out of SQS, one small class for each kind that we act on.

Events name an account and decide nothing; a kind that nobody lists here is ignored, a broken one is refused.
Source: AWS Organizations user guide, "Logging and monitoring"; CloudFormation user guide, "StackSets events".
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.application.deploy_accounts import AccountSignal
from shared.application.report_instance import InstanceSignal
from shared.application.requests import Cause
from shared.domain.accounts import is_account_id
from shared.errors import PermanentError

OWN_SOURCE = "rollcall"
ONBOARD_REQUESTED = "Account Onboarding Requested"
_NAMESPACE = uuid.UUID("6a1f6f6e-97a5-5f0c-9d7c-6a1b52a0c3d4")


class EventBridgeEvent(BaseModel):
    """The envelope of every EventBridge event; the detail is read by its kind."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1)
    source: str
    detail_type: str = Field(alias="detail-type")
    time: AwareDatetime
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """An event that asks nothing of us, and why; `failed` where it reports somebody's failure."""

    reason: str
    failed: bool = False


class AccountEventKind(Protocol):
    """One kind of account event."""

    def applies(self, event: EventBridgeEvent) -> bool:
        """Whether the event is of this kind."""

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """What it says. Raises PermanentError where it is broken."""


class CreateAccountResult:
    """An account was created, or could not be. Delivered best effort, in us-east-1."""

    def applies(self, event: EventBridgeEvent) -> bool:
        """Organizations' own word for it; the detail-type varies and is not looked at."""
        return event.source == "aws.organizations" and event.detail.get("eventName") == "CreateAccountResult"

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account that was created; a failed creation has no account, only AWS's reason."""
        status = _object(event, "serviceEventDetails", "createAccountStatus")
        if str(status.get("state", "")).upper() != "SUCCEEDED":
            reason = status.get("failureReason", "no reason given")
            return Ignored(reason=f"the account was not created: {reason}", failed=True)
        return _account_signal(event, status.get("accountId"))


class OnboardRequested:
    """An operator or our own schedule asks to look at an account."""

    def applies(self, event: EventBridgeEvent) -> bool:
        """Our own source; AWS refuses `aws.*` sources from anybody else."""
        return event.source == OWN_SOURCE and event.detail_type == ONBOARD_REQUESTED

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account that is asked for."""
        return _account_signal(event, event.detail.get("accountId"))


ACCOUNT_EVENT_KINDS: tuple[AccountEventKind, ...] = (CreateAccountResult(), OnboardRequested())


def read_account_event(body: str) -> AccountSignal | Ignored:
    """What an event of the queue `account-events` says. Raises PermanentError where it is broken."""
    event = _envelope(body)
    for kind in ACCOUNT_EVENT_KINDS:
        if kind.applies(event):
            return kind.read(event)
    name = event.detail.get("eventName", event.detail_type)
    return Ignored(reason=f"{event.source} {name} is nothing that we act on")


def read_stack_event(body: str) -> InstanceSignal | Ignored:
    """What an event of the queue `stack-events` says. Raises PermanentError where it is broken."""
    event = _envelope(body)
    if event.detail_type != "CloudFormation StackSet StackInstance Status Change":
        return Ignored(reason=f"{event.detail_type} is nothing that we act on")
    status = _object(event, "status-details")
    detailed = str(status.get("detailed-status", "")).upper()
    action = str(event.detail.get("action", "")).upper()
    if detailed not in {"SUCCEEDED", "FAILED", "CANCELLED", "INOPERABLE"}:
        return Ignored(reason=f"the instance is {detailed or 'without a detailed status'}")
    if action not in {"", "CREATE", "UPDATE"}:
        return Ignored(reason=f"{action} of an instance is nothing that we act on")
    stack_id = str(event.detail.get("stack-id", "")).split(":")
    account_id = stack_id[4] if len(stack_id) > 5 else ""  # noqa: PLR2004 - arn:partition:service:region:account:…
    return InstanceSignal(
        account_id=_checked(event, account_id),
        reason=str(status.get("status-reason") or ""),
        cause=_cause(event, account_id),
    )


def correlation_id_for(account_id: str) -> str:
    """The id that all messages about one account share, whichever event they come from."""
    return str(uuid.uuid5(_NAMESPACE, account_id))


def _envelope(body: str) -> EventBridgeEvent:
    try:
        return EventBridgeEvent.model_validate_json(body)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise PermanentError(
            f"not an EventBridge event: {problems}", remedy="See who puts such messages on the queue."
        ) from error


def _object(event: EventBridgeEvent, *path: str) -> dict[str, Any]:
    found: Any = event.detail
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise PermanentError(f"event {event.id} has no detail.{'.'.join(path)}")
    return found


def _checked(event: EventBridgeEvent, account_id: Any) -> str:
    if not isinstance(account_id, str) or not is_account_id(account_id):
        raise PermanentError(f"event {event.id} names no account: {account_id!r}")
    return account_id


def _account_signal(event: EventBridgeEvent, account_id: Any) -> AccountSignal:
    checked = _checked(event, account_id)
    return AccountSignal(account_id=checked, cause=_cause(event, checked))


def _cause(event: EventBridgeEvent, account_id: str) -> Cause:
    return Cause(
        event_id=event.id,
        source=event.source,
        occurred_at=event.time,
        correlation_id=correlation_id_for(account_id),
    )
