"""What `rollcall query` works with. See `bootstrap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import bootstrap
from shared.adapters.clock import SystemClock

if TYPE_CHECKING:
    from shared.adapters.resource_graph.answers import GraphAnswers


def graph_answers() -> GraphAnswers:
    """Resource Graph, by the operator's own rights; it waits some seconds where their quota is spent."""
    from shared.adapters.resource_graph.answers import GraphAnswers
    from shared.adapters.resource_graph.query import ResourceGraph

    graph = ResourceGraph(bootstrap.credential(), arm_endpoint=bootstrap.settings().arm_endpoint, patient=SystemClock())
    return GraphAnswers(graph)
