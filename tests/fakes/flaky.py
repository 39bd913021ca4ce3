"""Ports that fail when they are told to: before the effect, after it, or with the process that calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class KilledError(BaseException):
    """The process that called is dead: nothing that it would have done next is done."""


class Trap:
    """What the next calls of some ports meet; a port that is wrapped asks here, once for each call."""

    def __init__(self) -> None:
        """Nothing is set."""
        self._set: list[tuple[int, bool, BaseException]] = []
        self.sprung: list[str] = []

    def set(self, calls: int, error: BaseException, *, after: bool) -> None:
        """The call after so many others raises `error`, where `after` once it has had its effect."""
        self._set.append((calls, after, error))

    def clear(self) -> None:
        """Nothing is set any more."""
        self._set.clear()

    def call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls, and raises what is due."""
        due = [each for each in self._set if each[0] <= 0]
        self._set = [(calls - 1, after, error) for calls, after, error in self._set if calls > 0]
        if due:
            self.sprung.append(name)
        for _, after, error in due:
            if not after:
                raise error
        answer = method(*args, **kwargs)
        for _, _, error in due:
            raise error
        return answer

    def around(self, port: Any) -> Any:
        """The port, with every method asking here first."""
        return _Wrapped(port, self)


class _Wrapped:
    def __init__(self, port: Any, trap: Trap) -> None:
        self._port, self._trap = port, trap

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        where = f"{type(self._port).__name__}.{name}"
        return lambda *args, **kwargs: self._trap.call(where, found, *args, **kwargs)
