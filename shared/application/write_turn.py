"""A write waits for its turn in the subscription's budget: shortly here, longer on the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain.pacing import is_stale

if TYPE_CHECKING:
    from shared.application.onboard_ports import OnboardPorts
    from shared.application.outcome import Outcome
    from shared.application.settlement import Settlement
    from shared.domain.ledger import AccountRecord
    from shared.messages.connector_request import ConnectorRequest

LONGEST_PACING_WAIT_SECONDS = 20.0


def await_turn(
    request: ConnectorRequest,
    record: AccountRecord | None,
    subscription_id: str,
    ports: OnboardPorts,
    settlement: Settlement,
) -> Outcome | None:
    """None once the turn has come; where it is far away the request is put off until then, with its turn kept."""
    slot = record.slot_of(str(request.message_id), request.attempt) if record else None
    if slot is None or is_stale(slot, ports.clock.now()):
        slot = ports.pacer.reserve(subscription_id)
    wait = (slot - ports.clock.now()).total_seconds()
    if wait > LONGEST_PACING_WAIT_SECONDS:
        return settlement.wait("the subscription's write budget is spoken for", wait, write_slot=slot)
    if wait > 0:
        ports.clock.sleep(wait)
    return None
