"""Which queues, tables and containers there are, as one identity sees them.

Source: Queue service REST API (Get Queue Metadata, Create Queue), Table service (Query Entities), Blob service (Get
Container Properties); each says with a code of its own that something is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from shared.adapters.azure.errors import read_failure, translated
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.adapters.ledger.tables import table
from shared.adapters.queue.storage_queue import queue_client

_MISSING = {"QueueNotFound", "TableNotFound", "ResourceNotFound", "ContainerNotFound"}
_RETRIES: dict[str, Any] = {"retry_total": 3, "initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}


class StorageAccount:
    """One storage account by its three addresses."""

    def __init__(
        self, credential: TokenCredential, *, queue_endpoint: str, table_endpoint: str, container_urls: Sequence[str]
    ) -> None:
        """`container_urls` are the https addresses of the containers that settings name."""
        self._credential = credential
        self._queues = queue_endpoint
        self._tables = table_endpoint
        self._containers = tuple(container_urls)

    @property
    def account(self) -> str:
        """The first part of the host; in a sandbox the first of the path."""
        parts = urlsplit(self._queues)
        host = (parts.hostname or "").partition(".")[0]
        return parts.path.strip("/").partition("/")[0] or host

    def queues(self, names: Sequence[str]) -> Mapping[str, bool]:
        """Each by its metadata."""
        return {
            name: _there(
                f"look for queue {name}", queue_client(self._credential, self._queues, name).get_queue_properties
            )
            for name in names
        }

    def tables(self, names: Sequence[str]) -> Mapping[str, bool]:
        """Each by its first row."""
        return {name: _there(f"look for table {name}", lambda name=name: self._first_row(name)) for name in names}  # type: ignore[misc]  # a default binds the name

    def containers(self) -> Mapping[str, bool]:
        """Each by its properties."""
        found = {}
        for url in self._containers:
            client: Any = ContainerClient.from_container_url(url, credential=self._credential, **_RETRIES, **TIMEOUTS)
            name = url.rstrip("/").rpartition("/")[2]
            found[name] = _there(f"look for container {name}", client.get_container_properties)
        return found

    def make_queue(self, name: str) -> None:
        """Create Queue."""
        with translated(f"make queue {name}"):
            try:
                queue_client(self._credential, self._queues, name).create_queue()
            except ResourceExistsError as error:
                if read_failure(error).code != "QueueAlreadyExists":
                    raise

    def _first_row(self, name: str) -> None:
        rows = table(self._credential, self._tables, name).list_entities(results_per_page=1, select=["PartitionKey"])
        next(iter(rows), None)


def _there(doing: str, ask: Callable[[], object]) -> bool:
    with translated(doing):
        try:
            ask()
        except ResourceNotFoundError as error:
            if read_failure(error).code not in _MISSING:
                raise
            return False
    return True
