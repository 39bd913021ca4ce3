"""Use case of `rollcall policy publish`: the same bytes at every place that the policy is read from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.application.ports import PolicyDestination
from shared.errors import RollcallError


class Publication(StrEnum):
    """What became of one destination."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    WOULD_WRITE = "would-write"
    FAILED = "failed"
    NOT_TRIED = "not-tried"


@dataclass(frozen=True, kw_only=True)
class Published:
    """One destination and what became of it; `before` is the hash of what lay there, empty where nothing did."""

    url: str
    outcome: Publication
    before: str = ""
    error: RollcallError | None = None


@dataclass(frozen=True, kw_only=True)
class PublishReport:
    """The hash of the policy and every destination, in the order in which they were written."""

    content_hash: str
    destinations: tuple[Published, ...]

    @property
    def failed(self) -> bool:
        """Whether a destination could not be written."""
        return any(each.outcome is Publication.FAILED for each in self.destinations)

    @property
    def sides_differ(self) -> bool:
        """Whether it lies at one destination and not at another."""
        there = {each.outcome in {Publication.WRITTEN, Publication.UNCHANGED} for each in self.destinations}
        return self.failed and there == {True, False}


def publish_policy(content: bytes, destinations: Sequence[PolicyDestination], *, dry_run: bool) -> PublishReport:
    """Writes `content` wherever something else lies, and stops at the first destination that fails.

    Every destination is read before any is written, so that a wrong address or a missing grant to read changes
    nothing. Doing it again changes nothing, and ends what a failure left half done.

    Raises ConfigurationError, PermanentError, TransientError where a destination cannot be read.
    """
    content_hash = hashlib.sha256(content).hexdigest()
    present = [destination.find() for destination in destinations]
    done: list[Published] = []
    for destination, found in zip(destinations, present, strict=True):
        before, error = found.content_hash if found else "", None
        if before == content_hash:
            outcome = Publication.UNCHANGED
        elif dry_run:
            outcome = Publication.WOULD_WRITE
        elif any(each.outcome is Publication.FAILED for each in done):
            outcome = Publication.NOT_TRIED
        else:
            outcome, error = Publication.WRITTEN, None
            try:
                destination.put(content, over=found)
            except RollcallError as refusal:
                outcome, error = Publication.FAILED, refusal
        done.append(Published(url=destination.url, outcome=outcome, before=before, error=error))
    return PublishReport(content_hash=content_hash, destinations=tuple(done))
