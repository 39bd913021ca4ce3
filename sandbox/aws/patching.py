"""Replacing parts of moto for as long as one sandbox runs, and putting them back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_ABSENT = object()


@dataclass(frozen=True)
class Patch:
    """One attribute of a class or module of moto and what stands in its place."""

    owner: Any
    name: str
    value: Any


class Patches:
    """A set of patches that can be applied once and taken back."""

    def __init__(self, patches: Iterable[Patch]) -> None:
        self._patches = list(patches)
        self._before: list[tuple[Any, str, Any]] = []

    def apply(self) -> None:
        """Puts the patches in place."""
        for patch in self._patches:
            self._before.append((patch.owner, patch.name, vars(patch.owner).get(patch.name, _ABSENT)))
            setattr(patch.owner, patch.name, patch.value)

    def remove(self) -> None:
        """Puts moto back as it was."""
        while self._before:
            owner, name, value = self._before.pop()
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
