"""Admin Activity entries about projects, as a sink of the organization would get them.

Source: one published v1 entry of CreateProject; of v3 the names of methods and request messages are public, the rest is
constructed after the v1 entry. A project's own log has the entry.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal

from sandbox.gcp.answers import RPC_CODE, RefusalError
from sandbox.gcp.hierarchy import Project, now_spelt

Version = Literal["v3", "v1"]
LogEntry = dict[str, Any]
_V3 = "google.cloud.resourcemanager.v3"
_V1 = "google.cloudresourcemanager.v1"
_SERVICE = "cloudresourcemanager.googleapis.com"


class Action(Enum):
    """What happens to projects: the word in the names of methods, the prefix of operations."""

    CREATE = "Create", "cp"
    DELETE = "Delete", "dp"
    UNDELETE = "Undelete", "up"
    MOVE = "Move", "mp"

    @property
    def word(self) -> str:
        """As in `CreateProject`."""
        return self.value[0]

    @property
    def prefix(self) -> str:
        """As in `operations/cp.123`."""
        return self.value[1]


class Audit:
    """Writes entries and gives them to whoever listens."""

    def __init__(self) -> None:
        """`version` is the form of the entries; the older interface has no move, so that is told in the newer form."""
        self.version: Version = "v3"
        self.listeners: list[Callable[[LogEntry], object]] = []

    def tell(  # noqa: PLR0913, PLR0917 - the parts of an entry
        self,
        action: Action,
        project: Project,
        request: dict[str, Any],
        caller: str,
        operation: str,
        *,
        refused: RefusalError | None = None,
    ) -> LogEntry:
        """Writes the entry about one request, a refused one too, and hands it out."""
        old = self.version == "v1" and action is not Action.MOVE
        body = _old_request(action, project, request) if old else _new_request(action, request)
        entry = _entry(f"{action.word}Project" if old else f"{_V3}.Projects.{action.word}Project", project, caller)
        payload = entry["protoPayload"]
        payload["request"] = body
        if refused is not None:
            error = refused.body["error"]
            payload["status"] = {"code": RPC_CODE[error["status"]], "message": error["message"]}
        if not old:
            entry["operation"] = {"id": operation, "producer": _SERVICE, "last": True}
        for listener in self.listeners:
            listener(entry)
        return entry


def _entry(method: str, project: Project, caller: str) -> LogEntry:
    moment = now_spelt()
    return {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": {},
            "authenticationInfo": {"principalEmail": caller},
            "requestMetadata": {
                "callerIp": "192.0.2.16",
                "callerSuppliedUserAgent": "sandbox",
                "requestAttributes": {},
                "destinationAttributes": {},
            },
            "serviceName": _SERVICE,
            "methodName": method,
            "authorizationInfo": [{"resourceAttributes": {}}],
            "resourceName": f"projects/{project.project_id}",
        },
        "insertId": secrets.token_hex(7),
        "resource": {"type": "project", "labels": {"project_id": project.project_id}},
        "timestamp": moment,
        "severity": "NOTICE",
        "logName": f"projects/{project.project_id}/logs/cloudaudit.googleapis.com%2Factivity",
        "receiveTimestamp": moment,
    }


def _new_request(action: Action, request: dict[str, Any]) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/{_V3}.{action.word}ProjectRequest", **request}


def _old_request(action: Action, project: Project, request: dict[str, Any]) -> dict[str, Any]:
    kind = f"type.googleapis.com/{_V1}.{action.word}ProjectRequest"
    if action is not Action.CREATE:
        return {"@type": kind, "projectId": project.project_id}
    described: dict[str, Any] = {
        "projectId": project.project_id,
        "projectNumber": project.number,
        "name": project.display_name,
        "lifecycleState": "ACTIVE",
        "createTime": project.create_time,
    }
    if project.parent:
        kind_of, _, number = project.parent.partition("/")
        described["parent"] = {"type": kind_of.removesuffix("s"), "id": number}
    return {"@type": kind, "project": described}
