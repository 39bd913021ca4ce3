"""How long an account waited for its connector, and which accounts that can be asked of."""

from __future__ import annotations

from datetime import timedelta

from shared.domain.ledger import AccountRecord

NEW_FOR = timedelta(days=3)
"""An account that joined longer ago when its connector was made was there before Rollcall, and is not timed."""


def seconds_to_connect(record: AccountRecord) -> float | None:
    """From joining the organization to the connector; None where that cannot be told, or says nothing of Rollcall.

    An account that left and came back joined after its connector was made.
    """
    if record.joined_at is None or record.connected_at is None:
        return None
    seconds = (record.connected_at - record.joined_at).total_seconds()
    return seconds if 0 <= seconds <= NEW_FOR.total_seconds() else None
