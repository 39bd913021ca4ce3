"""Messages that were given up: which kind of reason stands behind one, and whether it still does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.accounts import Provider
from shared.domain.ledger import LEFT, AccountRecord, State

UNREADABLE = "unreadable-message"
"""Nothing can be made of it as it is: the heading of docs/runbook.md, too."""
GIVEN_UP = "given-up"
"""A function failed on it as often as its queue lets it; the reason stands in the function's log."""
SPENT = "retry-budget-spent"
OTHER = "other"
EVENT_QUEUES = ("account-events", "stack-events", "reconcile")
"""AWS's queues of events, as commands and reports name them."""
DEAD_LETTERS = tuple(f"{each}-dead-letters" for each in EVENT_QUEUES)
_RUNBOOK = re.compile(r"Runbook: ([a-z0-9-]+)\.")
_ENDED = LEFT | {State.OFFBOARDED}


class Prospect(StrEnum):
    """What is known of the cause of a given-up message now."""

    GONE = "gone"
    REMAINS = "remains"
    MOOT = "moot"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Whether a replay makes sense, and why."""

    prospect: Prospect
    why: str


@dataclass(frozen=True, kw_only=True)
class Described:
    """What of a message tells whether it is meant.

    `names` are the account's id, or the project's number and id, as far as the message says them; `since` is when
    it was given up.
    """

    message_id: str
    names: frozenset[str]
    provider: Provider | None
    reason_class: str
    since: datetime | None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which of the messages are meant; what is left empty excludes none.

    `message_ids` may be the beginnings of ids; `account` is an account's id, or a project's number or id;
    `older_than` and `newer_than` are moments.
    """

    message_ids: frozenset[str] = frozenset()
    account: str = ""
    provider: Provider | None = None
    reason_class: str = ""
    older_than: datetime | None = None
    newer_than: datetime | None = None

    def covers(self, message: Described) -> bool:
        """Whether a message is meant; one of unknown age is neither older nor newer."""
        since = message.since
        return (
            (not self.message_ids or message.message_id.startswith(tuple(self.message_ids)))
            and (not self.account or self.account in message.names)
            and (self.provider is None or message.provider is self.provider)
            and (not self.reason_class or message.reason_class == self.reason_class)
            and (self.older_than is None or (since is not None and since <= self.older_than))
            and (self.newer_than is None or (since is not None and since >= self.newer_than))
        )


def reason_class(*, readable: bool, reason: str, remedy: str) -> str:
    """The kind of reason: the heading in docs/runbook.md that the remedy names, or one of the classes above."""
    if not readable:
        return UNREADABLE
    if not reason:
        return GIVEN_UP
    named = _RUNBOOK.findall(remedy)
    if named:
        return str(named[-1])
    return SPENT if reason.startswith("tried for ") else OTHER


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a message and its account now.

    `fault` is what is wrong with the message as it is; `excluded` why the policy leaves the account out. `noun` is what
    its cloud calls it, an account or a project.
    """

    fault: str
    was_unreadable: bool
    asks_connector: bool
    record: AccountRecord | None
    given_up_at: datetime | None
    excluded: str
    policy_changed: bool
    noun: str = "account"

    @property
    def _account(self) -> AccountRecord | None:
        return self.record if self.asks_connector else None

    @property
    def ended(self) -> str:
        """How the account left, where it takes no part any more."""
        account = self._account
        if account is None or account.state not in _ENDED:
            return ""
        return f"the {self.noun} is {account.state}: {account.reason or 'see its status'}"

    @property
    def connected_since(self) -> bool:
        """Whether the account was connected after its message was given up."""
        account = self._account
        if account is None or account.state is not State.CONNECTED:
            return False
        return self.given_up_at is None or account.state_at is None or account.state_at > self.given_up_at


def diagnose(evidence: Evidence) -> Diagnosis:
    """What became of the cause."""
    left_out = evidence.excluded if evidence.asks_connector else ""
    found = (
        (bool(evidence.fault), Prospect.REMAINS, evidence.fault),
        (evidence.was_unreadable, Prospect.GONE, "the message can be read by now"),
        (bool(evidence.ended), Prospect.MOOT, evidence.ended),
        (evidence.connected_since, Prospect.MOOT, f"the {evidence.noun} is connected; a replay changes nothing"),
        (bool(left_out), Prospect.MOOT, f"the policy leaves the {evidence.noun} out: {left_out}"),
        (
            evidence.policy_changed,
            Prospect.UNKNOWN,
            "the policy has changed since; a replay shows whether that was it",
        ),
        (True, Prospect.UNKNOWN, "nothing here tells; a replay after the remedy shows it"),
    )
    return next(Diagnosis(prospect=prospect, why=why) for applies, prospect, why in found if applies)
