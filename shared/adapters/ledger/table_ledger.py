"""The ledger through azure-data-tables; every change of a row is guarded by its ETag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from azure.core.credentials import TokenCredential
from azure.data.tables import UpdateMode

from shared.adapters.azure.errors import translated
from shared.adapters.ledger.rows import Entity, account_entity, account_record, history_entity, history_entry
from shared.adapters.ledger.tables import read_row, table, tries, write_row
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, advance, claim
from shared.errors import TransientError

ACCOUNTS = "accounts"
HISTORY = "history"


class TableLedger:
    """Tables `accounts` and `history` of one storage account."""

    def __init__(self, credential: TokenCredential, *, table_endpoint: str) -> None:
        """`table_endpoint` is the account's table address, https."""
        self._accounts = table(credential, table_endpoint, ACCOUNTS)
        self._history = table(credential, table_endpoint, HISTORY)

    def find(self, key: AccountKey) -> AccountRecord | None:
        """The account's line; None where nothing was ever reported."""
        with translated(f"read the ledger of {key}"):
            return self._read(key)[0]

    def claim(self, key: AccountKey, *, owner: str, now: datetime, seconds: float, connecting: bool = False) -> bool:
        """Takes the account for `owner` by the row's ETag; False where another's claim is still running."""
        refused = False

        def take(record: AccountRecord) -> AccountRecord | None:
            nonlocal refused
            refused = record.claimed_by_another(owner, now)
            return None if refused else claim(record, owner=owner, now=now, seconds=seconds, connecting=connecting)

        self._change(key, take)
        return not refused

    def record(self, entry: HistoryEntry, *, release: str | None = None) -> None:
        """Adds to the history, then advances the account's line."""
        with translated(f"write the history of {entry.key}"):
            self._history.upsert_entity(history_entity(entry), mode=UpdateMode.REPLACE)
        self._change(entry.key, lambda record: advance(record, entry, release=release))

    def list_records(self, between: tuple[AccountKey, AccountKey] | None = None) -> Iterator[AccountRecord]:
        """Every account's line, by provider and hierarchy identifier; a thousand in an answer."""
        with translated("list the ledger"):
            for entity in self._accounts.list_entities() if between is None else self._between(*between):
                yield account_record(entity)

    def _between(self, first: AccountKey, last: AccountKey) -> Iterator[Entity]:
        names = {"kind": str(first.provider), "first": first.hierarchy_identifier, "last": last.hierarchy_identifier}
        wanted = "PartitionKey eq @kind and RowKey ge @first and RowKey le @last"
        return iter(self._accounts.query_entities(wanted, parameters=names))

    def history(self, key: AccountKey) -> Iterator[HistoryEntry]:
        """What happened to an account, newest first."""
        with translated(f"read the history of {key}"):
            for entity in self._history.query_entities("PartitionKey eq @key", parameters={"key": str(key)}):
                yield history_entry(entity)

    def _read(self, key: AccountKey) -> tuple[AccountRecord | None, str | None]:
        entity, etag = read_row(self._accounts, str(key.provider), key.hierarchy_identifier)
        return (None if entity is None else account_record(entity)), etag

    def _change(self, key: AccountKey, transform: Callable[[AccountRecord], AccountRecord | None]) -> None:
        """Reads, transforms and writes a row until nobody was faster; None from `transform` leaves it alone."""
        for _ in tries():
            with translated(f"write the ledger of {key}"):
                record, etag = self._read(key)
                changed = transform(record or AccountRecord(key=key))
                if changed is None or changed == record or write_row(self._accounts, account_entity(changed), etag):
                    return
        raise TransientError(f"the ledger's row of {key} was changed again and again while we wrote")
