"""What advice is made of in Resource Graph: assessments of two recommendations, and Arc machines with SQL Server.

An assessment's name is its recommendation's key. Source: Microsoft.Security/assessments, whose status is Healthy,
Unhealthy or NotApplicable; Microsoft.HybridCompute/machines 2024-07-10, `mssqlDiscovered`, a string.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from shared.adapters.azure.errors import reads_azure
from shared.adapters.resource_graph.query import ResourceGraph, quoted
from shared.adapters.resource_graph.swept import ASSESSMENTS, CONNECTOR_OF
from shared.domain.accounts import Provider
from shared.domain.sweep.advice import Assessed
from shared.domain.sweep.machine_marks import MARKS

_ASSESSED = (
    f"{ASSESSMENTS} | where tolower(name) in ({{keys}})"
    f" | extend connector = {CONNECTOR_OF}, assessment = tolower(name),"
    " code = tolower(tostring(properties.status.code))"
    " | where connector in ({names})"
    " | summarize found = count() by connector, assessment, code"
    " | order by connector asc, assessment asc, code asc"
)
_SQL_MACHINES_OF = (
    "resources | where type =~ 'microsoft.hybridcompute/machines'"
    " | where tostring(properties.mssqlDiscovered) =~ 'true'"
    """ | extend account = extract('"{tag}": *"([0-9]+)"', 1, tolower(tostring(tags)))"""
    " | where account in ({names})"
    " | summarize found = count() by account | order by account asc"
)


class GraphAdvice:
    """One query for all connectors or accounts of a slice."""

    def __init__(self, graph: ResourceGraph) -> None:
        """Asks through `graph`."""
        self._graph = graph

    @reads_azure
    def assessed(self, connector_ids: Sequence[str], keys: Sequence[str]) -> Mapping[str, Mapping[str, Assessed]]:
        """By connector id and by key, both in lower case."""
        names, wanted = quoted([each.lower() for each in connector_ids]), quoted([each.lower() for each in keys])
        rows = self._graph.rows(
            _ASSESSED.format(keys=wanted, names=names), doing=f"read assessments of {len(connector_ids)} connector(s)"
        )
        counted: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for row in rows:
            counted[str(row["connector"])][str(row["assessment"])][str(row.get("code") or "")] += int(row["found"])
        return {
            connector: {
                key: Assessed(unhealthy=codes["unhealthy"], healthy=codes["healthy"]) for key, codes in by.items()
            }
            for connector, by in counted.items()
        }

    @reads_azure
    def sql_machines_of(self, account_ids: Sequence[str], provider: Provider = Provider.AWS) -> Mapping[str, int]:
        """By the account or project number that the machines' tag names."""
        query = _SQL_MACHINES_OF.format(names=quoted(account_ids), tag=MARKS[provider].account)
        rows = self._graph.rows(query, doing=f"count machines with SQL Server of {len(account_ids)} account(s)")
        return {str(row["account"]): int(row["found"]) for row in rows}
