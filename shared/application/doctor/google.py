"""What Google says: to our service account about itself and Defender, to an operator about the intake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from shared.application.doctor.examine import Question
from shared.application.gcp_ports import Google
from shared.application.look_at_google import LookAtGoogle
from shared.application.ports import PolicySource
from shared.domain.accounts import Provider
from shared.domain.doctor import gcp_checks as checks
from shared.domain.doctor.gcp import PushSeen, PushWanted, SinkSeen, identity_verdicts, push_verdict, sink_verdict
from shared.domain.doctor.verdicts import Verdict, failed
from shared.domain.policy import OrganizationConnector, Policy
from shared.domain.sweep.project_home import home_of_members
from shared.errors import RollcallError

NO_PROJECTS = "the policy says nothing of projects"


class Intake(Protocol):
    """The sink and the subscription. All methods raise TransientError, PermanentError, ConfigurationError."""

    def find_sink(self, organization: str) -> SinkSeen | None:
        """Ours, of an organization."""

    def find_subscription(self, project_id: str) -> PushSeen | None:
        """Ours, in the management project."""


def access_question(google: Google, policies: PolicySource, checked_as: str) -> Question:
    """About the way in, proved by going it, and about what it shows of Defender's identities."""

    def ask() -> Iterator[Verdict]:
        policy = policies.current().of(Provider.GCP)
        if policy is None:
            yield checks.ACCESS.ok(NO_PROJECTS)
            yield checks.IDENTITIES.ok(NO_PROJECTS)
            return
        yield from _access(google, policy)

    return Question(checks=(checks.ACCESS, checks.IDENTITIES), ask=ask, checked_as=checked_as)


def _access(google: Google, policy: Policy) -> Iterator[Verdict]:
    subject = f"organizations/{policy.organization}"
    try:
        next(iter(google.projects().list_projects()), None)
    except RollcallError as error:
        yield failed(checks.ACCESS, error, command=checks.ACCESS.command, subject=subject)
        yield checks.IDENTITIES.unknown("nobody gets in", subject=subject)
        return
    yield checks.ACCESS.ok("it sees the organization's projects", subject=subject)
    home = home_of_members(policy)
    if home is None:
        yield checks.IDENTITIES.ok("each project has identities of its own, which the sweep looks at", subject=subject)
        return
    look = LookAtGoogle(google, home)
    found = list(look.at_everything())
    yield from identity_verdicts(home.project_id, found, [each.reason for each in look.untold])


def intake_question(intake: Intake, policies: PolicySource, wanted: PushWanted, checked_as: str) -> Question:
    """About the sink and the push subscription."""

    def ask() -> Iterator[Verdict]:
        policy = policies.current().of(Provider.GCP)
        parent = policy.organization_connector if policy is not None else None
        if policy is None or parent is None:
            why = NO_PROJECTS if policy is None else "the policy names no management project"
            for check in (checks.SINK, checks.PUSH):
                yield check.ok(why) if policy is None else check.unknown(why)
            return
        yield from _intake(intake, policy, parent, wanted)

    return Question(checks=(checks.SINK, checks.PUSH), ask=ask, checked_as=checked_as)


def _intake(intake: Intake, policy: Policy, parent: OrganizationConnector, wanted: PushWanted) -> Iterator[Verdict]:
    """One that may not be looked at hides the other not."""
    project_id = parent.management_id
    try:
        yield sink_verdict(policy.organization, project_id, intake.find_sink(policy.organization))
    except RollcallError as error:
        yield checks.SINK.unknown(error.reason, remedy=error.remedy)
    try:
        yield push_verdict(project_id, intake.find_subscription(project_id), wanted)
    except RollcallError as error:
        yield checks.PUSH.unknown(error.reason, remedy=error.remedy)
