"""The policy's place in Azure Blob Storage, for whoever publishes it."""

from __future__ import annotations

import hashlib
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobClient, ContentSettings

from shared.adapters.azure.errors import read_failure, translated
from shared.domain.publication import PublishedPolicy
from shared.errors import TransientError

_CHANGED = {"blobalreadyexists", "conditionnotmet"}


class BlobPolicyDestination:
    """One blob, written with an MD5 that Storage verifies and only over the version that was read."""

    def __init__(self, credential: TokenCredential, url: str) -> None:
        """`url` is the blob's https address; its container has to exist."""
        self._blob = BlobClient.from_blob_url(
            url, credential=credential, retry_total=3, initial_backoff=1, increment_base=2, random_jitter_range=1
        )
        self._url = url

    @property
    def url(self) -> str:
        """The blob's https address."""
        return self._url

    def find(self) -> PublishedPolicy | None:
        """The blob's hash and ETag."""
        with translated(f"read {self._url}"):
            try:
                stream = self._blob.download_blob()
                content = stream.readall()
            except ResourceNotFoundError as error:
                if read_failure(error).code == "BlobNotFound":
                    return None
                raise
        return PublishedPolicy(content_hash=hashlib.sha256(content).hexdigest(), version=stream.properties.etag)

    def put(self, content: bytes, *, over: PublishedPolicy | None) -> None:
        """Put Blob with If-Match or If-None-Match."""
        condition: dict[str, Any] = (
            {"overwrite": True, "etag": over.version, "match_condition": MatchConditions.IfNotModified}
            if over
            else {"overwrite": False}
        )
        with translated(f"write {self._url}"):
            try:
                self._blob.upload_blob(
                    content,
                    validate_content=True,
                    content_settings=ContentSettings(content_type="application/yaml"),
                    **condition,
                )
            except HttpResponseError as error:
                if read_failure(error).code.lower() in _CHANGED:
                    raise TransientError(
                        f"{self._url} has changed while it was being written", remedy="Run it again."
                    ) from error
                raise
