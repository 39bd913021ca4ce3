"""Cloud Resource Manager v3: organization, folders, projects and their operations.

Source: the API's discovery document and reference. A search leaves out what the caller may not see, and learns of
changes late; deletion is a state.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sandbox.gcp.answers import RefusalError, denied, refusal
from sandbox.gcp.audit import Action, Audit
from sandbox.gcp.hierarchy import Folder, Project, now_spelt
from sandbox.gcp.operations import Operations
from sandbox.gcp.paging import page_of
from sandbox.gcp.policies import Policies
from sandbox.gcp.routing import Call, Gate, Route

_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_TYPE = "type.googleapis.com/google.cloud.resourcemanager.v3."
_PROJECT = r"/v3/projects/(?P<project>[^/:]+)"
_FIELDS = {"parent": "parent", "state": "state", "projectid": "projectId", "id": "projectId", "name": "displayName"}


class ResourceManager:
    """The operations of Resource Manager."""

    def __init__(
        self, gate: Gate, policies: Policies, operations: Operations, audit: Audit, *, search_lag_seconds: float
    ) -> None:
        self._gate = gate
        self._hierarchy = gate.hierarchy
        self._policies = policies
        self._operations = operations
        self._audit = audit
        self._lag = search_lag_seconds
        self.most_per_page = 500

    def routes(self) -> list[Route]:
        """Every operation."""
        return [
            *self._project_routes(),
            *self._folder_routes(),
            _route("organizations.get", "GET", "/v3/(?P<name>organizations/[0-9]+)", self._organization),
            *self._policy_routes("organizations", r"/v3/(?P<name>organizations/[0-9]+)"),
            *self._policy_routes("projects", _PROJECT),
            _route("operations.get", "GET", r"/v3/(?P<operation>operations/[^/]+)", self._operation),
        ]

    def _project_routes(self) -> list[Route]:
        def on_project(name: str, method: str, verb: str, handler: Callable[[Call], Any]) -> Route:
            permission = f"resourcemanager.projects.{name}"
            suffix = f":{verb}" if verb else ""
            path, resource = f"{_PROJECT}{suffix}", "projects/{project}"
            return replace(_route(f"projects.{name}", method, path, handler), permission=permission, resource=resource)

        return [
            on_project("get", "GET", "", self._get),
            on_project("delete", "DELETE", "", self._delete),
            on_project("undelete", "POST", "undelete", self._undelete),
            on_project("move", "POST", "move", self._move),
            _route("projects.create", "POST", "/v3/projects", self._create),
            _route("projects.search", "GET", "/v3/projects:search", self._search),
        ]

    def _folder_routes(self) -> list[Route]:
        folder = r"/v3/(?P<folder>folders/[0-9]+)"
        get = _route("folders.get", "GET", folder, self._folder)
        return [
            replace(get, permission="resourcemanager.folders.get", resource="{folder}"),
            _route("folders.list", "GET", "/v3/folders", self._folders),
        ]

    def _policy_routes(self, kind: str, path: str) -> list[Route]:
        def resource(call: Call) -> str:
            return call.parts.get("name") or f"projects/{call.parts['project']}"

        def get(call: Call) -> Any:
            return self._policies.get(call, resource(call), f"resourcemanager.{kind}.getIamPolicy")

        def put(call: Call) -> Any:
            return self._policies.set(call, resource(call), f"resourcemanager.{kind}.setIamPolicy")

        return [
            _route(f"{kind}.getIamPolicy", "POST", f"{path}:getIamPolicy", get),
            _route(f"{kind}.setIamPolicy", "POST", f"{path}:setIamPolicy", put),
            _route(
                f"{kind}.testIamPermissions",
                "POST",
                f"{path}:testIamPermissions",
                lambda call: self._policies.test(call, resource(call)),
            ),
        ]

    def _organization(self, call: Call) -> Any:
        name = call.parts["name"]
        if name != self._hierarchy.root:
            raise denied("resourcemanager.organizations.get", name)
        self._gate.authorize(call.caller, "resourcemanager.organizations.get", name)
        return {
            "name": name,
            "displayName": "example.com",
            "directoryCustomerId": "C0example",
            "state": "ACTIVE",
            "createTime": self._hierarchy.create_time,
            "updateTime": self._hierarchy.create_time,
            "etag": 'W/"organization"',
        }

    def _folder(self, call: Call) -> Any:
        return self._known_folder(call.parts["folder"]).body()

    def _known_folder(self, name: str) -> Folder:
        folder = self._hierarchy.find_folder(name)
        if folder is None:
            raise denied("resourcemanager.folders.get", name)
        return folder

    def _folders(self, call: Call) -> Any:
        parent = call.query.get("parent", "")
        self._gate.authorize(call.caller, "resourcemanager.folders.list", parent)
        found = [each.body() for each in self._hierarchy.folders() if each.parent == parent]
        return page_of(found, "folders", call.query, most=self.most_per_page)

    def _known(self, call: Call) -> Project:
        project = self._hierarchy.find_project(call.parts["project"])
        if project is None:
            raise denied("resourcemanager.projects.get", f"projects/{call.parts['project']}")
        return project

    def _get(self, call: Call) -> Any:
        return self._known(call).body()

    def _search(self, call: Call) -> Any:
        moment = time.monotonic() - self._lag
        found = []
        for project in self._hierarchy.projects():
            body = project.as_of(moment)
            may = self._gate.allows(call.caller, "resourcemanager.projects.get", project.name)
            if body is not None and may and _matches(body, call.query.get("query", "")):
                found.append(body)
        return page_of(found, "projects", call.query, most=self.most_per_page)

    def _create(self, call: Call) -> Any:
        wanted = call.body()
        parent, project_id = str(wanted.get("parent", "")), str(wanted.get("projectId", ""))
        if parent and not self._hierarchy.exists(parent):
            raise denied("resourcemanager.projects.create", parent)
        self._gate.authorize(call.caller, "resourcemanager.projects.create", parent or self._hierarchy.root)
        project = Project(
            number=self._hierarchy.new_number(),
            project_id=project_id,
            display_name=str(wanted.get("displayName") or project_id),
            parent=parent,
            labels={str(key): str(value) for key, value in wanted.get("labels", {}).items()},
        )

        def make() -> None:
            if not _ID.fullmatch(project_id):
                raise refusal(400, "Request contains an invalid argument.")
            if self._hierarchy.find_project(project_id) is not None:
                raise refusal(409, "Requested entity already exists")
            self._hierarchy.add_project(project)

        metadata = {"createTime": project.create_time, "gettable": True, "ready": True}
        return self._run(call, Action.CREATE, project, {"project": wanted}, make, metadata)

    def _delete(self, call: Call) -> Any:
        return self._set_state(call, Action.DELETE, "ACTIVE", "DELETE_REQUESTED")

    def _undelete(self, call: Call) -> Any:
        return self._set_state(call, Action.UNDELETE, "DELETE_REQUESTED", "ACTIVE")

    def _set_state(self, call: Call, action: Action, before: str, after: str) -> Any:
        project = self._known(call)

        def change() -> None:
            if project.state != before:
                raise refusal(400, "Precondition check failed.", status="FAILED_PRECONDITION")
            project.state, project.delete_time = after, now_spelt() if action is Action.DELETE else ""
            project.changed()

        return self._run(call, action, project, {"name": f"projects/{project.project_id}"}, change)

    def _move(self, call: Call) -> Any:
        project, parent = self._known(call), str(call.body().get("destinationParent", ""))
        if not self._hierarchy.exists(parent):
            raise denied("resourcemanager.projects.move", parent or "organizations/-")
        self._gate.authorize(call.caller, "resourcemanager.projects.move", parent)

        def change() -> None:
            project.parent = parent
            project.changed()

        request = {"name": f"projects/{project.project_id}", "destinationParent": parent}
        return self._run(call, Action.MOVE, project, request, change)

    def _run(  # noqa: PLR0913, PLR0917 - one operation: who, what, on which, by which request, how
        self,
        call: Call,
        action: Action,
        project: Project,
        request: dict[str, Any],
        change: Callable[[], None],
        metadata: dict[str, Any] | None = None,
    ) -> Any:
        name = f"operations/{action.prefix}.{secrets.randbelow(10**19):019d}"
        try:
            change()
        except RefusalError as refused:
            self._audit.tell(action, project, request, call.caller.name, name, refused=refused)
            raise
        self._audit.tell(action, project, request, call.caller.name, name)
        meta = {"@type": f"{_TYPE}{action.word}ProjectMetadata", **(metadata or {})}
        response = {"@type": f"{_TYPE}Project", **project.body()}
        running = {"name": name, "metadata": meta}
        return self._operations.start(name, running, {**running, "done": True, "response": response})

    def _operation(self, call: Call) -> Any:
        return self._operations.get(call.parts["operation"])


def _route(method_id: str, method: str, path: str, handler: Callable[[Call], Any]) -> Route:
    return Route(id=f"cloudresourcemanager.{method_id}", method=method, path=path, handler=handler)


def _matches(body: dict[str, Any], query: str) -> bool:
    """Whether any term of a query holds, as the API's documentation says; an empty one always does."""
    terms = list(_terms(query))
    return not terms or any(_holds(body, field, value) for field, value in terms)


def _terms(query: str) -> Iterator[tuple[str, str]]:
    for term in query.split():
        field, separator, value = term.replace("=", ":", 1).partition(":")
        if not separator or (field.lower() not in _FIELDS and not field.startswith("labels.")):
            raise refusal(400, f"The sandbox does not understand the query term {term}.")
        yield field, value


def _holds(body: dict[str, Any], field: str, value: str) -> bool:
    if field.startswith("labels."):
        found = body.get("labels", {}).get(field.partition(".")[2])
    else:
        found = body.get(_FIELDS[field.lower()])
    if found is None:
        return False
    pattern = re.escape(value).replace(r"\*", ".*")
    return re.fullmatch(pattern, str(found), re.IGNORECASE) is not None
