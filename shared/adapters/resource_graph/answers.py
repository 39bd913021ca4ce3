"""Questions of people to Resource Graph: every page, and how much of the tenant they may read.

Source: Microsoft.ResourceGraph/resources 2021-03-01, which shows the subscriptions that the caller may read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.adapters.resource_graph.prerequisites import GraphSubscriptions
from shared.adapters.resource_graph.query import ResourceGraph


class GraphAnswers:
    """What the caller may not read is missing from every answer, and no answer says so: so it is counted."""

    def __init__(self, graph: ResourceGraph) -> None:
        """Asks through `graph`."""
        self._graph = graph

    def rows(self, query: str, *, doing: str) -> Iterator[Mapping[str, Any]]:
        """Every row."""
        return self._graph.rows(query, doing=doing)

    def subscriptions(self) -> int:
        """Subscriptions that the caller may read."""
        return len(GraphSubscriptions(self._graph).shown())

    @property
    def left_out(self) -> bool:
        """Whether an answer was cut because the tenant has more subscriptions than one query looks at."""
        return self._graph.left_out
