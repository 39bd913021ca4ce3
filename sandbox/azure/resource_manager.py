"""Azure Resource Manager: finds the provider for a request and lets it answer.

Source: Azure Resource Manager REST conventions; refusals as live answers have them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug import Response

from sandbox.azure.answers import (
    RefusalError,
    gateway_refusal,
    not_registered,
    read_only_subscription,
    resource_group_not_found,
    subscription_not_found,
)
from sandbox.azure.directory import Identity
from sandbox.azure.exchange import Exchange, json_response
from sandbox.azure.gate import Gate
from sandbox.azure.locks import Locks
from sandbox.azure.resources import Resources, Subscription
from sandbox.azure.throttling import Limits
from sandbox.azure.tokens import Tokens

SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)"
GROUP = rf"{SUBSCRIPTION}/resourcegroups/(?P<group>[^/]+)"
_VERSION = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")


@dataclass
class Call:
    """One admitted request: who asks, the parts of its path, and headers that its answer will carry."""

    caller: Identity
    parts: Mapping[str, str]
    content: bytes
    url: str
    query: Mapping[str, str]
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> Any:
        """The JSON body.

        Raises:
            RefusalError: 400, it is none.
        """
        try:
            return json.loads(self.content)
        except ValueError as error:
            text = "The request content was invalid and could not be deserialized."
            raise gateway_refusal(400, "InvalidRequestContent", text) from error


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation of a provider.

    `action` is what a role must contain, formatted with the parts of the path; empty for operations that
    every identity of the tenant may ask for. `versions` empty accepts any well-formed api-version.
    """

    method: str
    path: str
    operation: str
    handler: Callable[[Call], tuple[int, Any]]
    action: str = ""
    versions: tuple[str, ...] = ()
    resource_type: str = ""  # namespace/type, where the subscription must be registered for it


@dataclass(frozen=True)
class ResourceType:
    """A resource type, `namespace/type`, and the api-versions that it answers to."""

    name: str
    versions: tuple[str, ...]

    def route(
        self, method: str, path: str, operation: str, verb: str, handler: Callable[[Call], tuple[int, Any]]
    ) -> Route:
        """One operation of the type; `verb` is what a role must allow: read, write or delete."""
        return Route(
            method=method,
            path=path,
            operation=operation,
            handler=handler,
            action=f"{self.name}/{verb}",
            versions=self.versions,
            resource_type=self.name,
        )


class ResourceManager:
    """Everything that it does not know is refused with 404 and a text that says so."""

    def __init__(self, tokens: Tokens, resources: Resources, routes: Iterable[Route], locks: Locks) -> None:
        self._resources = resources
        self._locks = locks
        self._gate = Gate(tokens)
        self._routes = [(re.compile(route.path, re.IGNORECASE), route) for route in routes]

    @property
    def limits(self) -> Limits:
        """The sizes of the token buckets; may be changed while it runs."""
        return self._gate.limits

    def reset_buckets(self) -> None:
        """Fills every token bucket."""
        self._gate.buckets.reset()

    def answer(self, exchange: Exchange) -> Response:
        """Answers one request."""
        headers: dict[str, str] = {}
        if exchange.request.method in {"PUT", "PATCH"}:
            exchange.body = exchange.request.get_json(silent=True)
        try:
            route, match = self._find(exchange)
            exchange.operation = route.operation
            caller = self._gate.authenticate(exchange)
            parts = {name: value or "" for name, value in match.groupdict().items()}
            self._admit(exchange, route, parts, caller)
            action = route.action.format_map(parts)
            headers |= self._gate.take(
                caller, parts.get("subscription", ""), exchange.request.method, action or route.operation
            )
            exchange.admitted()
            status, body = route.handler(_call(exchange, caller, parts, headers))
        except RefusalError as refused:
            exchange.detail["refused"] = _reason(refused.body)
            return json_response(refused.status, refused.body, headers | refused.headers)
        if body is None:
            return Response(status=status, headers={"Cache-Control": "no-cache", **headers})
        return json_response(status, body, headers)

    def _find(self, exchange: Exchange) -> tuple[Route, re.Match[str]]:
        path = exchange.request.path.rstrip("/")
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match is not None and route.method == exchange.request.method:
                return route, match
        self._gate.authenticate(exchange)
        raise gateway_refusal(
            404,
            "InvalidResourceType",
            f"The sandbox does not simulate {exchange.request.method} {path}.",
        )

    def _admit(self, exchange: Exchange, route: Route, parts: Mapping[str, str], caller: Identity) -> None:
        self._check_version(route, exchange.request.args.get("api-version", ""))
        subscription = None
        if subscription_id := parts.get("subscription"):
            subscription = self._resources.find_subscription(subscription_id)
            if subscription is None:
                raise subscription_not_found(subscription_id)
        action = exchange.detail["action"] = route.action.format_map(parts)
        self._gate.authorize(caller, action, exchange.request.path)
        _check_state(subscription, exchange.request.method, route.operation)
        namespace = route.resource_type.partition("/")[0]
        if subscription is not None and namespace and namespace.lower() not in subscription.registered:
            raise not_registered(namespace)
        group = parts.get("group")
        creates = route.operation == "PutResourceGroup"
        if group and not creates and self._resources.find_resource_group(parts["subscription"], group) is None:
            raise resource_group_not_found(group)
        if not route.action.startswith("Microsoft.Authorization/locks/"):  # or no lock could ever be removed
            self._locks.check(exchange.request.method, exchange.request.path)

    @staticmethod
    def _check_version(route: Route, version: str) -> None:
        if not version:
            text = "The api-version query parameter (?api-version=) is required for all requests."
            raise gateway_refusal(400, "MissingApiVersionParameter", text)
        if version in route.versions or (not route.versions and _VERSION.fullmatch(version)):
            return
        namespace, _, name = route.resource_type.partition("/")
        raise gateway_refusal(
            404,
            "InvalidResourceType",
            f"The resource type '{name}' could not be found in the namespace '{namespace}' for api version "
            f"'{version}'. The supported api-versions are '{','.join(route.versions)}'.",
        )


def _check_state(subscription: Subscription | None, method: str, operation: str) -> None:
    """Source: Azure "Azure subscription states"; PUT, PATCH and POST need one that is active or past due."""
    if subscription is None or operation == "GetSubscription":
        return
    if subscription.state == "Deleted":
        raise subscription_not_found(subscription.id)
    if subscription.state in {"Disabled", "Warned"} and method in {"PUT", "PATCH", "POST"}:
        raise read_only_subscription(subscription.id)


def _call(exchange: Exchange, caller: Identity, parts: Mapping[str, str], headers: dict[str, str]) -> Call:
    request = exchange.request
    return Call(caller, parts, request.get_data(), request.url, request.args.to_dict(), headers)


def _reason(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    return str(error["code"] if isinstance(error, Mapping) else body.get("errorMessage"))
