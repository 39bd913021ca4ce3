"""Standards and governance rules of many connectors in two queries, instead of some requests for each connector.

Source: "Azure Resource Graph table and resource type reference": table `securityresources` has both types;
Microsoft.Security/standardAssignments 2024-08-01, governanceRules 2022-01-01-preview. Both stand below the id of their
connector.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from shared.adapters.azure.errors import reads_azure
from shared.adapters.resource_graph.query import ResourceGraph, quoted
from shared.domain.connectors import ConnectorId
from shared.domain.sweep.compliance import Assignment

_BELOW_CONNECTORS = (
    " | extend connector = extract('^(/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft[.]security"
    "/securityconnectors/[^/]+)/providers/', 1, tolower(id)) | where connector in ({names})"
)
_ASSIGNMENTS = (
    f"securityresources | where type =~ 'microsoft.security/standardassignments'{_BELOW_CONNECTORS}"
    " | where not(tostring(properties.effect) in~ ('Exempt', 'Attest'))"
    " | project id, name, connector, standard = tostring(properties.assignedStandard.id),"
    " shown = tostring(properties.displayName) | order by id asc"
)
_RULES = (
    f"securityresources | where type =~ 'microsoft.security/governancerules'{_BELOW_CONNECTORS}"
    " | project id, name, connector, properties | order by id asc"
)


class GraphCompliance:
    """As far as the identity may read."""

    def __init__(self, graph: ResourceGraph) -> None:
        """Asks through `graph`."""
        self._graph = graph

    @reads_azure
    def assignments_of(self, connector_ids: Sequence[str]) -> tuple[Assignment, ...]:
        """Assignments of standards; exemptions from one assessment are none."""
        query = _ASSIGNMENTS.format(names=_folded(connector_ids))
        rows = self._graph.rows(query, doing=f"read the standards of {len(connector_ids)} connector(s)")
        return tuple(
            Assignment(
                connector=ConnectorId.parse(str(row["connector"])),
                name=str(row["name"]),
                standard=str(row.get("standard") or ""),
                display_name=str(row.get("shown") or ""),
            )
            for row in rows
        )

    @reads_azure
    def rules_of(self, connector_ids: Sequence[str]) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Every rule, whoever made it."""
        query = _RULES.format(names=_folded(connector_ids))
        found: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        for row in self._graph.rows(query, doing=f"read the governance rules of {len(connector_ids)} connector(s)"):
            found[str(row["connector"])][str(row["name"]).lower()] = row
        return found


def _folded(connector_ids: Sequence[str]) -> str:
    return quoted([each.lower() for each in connector_ids])
