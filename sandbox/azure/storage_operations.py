"""Names every Azure Storage request and says which permission a bearer token's identity needs for it.

Source: Azure Storage REST API, "Permissions for calling data operations" and the services' references.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_STORAGE = "Microsoft.Storage/storageAccounts"
_QUEUES = f"{_STORAGE}/queueServices/queues"
_MESSAGES = f"{_QUEUES}/messages"
_TABLES = f"{_STORAGE}/tableServices/tables"
_ENTITIES = f"{_TABLES}/entities"
_CONTAINERS = f"{_STORAGE}/blobServices/containers"
_BLOBS = f"{_CONTAINERS}/blobs"


@dataclass(frozen=True)
class Permission:
    """One action that a role must contain."""

    action: str
    data: bool = True


@dataclass(frozen=True, kw_only=True)
class StorageOperation:
    """What a request does: `alternatives` are sets of permissions of which one is needed in full.

    `resource` is the part of the storage account's resource id below the account; no alternative means
    that the operation cannot be authorized with a bearer token at all.
    """

    name: str
    resource: str
    alternatives: tuple[tuple[Permission, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class StorageRequest:
    """The parts of a request that tell operations apart; `segments` follow the account's name."""

    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    conditional: bool = False  # carries If-Match

    @property
    def comp(self) -> str:
        """The sub-resource, `comp=…`."""
        return self.query.get("comp", "")


def _one(action: str, *, data: bool = True) -> tuple[tuple[Permission, ...], ...]:
    return ((Permission(action, data),),)


def _any(*actions: str) -> tuple[tuple[Permission, ...], ...]:
    return tuple((Permission(action),) for action in actions)


def _service_operation(service: str, request: StorageRequest, listing: str) -> StorageOperation:
    resource = f"{service}Services/default"
    parent = f"{_STORAGE}/{service}Services"
    if request.comp == "list":
        return StorageOperation(name=listing, resource="", alternatives=_one(_LISTED[service], data=False))
    verb, action = ("Set", "write") if request.method == "PUT" else ("Get", "read")
    subject = "ServiceStats" if request.comp == "stats" else "ServiceProperties"
    return StorageOperation(
        name=f"{verb}{subject}", resource=resource, alternatives=_one(f"{parent}/{action}", data=False)
    )


_LISTED = {"queue": f"{_QUEUES}/read", "table": f"{_TABLES}/read", "blob": f"{_CONTAINERS}/read"}

_PROCESS = f"{_MESSAGES}/process/action"
_QUEUE_OPERATIONS: dict[tuple[str, str], tuple[str, str]] = {
    ("PUT", ""): ("CreateQueue", f"{_QUEUES}/write"),
    ("DELETE", ""): ("DeleteQueue", f"{_QUEUES}/delete"),
    ("GET", "metadata"): ("GetQueueMetadata", f"{_QUEUES}/read"),
    ("HEAD", "metadata"): ("GetQueueMetadata", f"{_QUEUES}/read"),
    ("PUT", "metadata"): ("SetQueueMetadata", f"{_QUEUES}/write"),
}
_MESSAGE_OPERATIONS: dict[str, tuple[str, tuple[tuple[Permission, ...], ...]]] = {
    "PutMessage": ("POST", _any(f"{_MESSAGES}/add/action", f"{_MESSAGES}/write")),
    "GetMessages": (
        "GET",
        ((Permission(_PROCESS),), (Permission(f"{_MESSAGES}/delete"), Permission(f"{_MESSAGES}/read"))),
    ),
    "PeekMessages": ("GET", _any(f"{_MESSAGES}/read")),
    "ClearMessages": ("DELETE", _any(f"{_MESSAGES}/delete")),
    "DeleteMessage": ("DELETE", _any(_PROCESS, f"{_MESSAGES}/delete")),
    "UpdateMessage": ("PUT", _any(f"{_MESSAGES}/write")),
}


def queue_operation(request: StorageRequest) -> StorageOperation | None:
    """The operation of the Queue service; None where there is no such."""
    if not request.segments:
        return _service_operation("queue", request, "ListQueues")
    resource = f"queueServices/default/queues/{request.segments[0]}"
    if len(request.segments) == 1:
        found = _QUEUE_OPERATIONS.get((request.method, request.comp))
        if found is not None:
            return StorageOperation(name=found[0], resource=resource, alternatives=_one(found[1], data=False))
        return StorageOperation(name="QueueAcl", resource=resource) if request.comp == "acl" else None
    if request.segments[1].lower() != "messages":
        return None
    names = {"POST": "PutMessage", "GET": "GetMessages", "DELETE": "ClearMessages"}
    if len(request.segments) > 2:
        names = {"DELETE": "DeleteMessage", "PUT": "UpdateMessage"}
    elif request.query.get("peekonly", "").lower() == "true":
        names = {"GET": "PeekMessages"}
    name = names.get(request.method)
    if name is None:
        return None
    return StorageOperation(name=name, resource=resource, alternatives=_MESSAGE_OPERATIONS[name][1])


_TABLE_PATH = re.compile(r"(?P<table>[A-Za-z$][A-Za-z0-9]*)(?P<key>\(.*\))?\Z", re.DOTALL)
_ADD, _UPDATE, _WRITE = (f"{_ENTITIES}/{verb}" for verb in ("add/action", "update/action", "write"))
_UPSERT = ((Permission(_WRITE),), (Permission(_ADD), Permission(_UPDATE)))


def table_operation(request: StorageRequest) -> StorageOperation | None:
    """The operation of the Table service; None where there is no such. `$batch` is the caller's to open."""
    if not request.segments:
        return _service_operation("table", request, "QueryTables")
    match = _TABLE_PATH.match(unquote("/".join(request.segments)))
    if match is None:
        return None
    table, key, method = match["table"], match["key"], request.method
    if table == "Tables":
        return _tables_operation(method, key)
    resource = f"tableServices/default/tables/{table}"
    if request.comp == "acl":
        return StorageOperation(name="TableAcl", resource=resource)
    operations = {
        "POST": ("InsertEntity", _any(_WRITE, _ADD)),
        "GET": ("QueryEntities" if key in {None, "()"} else "GetEntity", _any(f"{_ENTITIES}/read")),
        "DELETE": ("DeleteEntity", _any(f"{_ENTITIES}/delete")),
        "PUT": ("UpdateEntity", _any(_WRITE, _UPDATE)) if request.conditional else ("InsertOrReplaceEntity", _UPSERT),
        "MERGE": ("MergeEntity", _any(_WRITE, _UPDATE)) if request.conditional else ("InsertOrMergeEntity", _UPSERT),
    }
    found = operations.get("MERGE" if method == "PATCH" else method)
    return StorageOperation(name=found[0], resource=resource, alternatives=found[1]) if found else None


def _tables_operation(method: str, key: str | None) -> StorageOperation | None:
    name = key.strip("()'") if key else ""
    resource = f"tableServices/default/tables/{name}" if name else ""
    verbs = {"GET": ("QueryTables", "read"), "POST": ("CreateTable", "write"), "DELETE": ("DeleteTable", "delete")}
    if method not in verbs:
        return None
    operation, action = verbs[method]
    return StorageOperation(name=operation, resource=resource, alternatives=_one(f"{_TABLES}/{action}", data=False))


_BATCHED = re.compile(
    rb"^(?P<method>POST|PUT|PATCH|MERGE|DELETE|GET) https?://[^/\s]+/[^/\s]+/(?P<path>\S+) HTTP/1.1\r?\n"
    rb"(?P<headers>(?:[^\r\n]+\r?\n)*)",
    re.MULTILINE,
)


def batched_operations(body: bytes) -> list[StorageOperation]:
    """The operations inside an entity group transaction; none where one of them is unknown."""
    found = []
    for match in _BATCHED.finditer(body):
        request = StorageRequest(
            method=match["method"].decode(),
            segments=tuple(match["path"].decode("latin-1").partition("?")[0].split("/")),
            query={},
            conditional=b"\nif-match:" in b"\n" + match["headers"].lower(),
        )
        operation = table_operation(request)
        if operation is None:
            return []
        found.append(operation)
    return found


_BLOB_NAMES = {
    ("GET", ""): "GetBlob",
    ("HEAD", ""): "GetBlobProperties",
    ("PUT", ""): "PutBlob",
    ("DELETE", ""): "DeleteBlob",
    ("PUT", "block"): "PutBlock",
    ("PUT", "blocklist"): "PutBlockList",
    ("GET", "blocklist"): "GetBlockList",
    ("PUT", "lease"): "LeaseBlob",
    ("PUT", "metadata"): "SetBlobMetadata",
    ("GET", "metadata"): "GetBlobMetadata",
    ("PUT", "properties"): "SetBlobProperties",
    ("PUT", "snapshot"): "SnapshotBlob",
    ("PUT", "appendblock"): "AppendBlock",
}
_CONTAINER_NAMES = {
    ("PUT", ""): ("CreateContainer", "write"),
    ("DELETE", ""): ("DeleteContainer", "delete"),
    ("GET", ""): ("GetContainerProperties", "read"),
    ("HEAD", ""): ("GetContainerProperties", "read"),
    ("PUT", "metadata"): ("SetContainerMetadata", "write"),
    ("PUT", "lease"): ("LeaseContainer", "write"),
}


def blob_operation(request: StorageRequest) -> StorageOperation | None:
    """The operation of the Blob service; None where there is no such."""
    if not request.segments:
        return _service_operation("blob", request, "ListContainers")
    resource = f"blobServices/default/containers/{request.segments[0]}"
    if request.query.get("restype") == "container":
        return _container_operation(request, resource)
    name = _BLOB_NAMES.get((request.method, request.comp))
    if name is None or len(request.segments) < 2:
        return None
    verb = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(request.method, "write")
    return StorageOperation(name=name, resource=resource, alternatives=_any(f"{_BLOBS}/{verb}"))


def _container_operation(request: StorageRequest, resource: str) -> StorageOperation | None:
    if (request.method, request.comp) == ("GET", "list"):
        return StorageOperation(name="ListBlobs", resource=resource, alternatives=_any(f"{_BLOBS}/read"))
    if request.comp == "acl":
        return StorageOperation(name="ContainerAcl", resource=resource)
    found = _CONTAINER_NAMES.get((request.method, request.comp))
    if found is None:
        return None
    alternatives = _one(f"{_CONTAINERS}/{found[1]}", data=False)
    return StorageOperation(name=found[0], resource=resource, alternatives=alternatives)


OPERATIONS = {"queue": queue_operation, "table": table_operation, "blob": blob_operation}
