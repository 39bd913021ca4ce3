"""What hangs on a connector: extension resources of one type, kept below it and gone with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox.azure.answers import bad_request, not_found, now_spelt, parent_not_found
from sandbox.azure.resource_manager import GROUP, Call, ResourceType, Route
from sandbox.azure.resources import Document, Resources

CONNECTOR = rf"{GROUP}/providers/microsoft\.security/securityconnectors/(?P<name>[^/]+)"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def offerings_of(connector: Document) -> dict[str, Document]:
    """The offerings of a connector by their type."""
    return {each["offeringType"]: each for each in connector["properties"].get("offerings") or ()}


def find_connector(resources: Resources, call: Call, resource_type: str, verb: str) -> Document:
    """The connector that a request's path names.

    Raises:
        RefusalError: 404 ParentResourceNotFound, worded for a child of this type.
    """
    parts = call.parts
    path = (
        f"/subscriptions/{parts['subscription']}/resourceGroups/{parts['group']}"
        f"/providers/Microsoft.Security/securityConnectors/{parts['name']}"
    )
    found = resources.find(path)
    if found is None:
        raise parent_not_found(verb, f"securityConnectors/{resource_type.partition('/')[2]}", path)
    return found


class ConnectorChildren:
    """The extension resources of one type on connectors, each named by a GUID; thread-safe."""

    def __init__(self, resources: Resources, resource_type: str, *, updated: tuple[str, str]) -> None:
        """`updated` are the words of its metadata for who changed it last, and when."""
        self._resources = resources
        self.type = resource_type
        self._updated = updated

    def routes(self, operation: str, version: str, put: Callable[[Call], tuple[int, Any]]) -> list[Route]:
        """List, GET, PUT and DELETE; `operation` is the type's name in the journal."""
        namespace, _, kind = self.type.partition("/")
        every = rf"{CONNECTOR}/providers/{re.escape(namespace)}/{kind}"
        one = rf"{every}/(?P<child>[^/]+)"
        operations = ResourceType(self.type, (version,))
        return [
            operations.route("GET", every, f"List{operation}s", "read", self._list),
            operations.route("GET", one, f"Get{operation}", "read", self._get),
            operations.route("PUT", one, f"Put{operation}", "write", put),
            operations.route("DELETE", one, f"Delete{operation}", "delete", self._delete),
        ]

    def parent(self, call: Call, verb: str) -> Document:
        """The connector in a request's path. Raises RefusalError (404) where it is not there."""
        return find_connector(self._resources, call, self.type, verb)

    def all(self, connector: Document) -> list[Document]:
        """The children of a connector."""
        return self._resources.of_type(self.type, connector["id"])

    def find(self, connector: Document, name: str) -> Document | None:
        """One child."""
        return self._resources.find(self._id(connector, name))

    def save(self, connector: Document, name: str, properties: Document, writer: str) -> tuple[int, Document]:
        """Makes (201) or replaces (200) a child; its metadata say who and when.

        Raises:
            RefusalError: 400, the name is no GUID.
        """
        if not _GUID.fullmatch(name):
            raise bad_request(f"The name '{name}' is not a GUID.", "InvalidResourceName")
        now, (by, on) = now_spelt(), self._updated
        with self._resources.lock:
            before = self.find(connector, name)
            made = before["properties"]["metadata"] if before else {"createdBy": writer, "createdOn": now}
            metadata = {key: made[key] for key in ("createdBy", "createdOn")} | {by: writer, on: now}
            document = {
                "id": self._id(connector, name),
                "name": name,
                "type": self.type,
                "properties": properties | {"metadata": metadata},
            }
            self._resources.put(document)
        return (200 if before else 201), document

    def _id(self, connector: Document, name: str) -> str:
        return f"{connector['id']}/providers/{self.type}/{name}"

    def _list(self, call: Call) -> tuple[int, Any]:
        return 200, {"value": self.all(self.parent(call, "read"))}

    def _get(self, call: Call) -> tuple[int, Any]:
        found = self.find(self.parent(call, "read"), call.parts["child"])
        if found is None:
            raise not_found(self.type, call.parts["child"], call.parts["group"])
        return 200, found

    def _delete(self, call: Call) -> tuple[int, Any]:
        """200 for what was there, 204 for what was not, as the specifications list both."""
        found = self.find(self.parent(call, "delete"), call.parts["child"])
        if found is None:
            return 204, None
        self._resources.delete(found["id"])
        return 200, None


def sent_properties(call: Call) -> Document:
    """The writable properties of a request's body. Raises RefusalError (400) where it has none."""
    body = call.body()
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise bad_request("The request body has no properties.")
    return {key: value for key, value in properties.items() if key not in {"metadata", "tenantId"}}
