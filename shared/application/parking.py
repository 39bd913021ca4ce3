"""How a message is set aside for a person: on the poison queue, with its reason, whatever its size."""

from __future__ import annotations

from dataclasses import dataclass

from shared.application.ports import Clock, ParkedBodies, RequestQueue
from shared.messages.parked_request import ParkedRequest


@dataclass(frozen=True, kw_only=True)
class Parking:
    """Where messages wait for a person."""

    queue: RequestQueue
    bodies: ParkedBodies
    clock: Clock

    def put(self, body: bytes, *, reason: str, remedy: str) -> None:
        """Parks `body`. What leaves no room for its reason is kept apart first: a crash in between loses nothing."""
        now = self.clock.now()
        parked = ParkedRequest.of(body, reason=reason, remedy=remedy, at=now)
        if not parked.fits:
            parked = ParkedRequest.apart(body, reason=reason, remedy=remedy, at=now)
            self.bodies.keep(parked.raw_sha256 or "", body)
        self.queue.park(parked)
