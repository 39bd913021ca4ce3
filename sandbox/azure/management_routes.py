"""Resource Manager's own operations: subscriptions, resource groups, registrations, reading by id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.azure.answers import gateway_refusal, not_found, resource_group_not_found, subscription_not_found
from sandbox.azure.directory import Directory
from sandbox.azure.resource_manager import GROUP, SUBSCRIPTION, Call, Route
from sandbox.azure.resources import Document, Resources, Subscription

_READ = "Microsoft.Resources/subscriptions/read"
_READ_PROVIDERS = "Microsoft.Resources/subscriptions/providers/read"
_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"
_NAMESPACE = r"/providers/(?P<namespace>[^/]+)"


class ManagementOperations:
    """What belongs to no provider."""

    def __init__(self, resources: Resources, directory: Directory) -> None:
        self._resources = resources
        self._directory = directory

    def routes(self) -> list[Route]:
        """Every operation; the last one reads any other resource that has been seeded, by its id."""
        registration = rf"{SUBSCRIPTION}{_NAMESPACE}/register"
        any_resource = rf"{GROUP}{_NAMESPACE}/(?P<kind>[^/]+)/(?P<name>[^/]+)"
        groups = rf"{SUBSCRIPTION}/resourcegroups"
        return [
            _route("GET", "/subscriptions", "ListSubscriptions", "", self._list_subscriptions),
            _route("GET", SUBSCRIPTION, "GetSubscription", _READ, self._get_subscription),
            _route("GET", groups, "ListResourceGroups", f"{_GROUPS}/read", self._list_groups),
            _route("GET", GROUP, "GetResourceGroup", f"{_GROUPS}/read", self._get_group),
            _route("PUT", GROUP, "PutResourceGroup", f"{_GROUPS}/write", self._put_group),
            _route("GET", SUBSCRIPTION + _NAMESPACE, "GetProvider", _READ_PROVIDERS, self._get_provider),
            _route("POST", registration, "RegisterProvider", "{namespace}/register/action", self._register),
            _route("GET", any_resource, "GetResource", "{namespace}/{kind}/read", self._get_resource),
        ]

    def _list_subscriptions(self, call: Call) -> tuple[int, Any]:
        readable = [
            each
            for each in self._resources.subscriptions()
            if self._directory.allows(call.caller, _READ, f"/subscriptions/{each.id}")
        ]
        return 200, {"value": [self._subscription(each) for each in readable]}

    def _get_subscription(self, call: Call) -> tuple[int, Any]:
        return 200, self._subscription(self._known(call))

    def _subscription(self, subscription: Subscription) -> Document:
        return {
            "id": f"/subscriptions/{subscription.id}",
            "subscriptionId": subscription.id,
            "tenantId": self._directory.tenant_id,
            "displayName": subscription.name,
            "state": subscription.state,
        }

    def _known(self, call: Call) -> Subscription:
        found = self._resources.find_subscription(call.parts["subscription"])
        if found is None:
            raise subscription_not_found(call.parts["subscription"])
        return found

    def _list_groups(self, call: Call) -> tuple[int, Any]:
        found = self._resources.resource_groups(call.parts["subscription"])
        return 200, {"value": [each.as_document() for each in found]}

    def _get_group(self, call: Call) -> tuple[int, Any]:
        found = self._resources.find_resource_group(call.parts["subscription"], call.parts["group"])
        if found is None:
            raise resource_group_not_found(call.parts["group"])
        return 200, found.as_document()

    def _put_group(self, call: Call) -> tuple[int, Any]:
        place, body = (call.parts["subscription"], call.parts["group"]), call.body()
        if not isinstance(body, dict) or not body.get("location"):
            text = "The location property is required for this definition."
            raise gateway_refusal(400, "LocationRequired", text)
        status = 200 if self._resources.find_resource_group(*place) else 201
        made = self._resources.add_resource_group(*place, body["location"], body.get("tags"))
        return status, made.as_document()

    def _get_provider(self, call: Call) -> tuple[int, Any]:
        return 200, _provider(self._known(call), call.parts["namespace"])

    def _register(self, call: Call) -> tuple[int, Any]:
        found = self._known(call)
        found.registered.add(call.parts["namespace"].lower())
        return 200, _provider(found, call.parts["namespace"])

    def _get_resource(self, call: Call) -> tuple[int, Any]:
        parts = call.parts
        kind = f"{parts['namespace']}/{parts['kind']}"
        place = f"/subscriptions/{parts['subscription']}/resourcegroups/{parts['group']}"
        found = self._resources.find(f"{place}/providers/{kind}/{parts['name']}")
        if found is None:
            raise not_found(kind, parts["name"], parts["group"])
        return 200, found


def _route(method: str, path: str, operation: str, action: str, handler: Callable[[Call], tuple[int, Any]]) -> Route:
    return Route(method=method, path=path, operation=operation, handler=handler, action=action)


def _provider(subscription: Subscription, namespace: str) -> Document:
    registered = namespace.lower() in subscription.registered
    return {
        "id": f"/subscriptions/{subscription.id}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": "Registered" if registered else "NotRegistered",
        "registrationPolicy": "RegistrationRequired",
    }
