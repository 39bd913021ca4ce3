"""Reads the policy from a file, `s3://` or a blob URL, by identity, and keeps it by ETag for a minute."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from shared.adapters.policy.limits import MOST_BYTES
from shared.application.ports import Clock
from shared.domain.policy import Policy
from shared.errors import ConfigurationError

MAX_AGE = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Version:
    """The bytes of the policy and the ETag that they came with."""

    content: bytes
    etag: str


def is_no_document(content: bytes) -> bool:
    """Whether it is empty or markup, as a proxy answers: it says nothing about the policy that lies there."""
    return content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"", b"<"}


class PolicyStore(Protocol):
    """One place that a policy can lie in."""

    def fetch(self, known_etag: str | None) -> Version | None:
        """The present version; None where it is still the one of `known_etag`."""


def read_bounded(path: Path) -> bytes:
    """A file's content, or one byte more than a policy may have, which `check_policy` refuses. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


class FilePolicyStore:
    """A file of this computer or artefact."""

    def __init__(self, path: Path) -> None:
        """Reads `path` when asked."""
        self._path = path

    def fetch(self, known_etag: str | None) -> Version | None:
        """The file's content; its change time and size serve as ETag."""
        try:
            status = self._path.stat()
            etag = f"{status.st_mtime_ns}-{status.st_size}"
            return None if etag == known_etag else Version(content=read_bounded(self._path), etag=etag)
        except OSError as error:
            raise ConfigurationError(
                f"cannot read {self._path}: {error.strerror}", setting="ROLLCALL_POLICY"
            ) from error


class CachedPolicySource:
    """The policy of one store, at most a minute old."""

    def __init__(self, store: PolicyStore, *, origin: str, clock: Clock) -> None:
        """`origin` names the store in errors."""
        self._store = store
        self._origin = origin
        self._clock = clock
        self._lock = threading.Lock()
        self._policy: Policy | None = None
        self._etag: str | None = None
        self._asked_at: datetime | None = None

    def current(self) -> Policy:
        """The policy. Raises ConfigurationError where it is missing or wrong, TransientError without answer."""
        with self._lock:
            now = self._clock.now()
            if self._policy is not None and self._asked_at is not None and now - self._asked_at < MAX_AGE:
                return self._policy
            version = self._store.fetch(self._etag)
            if version is not None:
                self._policy = _parsed(version.content, self._origin)
                self._etag = version.etag
            self._asked_at = now
            if self._policy is None:
                raise ConfigurationError(f"{self._origin} answered without content", setting="ROLLCALL_POLICY")
            return self._policy


def _parsed(content: bytes, origin: str) -> Policy:
    """The parser is imported with the first policy: what handles a message without one does not wait for it."""
    from shared.adapters.policy.problems import parse_policy

    return parse_policy(content, origin)
