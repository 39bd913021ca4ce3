"""One query of Resource Graph over the whole tenant, page by page.

Source: Microsoft.ResourceGraph/resources, api-version 2021-03-01. The `$skipToken` alone says whether there is
another page; `resultTruncated` was recorded as "false" beside one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from shared.adapters.azure.errors import translated
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS

API_VERSION = "2021-03-01"
PAGE_SIZE = 1000


class ResourceGraph:
    """What the caller may not read is left out by the service without a word."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str) -> None:
        """Asks the Resource Graph behind the Resource Manager at `arm_endpoint`."""
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=arm_endpoint.rstrip("/"), policies=pipeline_policies(credential), **TIMEOUTS
        )

    def rows(self, query: str, *, doing: str) -> Iterator[dict[str, Any]]:
        """Every row; `query` has to order them. Raises TransientError, ConfigurationError."""
        token: str | None = None
        while True:
            page = self._page(query, token, doing)
            yield from page.get("data") or ()
            token = page.get("$skipToken")
            if not token:
                return

    def _page(self, query: str, token: str | None, doing: str) -> dict[str, Any]:
        options: dict[str, Any] = {"resultFormat": "objectArray", "$top": PAGE_SIZE}
        if token:
            options["$skipToken"] = token
        request = HttpRequest(
            "POST",
            "/providers/Microsoft.ResourceGraph/resources",
            params={"api-version": API_VERSION},
            json={"query": query, "options": options},
        )
        with translated(doing):
            request.url = self._client.format_url(request.url)
            response = self._client.send_request(request)
            response.raise_for_status()
            page: dict[str, Any] = response.json()
        return page
