"""What `gcp_project_events` works with; apart from the other functions, which need nothing of Google Cloud."""

from __future__ import annotations

from functions import bootstrap
from shared.application.accept_project_event import ProjectEventPorts


def project_event_ports() -> ProjectEventPorts:
    """What `gcp_project_events` works with, for the organization of the policy of this moment.

    Raises ConfigurationError that names what is missing.
    """
    onboarding = bootstrap.onboard_ports()
    return ProjectEventPorts(
        projects=onboarding.google.projects(),
        queue=onboarding.queue,
        bodies=onboarding.bodies,
        policy=onboarding.policy,
        clock=onboarding.clock,
    )
