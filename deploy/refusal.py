"""Why a deployment goes no further."""

from __future__ import annotations


class RefusedError(Exception):
    """What a step did before it raises this stays done; `remedy` says what to do."""

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(f"{reason}. {remedy}")
        self.reason = reason
        self.remedy = remedy
