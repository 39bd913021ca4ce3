"""How ledger values are written as table entities, and read back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, Result, State

Entity = dict[str, Any]
"""A table entity: PartitionKey, RowKey and properties of the EDM types."""

_LAST_MICROSECOND = int(datetime.max.replace(tzinfo=UTC).timestamp()) * 1_000_000


def account_entity(record: AccountRecord) -> Entity:
    """The row of table `accounts`: partition provider, row hierarchy identifier."""
    return {
        "PartitionKey": str(record.key.provider),
        "RowKey": record.key.hierarchy_identifier,
        **_properties(record),
    }


def account_record(entity: Mapping[str, Any]) -> AccountRecord:
    """Reads a row of table `accounts`; columns that are missing have their default."""
    key = AccountKey(provider=Provider(entity["PartitionKey"]), hierarchy_identifier=entity["RowKey"])
    return AccountRecord(key=key, **_facts(entity, AccountRecord))


def history_entity(entry: HistoryEntry) -> Entity:
    """The row of table `history`: newest first by its key, and the same entry always the same row."""
    ticks = _LAST_MICROSECOND - int(entry.at.timestamp() * 1_000_000)
    identity = f"{entry.message_id}|{entry.attempt}|{entry.step}|{entry.result}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return {"PartitionKey": str(entry.key), "RowKey": f"{ticks:018d}-{digest}", **_properties(entry)}


def history_entry(entity: Mapping[str, Any]) -> HistoryEntry:
    """Reads a row of table `history`."""
    provider, _, identifier = entity["PartitionKey"].partition("-")
    key = AccountKey(provider=Provider(provider), hierarchy_identifier=identifier)
    return HistoryEntry(key=key, **_facts(entity, HistoryEntry))


def _properties(value: AccountRecord | HistoryEntry) -> Entity:
    named = {field.name: getattr(value, field.name) for field in fields(value) if field.name != "key"}
    return {
        name: str(item) if isinstance(item, State | Result) else item
        for name, item in named.items()
        if item is not None
    }


def _facts(entity: Mapping[str, Any], kind: type[AccountRecord] | type[HistoryEntry]) -> dict[str, Any]:
    facts = {field.name: entity[field.name] for field in fields(kind) if field.name in entity}
    if "state" in facts:
        facts["state"] = State(facts["state"])
    if "result" in facts:
        facts["result"] = Result(facts["result"])
    return {name: _utc(item) if isinstance(item, datetime) else item for name, item in facts.items()}


def _utc(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), tz=UTC)
