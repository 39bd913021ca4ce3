"""Use case of `rollcall onboard`: asks for an account by the same door through which events come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shared.application.ports import Clock, Ledger
from shared.domain.ledger import AccountKey, AccountRecord, State

SETTLED = frozenset({State.CONNECTED, State.EXCLUDED, State.DEPLOY_FAILED, State.PARKED, State.DEPARTED})


class AccountEvents(Protocol):
    """The event bus of the management account."""

    def request_onboarding(self, account_id: str) -> str:
        """Asks for an account; returns the event's id. Raises TransientError, ConfigurationError."""


@dataclass(frozen=True, kw_only=True)
class WaitPorts:
    """What the waiting needs."""

    ledger: Ledger
    clock: Clock


def request_onboarding(key: AccountKey, events: AccountEvents) -> str:
    """Sends the request; returns the event's id."""
    return events.request_onboarding(key.hierarchy_identifier)


def wait_until_settled(
    key: AccountKey, before: AccountRecord | None, ports: WaitPorts, *, timeout_seconds: float
) -> AccountRecord | None:
    """The account's line once something after `before` ended its way; None where that takes too long."""
    waited = 0.0
    last_change = before.state_at if before else None
    while True:
        record = ports.ledger.find(key)
        if record is not None and record.state in SETTLED and record.state_at != last_change:
            return record
        if waited >= timeout_seconds:
            return None
        ports.clock.sleep(0.5)
        waited += 0.5
