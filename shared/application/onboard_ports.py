"""What the work on the queue `onboarding` is done with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.application.explain_refusal import Explainer, RecentLook, SharedLooks
from shared.application.gcp_ports import Google
from shared.application.parking import Parking
from shared.application.ports import (
    Clock,
    Compliance,
    Connectors,
    Ledger,
    Pacer,
    ParkedBodies,
    PolicySource,
    RequestQueue,
    Subscriptions,
    TenantSnapshot,
)
from shared.domain.ledger import AccountKey
from shared.domain.retry import RetrySchedule

CLAIM_SECONDS = 180.0  # longer than the PUT's own time-out of 150 s


class Removals(Protocol):
    """Whose connectors events have taken away, without a person's word for each."""

    def take(self, key: AccountKey, most: int, now: datetime) -> bool:
        """Counts the account in, once for a day (UTC); False where `most` others of its cloud are counted.

        Raises TransientError, ConfigurationError.
        """


@dataclass(frozen=True, kw_only=True)
class OnboardPorts:
    """What the use case works with."""

    queue: RequestQueue
    bodies: ParkedBodies
    ledger: Ledger
    connectors: Connectors
    snapshot: TenantSnapshot
    subscriptions: Subscriptions
    compliance: Compliance
    pacer: Pacer
    removals: Removals
    policy: PolicySource
    google: Google
    clock: Clock
    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    claim_seconds: float = CLAIM_SECONDS
    shared_looks: SharedLooks = field(default_factory=RecentLook)

    @property
    def parking(self) -> Parking:
        """Where messages wait for a person."""
        return Parking(queue=self.queue, bodies=self.bodies, clock=self.clock)

    @property
    def explainer(self) -> Explainer:
        """Who looks why a project refused Defender."""
        return Explainer(google=self.google, clock=self.clock, shared=self.shared_looks)
