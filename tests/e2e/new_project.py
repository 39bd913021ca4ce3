"""A project on its way while processes are killed or services fail: its creation, its end, what is there once."""

from __future__ import annotations

from typing import Any

import requests

from sandbox.gcp.cloud import ADMINISTRATOR
from sandbox.journal import JournalEntry
from shared.domain.accounts import Provider
from shared.domain.gcp_identities import services_of
from shared.domain.ledger import AccountKey, State
from tests.e2e.roll import Roll
from tests.fixtures.profiles import FULL

PROJECTS = "/cloudresourcemanager/v3/projects"
SWITCHES = ("serviceusage.services.batchEnable", "compute.projects.setCommonInstanceMetadata")
MOST_SWITCHED = 2
"""Operations that switch the same thing on in a project: one of which nobody heard may be asked for once more."""


class NewProject:
    """One project of the simulated organization; its policy is the sample's, mode `member`."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._cloud = roll.sandbox.gcp
        self.number = ""

    @property
    def key(self) -> AccountKey:
        """Its key in the ledger."""
        return _key(self.number)

    def __str__(self) -> str:
        return f"project {self.number}"

    def is_organization_connected(self) -> bool:
        """Whether the Organization connector is there, for which members wait; its project is moved where it is not."""
        google = self._roll.sandbox.google
        management = self._cloud.hierarchy.find_project(google.management_number)
        platform = self._cloud.folder_at("/Platform")
        if management is not None and management.parent != platform:
            self._ask(f"/{google.management_project}:move", {"destinationParent": platform})
        return self._is_connected(google.management_number)

    def create(self, project_id: str) -> None:
        """Asks Google for it, of which the audit log tells."""
        self._ask("", {"projectId": project_id, "parent": self._cloud.folder_at("/Workloads")})
        project = self._cloud.hierarchy.find_project(project_id)
        self.number = project.number if project else ""

    def is_connected(self) -> bool:
        """Whether the ledger says so."""
        return self._is_connected(self.number)

    def problems(self) -> list[str]:
        """What is not as it has to be: one connector, made once; services and metadata, each by a few operations."""
        journal, number = self._roll.journal, self.number
        puts = [
            effect_of(each)
            for each in journal.entries(operation="arm:PutSecurityConnector")
            if each.path.partition("?")[0].endswith(f"/gcp-{number}")
        ]
        found = {"creating PUTs": (puts.count(201), 1), "connectors": (len(self._roll.connectors(number)), 1)}
        for operation in SWITCHES:
            asked = journal.entries(operation=f"gcp:{operation}")
            done = sum(effect_of(each) == 200 for each in asked if each.detail.get("resource") == number)
            found[operation] = done, min(max(done, 1), MOST_SWITCHED)
        problems = [
            f"{what} of {self}: {count}, not {right}" for what, (count, right) in found.items() if count != right
        ]
        project = self._cloud.hierarchy.find_project(number)
        if project is None or project.metadata != {"enable-osconfig": "TRUE"}:
            problems.append(f"{self} lacks its metadata")
        if project is None or not project.services >= set(services_of(FULL)):
            problems.append(f"{self} lacks APIs")
        return problems

    def _is_connected(self, number: str) -> bool:
        record = self._roll.ledger.find(_key(number))
        return record is not None and record.state is State.CONNECTED

    def _ask(self, path: str, body: dict[str, Any]) -> None:
        requests.post(
            f"{self._cloud.url}{PROJECTS}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._cloud.token_of(ADMINISTRATOR)}"},
            verify=str(self._roll.sandbox.certificates.bundle_path),
            timeout=20,
        ).raise_for_status()


def _key(number: str) -> AccountKey:
    return AccountKey(provider=Provider.GCP, hierarchy_identifier=number)


def effect_of(entry: JournalEntry) -> int:
    """What a request came to, also where nobody heard of it."""
    return int(entry.detail.get("effect", entry.status))
