"""The organization, its folders and projects, and what each project has."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NEW_PROJECTS_SERVICES = frozenset(
    {"cloudapis.googleapis.com", "servicemanagement.googleapis.com", "serviceusage.googleapis.com"}
)


def now_spelt() -> str:
    """The present time as Google spells it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


@dataclass
class Folder:
    """A folder; `parent` is `organizations/N` or `folders/N`."""

    number: str
    display_name: str
    parent: str
    create_time: str = field(default_factory=now_spelt)

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"folders/{self.number}"

    def body(self) -> dict[str, Any]:
        """The folder as Resource Manager v3 shows it."""
        return {
            "name": self.name,
            "parent": self.parent,
            "displayName": self.display_name,
            "state": "ACTIVE",
            "createTime": self.create_time,
            "updateTime": self.create_time,
            "etag": _etag(self.name, self.display_name),
        }


@dataclass
class Instance:
    """A virtual machine."""

    number: str
    name: str
    zone: str
    status: str = "RUNNING"


@dataclass
class Project:
    """A project; `parent` is empty for one without an organization."""

    number: str
    project_id: str
    display_name: str
    parent: str
    labels: dict[str, str] = field(default_factory=dict)
    state: str = "ACTIVE"
    create_time: str = field(default_factory=now_spelt)
    update_time: str = ""
    delete_time: str = ""
    billing: bool = True
    services: set[str] = field(default_factory=lambda: set(NEW_PROJECTS_SERVICES))
    metadata: dict[str, str] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    seen: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"projects/{self.number}"

    def body(self) -> dict[str, Any]:
        """The project as Resource Manager v3 shows it; what is empty is left out."""
        found = {
            "name": self.name,
            "parent": self.parent,
            "projectId": self.project_id,
            "state": self.state,
            "displayName": self.display_name,
            "createTime": self.create_time,
            "updateTime": self.update_time or self.create_time,
            "deleteTime": self.delete_time,
            "etag": _etag(self.name, self.state, self.parent, self.update_time),
            "labels": dict(self.labels),
        }
        return {key: value for key, value in found.items() if value}

    def changed(self) -> None:
        """Remembers when it changed: a search learns of it later."""
        self.update_time = now_spelt()
        self.seen.append((time.monotonic(), self.body()))

    def as_of(self, moment: float) -> dict[str, Any] | None:
        """What a search saw of it at that moment; None before it knew of it."""
        return next((body for changed, body in reversed(self.seen) if changed <= moment), None)


class Hierarchy:
    """Everything below one organization, and projects without one."""

    def __init__(self, organization: str, seed: int) -> None:
        """`organization` is its number."""
        self.organization = organization
        self.root = f"organizations/{organization}"
        self.create_time = now_spelt()
        self._numbers = random.Random(seed)  # noqa: S311 - repeatable, no secret
        self._folders: dict[str, Folder] = {}
        self._projects: dict[str, Project] = {}
        self.lock = threading.RLock()

    def new_number(self) -> str:
        """A number that nothing has yet."""
        return str(self._numbers.randrange(10**11, 10**12))

    def add_folder(self, display_name: str, parent: str = "") -> Folder:
        """Makes a folder, below the organization where no parent is given."""
        with self.lock:
            folder = Folder(self.new_number(), display_name, parent or self.root)
            self._folders[folder.name] = folder
        return folder

    def add_project(self, project: Project) -> Project:
        """Adds a project."""
        with self.lock:
            self._projects[project.name] = project
            project.changed()
        return project

    def projects(self) -> Iterator[Project]:
        """Every project."""
        with self.lock:
            yield from list(self._projects.values())

    def folders(self) -> Iterator[Folder]:
        """Every folder."""
        with self.lock:
            yield from list(self._folders.values())

    def find_project(self, key: str) -> Project | None:
        """A project by number or id."""
        with self.lock:
            found = self._projects.get(f"projects/{key}")
            return found or next((each for each in self._projects.values() if each.project_id == key), None)

    def find_folder(self, name: str) -> Folder | None:
        """A folder by its resource name."""
        return self._folders.get(name)

    def exists(self, parent: str) -> bool:
        """Whether something can lie below it."""
        return parent == self.root or parent in self._folders

    def above(self, name: str) -> list[str]:
        """The resource itself and all above it."""
        found = []
        while name:
            found.append(name)
            if name.startswith("projects/"):
                project = self._projects.get(name)
                name = project.parent if project else ""
            else:
                folder = self._folders.get(name)
                name = folder.parent if folder else ""
        return found


def _etag(*parts: str) -> str:
    return f'W/"{hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]}"'
