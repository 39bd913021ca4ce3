"""What `gcp_project_events` works with; apart from the other functions, which need nothing of Google Cloud."""

from __future__ import annotations

from functools import cache

from functions import bootstrap
from shared.application.accept_project_event import ProjectEventPorts
from shared.application.gcp_ports import Projects
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
    raise ConfigurationError(
        "this version cannot look at the projects of Google Cloud",
        setting="ROLLCALL_GCP__SERVICE_ACCOUNT",
        remedy="Take the push subscription away until a version can; connect projects by hand.",
    )
