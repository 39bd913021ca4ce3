"""Use case of `rollcall backfill --provider gcp`: every project of the organization is asked for once.

It sends the requests that the projects' events would, and takes nothing away: about a project that takes no part only
a note is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.application.gcp_ports import Projects
from shared.application.ports import Clock, PolicySource, RequestSender
from shared.application.provider_policy import policy_for
from shared.application.reconcile import Looked, Reconciliation, Run, Tell
from shared.application.requests import Cause, Report, correlation_id_of, report_on_project, request_for
from shared.application.tell_exclusions import pieces_of
from shared.domain.accounts import Account, Provider
from shared.domain.exclusions import Exclusions, exclusions_of
from shared.domain.ledger import AccountKey, State
from shared.domain.policy import Decision, Deletions, Policy, Verdict, decide, is_management
from shared.domain.reconciliation import Signal
from shared.errors import PermanentError

logger = logging.getLogger(__name__)

_SIGNAL = {Verdict.INCLUDE: Signal.CONNECT_REQUEST, Verdict.EXCLUDE: Signal.NOTE, Verdict.WAIT: Signal.WAITS}


@dataclass(frozen=True, kw_only=True)
class BackfillPorts:
    """What the use case works with."""

    projects: Projects
    sender: RequestSender
    policy: PolicySource
    clock: Clock


def backfill_projects(run: Run, ports: BackfillPorts, *, tell: Tell | None = None) -> Reconciliation:
    """Looks at every project that is selected, the management project first, since members wait for its connector.

    Raises TransientError, ConfigurationError; where the listing is incomplete, before anything was sent.
    """
    policy = policy_for(ports.policy.current(), Provider.GCP)
    listed = list(ports.projects.list_projects())
    chosen = [_decided(each, policy, ports) for each in listed if run.selection.holds(each)]
    chosen.sort(key=lambda pair: (not is_management(policy, pair[0]), pair[0].account_id))
    work = _Work(run, policy, ports)
    if not any(is_management(policy, each) for each, _ in chosen):
        work.tell_organization(listed, exclusions_of(policy, chosen))
    done: list[Looked] = []
    for project, decision in chosen:
        told = exclusions_of(policy, chosen) if is_management(policy, project) else Exclusions()
        looked = work.look(project, decision, told)
        if looked is None:
            break
        done.append(looked)
        if tell is not None:
            tell(looked, len(chosen))
    return Reconciliation(accounts=tuple(done), after=None, left=len(chosen) - len(done))


def _decided(project: Account, policy: Policy, ports: BackfillPorts) -> tuple[Account, Decision]:
    """The project and what is to become of it; one that takes no part is looked at again.

    A listing is seconds behind, and a note is believed, while a request to connect looks for itself.
    """
    decision = decide(policy, project)
    if decision.verdict is Verdict.EXCLUDE:
        project = ports.projects.find(project.account_id) or project
        decision = decide(policy, project)
    return project, decision


class _Work:
    """What one run has sent."""

    def __init__(self, run: Run, policy: Policy, ports: BackfillPorts) -> None:
        self._run = run
        self._policy = policy
        self._ports = ports
        self._started = ports.clock.now()
        self._new = 0

    def look(self, project: Account, decision: Decision, told: Exclusions) -> Looked | None:
        """Sends what the project needs; None where the limit is reached."""
        signal = _SIGNAL[decision.verdict]
        if signal is Signal.CONNECT_REQUEST and project.account_id not in self._run.connected:
            if self._run.limit is not None and self._new >= self._run.limit:
                return None
            self._new += 1
        looked = Looked(account_id=project.account_id, signal=signal, reason=decision.reason, name=project.name)
        if self._run.dry or signal is Signal.WAITS:
            return looked
        report = report_on_project(project, decision, Deletions(), self._ports.clock.now())
        failed = [self._send(project, signal, each) for each in pieces_of(report, told)]
        return next(filter(None, failed), looked)

    def tell_organization(self, listed: Sequence[Account], told: Exclusions) -> None:
        """Where the management project is not selected: a note tells it whom its connector has to leave alone."""
        if self._run.dry or not told:
            return
        for management in _management(self._policy, listed):
            report = Report(status=State.SEEN, reason="projects were looked at", at=self._started)
            for each in pieces_of(report, told):
                self._send(management, Signal.NOTE, each)

    def _send(self, project: Account, signal: Signal, report: Report) -> Looked | None:
        """Sends a request; what came of the project where it fits into no message."""
        key = AccountKey(provider=Provider.GCP, hierarchy_identifier=project.account_id)
        cause = Cause(
            event_id=self._run.name,
            source=self._run.source,
            occurred_at=self._started,
            correlation_id=correlation_id_of(key),
        )
        try:
            self._ports.sender.send(request_for(project, self._policy, cause, report))
        except PermanentError as error:
            facts = {"hierarchy_identifier": project.account_id, "reason": error.reason, "error_key": error.key}
            logger.error("request_not_sent", extra=facts | {"remedy": error.remedy})  # noqa: TRY400 - one line
            reason = str(error)
            return Looked(account_id=project.account_id, signal=signal, reason=reason, failed=True, name=project.name)
        return None


def _management(policy: Policy, listed: Sequence[Account]) -> Iterator[Account]:
    return (each for each in listed if is_management(policy, each))
