"""Use case of `functions/gcp_project_events`: an entry of GCP's audit log becomes a request on `onboarding`.

The entry names a project and decides nothing: what is asked for follows from what the project is now. So entries may
be lost, late, repeated or in another order than they happened.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.application import refusals
from shared.application.gcp_ports import Projects
from shared.application.outcome import Outcome
from shared.application.parking import Parking
from shared.application.patience import unless_lasting
from shared.application.ports import Clock, ParkedBodies, PolicySource, RequestQueue
from shared.application.requests import (
    Cause,
    Report,
    correlation_id_of,
    report_leaving,
    report_on_project,
    request_for,
)
from shared.application.tell_exclusions import note_to_organization
from shared.domain.accounts import Account, Provider, unlisted_account
from shared.domain.exclusions import Exclusions, exclusions_of
from shared.domain.leaving import leave_unseen_project
from shared.domain.ledger import AccountKey, Result, State
from shared.domain.policy import Policy, Verdict, decide
from shared.domain.trace import trace_id_of
from shared.errors import PermanentError, RollcallError, TransientError
from shared.messages.connector_request import ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from shared.messages.poison import PoisonMessage, read_request

SOURCE = "gcp.cloudresourcemanager"

SETTLES = timedelta(minutes=15)
"""For how long after the entry a project may be out of sight without that meaning anything.

Source: Google Cloud, "Access change propagation": changes take two minutes as a rule, seven or more at times.
"""

MOST_KEPT_BYTES = 64 * 1024
"""How much of a push is parked: what `ParkedBodies` takes."""


class ProjectMethod(StrEnum):
    """The calls of Resource Manager that begin or end something for a project, without service and version."""

    CREATE = "CreateProject"
    UNDELETE = "UndeleteProject"
    MOVE = "MoveProject"
    DELETE = "DeleteProject"


_MAY_TAKE_AWAY = {ProjectMethod.MOVE, ProjectMethod.DELETE}


@dataclass(frozen=True, kw_only=True)
class ProjectSignal:
    """Some entry of the audit log said that there may be something to do about a project.

    `project` is its number or id, by which it is looked for; `number` is empty where the entry does not tell it.
    """

    project: str
    number: str
    method: ProjectMethod
    insert_id: str
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True)
class ProjectEventPorts:
    """What the use case works with."""

    projects: Projects
    queue: RequestQueue
    bodies: ParkedBodies
    policy: PolicySource
    clock: Clock

    @property
    def parking(self) -> Parking:
        """Where messages wait for a person."""
        return Parking(queue=self.queue, bodies=self.bodies, clock=self.clock)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What became of an entry, and the request that was put, if any."""

    outcome: Outcome
    request: ConnectorRequest | None = None

    def log_fields(self) -> dict[str, str | float]:
        """The fields of the closing log line."""
        fields = self.outcome.log_fields()
        if self.request is None:
            return fields
        ids = {"message_id": str(self.request.message_id), "correlation_id": self.request.correlation_id}
        ids["trace_id"] = trace_id_of(self.request.traceparent)
        return fields | ids | {"hierarchy_identifier": self.request.data.hierarchy_identifier}


def accept_project_event(signal: ProjectSignal, body: bytes, ports: ProjectEventPorts) -> Accepted:
    """Puts one request for the project that is named, or parks `body`, the push, where none can be made.

    In mode `member` a note for the Organization connector goes before it.

    Whoever pushed may forget the push when this returns. Raises TransientError, ConfigurationError: then not.
    """
    try:
        return _accept(signal, ports)
    except PermanentError as error:
        return Accepted(outcome=park_push(body, error, ports))
    except TransientError as error:
        unless_lasting(error, since=signal.occurred_at, clock=ports.clock)
        raise


def _accept(signal: ProjectSignal, ports: ProjectEventPorts) -> Accepted:
    policy = ports.policy.current().of(Provider.GCP)
    if policy is None:
        return Accepted(outcome=Outcome(result=Result.SKIPPED, reason="the policy says nothing about GCP"))
    requests = requests_about(signal, policy, ports.projects, ports.clock)
    for each in requests:
        ports.queue.send(each)
    request = requests[-1]
    result = Result.CREATED if request.data.status is State.DEPLOYED else Result.SKIPPED
    return Accepted(outcome=Outcome(result=result, reason=request.data.reason), request=request)


def requests_about(
    signal: ProjectSignal, policy: Policy, projects: Projects, clock: Clock
) -> tuple[ConnectorRequest, ...]:
    """What is to be put on the queue: the request about the project, and before it the Organization connector's note.

    Raises TransientError, PermanentError, ConfigurationError.
    """
    seen = _look(signal, policy, projects, clock)
    cause = _cause(seen.project, signal)
    request = request_for(seen.project, policy, cause, seen.report)
    if not policy.organization_account or not seen.exclusions:
        return (request,)
    return (note_to_organization(policy, cause, seen.exclusions, seen.report.at), request)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """The project as it is now, what is to be said about it, and what that means for the Organization connector."""

    project: Account
    report: Report
    exclusions: Exclusions = field(default_factory=Exclusions)


def _look(signal: ProjectSignal, policy: Policy, projects: Projects, clock: Clock) -> _Seen:
    """Looks at the project; what is said about it is so since just before."""
    now = clock.now()
    project = projects.find(signal.project)
    if project is None:
        return _unseen(signal, policy, now)
    decision = decide(policy, project)
    if decision.verdict is Verdict.WAIT:
        raise _while_it_may_pass(TransientError(decision.reason, remedy=_SEE_STATE), signal, now)
    exclusions = exclusions_of(policy, [(project, decision)])
    report = report_on_project(project, decision, policy.deletions, now)
    return _Seen(project=project, report=report, exclusions=exclusions)


_SEE_STATE = "See in which state Google has the project; then discard it with a reason."


def _unseen(signal: ProjectSignal, policy: Policy, now: datetime) -> _Seen:
    """A project that was taken away has left, once it is out of sight for good; of others nobody can tell."""
    said = f"{signal.method} named the project, which cannot be seen"
    if not signal.number or signal.method not in _MAY_TAKE_AWAY or now - signal.occurred_at < SETTLES:
        error = refusals.PROJECT_NOT_VISIBLE.error(f"{signal.project}: {said}")
        raise _while_it_may_pass(error, signal, now)
    leaving = leave_unseen_project(signal.number, said, policy.deletions)
    return _Seen(project=unlisted_account(signal.number, Provider.GCP), report=report_leaving(leaving, now))


def _while_it_may_pass(error: RollcallError, signal: ProjectSignal, now: datetime) -> RollcallError:
    """`error`, or after a while what it has turned out to be: nothing that passes by itself."""
    if now - signal.occurred_at < SETTLES:
        return error
    return PermanentError(error.reason, remedy=error.remedy, key=error.key)


def _cause(project: Account, signal: ProjectSignal) -> Cause:
    """The entry, so named that the same one makes the same message, and another one about the project another."""
    key = AccountKey(provider=Provider.GCP, hierarchy_identifier=project.account_id)
    return Cause(
        event_id=f"{SOURCE}/{signal.method}/{json.dumps(signal.insert_id)}",
        source=SOURCE,
        occurred_at=signal.occurred_at,
        correlation_id=correlation_id_of(key),
    )


def park_push(body: bytes, error: PermanentError, ports: ProjectEventPorts) -> Outcome:
    """Parks a push of which no request can be made, or its beginning where it is too large to be kept.

    It is never what a replay would take for a request: whoever may publish to the topic may not ask for anything.
    """
    reason, kept = error.reason, body[:MOST_KEPT_BYTES]
    if _reads_like_a_request(kept, ports.clock.now()):
        kept = (b"a push that reads like a request: " + kept)[:MOST_KEPT_BYTES]
    if len(body) > MOST_KEPT_BYTES:
        digest = hashlib.sha256(body).hexdigest()
        reason += f"; of its {len(body)} bytes with the SHA-256 {digest} the first {len(kept)} are kept"
    ports.parking.put(kept, reason=reason, remedy=error.remedy)
    return Outcome(result=Result.PARKED, reason=reason, key=error.key)


def _reads_like_a_request(body: bytes, now: datetime) -> bool:
    """Whether it is one as it is, or as it would come back from where it is parked."""
    parked = ParkedRequest.of(body, reason="", remedy="", at=now)
    return read_request(body)[0] is not None or PoisonMessage.read(parked.to_json()).request is not None
