"""What the ledger remembers of an account, and the one rule by which a report changes it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.accounts import Provider


class State(StrEnum):
    """Where an account stands on its way to a connector."""

    SEEN = "seen"
    EXCLUDED = "excluded"
    DEPLOYING = "deploying"
    DEPLOY_FAILED = "deploy_failed"
    DEPLOYED = "deployed"
    CONNECTING = "connecting"
    DEFERRED = "deferred"
    CONNECTED = "connected"
    PARKED = "parked"
    DEPARTED = "departed"
    OFFBOARDED = "offboarded"


LEFT = frozenset({State.EXCLUDED, State.DEPARTED})
"""States of accounts that AWS's side says take no part; their connector may still be there."""

UNDER_WAY = frozenset({State.SEEN, State.DEPLOYING, State.DEPLOYED, State.CONNECTING, State.DEFERRED})
"""States of accounts that are on their way to a connector."""

TOLD = frozenset({State.SEEN, State.DEPLOYING, State.DEPLOY_FAILED, State.DEPLOYED})
"""States that are only reported: such a state is so since its report was written."""


class Result(StrEnum):
    """What one piece of work did; the closing log line and the history use the same words."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    PARKED = "parked"
    FAILED = "failed"


_OF_REQUESTS = frozenset({State.CONNECTED, State.DEFERRED, State.PARKED})
"""What work on a request ends with: no later word than that of an account which has left since it was asked for."""

OVERDUE = timedelta(hours=2)
"""Far beyond the host's five tries of a message that became visible, and the lag of a busy queue."""

EVENT_RESOLUTION = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True, order=True)
class AccountKey:
    """Who an account is, over all clouds."""

    provider: Provider
    hierarchy_identifier: str

    def __str__(self) -> str:
        return f"{self.provider}-{self.hierarchy_identifier}"


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One thing that happened to an account, at `at` (UTC).

    `step` says where on the path: the action and status of the message. `next_attempt` is set where the work
    was put back on the queue, `write_slot` where it waits there for its turn to write; `aftercare` where standards
    and governance rules were seen to; `sent_at` is when the sender wrote the message. `(message_id, attempt, step,
    result)` identifies an entry: a repeat is the same.
    """

    key: AccountKey
    at: datetime
    step: str
    result: Result
    message_id: str
    attempt: int
    correlation_id: str
    state: State | None = None
    name: str = ""
    ou_path: str = ""
    reason: str = ""
    remedy: str = ""
    connector_id: str = ""
    policy_hash: str = ""
    next_attempt: int | None = None
    next_attempt_at: datetime | None = None
    write_slot: datetime | None = None
    aftercare: str = ""
    sent_at: datetime | None = None
    joined_at: datetime | None = None

    @property
    def ends_connector(self) -> bool:
        """Whether no connector of ours is left: a request to disconnect was carried out, and did not only note."""
        carried_out = self.result in {Result.DELETED, Result.UNCHANGED}
        return self.state is State.OFFBOARDED or (self.state in LEFT and carried_out)


@dataclass(frozen=True, kw_only=True)
class AccountRecord:
    """The present line of an account in the ledger; `state_at` is when its state came about.

    `asked_at` is when the newest request was written that was worked on, or that told that the account takes no
    part; what was only reported on the way does not count.
    `joined_at` is when the account was created in, or came into, the organization, `connected_at` when its connector
    was made.
    `scheduled_…` name the attempt that lies on the queue, and the write slot that is kept for it, if any;
    `aftercare` is the digest of the standards and governance rules that were last seen to.
    """

    key: AccountKey
    state: State = State.SEEN
    state_at: datetime | None = None
    asked_at: datetime | None = None
    name: str = ""
    ou_path: str = ""
    reason: str = ""
    remedy: str = ""
    connector_id: str = ""
    correlation_id: str = ""
    policy_hash: str = ""
    aftercare: str = ""
    joined_at: datetime | None = None
    connected_at: datetime | None = None
    scheduled_message_id: str = ""
    scheduled_attempt: int = 0
    scheduled_at: datetime | None = None
    scheduled_slot: datetime | None = None
    claimed_by: str = ""
    claimed_until: datetime | None = None

    def superseded(self, message_id: str, attempt: int, now: datetime) -> bool:
        """Whether a later attempt of the same message is on its way, so that this one is a leftover.

        A copy that is long overdue is on no queue any more: whoever sends the message again means it.
        """
        if message_id != self.scheduled_message_id or attempt >= self.scheduled_attempt:
            return False
        return self.scheduled_at is None or now < self.scheduled_at + OVERDUE

    def outdated_by(self, states: Collection[State], occurred_at: datetime) -> bool:
        """Whether the account is in one of `states` because of what was asked for later than `occurred_at`.

        Within a second there is no earlier and later: events carry whole seconds.
        """
        return self.state in states and self.asked_at is not None and self.asked_at >= occurred_at + EVENT_RESOLUTION

    def slot_of(self, message_id: str, attempt: int) -> datetime | None:
        """The write slot that an earlier attempt took for this one; None where it has to take one itself."""
        ours = message_id == self.scheduled_message_id and attempt == self.scheduled_attempt
        return self.scheduled_slot if ours else None

    def claimed_by_another(self, owner: str, now: datetime) -> bool:
        """Whether somebody else works on this account at `now`."""
        return self.claimed_by not in {"", owner} and self.claimed_until is not None and now < self.claimed_until


def claim(
    record: AccountRecord, *, owner: str, now: datetime, seconds: float, connecting: bool = False
) -> AccountRecord:
    """The record while `owner` works on it, for `seconds` at most; `connecting` where it makes a connector.

    That an account has left stays said until it is connected again: the request may be older than its leaving.
    """
    claimed = replace(record, claimed_by=owner, claimed_until=now + timedelta(seconds=seconds))
    if record.state in {State.CONNECTED, *LEFT} or not connecting:
        return claimed
    return replace(claimed, state=State.CONNECTING, state_at=now, reason="", remedy="")


def advance(record: AccountRecord, entry: HistoryEntry, *, release: str | None = None) -> AccountRecord:
    """The record after `entry`.

    A state changes only by something that happened later than what made it, so late and repeated reports do
    no harm. A schedule only goes forward, and ends with its message: whoever sends that message again, after
    it came to its end, wants it looked at again. `release` names the owner whose claim ends with this entry.
    """
    changed = _described(record, entry)
    if entry.state is not None and not _is_late(record, entry):
        changed = replace(
            changed,
            state=entry.state,
            state_at=entry.sent_at if entry.state in LEFT and entry.sent_at else entry.at,
            reason=entry.reason,
            remedy=entry.remedy,
            correlation_id=entry.correlation_id,
            policy_hash=entry.policy_hash or record.policy_hash,
            aftercare=entry.aftercare or record.aftercare,
        )
    if entry.state is not None and entry.state not in TOLD and entry.sent_at is not None:
        changed = replace(changed, asked_at=max(entry.sent_at, record.asked_at or entry.sent_at))
    if entry.state is State.CONNECTED and entry.result is Result.CREATED:
        changed = replace(changed, connected_at=max(entry.at, record.connected_at or entry.at))
    if entry.ends_connector and not _is_late(record, entry):
        changed = replace(changed, connector_id="", aftercare="")
    if entry.next_attempt is not None:
        if not record.superseded(entry.message_id, entry.next_attempt, entry.at):
            changed = replace(
                changed,
                scheduled_message_id=entry.message_id,
                scheduled_attempt=entry.next_attempt,
                scheduled_at=entry.next_attempt_at,
                scheduled_slot=entry.write_slot,
            )
    elif entry.message_id == record.scheduled_message_id and entry.attempt >= record.scheduled_attempt:
        changed = replace(changed, scheduled_message_id="", scheduled_attempt=0, scheduled_at=None, scheduled_slot=None)
    if release is not None and record.claimed_by == release:
        changed = replace(changed, claimed_by="", claimed_until=None)
    return changed


def _is_late(record: AccountRecord, entry: HistoryEntry) -> bool:
    """Whether something counts that came after what `entry` tells.

    Work on a request takes time, so what it ends with is no later word than a report that was written after the
    request: between a connector and an account that takes no part, the later one of both requests counts.
    """
    sent, asked = entry.sent_at, record.asked_at
    if entry.state in LEFT and sent is not None:
        told = record.state_at if record.state in TOLD else None
        return any(sent < other for other in (asked, told) if other is not None)
    if entry.state in _OF_REQUESTS and record.outdated_by(LEFT, sent or entry.at):
        return True
    return record.state_at is not None and entry.at < record.state_at


def _described(record: AccountRecord, entry: HistoryEntry) -> AccountRecord:
    """The record with the entry's facts; those of a late entry only where the record has none."""
    late = _is_late(record, entry)

    def choose(told: str, known: str) -> str:
        return (known or told) if late else (told or known)

    return replace(
        record,
        name=choose(entry.name, record.name),
        ou_path=choose(entry.ou_path, record.ou_path),
        connector_id=choose(entry.connector_id, record.connector_id),
        joined_at=(record.joined_at or entry.joined_at) if late else (entry.joined_at or record.joined_at),
    )
