"""From a request to the operation that answers it: token, API, perimeter, permission, and only then the effect.

Whatever no route knows is refused with 501 and a text that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug import Response

from sandbox.azure.exchange import Exchange
from sandbox.gcp.access import Access
from sandbox.gcp.answers import (
    RefusalError,
    compute_refusal,
    denied,
    json_answer,
    outside_perimeter,
    refusal,
    service_disabled,
)
from sandbox.gcp.callers import AccessTokens, Caller
from sandbox.gcp.hierarchy import Hierarchy

TITLES = {
    "cloudresourcemanager": "Cloud Resource Manager API",
    "serviceusage": "Service Usage API",
    "iam": "Identity and Access Management (IAM) API",
    "iamcredentials": "IAM Service Account Credentials API",
    "compute": "Compute Engine API",
    "logging": "Cloud Logging API",
    "orgpolicy": "Organization Policy API",
    "pubsub": "Cloud Pub/Sub API",
    "sts": "Security Token Service API",
}
"""The services that are simulated."""
_NOBODY = Caller(name="anonymous")


@dataclass
class Call:
    """One admitted request: who asks, the parts of its path, the query and the body."""

    caller: Caller
    parts: Mapping[str, str]
    query: Mapping[str, str]
    lists: Mapping[str, list[str]]
    content: bytes
    form: Mapping[str, str]

    def body(self) -> dict[str, Any]:
        """The JSON body; empty where there is none.

        Raises:
            RefusalError: 400, it is no JSON object.
        """
        try:
            found = json.loads(self.content or b"{}")
        except ValueError as error:
            raise refusal(400, "Invalid JSON payload received.") from error
        if not isinstance(found, dict):
            raise refusal(400, "Invalid JSON payload received.")
        return found


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of an API.

    `id` is its id in the API's discovery document, `path` a pattern of what follows the service's name. `permission` is
    needed on `resource`, a template of the path's parts; where it is empty the handler itself looks at what is allowed.
    """

    id: str
    method: str
    path: str
    handler: Callable[[Call], Any]
    permission: str = ""
    resource: str = ""

    @property
    def service(self) -> str:
        """The service that it belongs to."""
        return self.id.partition(".")[0]


class Gate:
    """Admits requests or refuses them."""

    def __init__(self, tokens: AccessTokens, access: Access, hierarchy: Hierarchy) -> None:
        self.tokens = tokens
        self.access = access
        self.hierarchy = hierarchy
        self.perimeter: set[str] = set()
        """Numbers of projects that nobody from outside may reach."""

    def authenticate(self, exchange: Exchange) -> Caller:
        """Whose token the request carries. Raises RefusalError."""
        caller = self.tokens.identify(exchange.request.headers.get("Authorization"))
        exchange.identity, exchange.authentication = caller.name, "bearer"
        return caller

    def check_service(self, service: str, caller: Caller, number: str) -> None:
        """Refuses where the API is not enabled in the caller's project, for Compute Engine in the one asked for."""
        project = self.hierarchy.find_project(number if service == "compute" else caller.project)
        host = f"{service}.googleapis.com"
        if project is not None and host not in project.services:
            raise service_disabled(TITLES[service], host, project.number)

    def check_perimeter(self, service: str, number: str) -> None:
        """Refuses where a perimeter keeps outsiders from a project."""
        if number in self.perimeter:
            raise outside_perimeter(f"{service}.googleapis.com", number, f"perimeter-{number}")

    def allows(self, caller: Caller, permission: str, resource: str) -> bool:
        """Whether the caller has a permission on a resource, itself or from above."""
        return self.access.allows(caller, permission, self.hierarchy.above(resource))

    def authorize(self, caller: Caller, permission: str, resource: str) -> None:
        """Refuses where the caller lacks a permission. Raises RefusalError."""
        if not self.allows(caller, permission, resource):
            raise denied(permission, resource)


class Routing:
    """Answers for every service at once."""

    def __init__(self, gate: Gate, routes: Iterable[Route]) -> None:
        self._gate = gate
        self.routes = tuple(routes)
        self._patterns = [(re.compile(f"/{route.service}{route.path}"), route) for route in self.routes]

    def answer(self, exchange: Exchange) -> Response:
        """Answers one request."""
        try:
            route, match = self._find(exchange)
            exchange.operation = route.id
            parts = {name: value or "" for name, value in match.groupdict().items()}
            caller = self._admit(exchange, route, parts)
            exchange.admitted()
            body = route.handler(_call(exchange, caller, parts))
        except RefusalError as refused:
            exchange.detail["refused"] = refused.reason
            return refused.response()
        return json_answer(200, body)

    def _find(self, exchange: Exchange) -> tuple[Route, re.Match[str]]:
        path = exchange.request.path
        for pattern, route in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None and route.method == exchange.request.method:
                return route, match
        raise refusal(501, f"The sandbox does not simulate {exchange.request.method} {path}.")

    def _admit(self, exchange: Exchange, route: Route, parts: dict[str, str]) -> Caller:
        if route.service == "sts":  # it is where tokens come from
            return _NOBODY
        gate = self._gate
        caller = gate.authenticate(exchange)
        project = gate.hierarchy.find_project(parts["project"]) if parts.get("project", "-") != "-" else None
        exchange.detail["resource"] = project.number if project else parts.get("project", "")
        if route.service == "compute" and project is None:
            text = f"The resource 'projects/{parts['project']}' was not found"
            raise compute_refusal(404, text, "notFound")
        gate.check_service(route.service, caller, project.number if project else "")
        if project is not None:
            gate.check_perimeter(route.service, project.number)
            parts["project"] = project.number
        if route.permission:
            gate.authorize(caller, route.permission, route.resource.format_map(parts))
        return caller


def _call(exchange: Exchange, caller: Caller, parts: Mapping[str, str]) -> Call:
    request = exchange.request
    content = request.get_data(cache=True, parse_form_data=False)
    return Call(caller, parts, request.args.to_dict(), dict(request.args.lists()), content, request.form.to_dict())
