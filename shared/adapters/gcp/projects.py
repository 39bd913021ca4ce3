"""Projects of one organization, from Resource Manager v3.

Source: Cloud Resource Manager API v3: `projects.get` answers 403 for a project that is not there as for one that may
not be seen; `projects:search` leaves out what may not be seen, without a word, and learns of changes with a delay.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeAlias
from urllib.parse import quote

from shared.adapters.gcp import refusals
from shared.adapters.gcp.client import GoogleClient, JsonBody
from shared.adapters.gcp.errors import reads_google
from shared.application.ports import Clock
from shared.domain.accounts import Account, AccountState, Provider
from shared.errors import RollcallError

_SERVICE = "cloudresourcemanager"
_PROJECT = re.compile(r"[0-9]{1,20}|[a-z0-9.:-]{4,63}")  # numbers; ids, the old ones with a domain included
_NEEDED = ("resourcemanager.projects.get", "resourcemanager.folders.get")
_UNSEEN = frozenset({refusals.NOT_FOUND.key, refusals.PERMISSION_DENIED.key})
_DEEPEST = 20  # folders nest ten deep
_FOLDERS_KEPT_SECONDS = 300.0
_PAGE = "500"

Known: TypeAlias = dict[str, tuple[str, str]]
"""Display names and parents of folders, by their names."""


class GcpProjects:
    """The projects below one organization; what lies elsewhere is treated as not there."""

    def __init__(self, client: GoogleClient, organization: str, clock: Clock) -> None:
        """`organization` is its number."""
        self._client = client
        self._root = f"organizations/{organization}"
        self._clock = clock
        self._folders: Known = {}
        self._folders_since = clock.now()
        self._lock = threading.Lock()

    @reads_google
    def find(self, project: str) -> Account | None:
        """The project by number or id; names of folders are at most five minutes old.

        A refusal, of the project or of a folder above it, counts as absence only where this identity sees the whole
        organization. Raises TransientError, ConfigurationError.
        """
        if not _PROJECT.fullmatch(project):
            return None
        body = self._seen(project)
        if body is None:
            self._require_sight()
            return None
        return self._account(body, self._paths(self._recent_folders()))

    @reads_google
    def is_elsewhere(self, project: str) -> bool:
        """Whether it may be seen, and no folder that may be seen has it below the organization.

        Raises TransientError, ConfigurationError.
        """
        body = self._seen(project) if _PROJECT.fullmatch(project) else None
        return body is not None and self._account(body, self._paths(self._recent_folders())) is None

    def _seen(self, project: str) -> JsonBody | None:
        """The project as Google shows it, whosever it is; None where it is not there or may not be seen."""
        try:
            return self._client.get(_SERVICE, f"/v3/projects/{quote(project, safe='')}", f"read project {project}")
        except RollcallError as error:
            if error.key not in _UNSEEN:
                raise
            return None

    @reads_google
    def list_projects(self) -> Iterator[Account]:
        """Every project of the organization, each folder read once.

        That all of it may be seen is asked before and after, and where a folder is refused: a role taken away meanwhile
        shortens it in silence.
        Raises TransientError, ConfigurationError.
        """
        self._require_sight()
        folders = self._paths({})
        seen: set[str] = set()
        pages = self._client.pages(_SERVICE, "/v3/projects:search", "list the projects", query={"pageSize": _PAGE})
        for page in pages:
            for body in page.get("projects", []):
                account = self._account(body, folders)
                if account is not None and account.account_id not in seen:
                    seen.add(account.account_id)
                    yield account
        self._require_sight()

    def _require_sight(self) -> None:
        """Refuses to go on where projects of the organization could be left out in silence."""
        doing = f"ask what may be seen of {self._root}"
        path = f"/v3/{self._root}:testIamPermissions"
        answer = self._client.query(_SERVICE, path, {"permissions": list(_NEEDED)}, doing)
        missing = sorted(set(_NEEDED) - set(answer.get("permissions", [])))
        if missing:
            named = " and ".join(missing)
            raise refusals.PERMISSION_DENIED.error(
                f"{doing}: permission {named} is missing",
                remedy=f"Grant Rollcall's service account a role with {named}, on {self._root}.",
            )

    def _paths(self, known: Known) -> FolderPaths:
        return FolderPaths(self._client, self._root, known, self._require_sight)

    def _recent_folders(self) -> Known:
        with self._lock:
            if (self._clock.now() - self._folders_since).total_seconds() > _FOLDERS_KEPT_SECONDS:
                self._folders, self._folders_since = {}, self._clock.now()
            return self._folders

    @staticmethod
    def _account(body: JsonBody, folders: FolderPaths) -> Account | None:
        path = folders.path_of(str(body.get("parent", "")))
        if path is None:
            return None
        return Account(
            account_id=str(body["name"]).removeprefix("projects/"),
            name=str(body["projectId"]),
            state=_state(str(body.get("state", ""))),
            ou_path=path,
            joined_at=_time(body.get("createTime")),
            tags={str(key): str(value) for key, value in body.get("labels", {}).items()},
            provider=Provider.GCP,
        )


class FolderPaths:
    """Paths of folders by their display names; each folder is asked for once."""

    def __init__(self, client: GoogleClient, root: str, known: Known, require_sight: Callable[[], None]) -> None:
        """`root` is the organization, `organizations/<number>`; what is read is added to `known`.

        `require_sight` raises where a folder of the organization may be refused. What is refused is remembered here
        alone and not in `known`: a role may come, or the folder move into the organization.
        """
        self._client = client
        self._root = root
        self._known = known
        self._require_sight = require_sight
        self._outside: set[str] = set()

    def path_of(self, parent: str) -> str | None:
        """`/` for the organization itself, `/Outer/Inner` for a folder; None for what lies outside.

        Raises TransientError, ConfigurationError.
        """
        names: list[str] = []
        for _ in range(_DEEPEST):
            if parent == self._root:
                return "/" + "/".join(reversed(names))
            folder = self._folder(parent) if parent.startswith("folders/") else None
            if folder is None:
                return None
            name, parent = folder
            names.append(name.replace("/", "%2F"))
        return None

    def _folder(self, name: str) -> tuple[str, str] | None:
        """Its display name and parent; None where it is refused to who sees every folder of the organization."""
        if name in self._outside:
            return None
        if name not in self._known:
            try:
                body = self._client.get(_SERVICE, f"/v3/{name}", f"read {name}")
            except RollcallError as error:
                if error.key not in _UNSEEN:
                    raise
                self._require_sight()
                self._outside.add(name)
                return None
            self._known[name] = str(body["displayName"]), str(body["parent"])
        return self._known[name]


def _state(text: str) -> AccountState:
    return AccountState(text) if text in {"ACTIVE", "DELETE_REQUESTED"} else AccountState.UNKNOWN


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
