"""Rows that several processes change, in real Azurite: whoever is slower is told so, also where the row is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableClient

from shared.adapters.ledger import pacing, removals, table_ledger
from shared.adapters.ledger.tables import read_row, table, write_row
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, State
from shared.domain.pacing import WriteRate
from tests.contract.conftest import FixedCredential
from tests.contract.test_ports_ledger import entry
from tests.fakes.azure_world import World
from tests.fakes.clock import NOON, FakeClock


def rows_of(world: World, name: str) -> TableClient:
    return table(FixedCredential(world), world.azure.table_url, name)


def row(number: int, account_id: str) -> dict[str, Any]:
    return {"PartitionKey": "rows", "RowKey": account_id, "number": number}


def test_who_was_slower_has_written_nothing(azure_ports: World, account_id: str) -> None:
    rows = rows_of(azure_ports, "pacing")
    assert read_row(rows, "rows", account_id) == (None, None)
    assert write_row(rows, row(1, account_id), None)
    assert not write_row(rows, row(2, account_id), None), "somebody has made it"
    _, etag = read_row(rows, "rows", account_id)
    assert write_row(rows, row(3, account_id), etag)
    assert not write_row(rows, row(4, account_id), etag), "somebody has changed it"
    found, etag = read_row(rows, "rows", account_id)
    assert found is not None
    assert found["number"] == 3
    rows.delete_entity("rows", account_id)
    assert not write_row(rows, row(5, account_id), etag), "somebody has taken it away"
    assert read_row(rows, "rows", account_id) == (None, None)


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_a_table_that_is_missing_is_no_row_that_is(azure_ports: World, account_id: str, etag: str | None) -> None:
    nowhere = rows_of(azure_ports, "nowhere")
    with pytest.raises(ResourceNotFoundError, match="TableNotFound"):
        read_row(nowhere, "rows", account_id)
    with pytest.raises(ResourceNotFoundError, match="TableNotFound"):
        write_row(nowhere, row(1, account_id), etag)


def _record(world: World, account_id: str) -> None:
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id)
    ledger = table_ledger.TableLedger(FixedCredential(world), table_endpoint=world.azure.table_url)
    ledger.record(entry(key))
    found = ledger.find(key)
    assert found is not None
    assert found.state is State.CONNECTED


def _reserve(world: World, account_id: str) -> None:
    pacer = pacing.TablePacer(
        FixedCredential(world), table_endpoint=world.azure.table_url, rate=WriteRate(), clock=FakeClock()
    )
    assert pacer.reserve(account_id) == NOON


def _count(world: World, account_id: str) -> None:
    counted = removals.TableRemovals(FixedCredential(world), table_endpoint=world.azure.table_url)
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id)
    now = NOON + timedelta(days=int(account_id) % 1_000_000)
    assert counted.take(key, 1, now)
    assert not counted.take(AccountKey(provider=Provider.AWS, hierarchy_identifier="1"), 1, now)


@pytest.mark.parametrize(
    ("module", "work"),
    [(table_ledger, _record), (pacing, _reserve), (removals, _count)],
    ids=lambda each: each.__name__,
)
def test_what_is_taken_away_between_reading_and_writing_is_made_again(
    azure_ports: World,
    account_id: str,
    module: Any,
    work: Callable[[World, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ledger was wiped once in the middle of an account's work, and the account was parked for it."""
    struck: list[str] = []

    def then_wiped(client: TableClient, partition: str, name: str) -> tuple[dict[str, Any] | None, str | None]:
        found = read_row(client, partition, name)
        if not struck and found[0] is None:  # nothing yet: somebody makes it, and takes it away after it was read
            client.create_entity({"PartitionKey": partition, "RowKey": name, **BEFORE[module.__name__]})
            found = read_row(client, partition, name)
            client.delete_entity(partition, name)
            struck.append(name)
        return found

    monkeypatch.setattr(module, "read_row", then_wiped)
    work(azure_ports, account_id)
    assert struck


BEFORE: dict[str, dict[str, Any]] = {
    table_ledger.__name__: {},
    pacing.__name__: {"next_free_at": NOON - timedelta(hours=1)},
    removals.__name__: {"accounts": ""},
}
