"""Resource Manager's connectors, the tenant snapshot and the pacer, in memory."""

from __future__ import annotations

import itertools
from copy import deepcopy
from datetime import datetime, timedelta

from shared.application.ports import Clock
from shared.domain.connectors import Connector, ConnectorBody, ConnectorId
from shared.domain.pacing import WriteRate
from tests.fakes.failures import Failures


class FakeConnectors:
    """Connectors by id in any case; answers carry the read-only fields that Resource Manager adds."""

    def __init__(self) -> None:
        self._bodies: dict[str, tuple[ConnectorId, ConnectorBody]] = {}
        self.puts: list[tuple[ConnectorId, ConnectorBody]] = []
        self.deletes: list[ConnectorId] = []
        self.failures = Failures()

    def find(self, connector_id: ConnectorId) -> Connector | None:
        """The connector as it is now."""
        self.failures.strike("find")
        found = self._bodies.get(str(connector_id).lower())
        return None if found is None else Connector(connector_id=connector_id, body=deepcopy(found[1]))

    def put(self, connector_id: ConnectorId, body: ConnectorBody) -> Connector:
        """Creates or replaces it."""
        self.failures.strike("put")
        self.puts.append((connector_id, deepcopy(body)))
        return self.plant(connector_id, body)

    def delete(self, connector_id: ConnectorId) -> None:
        """Deletes it."""
        self.failures.strike("delete")
        self.deletes.append(connector_id)
        self._bodies.pop(str(connector_id).lower(), None)

    def tag(self, connector_id: ConnectorId, name: str, value: str) -> Connector:
        """Adds a tag."""
        self.failures.strike("tag")
        place, body = self._bodies[str(connector_id).lower()]
        theirs = {key: tag for key, tag in (body.get("tags") or {}).items() if key.lower() != name.lower()}
        return self.plant(place, body | {"tags": {**theirs, name: value}})

    def plant(self, connector_id: ConnectorId, body: ConnectorBody) -> Connector:
        """Makes a connector without anybody having asked."""
        kept = {
            "id": str(connector_id).replace("resourceGroups", "resourcegroups"),
            "name": connector_id.name,
            "type": "Microsoft.Security/securityconnectors",
            **deepcopy(body),
        }
        self._bodies[str(connector_id).lower()] = (connector_id, kept)
        return Connector(connector_id=connector_id, body=deepcopy(kept))

    def everything(self) -> list[Connector]:
        """All connectors of the tenant."""
        return [Connector(connector_id=place, body=deepcopy(body)) for place, body in self._bodies.values()]


class FakeSnapshot:
    """What the tenant had when `refresh` was last called, and what was remembered since."""

    def __init__(self, connectors: FakeConnectors) -> None:
        self._connectors = connectors
        self._seen: dict[str, Connector] = {}
        self.listed = 0  # how often the whole tenant was gone through
        self.failures = Failures()
        self.refresh()

    def refresh(self) -> None:
        """Reads the tenant again."""
        self._seen = {str(connector.connector_id).lower(): connector for connector in self._connectors.everything()}

    def find_by_hierarchy(self, hierarchy_identifier: str) -> tuple[Connector, ...]:
        """The connectors of that account."""
        self.failures.strike("find_by_hierarchy")
        return tuple(found for found in self._seen.values() if found.hierarchy_identifier == hierarchy_identifier)

    def list_all(self) -> tuple[Connector, ...]:
        """Every connector."""
        self.failures.strike("list_all")
        self.listed += 1
        return tuple(self._seen.values())

    def list_organizational(self, *, organizational: bool) -> tuple[Connector, ...]:
        """Those that say something about an organization, or those that do not."""
        self.failures.strike("list_organizational")
        return tuple(each for each in self._seen.values() if bool(each.organizational_data) is organizational)

    def remember(self, connector: Connector) -> None:
        """Puts a connector in."""
        self._seen[str(connector.connector_id).lower()] = connector

    def forget(self, connector_id: ConnectorId) -> None:
        """Takes a connector out."""
        self._seen.pop(str(connector_id).lower(), None)


class FakePacer:
    """One cell per subscription, as the rate says; `slots` go first where a test planned some."""

    def __init__(self, clock: Clock, rate: WriteRate | None = None, cells: dict[str, datetime] | None = None) -> None:
        self._clock = clock
        self._rate = rate or WriteRate()
        self._cells = {} if cells is None else cells
        self.waits: itertools.chain[float] = itertools.chain()
        self.failures = Failures()

    def plan(self, *seconds: float) -> None:
        """The next slots are so many seconds away."""
        self.waits = itertools.chain(self.waits, seconds)

    def reserve(self, subscription_id: str) -> datetime:
        """When the next write may be made."""
        self.failures.strike("reserve")
        now = self._clock.now()
        planned = next(self.waits, None)
        if planned is not None:
            return now + timedelta(seconds=planned)
        slots, following = self._rate.reserve(self._cells.get(subscription_id), now, 1)
        self._cells[subscription_id] = following
        return slots[0]
