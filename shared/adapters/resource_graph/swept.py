"""What the sweep reads through Resource Graph: connectors, health reports, assessments and Arc machines.

Every query orders its rows, or pages could repeat or leave some out. What Defender assesses in AWS and GCP stands
below the connector that it came through: an assessment's id begins with the connector's, `securityentitydata` and the
resource.

Source: Microsoft.ResourceGraph/resources 2021-03-01; Microsoft.Security/healthReports 2023-05-01-preview, assessments;
Microsoft.HybridCompute/machines.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.adapters.azure.bodies import checked_connector
from shared.adapters.azure.errors import reads_azure
from shared.adapters.resource_graph.query import ResourceGraph, quoted
from shared.domain.connectors import Connector, ConnectorId
from shared.domain.sweep.advice import UNKNOWN_TYPE
from shared.domain.sweep.health import HealthIssue, HealthReport
from shared.domain.sweep.machine_marks import is_defenders
from shared.domain.sweep.machines import ArcMachine
from shared.domain.sweep.slices import MachineRef

_CONNECTORS = "resources | where type =~ 'microsoft.security/securityconnectors'"
_LIST_CONNECTORS = (
    f"{_CONNECTORS} | project id, name, tags, identifier = tostring(properties.hierarchyIdentifier),"
    " environment = tostring(properties.environmentName),"
    " organizational = properties.environmentData.organizationalData | order by id asc"
)
_CONNECTORS_OF = (
    f"{_CONNECTORS} | where tostring(properties.hierarchyIdentifier) in ({{names}})"
    " | project id, name, type, location, tags, properties | order by id asc"
)
_REPORTS_OF = (
    "securityresources | where type =~ 'microsoft.security/healthreports'"
    " | where tostring(properties.healthDataClassification.scope) =~ 'Connectors'"
    " | where tolower(tostring(properties.resourceDetails.id)) in ({names})"
    " | project id, properties | order by id asc"
)
ASSESSMENTS = "securityresources | where type =~ 'microsoft.security/assessments'"
CONNECTOR_OF = (
    "extract('^(/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft[.]security/securityconnectors/[^/]+)"
    "/securityentitydata/', 1, tolower(id))"
)
"""The connector that an assessment's resource stands below."""
_DISCOVERED_BY = (
    f"{ASSESSMENTS} | extend cloud = tolower(tostring(properties.resourceDetails.Source))"
    " | where cloud in ('aws', 'gcp')"
    f" | extend connector = {CONNECTOR_OF}, resource = extract('/securityentitydata/([^/]+)/', 1, tolower(id)),"
    " service = extract('/securityentitydata/[a-z]+-([a-z0-9]+)-', 1, tolower(id)),"
    " named = tolower(tostring(properties.resourceDetails.ResourceType))"
    " | where connector in ({names}) | distinct connector, resource, cloud, service, named"
    " | summarize found = count() by connector, cloud, service, named"
    " | order by connector asc, cloud asc, service asc, named asc"
)
_MACHINES = "resources | where type =~ 'microsoft.hybridcompute/machines'"
_LIST_MACHINES = (
    f"{_MACHINES} | where tostring(tags) contains 'MDFCSecurityConnector' | project id, tags | order by id asc"
)
_MACHINES_OF = f"{_MACHINES} | where tolower(id) in ({{names}}) | project id, tags, properties | order by id asc"


class GraphTenant:
    """Connectors and machines of the whole tenant, as far as the identity may read."""

    def __init__(self, graph: ResourceGraph) -> None:
        """Asks through `graph`."""
        self._graph = graph

    @reads_azure
    def list_connectors(self) -> Iterator[Connector]:
        """Every connector without its offerings: ten thousand fit into memory."""
        for row in self._graph.rows(_LIST_CONNECTORS, doing="list the connectors of the tenant"):
            body = {
                "tags": row.get("tags"),
                "properties": {
                    "hierarchyIdentifier": row.get("identifier"),
                    "environmentName": row.get("environment"),
                    "environmentData": {"organizationalData": row.get("organizational")},
                },
            }
            yield Connector(connector_id=ConnectorId.parse(row["id"]), body=checked_connector(body))

    @reads_azure
    def connectors_of(self, account_ids: Sequence[str]) -> tuple[Connector, ...]:
        """With everything that they say."""
        query = _CONNECTORS_OF.format(names=quoted(account_ids))
        rows = self._graph.rows(query, doing=f"read the connectors of {len(account_ids)} account(s)")
        return tuple(Connector(connector_id=ConnectorId.parse(row["id"]), body=checked_connector(row)) for row in rows)

    @reads_azure
    def list_machines(self) -> Iterator[MachineRef]:
        """Those of Defender's."""
        for row in self._graph.rows(_LIST_MACHINES, doing="list the Arc machines of the tenant"):
            if is_defenders(_lower(row.get("tags"))):
                found = machine_of(row)
                yield MachineRef(
                    machine_id=found.machine_id,
                    account=found.account,
                    instance=found.instance,
                    provider=found.provider,
                )

    @reads_azure
    def machines(self, machine_ids: Sequence[str]) -> tuple[ArcMachine, ...]:
        """With tags and state."""
        query = _MACHINES_OF.format(names=quoted([each.lower() for each in machine_ids]))
        rows = self._graph.rows(query, doing=f"read {len(machine_ids)} Arc machine(s)")
        return tuple(machine_of(row) for row in rows)


def machine_of(body: Mapping[str, Any]) -> ArcMachine:
    """A machine of Resource Graph's row or Resource Manager's body."""
    properties = body.get("properties") or {}
    return ArcMachine(
        machine_id=str(body["id"]),
        status=str(properties.get("status") or ""),
        status_since=_moment(properties.get("lastStatusChange")),
        tags=_lower(body.get("tags")),
        detected=str((properties.get("cloudMetadata") or {}).get("provider") or ""),
    )


class GraphHealth:
    """What Defender for Cloud says of connectors."""

    def __init__(self, graph: ResourceGraph) -> None:
        """Asks through `graph`."""
        self._graph = graph

    @reads_azure
    def reports_of(self, connector_ids: Sequence[str]) -> Mapping[str, tuple[HealthReport, ...]]:
        """All reports whose scope is connectors."""
        query = _REPORTS_OF.format(names=quoted([each.lower() for each in connector_ids]))
        found: dict[str, list[HealthReport]] = defaultdict(list)
        for row in self._graph.rows(query, doing=f"read the health of {len(connector_ids)} connector(s)"):
            report = _report(row.get("properties") or {})
            found[report.connector_id.lower()].append(report)
        return {connector_id: tuple(reports) for connector_id, reports in found.items()}

    @reads_azure
    def discovered_by(self, connector_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Resources that were assessed, by the connector that they came through and their type."""
        query = _DISCOVERED_BY.format(names=quoted([each.lower() for each in connector_ids]))
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self._graph.rows(query, doing=f"count what {len(connector_ids)} connector(s) discovered"):
            name = _type_of(str(row.get("service") or ""), str(row.get("named") or ""))
            name = f"gcp/{name}" if row.get("cloud") == "gcp" else name
            found[str(row["connector"])][name] += int(row["found"])
        return found


def _type_of(service: str, kind: str) -> str:
    """A type that begins with its service's name, whichever of both says it; see `SweptHealth.discovered_by`.

    Source: ids as Microsoft's pages on sub-assessments and on custom AWS assessments show them
    (`…/securityentitydata/aws-ecr-repository-…`, resourceType `repository`); `ResourceType` of assessments as people
    have measured it (`microsoft.security/securityconnectors/ekscluster`, `…/ec2instance`, `…/rdsdb`). Microsoft has no
    public list. Of GCP, ids in public queries begin with `gcp-instances` and `gcp-clusters-`; nothing else was found.
    """
    last = kind.rpartition("/")[2]
    if not last:
        return service or UNKNOWN_TYPE
    return last if last.startswith(service) else f"{service}/{last}"


def _report(properties: dict[str, Any]) -> HealthReport:
    classification = properties.get("healthDataClassification") or {}
    status = properties.get("status") or {}
    return HealthReport(
        connector_id=str((properties.get("resourceDetails") or {}).get("id") or ""),
        code=str(status.get("code") or ""),
        scenario=str(classification.get("scenario") or classification.get("component") or ""),
        scope=str(classification.get("scope") or ""),
        since=_moment(status.get("statusChangeDate")),
        issues=tuple(_issue(each) for each in properties.get("issues") or ()),
    )


def _issue(found: dict[str, Any]) -> HealthIssue:
    return HealthIssue(
        key=str(found.get("issueKey") or ""),
        name=str(found.get("issueName") or found.get("issueDescription") or ""),
        steps=str(found.get("remediationSteps") or ""),
        values=tuple(map(str, found.get("securityValues") or ())),
    )


def _lower(tags: Any) -> dict[str, str]:
    """Tags by their names in lower case: names of Azure's tags have no case."""
    return {str(name).lower(): str(value) for name, value in (tags or {}).items()} if isinstance(tags, dict) else {}


def _moment(text: Any) -> datetime | None:
    """A time as Azure writes it, with more than the six digits of a second that Python reads or without."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
