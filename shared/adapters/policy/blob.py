"""A policy in Azure Blob Storage."""

from __future__ import annotations

from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobClient

from shared.adapters.azure import reasons
from shared.adapters.azure.errors import read_failure, translated
from shared.adapters.policy.source import Version, is_no_document
from shared.errors import ConfigurationError

_NOT_MODIFIED = 304
_MISSING = {"BlobNotFound", "ContainerNotFound", "ResourceNotFound"}


class BlobPolicyStore:
    """One blob, read with the identity of the Function App."""

    def __init__(self, credential: TokenCredential, url: str) -> None:
        """`url` is the blob's https address."""
        # The SDK's own default waits 15 s and more before each retry.
        self._blob = BlobClient.from_blob_url(
            url, credential=credential, retry_total=3, initial_backoff=1, increment_base=2, random_jitter_range=1
        )
        self._url = url

    def fetch(self, known_etag: str | None) -> Version | None:
        """The present version, asked for with If-None-Match."""
        conditions: dict[str, Any] = (
            {"etag": known_etag, "match_condition": MatchConditions.IfModified} if known_etag is not None else {}
        )
        with translated(f"read {self._url}"):
            try:
                stream = self._blob.download_blob(**conditions)
                content = stream.readall()
            except ResourceNotFoundError as error:
                if read_failure(error).code not in _MISSING:
                    raise
                raise ConfigurationError(f"{self._url} does not exist", setting="ROLLCALL_POLICY") from error
            except HttpResponseError as error:
                if error.status_code == _NOT_MODIFIED:  # the SDK calls it ResourceModifiedError, by its code
                    return None
                raise
            except ValueError as error:  # a success without Content-Range: azure-storage-blob 12.31 `_download`
                raise reasons.UNREADABLE_ANSWER.error(f"read {self._url}: no answer of a blob ({error})") from error
        if is_no_document(content):
            raise reasons.UNREADABLE_ANSWER.error(f"read {self._url}: nothing, or a web page, instead of a policy")
        return Version(content=content, etag=stream.properties.etag)
