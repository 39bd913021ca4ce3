"""One cell per subscription in table `pacing`, from which processes take slots in blocks."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import UpdateMode

from shared.adapters.azure.errors import names_no_resource, translated
from shared.adapters.ledger.tables import table
from shared.application.ports import Clock
from shared.domain.pacing import WriteRate, is_stale
from shared.errors import TransientError

PACING = "pacing"
BLOCK = 5
_TRIES = 8


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
        for attempt in range(_TRIES):
            with translated(f"reserve writes of subscription {subscription_id}"):
                cell, etag = self._read(subscription_id)
                slots, following = self._rate.reserve(cell, self._clock.now(), BLOCK)
                try:
                    self._write(subscription_id, following, etag)
                except (ResourceExistsError, ResourceModifiedError):
                    time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - spreads writers, no secret
                else:
                    return slots
        raise TransientError("the pacing cell was changed too often while we wrote")

    def _read(self, subscription_id: str) -> tuple[datetime | None, str | None]:
        try:
            entity = self._table.get_entity("arm-writes", subscription_id)
        except ResourceNotFoundError as error:
            if names_no_resource(error):
                return None, None
            raise
        moment: datetime = entity["next_free_at"]
        return datetime.fromtimestamp(moment.timestamp(), tz=UTC), entity.metadata["etag"]

    def _write(self, subscription_id: str, next_free_at: datetime, etag: str | None) -> None:
        entity: dict[str, Any] = {
            "PartitionKey": "arm-writes",
            "RowKey": subscription_id,
            "next_free_at": next_free_at,
        }
        if etag is None:
            self._table.create_entity(entity)
            return
        self._table.update_entity(
            entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
        )
