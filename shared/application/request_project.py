"""Use case of `rollcall onboard` for a project: it is asked for at once, without an event of Google's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime

from shared.application.backfill_projects import BackfillPorts
from shared.application.provider_policy import policy_for
from shared.application.requests import OPERATOR, Cause, correlation_id_of, report_on_project, request_for
from shared.application.tell_exclusions import note_to_organization, pieces_of
from shared.domain.accounts import Account, Provider
from shared.domain.exclusions import Exclusions, exclusions_of
from shared.domain.ledger import AccountKey
from shared.domain.policy import Decision, Deletions, Policy, Verdict, decide, is_management
from shared.errors import TransientError
from shared.messages.connector_request import ConnectorRequest


def request_project(project: Account, ports: BackfillPorts) -> str:
    """Asks for what the policy wants for the project as it is now; returns the id that stands for an event.

    One that takes no part is only noted, whatever `deletions` says: a person takes a connector away by `offboard`.
    In mode `member` the Organization connector is told, too, whether it has to leave the project alone; where the
    project is the management project itself, it is told about every project, so the whole organization is listed.
    Raises TransientError, PermanentError, ConfigurationError.
    """
    policy = policy_for(ports.policy.current(), Provider.GCP)
    decision = decide(policy, project)
    if decision.verdict is Verdict.WAIT:
        raise TransientError(decision.reason, remedy="See in which state Google has the project, and ask again.")
    event_id = str(uuid.uuid4())
    for request in list(_requests(project, decision, policy, event_id, ports)):
        ports.sender.send(request)
    return event_id


def _requests(
    project: Account, decision: Decision, policy: Policy, event_id: str, ports: BackfillPorts
) -> Iterator[ConnectorRequest]:
    now = ports.clock.now()
    cause = _cause(project, event_id, now)
    told = exclusions_of(policy, [(project, decision)])
    if told:
        yield note_to_organization(policy, cause, told, now)
    report = report_on_project(project, decision, Deletions(), now)
    for each in pieces_of(report, _about_everybody(project, policy, ports)):
        yield request_for(project, policy, cause, each)


def _about_everybody(project: Account, policy: Policy, ports: BackfillPorts) -> Exclusions:
    """What the Organization connector is told where it is the one that is asked for."""
    if not is_management(policy, project):
        return Exclusions()
    return exclusions_of(policy, [(each, decide(policy, each)) for each in ports.projects.list_projects()])


def _cause(project: Account, event_id: str, now: datetime) -> Cause:
    key = AccountKey(provider=Provider.GCP, hierarchy_identifier=project.account_id)
    return Cause(event_id=event_id, source=OPERATOR, occurred_at=now, correlation_id=correlation_id_of(key))
