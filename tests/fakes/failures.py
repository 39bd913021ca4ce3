"""Errors that a fake raises when its time has come."""

from __future__ import annotations

from collections import defaultdict, deque

from shared.errors import RollcallError


class Failures:
    """Planned failures by method name; each is raised once, in order."""

    def __init__(self) -> None:
        self._planned: dict[str, deque[RollcallError | None]] = defaultdict(deque)

    def plan(self, method: str, *errors: RollcallError | None) -> None:
        """The next calls of `method` raise these; at a None one passes."""
        self._planned[method].extend(errors)

    def strike(self, method: str) -> None:
        """Raises what is planned for this call of `method`, if anything."""
        if self._planned[method] and (error := self._planned[method].popleft()) is not None:
            raise error
