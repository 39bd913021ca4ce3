"""One cell per subscription in table `pacing`, from which processes take slots in blocks."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any

from azure.core.credentials import TokenCredential

from shared.adapters.azure.errors import translated
from shared.adapters.ledger.tables import read_row, table, tries, write_row
from shared.application.ports import Clock
from shared.domain.pacing import WriteRate, is_stale
from shared.errors import TransientError

PACING = "pacing"
BLOCK = 5
_PARTITION = "arm-writes"


class TablePacer:
    """Hands out write slots of a subscription; the cell is shared by all processes, guarded by its ETag."""

    def __init__(self, credential: TokenCredential, *, table_endpoint: str, rate: WriteRate, clock: Clock) -> None:
        """`table_endpoint` is the account's table address, https."""
        self._table = table(credential, table_endpoint, PACING)
        self._rate = rate
        self._clock = clock
        self._slots: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def reserve(self, subscription_id: str) -> datetime:
        """When the next write to that subscription may be made (UTC). Slots of a block expire unused."""
        with self._lock:
            slots = self._slots.setdefault(subscription_id, deque())
            while slots and is_stale(slots[0], self._clock.now()):
                slots.popleft()
            if not slots:
                slots.extend(self._take_block(subscription_id))
            return slots.popleft()

    def _take_block(self, subscription_id: str) -> list[datetime]:
        for _ in tries():
            with translated(f"reserve writes of subscription {subscription_id}"):
                row, etag = read_row(self._table, _PARTITION, subscription_id)
                slots, following = self._rate.reserve(_cell(row), self._clock.now(), BLOCK)
                changed = {"PartitionKey": _PARTITION, "RowKey": subscription_id, "next_free_at": following}
                if write_row(self._table, changed, etag):
                    return slots
        raise TransientError("the pacing cell was changed too often while we wrote")


def _cell(row: dict[str, Any] | None) -> datetime | None:
    """When the next slot is free; None where nobody took one yet."""
    return None if row is None else datetime.fromtimestamp(row["next_free_at"].timestamp(), tz=UTC)
