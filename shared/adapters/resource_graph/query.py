"""One query of Resource Graph over the whole tenant, page by page.

Source: Microsoft.ResourceGraph/resources, api-version 2021-03-01. The `$skipToken` alone says whether there is
another page; `resultTruncated` was recorded as "false" beside one. `x-ms-tenant-subscription-limit-hit`: "Guidance for
throttled requests": more than 10,000 subscriptions are not looked at in one query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from shared.adapters.azure.bodies import objects_in, text_in
from shared.adapters.azure.errors import translated
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.adapters.resource_graph.quota import RESETS_AFTER, Quota
from shared.application.ports import Clock
from shared.errors import PermanentError, TransientError

API_VERSION = "2021-03-01"
PAGE_SIZE = 1000
MOST_TRIES = 8
_TOO_MANY = 429
_LIMIT_HIT = "x-ms-tenant-subscription-limit-hit"
_PLAIN = re.compile(r"[^'\\\n]+")


class ResourceGraph:
    """What the caller may not read is left out by the service without a word."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str, patient: Clock | None = None) -> None:
        """Asks the Resource Graph behind the Resource Manager at `arm_endpoint`.

        A `patient` one waits, some seconds, where the quota is spent, which it sees before it asks in vain; another
        leaves that to its caller's queue.
        """
        self.left_out = False
        """Whether an answer so far lacked subscriptions because there are too many for one query."""
        self._quota = Quota(patient) if patient is not None else None
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=arm_endpoint.rstrip("/"), policies=pipeline_policies(credential), **TIMEOUTS
        )

    def rows(self, query: str, *, doing: str) -> Iterator[dict[str, Any]]:
        """Every row; `query` has to order them. Raises TransientError, ConfigurationError."""
        token = ""
        while True:
            page = self._page(query, token, doing)
            with translated(doing):
                found, token = objects_in(page, "data"), text_in(page, "$skipToken")
            yield from found
            if not token:
                if str(page.get("resultTruncated")).lower() == "true":
                    raise TransientError(f"{doing}: Resource Graph gave a part of the answer, and no way to the rest")
                return

    def _page(self, query: str, token: str, doing: str) -> dict[str, Any]:
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
            response = self._asked(request)
            response.raise_for_status()
            self.left_out = self.left_out or response.headers.get(_LIMIT_HIT, "").lower() == "true"
            page: dict[str, Any] = response.json()
        return page

    def _asked(self, request: HttpRequest) -> Any:
        """The answer; where the quota is spent and we are patient, that of a later try."""
        if self._quota is None:
            return self._client.send_request(request)
        for _ in range(MOST_TRIES):
            response = self._sent(request, self._quota)
            if not _spent(response):
                break
        return response

    def _sent(self, request: HttpRequest, quota: Quota) -> Any:
        entered = quota.enter()
        headers: Mapping[str, str] = {}
        refused = False
        try:
            response = self._client.send_request(request)
            headers, refused = response.headers, _spent(response)
            return response
        finally:
            quota.leave(entered, headers, refused=refused)


def _spent(response: Any) -> bool:
    """Whether a query was refused because the quota is used up, and not for another reason."""
    return response.status_code == _TOO_MANY and RESETS_AFTER in response.headers


def quoted(names: Sequence[str]) -> str:
    """Names as a list of strings of the query language. Raises PermanentError where one could end its string."""
    wrong = next((name for name in names if not _PLAIN.fullmatch(name)), None)
    if wrong is not None:
        raise PermanentError(f"not a name for a query: {wrong!r}")
    return ", ".join(f"'{name}'" for name in names)
