"""Use case of `functions/rewrap_poison`: messages that the Functions host gave up are parked, so that none expires.

The host moves them bare, and they are gone after seven days; parked ones stay. A message is parked before the bare
one is deleted: a crash in between leaves it twice, and a replay of both changes nothing the second time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.application import refusals
from shared.application.hold import Hold
from shared.application.parking import Parking
from shared.application.ports import Clock, Ledger, RequestQueue
from shared.application.replay_ports import HIDDEN_SECONDS, GivenUp, GivenUpQueue
from shared.application.settlement import Settlement
from shared.domain.sweeps import Sweep
from shared.domain.trace import trace_id_of
from shared.errors import PermanentError, TransientError

logger = logging.getLogger(__name__)

NAME = "rewrap_poison"
"""The sweep's name, which is its function's."""


class SweepLog(Protocol):
    """When something was swept last."""

    def record(self, sweep: Sweep) -> None:
        """Remembers it in the place of the one before. Raises TransientError, ConfigurationError."""


@dataclass(frozen=True, kw_only=True)
class RewrapPorts:
    """What the use case works with; `parking` puts on the same queue that `poison` looks through."""

    sweeps: SweepLog
    poison: GivenUpQueue
    queue: RequestQueue
    parking: Parking
    ledger: Ledger
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Rewrapped:
    """How many messages were looked at, how many of them parked, and how many could not be."""

    seen: int
    parked: int
    failed: int


def rewrap(ports: RewrapPorts) -> Rewrapped:
    """Parks every message that would expire.

    Raises TransientError, ConfigurationError where the queue cannot be looked through.
    """
    hold = Hold(ports.poison, HIDDEN_SECONDS, ports.clock)
    seen = parked = failed = 0
    began = ports.clock.now()
    try:
        for page in hold.pages():
            for message in page:
                seen += not _is_ours(message, began)
                if (message.parked and message.never_expires) or message.body is None:
                    continue
                try:
                    _park(message, ports)
                    ports.poison.remove(message.taken)
                except (TransientError, PermanentError) as error:
                    failed += 1
                    lasting = isinstance(error, PermanentError)
                    _tell("rewrap_failed", message, error.reason, logging.ERROR if lasting else logging.WARNING)
                    continue
                hold.let_go(message)
                parked += 1
                _tell("rewrapped", message, message.fault or message.reason, logging.ERROR)
    finally:
        hold.give_back()
    ports.sweeps.record(Sweep(name=NAME, at=ports.clock.now(), seen=seen, failed=failed))
    return Rewrapped(seen=seen, parked=parked, failed=failed)


def _is_ours(message: GivenUp, began: datetime) -> bool:
    """Whether this very sweep has put it there: it lies on the queue that is looked through."""
    return message.parked and message.since is not None and message.since >= began


def _park(message: GivenUp, ports: RewrapPorts) -> None:
    if message.parked:  # somebody moved it, and it would expire
        ports.parking.put(message.body or b"", reason=message.reason, remedy=message.remedy)
        return
    if message.request is None:
        advice = refusals.UNREADABLE_MESSAGE.advice
        ports.parking.put(message.body or b"", reason=message.fault, remedy=advice)
        return
    settlement = Settlement(
        request=message.request, queue=ports.queue, parking=ports.parking, ledger=ports.ledger, clock=ports.clock
    )
    settlement.park(message.reason, refusals.GIVEN_UP.advice, refusals.GIVEN_UP.key)


def _tell(what: str, message: GivenUp, reason: str, level: int) -> None:
    facts = {
        "message_id": message.message_id,
        "hierarchy_identifier": message.key.hierarchy_identifier if message.key else "",
        "reason": reason,
    }
    if message.request is not None:
        facts["correlation_id"] = message.request.correlation_id
        facts["trace_id"] = trace_id_of(message.request.traceparent)
    logger.log(level, what, extra=facts)
