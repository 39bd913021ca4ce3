"""The connectors of the whole tenant in one query, kept for a minute."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import datetime, timedelta

from azure.core.credentials import TokenCredential

from shared.adapters.resource_graph.query import ResourceGraph
from shared.application.ports import Clock
from shared.domain.connectors import Connector, ConnectorId

MAX_AGE = timedelta(seconds=60)
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
        self._graph = ResourceGraph(credential, arm_endpoint=arm_endpoint)
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at: datetime | None = None
        self._found: dict[str, list[Connector]] = {}
        self._written: dict[str, tuple[datetime, Connector]] = {}
        self._deleted: dict[str, datetime] = {}

    def find_by_hierarchy(self, hierarchy_identifier: str) -> tuple[Connector, ...]:
        """The connectors of one account, wherever they are in the tenant."""
        with self._lock:
            now = self._clock.now()
            if self._read_at is None or now - self._read_at > MAX_AGE:
                self._found = self._read()
                self._read_at = now
                self._written = {key: own for key, own in self._written.items() if now - own[0] <= MAX_AGE}
                self._deleted = {key: at for key, at in self._deleted.items() if now - at <= MAX_AGE}
            seen = self._found.get(hierarchy_identifier, ())
            found = [each for each in seen if str(each.connector_id).lower() not in self._deleted]
            for _, own in self._written.values():
                if own.hierarchy_identifier == hierarchy_identifier:
                    found = [other for other in found if not other.connector_id.same_as(own.connector_id)]
                    found.append(own)
            return tuple(found)

    def remember(self, connector: Connector) -> None:
        """Keeps a connector that was just read or written; it is newer than the graph."""
        with self._lock:
            self._deleted.pop(str(connector.connector_id).lower(), None)
            self._written[str(connector.connector_id).lower()] = (self._clock.now(), connector)

    def forget(self, connector_id: ConnectorId) -> None:
        """Leaves out a connector that was just deleted; the graph still shows it for a while."""
        with self._lock:
            self._written.pop(str(connector_id).lower(), None)
            self._deleted[str(connector_id).lower()] = self._clock.now()

    def _read(self) -> dict[str, list[Connector]]:
        found: dict[str, list[Connector]] = defaultdict(list)
        for row in self._graph.rows(QUERY, doing="query Resource Graph for connectors"):
            connector = Connector(connector_id=ConnectorId.parse(row["id"]), body=row)
            found[connector.hierarchy_identifier].append(connector)
        return dict(found)
