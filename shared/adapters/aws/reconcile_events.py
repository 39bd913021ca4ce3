"""What events say that ask for a comparison of all accounts."""

from __future__ import annotations

from shared.adapters.aws.events import checked_account, read_envelope
from shared.application.reconcile import Part
from shared.errors import PermanentError


def read_reconcile_event(body: str) -> Part:
    """Which part of which run an event of the queue `reconcile` asks for. Raises PermanentError where it is broken.

    The schedule's own event, and one that only asks for a run, begin a run that is named after the event.
    """
    event = read_envelope(body)
    run, after = event.detail.get("run", event.id), event.detail.get("after", "")
    if not isinstance(run, str) or not run or (after != "" and checked_account(event, after) != after):
        raise PermanentError(
            f"event {event.id} names no run to go on with", remedy="See who puts such messages on the queue."
        )
    return Part(run=run, after=after)
