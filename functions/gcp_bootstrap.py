"""What `gcp_project_events` works with; apart from the other functions, which need nothing of Google Cloud."""

from __future__ import annotations

from functools import cache

from functions import bootstrap
from shared.adapters.clock import SystemClock
from shared.adapters.gcp.client import GoogleClient
from shared.adapters.gcp.credentials import federated_session, identity_of
from shared.adapters.gcp.projects import GcpProjects
from shared.application.accept_project_event import ProjectEventPorts
from shared.application.gcp_ports import Projects
from shared.domain.accounts import Provider
from shared.errors import ConfigurationError


@cache
def project_event_ports() -> ProjectEventPorts:
    """What `gcp_project_events` works with. Raises ConfigurationError that names what is missing."""
    onboarding = bootstrap.onboard_ports()
    return ProjectEventPorts(
        projects=_projects(),
        queue=onboarding.queue,
        bodies=onboarding.bodies,
        policy=onboarding.policy,
        clock=onboarding.clock,
    )


def _projects() -> Projects:
    chosen, clock = bootstrap.settings().gcp, SystemClock()
    policy = bootstrap.onboard_ports().policy.current().of(Provider.GCP)
    if policy is None:
        raise ConfigurationError("the policy says nothing of Google Cloud", setting="the section `gcp` of the policy")
    session = federated_session(bootstrap.credential(), identity_of(chosen))
    return GcpProjects(GoogleClient(session, clock, endpoint=chosen.endpoint), policy.organization, clock)
