"""A tenant in memory with two connected clouds, whose simulated Resource Graph answers without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.azure.assessments import Severity, Source, Status, assessment_of
from sandbox.azure.directory import OPERATOR, default_directory
from sandbox.azure.posture import attack_path_of, standard_state_of, vulnerability_of
from sandbox.azure.resource_graph import ResourceGraph
from sandbox.azure.resources import Document, Resources

TENANT, SUBSCRIPTION = "00000000-0000-4000-8000-0000000000f1", "00000000-0000-4000-8000-000000000001"
ACCOUNT, OTHER_ACCOUNT, PROJECT = "111122223333", "444455556666", "777788889999"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG"
_CONNECTORS = "Microsoft.Security/securityConnectors"
_ASSIGNMENTS = "Microsoft.Security/standardAssignments"


def connector_of(account: str) -> str:
    return f"{GROUP}/providers/{_CONNECTORS}/{'gcp' if account == PROJECT else 'aws'}-{account}"


class PostureTenant:
    """Answers as `QuestionStore` does; three connectors are there from the start."""

    def __init__(self) -> None:
        self.resources = Resources()
        self.resources.add_subscription(SUBSCRIPTION)
        self.directory = default_directory(TENANT, SUBSCRIPTION)
        self.graph = ResourceGraph(self.resources, self.directory, lag_seconds=0.0)
        self.left_out = False
        self.asked: list[str] = []
        for account in (ACCOUNT, OTHER_ACCOUNT, PROJECT):
            environment = "GCP" if account == PROJECT else "AWS"
            properties = {"hierarchyIdentifier": account, "environmentName": environment}
            self._put({"id": connector_of(account), "name": account, "type": _CONNECTORS, "properties": properties})

    def _put(self, document: Document) -> None:
        self.resources.put(document, seen_by_graph_at=0)

    def assess(  # noqa: PLR0917 - a sentence of the tests
        self,
        account: str,
        resource: str,
        key: str,
        status: Status = "Unhealthy",
        severity: Severity = "Medium",
        kind: str = "ec2instance",
    ) -> None:
        source: Source = "GCP" if account == PROJECT else "AWS"
        parts = {"key": key, "status": status, "severity": severity, "title": f"title of {key}"}
        self._put(assessment_of(connector_of(account), resource, kind, source=source, **parts))  # type: ignore[arg-type]  # a dictionary of literals

    def assess_azure(self, machine: str, key: str, severity: Severity) -> None:
        """A resource of Azure itself: its id stands below no connector."""
        resource = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{machine}"
        kind = "Microsoft.Security/assessments"
        properties = {
            "resourceDetails": {"Source": "Azure", "Id": resource},
            "displayName": f"title of {key}",
            "status": {"code": "Unhealthy"},
            "metadata": {"severity": severity},
        }
        self._put({"id": f"{resource}/providers/{kind}/{key}", "name": key, "type": kind, "properties": properties})

    def find(self, account: str, image: str, cve: str, severity: Severity, **more: Any) -> None:
        source = "GCP" if account == PROJECT else "AWS"
        parent = f"{connector_of(account)}/securityentitydata/{source.lower()}-ecr-repository-{image}"
        parts = {
            "key": "k",
            "status": "Unhealthy",
            "source": source,
            "assessed": f"{source}ContainerRegistryVulnerability",
        }
        self._put(vulnerability_of(parent, cve=cve, severity=severity, **(parts | more)))

    def path(self, title: str, risk: str, *entities: str) -> None:
        self._put(attack_path_of(SUBSCRIPTION, title, risk=risk, entities=entities))

    def standard(self, name: str, *controls: int) -> None:
        self._put(standard_state_of(SUBSCRIPTION, name, state="Failed" if controls[1] else "Passed", controls=controls))

    def assign(self, account: str, standard: str, number: int, effect: str = "Audit") -> None:
        properties = {"displayName": standard, "effect": effect, "assignedStandard": {"id": standard}}
        name = f"{connector_of(account)}/providers/{_ASSIGNMENTS}/{number}"
        self._put({"id": name, "name": str(number), "type": _ASSIGNMENTS, "properties": properties})

    def rows(self, query: str, *, doing: str) -> Iterator[Mapping[str, Any]]:
        assert doing
        self.asked.append(query)
        token: str | None = ""
        while token is not None:
            self.graph.reset_quota()
            options = {"$skipToken": token} if token else {}
            page, _ = self.graph.query({"query": query, "options": options}, self.directory.get(OPERATOR))
            yield from page["data"]
            token = page.get("$skipToken")

    def subscriptions(self) -> int:
        query = "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | order by id asc"
        return len(list(self.rows(query, doing="count")))
