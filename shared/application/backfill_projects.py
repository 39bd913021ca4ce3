"""Use case of `rollcall backfill --provider gcp`: every project of the organization is asked for once.

It sends the requests that the projects' events would, and takes nothing away: about a project that takes no part only
a note is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.application.gcp_ports import Projects
from shared.application.ports import Clock, PolicySource, RequestSender
from shared.application.provider_policy import policy_for
from shared.application.reconcile import Looked, Reconciliation, Run, Tell
from shared.application.requests import Cause, Report, correlation_id_of, report_on_project, request_for
from shared.application.tell_exclusions import pieces_of
from shared.domain.accounts import Account, Provider
from shared.domain.exclusions import Exclusions, exclusions_of
from shared.domain.ledger import AccountKey, State
from shared.domain.policy import Decision, Deletions, Policy, Verdict, decide, is_excluded_for_good, is_management
from shared.domain.reconciliation import Signal
from shared.errors import PermanentError, TransientError

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
    policy, started = policy_for(ports.policy.current(), Provider.GCP), ports.clock.now()
    listed = sorted(ports.projects.list_projects(), key=lambda each: (not is_management(policy, each), each.account_id))
    eyes = _Eyes(policy, ports, started)
    chosen = [eyes.on(each) for each in listed if run.selection.holds(each)]
    excluded = exclusions_of(policy, [(each.project, each.decision) for each in chosen if not each.unseen])
    work = _Work(run, policy, ports, started)
    if not any(is_management(policy, each.project) and not each.unseen for each in chosen):
        work.tell_organization(listed, excluded)
    done: list[Looked] = []
    for each in chosen:
        looked = work.look(each, excluded if is_management(policy, each.project) else Exclusions())
        if looked is None:
            break
        done.append(looked)
        if tell is not None:
            tell(looked, len(chosen))
    return Reconciliation(accounts=tuple(done), after=None, left=len(chosen) - len(done))


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """A project, what is to become of it, and since when that is known; `unseen` says why it is not known for sure."""

    project: Account
    decision: Decision
    at: datetime
    unseen: str = ""


class _Eyes:
    """Looks again at projects that take no part.

    A listing is seconds behind, and a note is believed, while a request to connect looks for itself. Not at those that
    their number or id excludes, which never change: Apps Script makes thousands. The first look that fails of what may
    pass is the last: the others would fail, too.
    """

    def __init__(self, policy: Policy, ports: BackfillPorts, listed_at: datetime) -> None:
        self._policy = policy
        self._ports = ports
        self._listed_at = listed_at
        self._no_more = ""

    def on(self, project: Account) -> _Chosen:
        """The project as it is now. Raises ConfigurationError."""
        listed = _Chosen(project=project, decision=decide(self._policy, project), at=self._listed_at)
        if listed.decision.verdict is not Verdict.EXCLUDE or is_excluded_for_good(self._policy, project):
            return listed
        if not self._no_more:
            now = self._ports.clock.now()
            try:
                found = self._ports.projects.find(project.account_id) or project
                return _Chosen(project=found, decision=decide(self._policy, found), at=now)
            except TransientError as error:
                self._no_more = error.reason
        return replace(listed, unseen=f"it could not be looked at again: {self._no_more}")


class _Work:
    """What one run has sent."""

    def __init__(self, run: Run, policy: Policy, ports: BackfillPorts, started: datetime) -> None:
        """`started` is before the projects were listed."""
        self._run = run
        self._policy = policy
        self._ports = ports
        self._started = started
        self._new = 0

    def look(self, chosen: _Chosen, told: Exclusions) -> Looked | None:
        """Sends what the project needs; None where the limit is reached."""
        project, decision = chosen.project, chosen.decision
        signal = _SIGNAL[decision.verdict]
        if signal is Signal.CONNECT_REQUEST and project.account_id not in self._run.connected:
            if self._run.limit is not None and self._new >= self._run.limit:
                return None
            self._new += 1
        if chosen.unseen:
            return Looked(
                account_id=project.account_id, signal=signal, reason=chosen.unseen, failed=True, name=project.name
            )
        looked = Looked(account_id=project.account_id, signal=signal, reason=decision.reason, name=project.name)
        if self._run.dry or signal is Signal.WAITS:
            return looked
        report = report_on_project(project, decision, Deletions(), self._started if told else chosen.at)
        failed = [self._send(project, signal, each) for each in pieces_of(report, told)]
        return next(filter(None, failed), looked)

    def tell_organization(self, listed: Sequence[Account], told: Exclusions) -> None:
        """Where the management project is not asked for: a note tells it whom its connector has to leave alone."""
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
