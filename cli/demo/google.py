"""What the demo does to Google Cloud: folders, projects old and new, every entry once more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from sandbox.endpoints import Endpoints

PLATFORM = "/Platform"
SHOPS = ("/Shops/North", "/Shops/South")
SCRIPTS = "/system-gsuite/apps-script"
"""Where Apps Script keeps the projects that it makes for scripts."""
SCRIPT_PROJECT = "sys-26051990481700000000000001"


@dataclass(frozen=True, kw_only=True)
class NewProject:
    """A project that was asked for at `asked_at`; it has a number once its operation is done."""

    project_id: str
    operation: str
    asked_at: datetime


class GoogleOrganization:
    """Plain HTTP, as the organization's administrator would use it."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Works on a running sandbox with the access token of the operator's environment."""
        self._endpoints = endpoints
        self._v3 = f"{endpoints.gcp}/cloudresourcemanager/v3"
        self._projects = f"{self._v3}/projects"
        self._folders: dict[str, str] = {}

    def make_folders(self) -> None:
        """The folders, which no entry tells of."""
        paths = [PLATFORM, *SHOPS, SCRIPTS]
        self._admin("seed", {"folders": paths})
        root = str(self._management()["parent"])
        self._folders = {path: self._folder_at(root, path) for path in paths}

    def _folder_at(self, root: str, path: str) -> str:
        """The resource name of the folder at a path of display names."""
        parent = root
        for name in path.strip("/").split("/"):
            there = self._ask("GET", f"{self._v3}/folders", params={"parent": parent})["folders"]
            [parent] = [str(each["name"]) for each in there if each["displayName"] == name]
        return parent

    def management_project(self) -> tuple[str, str]:
        """Id and number of the project that Defender's identities live in."""
        found = self._management()
        return str(found["projectId"]), _number(found)

    def _management(self) -> dict[str, Any]:
        found = self._ask("GET", f"{self._projects}:search", params={"query": "id:mdc-mgmt-proj-*"})["projects"]
        return dict(found[0])

    def move_management_project(self, project_id: str) -> None:
        """Moves it into its folder, of which the audit log tells."""
        body = {"destinationParent": self._folders[PLATFORM]}
        self._ask("POST", f"{self._projects}/{project_id}:move", json=body)

    def create_project(self, project_id: str, folder: str) -> NewProject:
        """Asks Google for a project, which is made asynchronously."""
        asked_at = datetime.now(UTC)
        body = {"projectId": project_id, "parent": self._folders[folder]}
        operation = self._ask("POST", self._projects, json=body)["name"]
        return NewProject(project_id=project_id, operation=operation, asked_at=asked_at)

    def project_number(self, project: NewProject) -> str | None:
        """The project's number, once it has one."""
        found = self._ask("GET", f"{self._v3}/{project.operation}")
        return _number(found["response"]) if found.get("done") else None

    def replay_entries(self) -> int:
        """Has every entry of the audit log pushed once more; returns how many."""
        return int(self._admin("seek", {})["messages"])

    def _ask(self, method: str, url: str, **what: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {os.environ['GOOGLE_OAUTH_ACCESS_TOKEN']}"}
        answer = requests.request(method, url, headers=headers, verify=self._endpoints.ca_bundle, timeout=30, **what)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _admin(self, what: str, body: dict[str, Any]) -> Any:
        answer = requests.post(f"{self._endpoints.admin}/{what}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()


def _number(project: dict[str, Any]) -> str:
    return str(project["name"]).rpartition("/")[2]
