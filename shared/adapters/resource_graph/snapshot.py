"""The connectors of the whole tenant in one query, kept for a minute."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

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


class _Index:
    """Connectors by what they are asked for; no question looks at those that are not in its answer."""

    def __init__(self, connectors: Iterable[Connector] = ()) -> None:
        self._all: dict[str, Connector] = {}
        self._accounts: defaultdict[str, dict[str, Connector]] = defaultdict(dict)
        self._organizational: dict[bool, dict[str, Connector]] = {True: {}, False: {}}
        for connector in connectors:
            self.put(connector)

    def put(self, connector: Connector) -> None:
        key = _key(connector.connector_id)
        self.take_out(key)
        for place in self._places(connector):
            place[key] = connector

    def take_out(self, key: str) -> None:
        if (connector := self._all.get(key)) is not None:
            for place in self._places(connector):
                del place[key]

    def _places(self, connector: Connector) -> tuple[dict[str, Connector], ...]:
        account = self._accounts[connector.hierarchy_identifier]
        return self._all, account, self._organizational[bool(connector.organizational_data)]

    def everything(self) -> tuple[Connector, ...]:
        return tuple(self._all.values())

    def of_account(self, hierarchy_identifier: str) -> tuple[Connector, ...]:
        return tuple(self._accounts.get(hierarchy_identifier, {}).values())

    def organizational(self, value: bool) -> tuple[Connector, ...]:
        return tuple(self._organizational[value].values())


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
        self._index = _Index()
        self._written: dict[str, tuple[datetime, Connector]] = {}
        self._deleted: dict[str, datetime] = {}

    def find_by_hierarchy(self, hierarchy_identifier: str) -> tuple[Connector, ...]:
        """The connectors of one account, wherever they are in the tenant."""
        with self._lock:
            self._refresh()
            return self._index.of_account(hierarchy_identifier)

    def list_all(self) -> tuple[Connector, ...]:
        """Every connector of the tenant that the identity may read."""
        with self._lock:
            self._refresh()
            return self._index.everything()

    def list_organizational(self, *, organizational: bool) -> tuple[Connector, ...]:
        """Those that say something about an organization, or those that do not."""
        with self._lock:
            self._refresh()
            return self._index.organizational(organizational)

    def _refresh(self) -> None:
        """Reads the graph where it is time; what was written or deleted since goes over what it says."""
        now = self._clock.now()
        if self._read_at is not None and now - self._read_at <= MAX_AGE:
            return
        self._index = _Index(self._read())
        self._read_at = now
        self._written = {key: own for key, own in self._written.items() if now - own[0] <= MAX_AGE}
        self._deleted = {key: at for key, at in self._deleted.items() if now - at <= MAX_AGE}
        for _, own in self._written.values():
            self._index.put(own)
        for key in self._deleted:
            self._index.take_out(key)

    def remember(self, connector: Connector) -> None:
        """Keeps a connector that was just read or written; it is newer than the graph."""
        with self._lock:
            key = _key(connector.connector_id)
            self._deleted.pop(key, None)
            self._written[key] = (self._clock.now(), connector)
            self._index.put(connector)

    def forget(self, connector_id: ConnectorId) -> None:
        """Leaves out a connector that was just deleted; the graph still shows it for a while."""
        with self._lock:
            key = _key(connector_id)
            self._written.pop(key, None)
            self._deleted[key] = self._clock.now()
            self._index.take_out(key)

    @reads_azure
    def _read(self) -> list[Connector]:
        rows = self._graph.rows(QUERY, doing="query Resource Graph for connectors")
        return [Connector(connector_id=ConnectorId.parse(row["id"]), body=checked_connector(row)) for row in rows]


def _key(connector_id: ConnectorId) -> str:
    return str(connector_id).lower()
