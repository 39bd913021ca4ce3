"""Use case of `rollcall onboard`: asks for an account by the same door through which events come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shared.application.ports import Clock, Connectors, Ledger, TenantSnapshot
from shared.domain.connectors import ENVIRONMENT_OF, OWNER_TAG, Connector
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.placement import is_ours
from shared.domain.policy import Policy
from shared.domain.standing import made_in_another_mode
from shared.errors import PermanentError

SETTLED = frozenset({State.CONNECTED, State.EXCLUDED, State.DEPLOY_FAILED, State.PARKED, State.DEPARTED})


class AccountEvents(Protocol):
    """The event bus of the management account."""

    def request_onboarding(self, account_id: str) -> str:
        """Asks for an account; returns the event's id. Raises TransientError, ConfigurationError."""


@dataclass(frozen=True, kw_only=True)
class AdoptPorts:
    """What taking a connector over needs."""

    snapshot: TenantSnapshot
    connectors: Connectors


@dataclass(frozen=True, kw_only=True)
class WaitPorts:
    """What the waiting needs."""

    ledger: Ledger
    clock: Clock


def request_onboarding(key: AccountKey, events: AccountEvents) -> str:
    """Sends the request; returns the event's id."""
    return events.request_onboarding(key.hierarchy_identifier)


def adopt(key: AccountKey, policy: Policy, ports: AdoptPorts) -> Connector | None:
    """Tags the one connector of an account or project as ours, so that the usual path may work on it.

    `policy` is that of its cloud. None where no connector is another's.

    Raises PermanentError where there are several, where Defender made it under an Organization connector, or where it
    was made in another mode than the policy's: one of these would stop every account and project that has none yet.
    """
    environment = ENVIRONMENT_OF[policy.provider]
    found = [
        each for each in ports.snapshot.find_by_hierarchy(key.hierarchy_identifier) if each.environment == environment
    ]
    theirs = [each for each in found if not is_ours(each, policy)]
    if not theirs:
        return None
    if len(found) > 1:
        ids = ", ".join(str(each.connector_id) for each in found)
        raise PermanentError(
            f"the {policy.noun} has several connectors: {ids}", remedy="Remove all but one.", key="duplicate-connector"
        )
    [connector] = theirs
    if connector.membership == "member":
        raise PermanentError(
            f"{connector.connector_id} belongs to an Organization connector, which would change it back",
            remedy=f"Exclude the {policy.noun} there first, or use mode member.",
            key="duplicate-connector",
        )
    if (other := made_in_another_mode(connector, policy)) is not None:
        remedy = f"Remove it, or exclude the {policy.noun} in the policy: tagged as ours it would hold up all others."
        raise PermanentError(other.reason, remedy=f"{remedy} Runbook: {other.key}.", key=other.key)
    return ports.connectors.tag(connector.connector_id, OWNER_TAG, policy.organization)


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
