"""Whose connectors were taken away on a day: one row of table `pacing` for each day and cloud."""

from __future__ import annotations

import random
import time
from datetime import datetime

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import UpdateMode

from shared.adapters.azure.errors import names_no_resource, translated
from shared.adapters.ledger.pacing import PACING
from shared.adapters.ledger.tables import table
from shared.domain.ledger import AccountKey
from shared.errors import TransientError

_TRIES = 8


class TableRemovals:
    """The row is shared by all processes, guarded by its ETag; at most a thousand accounts fit into a policy's cap."""

    def __init__(self, credential: TokenCredential, *, table_endpoint: str) -> None:
        """`table_endpoint` is the account's table address, https."""
        self._table = table(credential, table_endpoint, PACING)

    def take(self, key: AccountKey, most: int, now: datetime) -> bool:
        """Counts the account in, once for a day (UTC); False where as many others as are allowed are counted."""
        partition, day = f"removals-{key.provider}", f"{now:%Y%m%d}"
        for attempt in range(_TRIES):
            with translated(f"count what is taken away on {day}"):
                taken, etag = self._read(partition, day)
                if key.hierarchy_identifier in taken:
                    return True
                if len(taken) >= most:
                    return False
                try:
                    self._write(partition, day, [*taken, key.hierarchy_identifier], etag)
                except (ResourceExistsError, ResourceModifiedError):
                    time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - spreads writers, no secret
                else:
                    return True
        raise TransientError("what is taken away was counted by others too often while we wrote")

    def _read(self, partition: str, day: str) -> tuple[list[str], str | None]:
        try:
            entity = self._table.get_entity(partition, day)
        except ResourceNotFoundError as error:
            if names_no_resource(error):
                return [], None
            raise
        return str(entity["accounts"]).split(), entity.metadata["etag"]

    def _write(self, partition: str, day: str, taken: list[str], etag: str | None) -> None:
        entity = {"PartitionKey": partition, "RowKey": day, "accounts": " ".join(taken)}
        if etag is None:
            self._table.create_entity(entity)
            return
        self._table.update_entity(
            entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
        )
