"""What one slice of a sweep tells the ledger about projects that take no part."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shared.application.requests import Cause, Report, report_on_project, request_for
from shared.application.sweep_ports import SweepPorts
from shared.domain.accounts import Account, Provider
from shared.domain.ledger import AccountRecord, State
from shared.domain.policy import Deletions, Policy, Verdict, decide, is_excluded_for_good
from shared.domain.sweep.coverage import Looked
from shared.domain.sweep.findings import Gap
from shared.domain.sweep.slices import MOST_TIME
from shared.errors import RollcallError, TransientError

_TIME_OVER = "the time of a slice was over"


class ProjectNotes:
    """Tells the ledger of projects that take no part, where it knows otherwise; AWS's side tells of accounts.

    A listing of projects is seconds behind, and a note is believed: so a project is looked at again, unless what
    excludes it never changes. The first look that fails of what may pass is the last: others would fail, too.
    """

    def __init__(self, policy: Policy, ports: SweepPorts, cause_of: Callable[[str], Cause], *, since: datetime) -> None:
        """`since` is when the slice began; `cause_of` names what made us look at a project."""
        self._policy = policy
        self._ports = ports
        self._cause_of = cause_of
        self._since = since
        self._no_more = ""
        self.gaps: list[Gap] = []

    def tell(self, looked: Looked) -> None:
        """Sends a note about the project, or none; a gap where it cannot be looked at again."""
        listed, record = looked.subject, looked.record
        project = listed.account
        if project.provider is Provider.AWS or not listed.listed or _is_known(self._left(project), record):
            return
        found = project if is_excluded_for_good(self._policy, project) else self._look_again(project)
        report = self._left(found) if found is not None else None
        if found is not None and report is not None and not _is_known(report, record):
            self._ports.sender.send(request_for(found, self._policy, self._cause_of(project.account_id), report))

    def _look_again(self, project: Account) -> Account | None:
        if not self._no_more and self._ports.clock.now() - self._since > MOST_TIME:
            self._no_more = _TIME_OVER
        if self._no_more:
            self.gaps.append(Gap(reason=self._no_more, account=project.account_id))
            return None
        try:
            return self._ports.google.projects().find(project.account_id)
        except RollcallError as error:
            if isinstance(error, TransientError):
                self._no_more = error.reason
            self.gaps.append(Gap(reason=error.reason, account=project.account_id))
            return None

    def _left(self, project: Account) -> Report | None:
        """What is noted of a project that takes no part; nothing is taken from it. None where it does, or waits."""
        decision = decide(self._policy, project)
        if decision.verdict is not Verdict.EXCLUDE:
            return None
        return report_on_project(project, decision, Deletions(), self._since)


def _is_known(report: Report | None, record: AccountRecord | None) -> bool:
    return report is None or (record is not None and record.state in {report.status, State.OFFBOARDED})
