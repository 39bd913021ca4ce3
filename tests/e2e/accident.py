"""An accident in the storage account of Azure's side: everything in it is gone, or tables, queues and container too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from sandbox.azure.storage import QUEUES, TABLES
from tests.e2e.roll import Identity, Roll

PERSON = "careless"
"""Who does it; the tests count what the product's own identities ask for."""
CONTAINER = "sweeps"
_ROLES = ("Storage Table Data Contributor", "Storage Queue Data Contributor", "Storage Blob Data Owner")
_IN_TRANSACTION = 100


class Accident:
    """The three services of the storage account, by a person who may do everything in them."""

    def __init__(self, roll: Roll, stack: ExitStack) -> None:
        """The clients are closed with `stack`."""
        directory, azure = roll.sandbox.azure.directory, roll.sandbox.azure
        directory.add(PERSON, "user-assigned")
        for role in _ROLES:
            directory.assign(PERSON, role, directory.storage_scope)
        person: Any = Identity(roll.sandbox, PERSON)
        self._tables = stack.enter_context(TableServiceClient(azure.table_url, credential=person))
        self._queues = stack.enter_context(QueueServiceClient(azure.queue_url, credential=person))
        self._blobs = stack.enter_context(BlobServiceClient(azure.blob_url, credential=person))

    def wipe(self) -> dict[str, int]:
        """Deletes all rows, messages and blobs; how many rows of each table and how many blobs there were."""
        gone: dict[str, int] = {}
        for queue in QUEUES:
            self._queues.get_queue_client(queue).clear_messages()
        for table in TABLES:
            gone[table] = self._empty(table)
        container = self._blobs.get_container_client(CONTAINER)
        names = list(container.list_blob_names())
        for name in names:
            container.delete_blob(name)
        return gone | {"blobs": len(names)}

    def _empty(self, table: str) -> int:
        client, gone = self._tables.get_table_client(table), 0
        keys = [
            {name: row[name] for name in ("PartitionKey", "RowKey")}
            for row in client.list_entities(select=["PartitionKey", "RowKey"])
        ]
        for partition in {key["PartitionKey"] for key in keys}:
            rows: Iterator[dict[str, Any]] = (key for key in keys if key["PartitionKey"] == partition)
            while batch := list(islice(rows, _IN_TRANSACTION)):
                client.submit_transaction([("delete", row) for row in batch])
                gone += len(batch)
        return gone

    def drop(self) -> None:
        """Deletes the tables, the queues and the container themselves."""
        for queue in QUEUES:
            self._queues.delete_queue(queue)
        for table in TABLES:
            self._tables.delete_table(table)
        self._blobs.delete_container(CONTAINER)

    def make_again(self) -> None:
        """What `make deploy-azure` makes in the account, empty."""
        for queue in QUEUES:
            self._queues.create_queue(queue)
        for table in TABLES:
            self._tables.create_table(table)
        self._blobs.create_container(CONTAINER)
