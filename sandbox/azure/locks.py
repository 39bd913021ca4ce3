"""Management locks: where they stand, whom they reach, and what they forbid.

Source: Azure Resource Manager "Lock your resources to protect your infrastructure"; Microsoft.Authorization/locks,
API versions 2016-09-01 and 2020-05-01; live answers of the former.
"""

from __future__ import annotations

from typing import Literal, get_args

from sandbox.azure.answers import scope_locked
from sandbox.azure.resources import Document, Resources

TYPE = "Microsoft.Authorization/locks"
Level = Literal["CanNotDelete", "ReadOnly"]
LEVELS: tuple[str, ...] = get_args(Level)
_FORBIDDEN = {"DELETE": ("delete", {"CanNotDelete", "ReadOnly"}), "PUT": ("write", {"ReadOnly"})}
_FORBIDDEN["PATCH"] = _FORBIDDEN["PUT"]


class Locks:
    """The locks of every scope; each is a resource below the scope that it locks."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def put(self, scope: str, name: str, level: Level, notes: str | None = None) -> tuple[bool, Document]:
        """Sets or changes a lock; whether it is new, and the lock."""
        document: Document = {
            "properties": {"level": level} | ({"notes": notes} if notes is not None else {}),
            "id": f"{scope.rstrip('/')}/providers/{TYPE}/{name}",
            "type": TYPE,
            "name": name,
        }
        with self._resources.lock:
            new = self._resources.find(document["id"]) is None
            self._resources.put(document)
        return new, document

    def find(self, scope: str, name: str) -> Document | None:
        """The lock of that name on exactly this scope."""
        return self._resources.find(f"{scope}/providers/{TYPE}/{name}")

    def remove(self, scope: str, name: str) -> bool:
        """Takes a lock away; whether it was there."""
        with self._resources.lock:
            found = self.find(scope, name)
            if found is not None:
                self._resources.delete(found["id"])
        return found is not None

    def reaching(self, scope: str, *, below: bool = False) -> list[Document]:
        """The locks on a scope and on what it lies in; with `below` those on what lies in it, too."""
        inner = scope.lower().rstrip("/")

        def meant(lock: Document) -> bool:
            outer = scope_of(lock).lower()
            return _within(inner, outer) or (below and _within(outer, inner))

        return [lock for lock in self._resources.of_type(TYPE) if meant(lock)]

    def check(self, method: str, scope: str) -> None:
        """Lets a request on a scope pass.

        Raises:
            RefusalError: 409 ScopeLocked, a lock forbids it.
        """
        if method not in _FORBIDDEN:
            return
        verb, levels = _FORBIDDEN[method]
        locked = [scope_of(lock) for lock in self.reaching(scope) if lock["properties"]["level"] in levels]
        if locked:
            raise scope_locked(verb, scope, list(dict.fromkeys(locked)))


def scope_of(lock: Document) -> str:
    """What a lock stands on."""
    return str(lock["id"]).rpartition(f"/providers/{TYPE}/")[0]


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}/")
