"""Table `sweeps`: one row for each kind of sweep, of the last time."""

from __future__ import annotations

from datetime import UTC, datetime

from azure.core.credentials import TokenCredential
from azure.data.tables import UpdateMode

from shared.adapters.azure.errors import translated
from shared.adapters.ledger.tables import table
from shared.domain.sweeps import Sweep

SWEEPS = "sweeps"
_PARTITION = "sweep"


class TableSweepLog:
    """The row of each sweep by its name."""

    def __init__(self, credential: TokenCredential, *, table_endpoint: str) -> None:
        """`table_endpoint` is the account's table address, https."""
        self._table = table(credential, table_endpoint, SWEEPS)

    def record(self, sweep: Sweep) -> None:
        """Replaces the row of that sweep."""
        with translated(f"record the sweep {sweep.name}"):
            entity = {
                "PartitionKey": _PARTITION,
                "RowKey": sweep.name,
                "at": sweep.at,
                "seen": sweep.seen,
                "failed": sweep.failed,
            }
            self._table.upsert_entity(entity, mode=UpdateMode.REPLACE)

    def list_last(self) -> tuple[Sweep, ...]:
        """The last sweep of each kind, by name."""
        with translated("read when everything was swept"):
            found = list(self._table.query_entities("PartitionKey eq @name", parameters={"name": _PARTITION}))
        return tuple(
            Sweep(
                name=each["RowKey"],
                at=datetime.fromtimestamp(each["at"].timestamp(), tz=UTC),
                seen=int(each["seen"]),
                failed=int(each["failed"]),
            )
            for each in found
        )
