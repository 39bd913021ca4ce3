"""What Resource Graph's rows become, and what may stand in a query."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.azure.kusto import parse
from shared.adapters.resource_graph.swept import GraphHealth, GraphTenant, machine_of
from shared.domain.accounts import Provider
from shared.errors import PermanentError

CONNECTOR = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/RG"
    "/providers/Microsoft.Security/securityConnectors/aws-000000000001"
)


class Graph:
    """Answers every query with the same rows, and remembers the queries."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.answer = rows
        self.asked: list[str] = []

    def rows(self, query: str, *, doing: str) -> Iterator[dict[str, Any]]:
        assert doing
        self.asked.append(query)
        return iter(self.answer)


def test_a_health_report_is_read_with_its_issues() -> None:
    row = {
        "id": "x",
        "properties": {
            "resourceDetails": {"source": "Aws", "id": CONNECTOR},
            "healthDataClassification": {"component": "Connectivity", "scenario": "Roles", "scope": "Connectors"},
            "status": {"code": "NotHealthy", "statusChangeDate": "2023-01-12T09:07:18.6759138Z"},
            "issues": [{"issueKey": "k", "issueName": "n", "remediationSteps": "s", "securityValues": ["v", "w"]}],
        },
    }
    [report] = GraphHealth(Graph(row)).reports_of([CONNECTOR])[CONNECTOR.lower()]  # type: ignore[arg-type]
    assert (report.code, report.scenario, report.scope) == ("NotHealthy", "Roles", "Connectors")
    assert report.since == datetime(2023, 1, 12, 9, 7, 18, 675913, tzinfo=UTC)
    [issue] = report.issues
    assert (issue.key, issue.name, issue.steps, issue.values) == ("k", "n", "s", ("v", "w"))


@pytest.mark.parametrize("properties", [None, {}, {"status": None, "issues": None, "resourceDetails": None}])
def test_a_report_that_says_nothing_breaks_nothing(properties: Any) -> None:
    found = GraphHealth(Graph({"id": "x", "properties": properties})).reports_of([CONNECTOR])  # type: ignore[arg-type]
    assert [report.code for reports in found.values() for report in reports] == [""]


@pytest.mark.parametrize(
    ("service", "kind", "name"),
    [
        ("eks", "microsoft.security/securityconnectors/ekscluster", "ekscluster"),
        ("ecr", "repository", "ecr/repository"),
        ("", "microsoft.security/securityconnectors/rdsdb", "rdsdb"),
        ("eks", "", "eks"),
        ("", "", "unknown"),
    ],
)
def test_a_type_begins_with_its_service_whichever_word_says_it(service: str, kind: str, name: str) -> None:
    row = {"connector": CONNECTOR.lower(), "service": service, "named": kind, "found": 3}
    graph = Graph(row)
    assert GraphHealth(graph).discovered_by([CONNECTOR]) == {CONNECTOR.lower(): {name: 3}}  # type: ignore[arg-type]
    assert "summarize" in graph.asked[0]


def test_rows_of_one_type_add_up() -> None:
    rows = [
        {"connector": CONNECTOR.lower(), "service": service, "named": "ec2instance", "found": 2}
        for service in ("", "ec2")
    ]
    assert GraphHealth(Graph(*rows)).discovered_by([CONNECTOR])[CONNECTOR.lower()] == {"ec2instance": 4}  # type: ignore[arg-type]


def test_the_simulator_counts_each_resource_below_a_connector_once_and_nothing_else() -> None:
    graph = Graph()
    GraphHealth(graph).discovered_by([CONNECTOR])  # type: ignore[arg-type]

    def assessed(source: str, resource: str, kind: str, key: str = "k") -> dict[str, Any]:
        details = {"Source": source, "ResourceType": kind}
        return {
            "id": f"{resource}/providers/Microsoft.Security/assessments/{key}",
            "type": "microsoft.security/assessments",
            "properties": {"resourceDetails": details},
        }

    below = f"{CONNECTOR}/securityentitydata/aws-ec2-instance-i-1"
    rows = [
        assessed("Aws", below, "x/ec2instance"),
        assessed("AWS", below, "x/EC2instance", "another"),
        assessed("Aws", f"{below}2", "x/ec2instance"),
        assessed("Aws", f"{CONNECTOR}/securityentitydata/aws-s3-bucket-b", "x/s3bucket"),
        assessed("Aws", f"{CONNECTOR}2/securityentitydata/aws-s3-bucket-b", "x/s3bucket"),
        assessed("Azure", below, "x/ec2instance"),
        assessed("Gcp", f"{CONNECTOR}/securityentitydata/gcp-clusters-shop-1", ""),
        assessed("GCP", f"{CONNECTOR}/securityentitydata/gcp-instances-1", "x/vm"),
        assessed("Aws", CONNECTOR, "securityconnectors"),
        assessed("Aws", "", ""),
    ]
    query = parse(graph.asked[0], frozenset({"id", "type", "properties"}))
    assert query.run(rows) == [
        {"connector": CONNECTOR.lower(), "cloud": "aws", "service": "ec2", "named": "x/ec2instance", "found": 2},
        {"connector": CONNECTOR.lower(), "cloud": "aws", "service": "s3", "named": "x/s3bucket", "found": 1},
        {"connector": CONNECTOR.lower(), "cloud": "gcp", "service": "clusters", "named": "", "found": 1},
        {"connector": CONNECTOR.lower(), "cloud": "gcp", "service": "instances", "named": "x/vm", "found": 1},
    ]


@pytest.mark.parametrize(
    ("service", "kind", "name"),
    [("clusters", "", "gcp/clusters"), ("instances", "x/vm", "gcp/instances/vm"), ("", "", "gcp/unknown")],
)
def test_types_of_gcp_say_so(service: str, kind: str, name: str) -> None:
    row = {"connector": CONNECTOR.lower(), "cloud": "gcp", "service": service, "named": kind, "found": 3}
    assert GraphHealth(Graph(row)).discovered_by([CONNECTOR]) == {CONNECTOR.lower(): {name: 3}}  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a'b", "a\\b", "a\nb", ""])
def test_a_name_that_could_end_its_string_is_in_no_query(name: str) -> None:
    graph = Graph()
    with pytest.raises(PermanentError):
        GraphTenant(graph).connectors_of([name])  # type: ignore[arg-type]
    assert graph.asked == []


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2025-05-22T02:08:05.3537505Z", datetime(2025, 5, 22, 2, 8, 5, 353750, tzinfo=UTC)),
        ("2025-05-22T02:08:05Z", datetime(2025, 5, 22, 2, 8, 5, tzinfo=UTC)),
        ("2025-05-22T02:08:05", datetime(2025, 5, 22, 2, 8, 5, tzinfo=UTC)),
        ("", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_a_machine_whose_time_cannot_be_read_is_never_silent(since: Any, expected: datetime | None) -> None:
    body = {"id": "x", "tags": {"MDFCSecurityConnector": "true"}, "properties": {"lastStatusChange": since}}
    assert machine_of(body).status_since == expected


def test_only_defenders_machines_are_listed_whatever_the_case_of_their_tags() -> None:
    rows = [
        {"id": "a", "tags": {"mdfcsecurityconnector": "", "ACCOUNTID": "1", "InstanceId": "i"}},
        {"id": "b", "tags": {"MDFCSecurityConnector": "true", "PublicCloudConnectorsResourceId": "/x"}},
        {"id": "c", "tags": {"MDFCSecurityConnector": "true", "Cloud": "Azure"}},
        {"id": "f", "tags": {"MDFCSecurityConnector": "true", "Cloud": "gcp", "ProjectNumber": "7", "machineid": "8"}},
        {"id": "g", "tags": {"MDFCSecurityConnector": "true", "ProjectNumber": "7"}},
        {"id": "d", "tags": {"note": "MDFCSecurityConnector"}},
        {"id": "e", "tags": None},
    ]
    found = list(GraphTenant(Graph(*rows)).list_machines())  # type: ignore[arg-type]
    assert [(each.machine_id, each.provider, each.account, each.instance) for each in found] == [
        ("a", Provider.AWS, "1", "i"),
        ("f", Provider.GCP, "7", "8"),
        ("g", Provider.GCP, "7", ""),
    ]


def test_a_machine_tells_the_cloud_that_its_agent_found() -> None:
    body = {"id": "x", "tags": {}, "properties": {"cloudMetadata": {"provider": "GCP"}}}
    assert (machine_of(body).detected, machine_of({"id": "x"}).detected) == ("GCP", "")
