"""Subscriptions, resource groups and resources, with the recent past that Resource Graph lags behind by."""

from __future__ import annotations

import copy
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Document = dict[str, Any]
_VERSIONS_KEPT = 16


_REGISTERED = (
    "microsoft.authorization",
    "microsoft.hybridcompute",
    "microsoft.logic",
    "microsoft.resourcegraph",
    "microsoft.security",
)
SubscriptionState = Literal["Enabled", "Warned", "PastDue", "Disabled", "Deleted"]


@dataclass
class Subscription:
    """One subscription, its state, and the resource providers that it is registered for (lower case)."""

    id: str
    name: str
    registered: set[str] = field(default_factory=lambda: set(_REGISTERED))
    state: SubscriptionState = "Enabled"


@dataclass(frozen=True)
class ResourceGroup:
    """One resource group; its name keeps the case that it was made with."""

    subscription_id: str
    name: str
    location: str
    tags: Mapping[str, str]

    def as_document(self) -> Document:
        """As Resource Manager returns it: without the key `tags` where there are none."""
        return {
            "id": f"/subscriptions/{self.subscription_id}/resourceGroups/{self.name}",
            "name": self.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self.location,
            **({"tags": dict(self.tags)} if self.tags else {}),
            "properties": {"provisioningState": "Succeeded"},
        }


def _identifier_of(document: Mapping[str, Any]) -> str:
    """A connector's `hierarchyIdentifier`; nothing of anything else."""
    properties = document.get("properties")
    return str(properties.get("hierarchyIdentifier") or "") if isinstance(properties, Mapping) else ""


class Resources:
    """Everything that Resource Manager knows; thread-safe; ids compare without regard to case."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self._groups: dict[tuple[str, str], ResourceGroup] = {}
        self._versions: dict[str, list[tuple[float, Document | None]]] = {}
        self._by_type: dict[str, dict[str, None]] = defaultdict(dict)  # the keys of each type, in order
        self._by_identifier: dict[str, dict[str, None]] = defaultdict(dict)  # of those that ever named it
        self.revision = 0
        """Counts the changes."""
        self.changed_at = 0.0
        """The latest moment from which on Resource Graph sees something else."""
        self.lock = threading.RLock()

    def add_subscription(self, subscription_id: str, name: str = "connectors") -> Subscription:
        """Adds a subscription to the tenant, registered for Microsoft.Security."""
        subscription = Subscription(subscription_id, name)
        with self.lock:
            self._subscriptions[subscription_id.lower()] = subscription
        return subscription

    def find_subscription(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id."""
        return self._subscriptions.get(subscription_id.lower())

    def subscriptions(self) -> list[Subscription]:
        """Every subscription of the tenant."""
        with self.lock:
            return list(self._subscriptions.values())

    def add_resource_group(
        self,
        subscription_id: str,
        name: str,
        location: str = "westeurope",
        tags: Mapping[str, str] | None = None,
    ) -> ResourceGroup:
        """Creates a resource group or replaces its tags."""
        with self.lock:
            before = self.find_resource_group(subscription_id, name)
            group = ResourceGroup(subscription_id, before.name if before else name, location, tags or {})
            self._groups[subscription_id.lower(), name.lower()] = group
        return group

    def find_resource_group(self, subscription_id: str, name: str) -> ResourceGroup | None:
        """The resource group of that name."""
        return self._groups.get((subscription_id.lower(), name.lower()))

    def resource_groups(self, subscription_id: str) -> list[ResourceGroup]:
        """The resource groups of a subscription."""
        with self.lock:
            return [group for (each, _), group in self._groups.items() if each == subscription_id.lower()]

    def put(self, document: Mapping[str, Any], *, seen_by_graph_at: float | None = None) -> None:
        """Stores a resource under its `id`. A seed passes `seen_by_graph_at=0` to be visible at once."""
        moment = time.monotonic() if seen_by_graph_at is None else seen_by_graph_at
        with self.lock:
            key = str(document["id"]).lower()
            versions = self._versions.setdefault(key, [])
            versions.append((moment, copy.deepcopy(dict(document))))
            del versions[:-_VERSIONS_KEPT]
            self._by_type[str(document["type"]).lower()][key] = None
            self._by_identifier[_identifier_of(document)][key] = None
            self._note(moment)

    def _note(self, moment: float) -> None:
        self.revision += 1
        self.changed_at = max(self.changed_at, moment)

    def delete(self, resource_id: str) -> None:
        """Removes a resource with everything below it: locks, assignments, rules."""
        whole = resource_id.lower()
        with self.lock:
            for key, versions in self._versions.items():
                if (key == whole or key.startswith(f"{whole}/")) and versions[-1][1] is not None:
                    versions.append((time.monotonic(), None))
                    self._note(versions[-1][0])

    def find(self, resource_id: str) -> Document | None:
        """A copy of the resource as it is now."""
        with self.lock:
            versions = self._versions.get(resource_id.lower())
            return copy.deepcopy(versions[-1][1]) if versions else None

    def of_type(self, resource_type: str, scope: str = "") -> list[Document]:
        """The resources of a type below a scope, by id; not to be changed by the caller."""
        prefix = f"{scope.lower().rstrip('/')}/"
        with self.lock:
            return [
                document
                for key in sorted(self._by_type.get(resource_type.lower(), ()))
                if key.startswith(prefix) and (document := self._versions[key][-1][1]) is not None
            ]

    def of_identifier(self, resource_type: str, identifier: str) -> list[Document]:
        """The resources of a type whose `hierarchyIdentifier` that is, by id; not to be changed by the caller."""
        with self.lock:
            known = sorted(self._by_type[resource_type.lower()].keys() & self._by_identifier[identifier].keys())
            found = [document for key in known if (document := self._versions[key][-1][1]) is not None]
        return [each for each in found if _identifier_of(each) == identifier]

    def as_of(
        self, moment: float, types: Collection[str] | None = None, ids: Iterable[str] | None = None
    ) -> Iterator[Document]:
        """Every resource as it was at a value of `time.monotonic()`; not to be changed by the caller.

        Of these types or ids only (lower case), where they are given.
        """
        with self.lock:
            histories = [list(self._versions[key]) for key in self._keys(types, ids)]
        for versions in histories:
            known = [document for changed_at, document in versions if changed_at <= moment]
            if known and known[-1] is not None:
                yield known[-1]

    def _keys(self, types: Collection[str] | None, ids: Iterable[str] | None) -> Iterable[str]:
        if ids is not None:
            return [key for key in dict.fromkeys(ids) if key in self._versions]
        if types is not None:
            return [key for each in types for key in self._by_type.get(each, ())]
        return self._versions
