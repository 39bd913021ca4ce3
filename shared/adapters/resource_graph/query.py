"""One query of Resource Graph over the whole tenant, page by page.

Source: Microsoft.ResourceGraph/resources, api-version 2021-03-01. The `$skipToken` alone says whether there is
another page; `resultTruncated` was recorded as "false" beside one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from shared.adapters.azure.errors import translated
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.application.ports import Clock
from shared.errors import PermanentError, TransientError

API_VERSION = "2021-03-01"
PAGE_SIZE = 1000
MOST_TRIES = 8
LONGEST_WAIT_SECONDS = 10.0
_RESETS_AFTER = "x-ms-user-quota-resets-after"
_TOO_MANY = 429
_PLAIN = re.compile(r"[^'\\\n]+")


class ResourceGraph:
    """What the caller may not read is left out by the service without a word."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str, patient: Clock | None = None) -> None:
        """Asks the Resource Graph behind the Resource Manager at `arm_endpoint`.

        A `patient` one waits, some seconds, where the quota is spent (15 queries in 5 s, for all that the identity
        asks); another leaves that to its caller's queue.
        """
        self._patient = patient
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
                if str(page.get("resultTruncated")).lower() == "true":
                    raise TransientError(f"{doing}: Resource Graph gave a part of the answer, and no way to the rest")
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
            response = self._asked(request)
            response.raise_for_status()
            page: dict[str, Any] = response.json()
        return page

    def _asked(self, request: HttpRequest) -> Any:
        """The answer; where the quota is spent and we are patient, that of a later try."""
        response = self._client.send_request(request)
        for number in range(1, MOST_TRIES):
            if self._patient is None or response.status_code != _TOO_MANY or _RESETS_AFTER not in response.headers:
                break
            waiting = min(_seconds(response.headers[_RESETS_AFTER]), LONGEST_WAIT_SECONDS)
            self._patient.sleep(waiting + random.uniform(0, number))  # noqa: S311 - so that not all wake at once
            response = self._client.send_request(request)
        return response


def quoted(names: Sequence[str]) -> str:
    """Names as a list of strings of the query language. Raises PermanentError where one could end its string."""
    wrong = next((name for name in names if not _PLAIN.fullmatch(name)), None)
    if wrong is not None:
        raise PermanentError(f"not a name for a query: {wrong!r}")
    return ", ".join(f"'{name}'" for name in names)


def _seconds(text: str) -> float:
    """`hh:mm:ss` in seconds; a few where it is written otherwise."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.replace(".", "", 1).isdigit() for part in parts):  # noqa: PLR2004
        return LONGEST_WAIT_SECONDS / 2
    hours, minutes, seconds = map(float, parts)
    return hours * 3600 + minutes * 60 + seconds
