"""Why Defender may call projects unhealthy: what each lacks, and once for all what members share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from shared.application.gcp_ports import Google
from shared.application.look_at_google import LookAtGoogle
from shared.application.sweep_ports import SweepPorts
from shared.domain.accounts import Account, Provider
from shared.domain.policy import Policy
from shared.domain.profiles import Profile
from shared.domain.sweep.findings import Area, Gap, SweepFinding
from shared.domain.sweep.project_home import home_of, home_of_members
from shared.domain.sweep.slices import MOST_TIME


class ProjectDiagnosis:
    """Looks into projects; what cannot be looked at is a gap."""

    def __init__(self, policy: Policy, ports: SweepPorts, *, since: datetime) -> None:
        """`since` is when the slice began."""
        self._policy = policy
        self._ports = ports
        self._since = since
        self.gaps: list[Gap] = []

    def of(self, project: Account, profile: Profile, unhealthy: Sequence[SweepFinding]) -> Iterator[SweepFinding]:
        """What Defender says, and what is wrong in the project; only the former where the time is over.

        What members share is in the management project, which is looked at once in a sweep: `shared_findings`.
        """
        yield from unhealthy
        if self._ports.clock.now() - self._since > MOST_TIME:
            reason = "the time of a slice was over"
            self.gaps.append(Gap(reason=reason, area=Area.HEALTH, account=project.account_id))
            return
        shared = home_of_members(self._policy)
        if shared is not None and shared.number == project.account_id:
            return
        look = LookAtGoogle(self._ports.google, home_of(project, profile, self._policy))
        yield from look.at_everything() if shared is None else look.at_member()
        self.gaps += _gaps(look, project.account_id, Area.HEALTH)


def shared_findings(policy: Policy, google: Google) -> tuple[list[SweepFinding], list[Gap]]:
    """What is wrong with the identities that all members share, and what could not be told about them.

    It is a prerequisite of all and no health of the management project's connector, which may have no report yet.
    Nothing where projects have identities of their own, or the policy says nothing about them.
    """
    projects = policy.of(Provider.GCP)
    home = home_of_members(projects) if projects is not None else None
    if home is None:
        return [], []
    look = LookAtGoogle(google, home)
    found = [replace(each, area=Area.PREREQUISITES) for each in look.at_everything()]
    return found, list(_gaps(look, home.number, Area.PREREQUISITES))


def _gaps(look: LookAtGoogle, number: str, area: Area) -> Iterator[Gap]:
    for each in look.untold:
        yield Gap(reason=each.reason, area=area, account=number, told=each.told)
