"""Whose connectors were taken away on a day: one row of table `pacing` for each day and cloud."""

from __future__ import annotations

from datetime import datetime

from azure.core.credentials import TokenCredential

from shared.adapters.azure.errors import translated
from shared.adapters.ledger.pacing import PACING
from shared.adapters.ledger.tables import read_row, table, tries, write_row
from shared.domain.ledger import AccountKey
from shared.errors import TransientError


class TableRemovals:
    """The row is shared by all processes, guarded by its ETag; at most a thousand accounts fit into a policy's cap."""

    def __init__(self, credential: TokenCredential, *, table_endpoint: str) -> None:
        """`table_endpoint` is the account's table address, https."""
        self._table = table(credential, table_endpoint, PACING)

    def take(self, key: AccountKey, most: int, now: datetime) -> bool:
        """Counts the account in, once for a day (UTC); False where as many others as are allowed are counted."""
        partition, day = f"removals-{key.provider}", f"{now:%Y%m%d}"
        for _ in tries():
            with translated(f"count what is taken away on {day}"):
                row, etag = read_row(self._table, partition, day)
                taken = [] if row is None else str(row["accounts"]).split()
                if key.hierarchy_identifier in taken:
                    return True
                if len(taken) >= most:
                    return False
                counted = " ".join([*taken, key.hierarchy_identifier])
                if write_row(self._table, {"PartitionKey": partition, "RowKey": day, "accounts": counted}, etag):
                    return True
        raise TransientError("what is taken away was counted by others too often while we wrote")
