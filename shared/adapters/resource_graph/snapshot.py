"""The connectors of the whole tenant in one query, kept for a minute.

Source: Microsoft.ResourceGraph/resources, api-version 2021-03-01. The `$skipToken` alone says whether there is
another page; `resultTruncated` was recorded as "false" beside one.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from shared.adapters.azure.errors import translated
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.application.ports import Clock
from shared.domain.connectors import Connector, ConnectorId

API_VERSION = "2021-03-01"
MAX_AGE = timedelta(seconds=60)
PAGE_SIZE = 1000
QUERY = (
    "resources | where type =~ 'microsoft.security/securityconnectors'"
    " | project id, name, location, tags, properties, subscriptionId, resourceGroup | order by id asc"
)


class ResourceGraphSnapshot:
    """The tenant's connectors by hierarchy identifier, read again when they are older than a minute.

    What this process wrote itself is remembered over what the graph says, for as long as the graph may lag.
    """

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str, clock: Clock) -> None:
        """Asks the Resource Graph behind the Resource Manager at `arm_endpoint`."""
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=arm_endpoint.rstrip("/"), policies=pipeline_policies(credential), **TIMEOUTS
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at: datetime | None = None
        self._found: dict[str, list[Connector]] = {}
        self._written: dict[str, tuple[datetime, Connector]] = {}

    def find_by_hierarchy(self, hierarchy_identifier: str) -> tuple[Connector, ...]:
        """The connectors of one account, wherever they are in the tenant."""
        with self._lock:
            self._refresh()
            own = [each for _, each in self._written.values() if each.hierarchy_identifier == hierarchy_identifier]
            return _overlaid(self._found.get(hierarchy_identifier, ()), own)

    def list_all(self) -> tuple[Connector, ...]:
        """Every connector of the tenant that the identity may read."""
        with self._lock:
            self._refresh()
            return _overlaid(chain(*self._found.values()), [own for _, own in self._written.values()])

    def _refresh(self) -> None:
        now = self._clock.now()
        if self._read_at is None or now - self._read_at > MAX_AGE:
            self._found = self._read()
            self._read_at = now
            self._written = {key: own for key, own in self._written.items() if now - own[0] <= MAX_AGE}

    def remember(self, connector: Connector) -> None:
        """Keeps a connector that was just read or written; it is newer than the graph."""
        with self._lock:
            self._written[str(connector.connector_id).lower()] = (self._clock.now(), connector)

    def _read(self) -> dict[str, list[Connector]]:
        found: dict[str, list[Connector]] = defaultdict(list)
        token: str | None = None
        while True:
            page = self._page(token)
            for row in page.get("data", []):
                connector = Connector(connector_id=ConnectorId.parse(row["id"]), body=row)
                found[connector.hierarchy_identifier].append(connector)
            token = page.get("$skipToken")
            if not token:
                return dict(found)

    def _page(self, token: str | None) -> dict[str, Any]:
        options: dict[str, Any] = {"resultFormat": "objectArray", "$top": PAGE_SIZE}
        if token:
            options["$skipToken"] = token
        request = HttpRequest(
            "POST",
            "/providers/Microsoft.ResourceGraph/resources",
            params={"api-version": API_VERSION},
            json={"query": QUERY, "options": options},
        )
        with translated("query Resource Graph for connectors"):
            request.url = self._client.format_url(request.url)
            response = self._client.send_request(request)
            response.raise_for_status()
            page: dict[str, Any] = response.json()
        return page


def _overlaid(found: Iterable[Connector], own: list[Connector]) -> tuple[Connector, ...]:
    """What the graph says, with what was written since in its place."""
    newer = {str(each.connector_id).lower() for each in own}
    return (*(each for each in found if str(each.connector_id).lower() not in newer), *own)
