"""The documents of sweeps, as blobs of one container. Source: Blob service REST API, conditional headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix, ContainerClient

from shared.adapters.azure.errors import read_failure, translated
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.application.sweep_ports import Document

_RETRIES: dict[str, Any] = {"retry_total": 3, "initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}
_GONE = "BlobNotFound"
_CHANGED = {"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"}


class BlobDocuments:
    """Documents by their names; a document's version is its ETag."""

    def __init__(self, credential: TokenCredential, container_url: str) -> None:
        """`container_url` is the container's https address; it has to be there."""
        self._container: Any = ContainerClient.from_container_url(
            container_url, credential=credential, **_RETRIES, **TIMEOUTS
        )

    def find(self, name: str) -> Document | None:
        """The blob as it is now."""
        with translated(f"read {name} of the sweep's documents"):
            try:
                stream = self._container.download_blob(name)
                return Document(content=stream.readall(), version=str(stream.properties.etag))
            except ResourceNotFoundError as error:
                if read_failure(error).code != _GONE:
                    raise
                return None

    def put(self, name: str, content: bytes, *, over: str | None = None) -> bool:
        """One request; the service compares versions."""
        conditions: dict[str, Any] = {"overwrite": over != ""}
        if over:
            conditions |= {"etag": over, "match_condition": MatchConditions.IfNotModified}
        with translated(f"write {name} of the sweep's documents"):
            try:
                self._container.upload_blob(name, content, **conditions)
            except (ResourceExistsError, ResourceModifiedError) as error:
                if read_failure(error).code not in _CHANGED:
                    raise
                return False
        return True

    def list_names(self, prefix: str) -> Iterator[str]:
        """The names, a page after the other."""
        with translated(f"list {prefix} of the sweep's documents"):
            yield from self._container.list_blob_names(name_starts_with=prefix)

    def list_folders(self, prefix: str) -> Iterator[str]:
        """The service leaves out what lies below a folder, so a run of ten thousand documents is one line."""
        with translated(f"list the folders of {prefix} of the sweep's documents"):
            for found in self._container.walk_blobs(name_starts_with=prefix, delimiter="/"):
                if isinstance(found, BlobPrefix):
                    yield found.name.removeprefix(prefix).removesuffix("/")

    def delete(self, name: str) -> None:
        """Deletes the blob."""
        with translated(f"delete {name} of the sweep's documents"):
            try:
                self._container.delete_blob(name)
            except ResourceNotFoundError as error:
                if read_failure(error).code != _GONE:
                    raise
