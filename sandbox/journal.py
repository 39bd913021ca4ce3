"""Every request that any simulated service got: what the demo counts and the tests accuse with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Authentication = Literal["none", "sigv4", "bearer", "shared-key", "sas"]


@dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """One request as a simulated service saw it.

    `identity` is who called, in the service's own terms: an IAM role ARN or access key, an Entra
    object's name, `anonymous`. `operation` is the API operation (`cloudformation:CreateStackInstances`,
    `queue:PutMessage`, `arm:PutSecurityConnector`). `body` is kept for Resource Manager writes only.
    """

    service: str
    operation: str
    identity: str
    authentication: Authentication
    method: str
    path: str
    status: int
    duration_ms: float
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    detail: dict[str, Any] = field(default_factory=dict)
    body: Any = None


class Journal:
    """An append-only, thread-safe list of requests."""

    def __init__(self) -> None:
        self._entries: list[JournalEntry] = []
        self._lock = threading.Lock()

    def record(self, entry: JournalEntry) -> None:
        """Appends one request."""
        with self._lock:
            self._entries.append(entry)

    def entries(
        self, *, since: int = 0, service: str | None = None, operation: str | None = None
    ) -> list[JournalEntry]:
        """The requests from position `since` on, optionally of one service or operation."""
        with self._lock:
            entries = self._entries[since:]
        return [
            entry
            for entry in entries
            if (service is None or entry.service == service) and (operation is None or entry.operation == operation)
        ]

    def __len__(self) -> int:
        return len(self._entries)

    def as_json(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """The requests as JSON-ready objects, times in ISO 8601 UTC."""
        for entry in self.entries(**filters):
            yield asdict(entry) | {"time": entry.time.isoformat()}
