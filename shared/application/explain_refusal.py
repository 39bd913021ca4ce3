"""Why Defender was refused by a project: Rollcall looks itself, and says what a person has to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.application.gcp_ports import Google
from shared.application.look_at_google import LookAtGoogle, Untold
from shared.application.ports import Clock
from shared.domain.accounts import Account
from shared.domain.policy import Policy
from shared.domain.profiles import Profile
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.project_home import Home, home_of, home_of_members
from shared.errors import TransientError

REFUSED = "gcp-authentication"
"""The key of Defender's refusal (docs/runbook.md)."""
FRESH = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look came to: what was found, and what could not be told."""

    findings: tuple[SweepFinding, ...]
    untold: tuple[Untold, ...]


class SharedLooks(Protocol):
    """Looks at what all members share, not more often than is useful."""

    def look(self, home: Home, google: Google, clock: Clock) -> Seen:
        """What is found about it, and what could not be told."""


class RecentLook:
    """What was last seen, kept for a minute: a burst of refusals costs one look. Thread-safe."""

    def __init__(self) -> None:
        self._last: tuple[Home, datetime, Seen] | None = None
        self._lock = threading.Lock()

    def look(self, home: Home, google: Google, clock: Clock) -> Seen:
        """As it is now, or was up to a minute ago."""
        with self._lock:
            if self._last is None or self._last[0] != home or clock.now() - self._last[1] > FRESH:
                look = LookAtGoogle(google, home)
                found = tuple(look.at_everything())
                self._last = home, clock.now(), Seen(findings=found, untold=look.untold)
            return self._last[2]


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """Looks at a project that Defender was refused by."""

    google: Google
    clock: Clock
    shared: SharedLooks

    def explained(self, error: TransientError, project: Account, profile: Profile, policy: Policy) -> TransientError:
        """The same refusal with its causes and their remedies, and with what could not be told.

        Its key is that of the first cause where there is one. It stays as transient as it was.
        """
        seen = self._seen(project, profile, policy)
        findings, untold = seen.findings, seen.untold
        if not findings and not untold:
            return error
        said = [error.reason, *(each.reason for each in findings), *(each.reason for each in untold if not each.told)]
        remedies = (each.remedy for each in findings) if findings else [error.remedy, *_advice(untold)]
        return TransientError(
            "; ".join(said),
            remedy=" ".join(dict.fromkeys(remedies)),
            key=findings[0].key if findings else error.key,
            retry_after_seconds=error.retry_after_seconds,
            patience=error.patience,
        )

    def _seen(self, project: Account, profile: Profile, policy: Policy) -> Seen:
        """What the identities' own project lacks, in mode `member` after what the project itself does."""
        own, shared = home_of(project, profile, policy), home_of_members(policy)
        look = LookAtGoogle(self.google, own)
        if shared is None:
            return Seen(findings=tuple(look.at_everything()), untold=look.untold)
        found = tuple(look.at_member()) if own.number != shared.number else ()
        of_all = self.shared.look(shared, self.google, self.clock)
        return Seen(findings=(*found, *of_all.findings), untold=(*look.untold, *of_all.untold))


def _advice(untold: Sequence[Untold]) -> Iterator[str]:
    yield from (each.error.remedy for each in untold if each.error.remedy)
