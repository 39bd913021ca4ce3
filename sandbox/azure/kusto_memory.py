"""Rows that queries with the same beginning share, for as long as nothing changes.

A sweep asks the same question about a hundred connectors at a time; without this, each looks at all tens of thousands
of rows anew, and what is measured is this simulator.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from sandbox.azure.kusto import Query, Read
from sandbox.azure.kusto_expressions import Row

KEPT = 16
MANY_ROWS = 1000
_BEGINNINGS_KNOWN = 4096


class KustoMemory:
    """What beginnings of queries came to, in one state of the world; steps never change the rows that they get."""

    def __init__(self) -> None:
        self._state: Hashable = None
        self._met: set[str] = set()
        self._kept: OrderedDict[tuple[Hashable, str], list[Row]] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, query: Query, read: Read, *, caller: Hashable, state: Hashable) -> list[Row]:
        """The rows of a query that `caller` asks; what was kept in another `state` is gone."""
        with self._lock:
            if state != self._state:
                self._state = state
                self._kept.clear()
        done, rows = self._longest(query, caller)
        found = read(query) if rows is None else rows
        for number in range(done, len(query.steps)):
            found = query.steps[number](found, read)
            self._keep((caller, query.beginnings[number]), found, state, last=number + 1 == len(query.steps))
        return found

    def _longest(self, query: Query, caller: Hashable) -> tuple[int, list[Row] | None]:
        """How many steps need not be done again, and what they came to."""
        with self._lock:
            for done in range(len(query.steps), 0, -1):
                key = (caller, query.beginnings[done - 1])
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return done, self._kept[key]
        return 0, None

    def _keep(self, key: tuple[Hashable, str], rows: list[Row], state: Hashable, *, last: bool) -> None:
        """What begins a second query, or is more than one page of it."""
        with self._lock:
            again = key[1] in self._met
            if len(self._met) >= _BEGINNINGS_KNOWN:
                self._met.clear()
            self._met.add(key[1])
            if state == self._state and (again or (last and len(rows) > MANY_ROWS)):
                self._kept[key] = rows
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
