"""The operations of Microsoft.Security/securityConnectors and Microsoft.ResourceGraph/resources."""

from __future__ import annotations

import base64
import re
from typing import Any

from sandbox.azure.connectors import TYPE, Address, SecurityConnectors
from sandbox.azure.resource_graph import API_VERSIONS, ResourceGraph
from sandbox.azure.resource_manager import GROUP, SUBSCRIPTION, Call, ResourceType, Route
from sandbox.azure.resources import Document

CONNECTORS_API_VERSION = "2024-08-01-preview"
_OPERATIONS = ResourceType(TYPE, (CONNECTORS_API_VERSION,))
_CONNECTORS = r"/providers/microsoft\.security/securityconnectors"


class ConnectorOperations:
    """The connectors' provider as Resource Manager calls it."""

    def __init__(self, connectors: SecurityConnectors) -> None:
        self._connectors = connectors

    def routes(self) -> list[Route]:
        """Every operation of the resource type."""
        one = rf"{GROUP}{_CONNECTORS}/(?P<name>[^/]+)"
        return [
            _OPERATIONS.route("PUT", one, "PutSecurityConnector", "write", self._put),
            _OPERATIONS.route("PATCH", one, "PatchSecurityConnector", "write", self._patch),
            _OPERATIONS.route("GET", one, "GetSecurityConnector", "read", self._get),
            _OPERATIONS.route("DELETE", one, "DeleteSecurityConnector", "delete", self._delete),
            _OPERATIONS.route("GET", SUBSCRIPTION + _CONNECTORS, "ListSecurityConnectors", "read", self._list),
            _OPERATIONS.route("GET", GROUP + _CONNECTORS, "ListSecurityConnectors", "read", self._list),
        ]

    def _put(self, call: Call) -> tuple[int, Any]:
        return self._connectors.put(_address(call), call.body(), call.caller)

    def _patch(self, call: Call) -> tuple[int, Any]:
        return 200, self._connectors.patch(_address(call), call.body(), call.caller)

    def _get(self, call: Call) -> tuple[int, Any]:
        return 200, self._connectors.get(_address(call))

    def _delete(self, call: Call) -> tuple[int, Any]:
        self._connectors.delete(_address(call))
        return 204, None

    def _list(self, call: Call) -> tuple[int, Any]:
        scope = f"/subscriptions/{call.parts['subscription']}"
        if group := call.parts.get("group"):
            scope += f"/resourcegroups/{group}"
        return 200, _paged(self._connectors.list(scope), self._connectors.page_size, call)


def _address(call: Call) -> Address:
    return Address(call.parts["subscription"], call.parts["group"], call.parts["name"])


def _paged(documents: list[Document], size: int | None, call: Call) -> Document:
    """A page; live answers carry no nextLink at all where there is no further page."""
    if size is None:
        return {"value": documents}
    token = call.query.get("$skipToken", "")
    start = int(base64.urlsafe_b64decode(token)) if token else 0
    page: Document = {"value": documents[start : start + size]}
    if start + size < len(documents):
        following = base64.urlsafe_b64encode(str(start + size).encode()).decode()
        bare = re.sub(r"&(%24|\$)skipToken=[^&]*", "", call.url)
        page["nextLink"] = f"{bare}&$skipToken={following}"
    return page


def graph_routes(graph: ResourceGraph) -> list[Route]:
    """Microsoft.ResourceGraph/resources."""

    def query(call: Call) -> tuple[int, Any]:
        answer, quota = graph.query(call.body(), call.caller)
        call.headers.update(quota)
        return 200, answer

    return [
        Route(
            method="POST",
            path="/providers/microsoft.resourcegraph/resources",
            operation="QueryResources",
            handler=query,
            versions=API_VERSIONS,
            resource_type="Microsoft.ResourceGraph/resources",
        )
    ]
