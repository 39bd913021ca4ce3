"""Looks at what keeps Defender out of GCP projects, call by call: what is refused hides nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from shared.application.gcp_ports import Google
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.project_findings import (
    ISSUERS,
    SERVICE_USAGE,
    SHARING,
    STORAGE,
    account_findings,
    custom_role_findings,
    custom_roles_of,
    grant_findings,
    perimeter_finding,
    pool_findings,
    service_usage_findings,
    services_findings,
    sharing_findings,
    storage_findings,
)
from shared.domain.sweep.project_home import Home
from shared.domain.sweep.project_identity import CustomRoleSeen, ListPolicySeen, PoolSeen, ServiceAccountSeen
from shared.errors import RollcallError

logger = logging.getLogger(__name__)
_Seen = TypeVar("_Seen")

BEHIND_PERIMETER = "gcp-service-perimeter"
"""The key of a refusal by VPC Service Controls (docs/runbook.md)."""
_HOPELESS = frozenset(
    {
        "gcp-no-answer",
        "gcp-throttled",
        "gcp-unauthenticated",
        "gcp-token-refused",
        "gcp-federation-missing",
        "gcp-impersonation-denied",
        "gcp-service-account-missing",
    }
)
"""Refusals that the next call would meet, too: nothing more is asked then."""
_TROUBLE, _MOST_TROUBLES = "gcp-server-error", 2
"""One call may meet a trouble of Google's own that the next does not, and each has been tried several times by then."""


@dataclass(frozen=True, kw_only=True)
class Untold:
    """What could not be looked at, and why; `told` where a finding says so."""

    what: str
    error: RollcallError
    told: bool = False

    @property
    def reason(self) -> str:
        """In one sentence."""
        return f"could not tell about {self.what}: {self.error.reason}"


class LookAtGoogle:
    """One look at the project that Defender's identities live in, or at one whose identities are another's.

    Raises none of our errors: what could not be looked at is in `untold`.
    """

    def __init__(self, google: Google, home: Home) -> None:
        """`home` says what has to be there."""
        self._google = google
        self._home = home
        self._missing: list[Untold] = []
        self._ended: RollcallError | None = None
        self._troubles = 0

    @property
    def untold(self) -> tuple[Untold, ...]:
        """What could not be looked at, once for each reason."""
        found: dict[tuple[str, bool], list[Untold]] = {}
        for each in self._missing:
            found.setdefault((each.error.reason, each.told), []).append(each)
        return tuple(replace(several[0], what=", ".join(each.what for each in several)) for several in found.values())

    def at_everything(self) -> Iterator[SweepFinding]:
        """All that keeps Defender out."""
        home = self._home
        yield from self.at_identities(self._policy(f"projects/{home.number}", ISSUERS))
        yield from self._at_grants() if home.shared else self._at_sharing()
        yield from self._at_policies(f"organizations/{home.organization}" if home.shared else f"projects/{home.number}")
        yield from self._perimeter()

    def at_member(self) -> Iterator[SweepFinding]:
        """What a project itself lacks whose identities are another's."""
        yield from self._at_services()
        yield from self._at_policies(f"projects/{self._home.number}")
        yield from self._perimeter()

    def at_identities(self, issuers: ListPolicySeen | None = None) -> Iterator[SweepFinding]:
        """Services, pool, providers and service accounts with who may be them."""
        home = self._home
        yield from self._at_services()
        compared = partial(pool_findings, home, issuers=issuers)
        yield from self._of(f"workload identity pool {home.pool}", self._find_pool, compared)
        for account in home.all_accounts:
            email = home.email(account)
            find, compare = partial(self._find_account, email), partial(account_findings, home, account)
            yield from self._of(f"service account {email}", find, compare)

    def _at_services(self) -> Iterator[SweepFinding]:
        what = f"services of project {self._home.project_id}"
        yield from self._of(what, self._missing_services, partial(services_findings, self._home))

    def _at_grants(self) -> Iterator[SweepFinding]:
        """Roles on the organization, and whether domain-restricted sharing is why one is missing."""
        home = self._home
        sharing = self._policy(f"organizations/{home.organization}", SHARING)
        compared = partial(grant_findings, home, sharing=sharing)
        yield from self._of(f"roles on organization {home.organization}", self._grants, compared)
        for role in custom_roles_of(home):
            find, compare = partial(self._find_role, role), partial(custom_role_findings, home, role)
            yield from self._of(f"role {role}", find, compare)

    def _at_sharing(self) -> Iterator[SweepFinding]:
        sharing = self._policy(f"projects/{self._home.number}", SHARING)
        if sharing is not None:
            yield from sharing_findings(self._home, sharing)

    def _at_policies(self, disks_of: str) -> Iterator[SweepFinding]:
        """Policies that Google asks at each use: about services in the project, about disks in `disks_of`."""
        home, project = self._home, f"projects/{self._home.number}"
        if (usage := self._policy(project, SERVICE_USAGE)) is not None:
            yield from service_usage_findings(home, usage, project)
        if home.scans and (storage := self._policy(disks_of, STORAGE)) is not None:
            yield from storage_findings(home, storage, disks_of)

    def _perimeter(self) -> Iterator[SweepFinding]:
        refused = next((each.error for each in self._missing if each.told), None)
        if refused is not None:
            yield perimeter_finding(self._home, refused.reason, refused.remedy)

    def _missing_services(self) -> tuple[str, ...]:
        return self._google.setup().missing_services(self._home.number, self._home.services)

    def _find_pool(self) -> PoolSeen | None:
        return self._google.identities().find_pool(self._home.number, self._home.pool)

    def _find_account(self, email: str) -> ServiceAccountSeen | None:
        return self._google.identities().find_account(self._home.project_id, email)

    def _grants(self) -> Mapping[str, frozenset[str]]:
        return self._google.rules().grants(self._home.organization)

    def _find_role(self, role: str) -> CustomRoleSeen | None:
        return self._google.rules().find_role(self._home.organization, role)

    def _policy(self, resource: str, constraint: str) -> ListPolicySeen | None:
        """None where it could not be looked at."""
        try:
            return self._asked(lambda: self._google.rules().list_policy(resource, constraint))
        except RollcallError as error:
            self._missed(f"constraints/{constraint} of {resource}", error)
            return None

    def _of(
        self, what: str, ask: Callable[[], _Seen], compare: Callable[[_Seen], Iterator[SweepFinding]]
    ) -> Iterator[SweepFinding]:
        try:
            seen = self._asked(ask)
        except RollcallError as error:
            self._missed(what, error)
            return
        yield from compare(seen)

    def _asked(self, ask: Callable[[], _Seen]) -> _Seen:
        if self._ended is not None:
            raise self._ended
        return ask()

    def _missed(self, what: str, error: RollcallError) -> None:
        if self._ended is None:
            facts = {"what": what, "reason": error.reason, "error_key": error.key}
            logger.warning("google_not_looked_at", extra=facts)
            self._troubles += error.key == _TROUBLE
            if error.key in _HOPELESS or not error.key or self._troubles == _MOST_TROUBLES:
                self._ended = error
        self._missing.append(Untold(what=what, error=error, told=error.key == BEHIND_PERIMETER))
