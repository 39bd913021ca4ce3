"""Messages that were given up: which kind of reason stands behind one, and whether it still does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.accounts import Provider
from shared.domain.ledger import LEFT, AccountKey, AccountRecord, State

UNREADABLE = "unreadable-message"
"""Nothing can be made of it as it is: the heading of docs/runbook.md, too."""
GIVEN_UP = "given-up"
"""A function failed on it as often as its queue lets it; the reason stands in the function's log."""
SPENT = "retry-budget-spent"
OTHER = "other"
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
class Wanted:
    """Which of the messages are meant; what is left empty excludes none.

    `message_ids` may be the beginnings of ids; `older_than` and `newer_than` are moments.
    """

    message_ids: frozenset[str] = frozenset()
    account: str = ""
    provider: Provider | None = None
    reason_class: str = ""
    older_than: datetime | None = None
    newer_than: datetime | None = None

    def covers(self, message_id: str, key: AccountKey | None, reason_class: str, since: datetime | None) -> bool:
        """Whether a message is meant, given up at `since`; one of unknown age is neither older nor newer."""
        return (
            (not self.message_ids or message_id.startswith(tuple(self.message_ids)))
            and (not self.account or (key is not None and key.hierarchy_identifier == self.account))
            and (self.provider is None or (key is not None and key.provider is self.provider))
            and (not self.reason_class or reason_class == self.reason_class)
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

    `fault` is what is wrong with the message as it is; `excluded` why the policy leaves the account out.
    """

    fault: str
    was_unreadable: bool
    asks_connector: bool
    record: AccountRecord | None
    given_up_at: datetime | None
    excluded: str
    policy_changed: bool

    @property
    def _account(self) -> AccountRecord | None:
        return self.record if self.asks_connector else None

    @property
    def ended(self) -> str:
        """How the account left, where it takes no part any more."""
        account = self._account
        if account is None or account.state not in _ENDED:
            return ""
        return f"the account is {account.state}: {account.reason or 'see its status'}"

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
        (evidence.connected_since, Prospect.MOOT, "the account is connected; a replay changes nothing"),
        (bool(left_out), Prospect.MOOT, f"the policy leaves the account out: {left_out}"),
        (
            evidence.policy_changed,
            Prospect.UNKNOWN,
            "the policy has changed since; a replay shows whether that was it",
        ),
        (True, Prospect.UNKNOWN, "nothing here tells; a replay after the remedy shows it"),
    )
    return next(Diagnosis(prospect=prospect, why=why) for applies, prospect, why in found if applies)
