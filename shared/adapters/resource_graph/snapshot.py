"""The connectors of the whole tenant in one query, kept for a minute."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain

from azure.core.credentials import TokenCredential

from shared.adapters.azure.bodies import checked_connector
from shared.adapters.azure.errors import reads_azure
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
            self._refresh()
            own = [each for _, each in self._written.values() if each.hierarchy_identifier == hierarchy_identifier]
            return self._overlaid(self._found.get(hierarchy_identifier, ()), own)

    def list_all(self) -> tuple[Connector, ...]:
        """Every connector of the tenant that the identity may read."""
        with self._lock:
            self._refresh()
            return self._overlaid(chain(*self._found.values()), [own for _, own in self._written.values()])

    def _refresh(self) -> None:
        now = self._clock.now()
        if self._read_at is None or now - self._read_at > MAX_AGE:
            self._found = self._read()
            self._read_at = now
            self._written = {key: own for key, own in self._written.items() if now - own[0] <= MAX_AGE}
            self._deleted = {key: at for key, at in self._deleted.items() if now - at <= MAX_AGE}

    def _overlaid(self, found: Iterable[Connector], own: list[Connector]) -> tuple[Connector, ...]:
        """What the graph says, with what was written since in its place, and without what was deleted since."""
        newer = {str(each.connector_id).lower() for each in own} | self._deleted.keys()
        return (*(each for each in found if str(each.connector_id).lower() not in newer), *own)

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

    @reads_azure
    def _read(self) -> dict[str, list[Connector]]:
        found: dict[str, list[Connector]] = defaultdict(list)
        for row in self._graph.rows(QUERY, doing="query Resource Graph for connectors"):
            connector = Connector(connector_id=ConnectorId.parse(row["id"]), body=checked_connector(row))
            found[connector.hierarchy_identifier].append(connector)
        return dict(found)
