"""Account events as they come out of SQS: one small class for each kind that we act on.

A kind says which account is meant and, where it tells so, that the account has left; what is to be done is decided
from the account's present state. What nobody lists here is ignored, a broken event is refused. The detail-type
counts nowhere: AWS delivers some membership events as service event and some as API call.
Source: AWS Organizations user guide, "Logging and monitoring"; the fields of the membership events are those of the
Organizations API 2016-11-28 (CreateAccount, RemoveAccountFromOrganization); AWS Control Tower user guide,
"Lifecycle events".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.adapters.aws.events import (
    EventBridgeEvent,
    Ignored,
    cause_of,
    checked_account,
    find_part,
    get_part,
    read_envelope,
)
from shared.adapters.aws.own_events import ONBOARD_REQUESTED, OWN_SOURCE
from shared.application.account_batch import AccountSignal
from shared.domain.accounts import is_account_id
from shared.domain.readiness import Attempt, Retry
from shared.errors import PermanentError

ORGANIZATIONS = "aws.organizations"
CONTROL_TOWER = "aws.controltower"
_ID = re.compile(r"[a-z0-9:/-]{1,200}")  # of a unit, a root or a policy, or an ARN


class AccountEventKind(Protocol):
    """One kind of account event."""

    def applies(self, event: EventBridgeEvent) -> bool:
        """Whether the event is of this kind."""

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """What it says. Raises PermanentError where it is broken."""


class CreateAccountResult:
    """An account was created, or could not be. Delivered best effort, in us-east-1."""

    def applies(self, event: EventBridgeEvent) -> bool:
        """Organizations' own word for it."""
        return _is_named(event, ORGANIZATIONS, "CreateAccountResult")

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account that was created; a failed creation has no account, only AWS's reason."""
        status = get_part(event, "serviceEventDetails", "createAccountStatus")
        if not _succeeded(status):
            return Ignored(reason=f"the account was not created: {_why(status)}", failed=True)
        return _signal(event, find_part(status, "accountId"))


class CloseAccountResult:
    """The closing of an account came to its end, well or not."""

    def applies(self, event: EventBridgeEvent) -> bool:
        """Organizations' own word for it."""
        return _is_named(event, ORGANIZATIONS, "CloseAccountResult")

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account that is closed."""
        status = get_part(event, "serviceEventDetails", "closeAccountStatus")
        if not _succeeded(status):
            return Ignored(reason=f"the account was not closed: {_why(status)}", failed=True)
        return _signal(event, find_part(status, "accountId"))


@dataclass(frozen=True)
class Membership:
    """AccountJoinedOrganization or AccountDepartedOrganization. Where the account stands in them is not public."""

    name: str
    departs: bool

    def applies(self, event: EventBridgeEvent) -> bool:
        """Organizations' own word for it."""
        return _is_named(event, ORGANIZATIONS, self.name)

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account, and how it left; an unknown way of leaving is one all the same."""
        details = find_part(event.detail, "serviceEventDetails")
        places = [details, *_parts(details), find_part(event.detail, "requestParameters"), event.detail]
        account_id = next((found for place in places if (found := find_part(place, "accountId")) is not None), None)
        if not self.departs:
            return _signal(event, account_id)
        words = ("departureMethod", "departedMethod")
        methods = (find_part(place, word) for place in places for word in words)
        method = next((str(found).upper() for found in methods if found), "")
        return _signal(event, account_id, departed=_DEPARTURES.get(method, "it left the organization"))


_DEPARTURES = {
    "LEFT": "it left the organization by itself",
    "REMOVED": "it was removed from the organization",
    "CLEANED": "AWS removed it for good after it was closed",
}


@dataclass(frozen=True)
class AccountCall:
    """A call of the Organizations API that names the account in its parameters."""

    name: str
    departed: str = ""

    def applies(self, event: EventBridgeEvent) -> bool:
        """The operation's name."""
        return _is_named(event, ORGANIZATIONS, self.name)

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account; a call that AWS refused has changed nothing."""
        if refused := _refusal(event):
            return refused
        parameters = get_part(event, "requestParameters")
        return _signal(event, find_part(parameters, "accountId"), departed=self.departed)


@dataclass(frozen=True)
class TagCall:
    """Tags were put on something of the organization, or taken off: an account, a unit, a policy."""

    name: str

    def applies(self, event: EventBridgeEvent) -> bool:
        """The operation's name."""
        return _is_named(event, ORGANIZATIONS, self.name)

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account, where it is one."""
        if refused := _refusal(event):
            return refused
        resource_id = find_part(get_part(event, "requestParameters"), "resourceId")
        if isinstance(resource_id, str) and resource_id and not resource_id.isdigit():
            whose = resource_id if _ID.fullmatch(resource_id) else "something unnamed"
            return Ignored(reason=f"tags of {whose} are not those of an account")
        return _signal(event, resource_id)


@dataclass(frozen=True)
class ManagedAccount:
    """Control Tower made an account, or enrolled one. Delivered in Control Tower's home region only."""

    name: str

    def applies(self, event: EventBridgeEvent) -> bool:
        """Control Tower's own word for it."""
        return _is_named(event, CONTROL_TOWER, self.name)

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account; the status has the name of the kind, or that of the other one."""
        details = get_part(event, "serviceEventDetails")
        known = ("createManagedAccountStatus", "updateManagedAccountStatus")
        status = next((found for key in known if isinstance(found := find_part(details, key), dict)), None)
        if status is None:
            status = get_part(event, "serviceEventDetails", f"{self.name[0].lower()}{self.name[1:]}Status")
        account_id = find_part(find_part(status, "account"), "accountId")
        if not _succeeded(status):
            whose = f" {account_id}" if isinstance(account_id, str) and is_account_id(account_id) else ""
            return Ignored(reason=f"Control Tower did not finish with the account{whose}: {_why(status)}", failed=True)
        return _signal(event, account_id)


class _RetryDetail(BaseModel):
    """What stands in our own event where it asks for a further attempt: `account_retries` writes it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    attempt: int = Field(ge=1)
    first_tried_at: AwareDatetime = Field(alias="firstTriedAt")
    failed_since: AwareDatetime = Field(alias="failedSince")


class OnboardRequested:
    """An operator or our own schedule asks to look at an account."""

    def applies(self, event: EventBridgeEvent) -> bool:
        """Our own source; AWS refuses `aws.*` sources from anybody else."""
        return event.source == OWN_SOURCE and event.detail_type == ONBOARD_REQUESTED

    def read(self, event: EventBridgeEvent) -> AccountSignal | Ignored:
        """The account that is asked for, and after which attempt of ours."""
        return replace(_signal(event, event.detail.get("accountId")), retry=_retry(event))


ACCOUNT_EVENT_KINDS: tuple[AccountEventKind, ...] = (
    CreateAccountResult(),
    CloseAccountResult(),
    Membership("AccountJoinedOrganization", departs=False),
    Membership("AccountDepartedOrganization", departs=True),
    AccountCall("MoveAccount"),
    AccountCall("CloseAccount"),
    AccountCall("RemoveAccountFromOrganization", departed="it was removed from the organization"),
    TagCall("TagResource"),
    TagCall("UntagResource"),
    ManagedAccount("CreateManagedAccount"),
    ManagedAccount("UpdateManagedAccount"),
    OnboardRequested(),
)


def read_account_event(body: str) -> AccountSignal | Ignored:
    """What an event of the queue `account-events` says. Raises PermanentError where it is broken."""
    event = read_envelope(body)
    for kind in ACCOUNT_EVENT_KINDS:
        if kind.applies(event):
            return kind.read(event)
    name = event.detail.get("eventName", event.detail_type)
    return Ignored(reason=f"{event.source} {name} is nothing that we act on")


def _is_named(event: EventBridgeEvent, source: str, name: str) -> bool:
    said = event.detail.get("eventName")
    return event.source == source and isinstance(said, str) and said.casefold() == name.casefold()


def _parts(details: Any) -> list[Any]:
    return [part for part in details.values() if isinstance(part, dict)] if isinstance(details, dict) else []


def _succeeded(status: dict[str, Any]) -> bool:
    return str(find_part(status, "state")).upper() == "SUCCEEDED"


def _why(status: dict[str, Any]) -> str:
    """AWS's reason. Control Tower has none of its own: its message is that of a success, too, so its state is said."""
    reason = find_part(status, "failureReason")
    return str(reason) if reason else f"its state is {find_part(status, 'state') or 'not told'}, no reason given"


def _refusal(event: EventBridgeEvent) -> Ignored | None:
    code = find_part(event.detail, "errorCode")
    if not code:
        return None
    return Ignored(reason=f"{event.detail['eventName']} was refused and changed nothing: {code}", failed=True)


def _retry(event: EventBridgeEvent) -> Retry | None:
    if "attempt" not in event.detail:
        return None
    try:
        told = _RetryDetail.model_validate(event.detail)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise PermanentError(
            f"event {event.id} asks for no proper attempt: {wrong}", remedy="See who puts such messages on the queue."
        ) from error
    attempt = Attempt(number=told.attempt, first_at=told.first_tried_at)
    return Retry(attempt=attempt, due_at=event.time, since=told.failed_since)


def _signal(event: EventBridgeEvent, account_id: Any, *, departed: str = "") -> AccountSignal:
    checked = checked_account(event, account_id)
    return AccountSignal(account_id=checked, cause=cause_of(event, checked), departed=departed)
