"""Where an account stands in the organization, as a path of unit names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def unit_ids(described: dict[str, Any]) -> list[str]:
    """The ids from the root to the account's unit; empty where the answer does not say.

    Source: Organizations API 2016-11-28, Account, `Paths`, answered since 2026: `o-…/r-…/ou-…/<account id>/`.
    """
    for path in described.get("Paths") or []:
        _, *ids = path.strip("/").split("/")
        if ids and ids[-1] == described["Id"]:
            return ids[:-1] if ids[0].startswith("r-") else []
    return []


def named_path(names: Iterable[str]) -> str:
    """The path of these units, the one below the root first; `/` for the root itself."""
    return "/" + "/".join(step(name) for name in names)


def step(name: str) -> str:
    """A unit's name as a part of a path."""
    return name.replace("/", "%2F")
