"""Use case of `functions/sweep_slice`: one slice of a sweep is looked at, and the last one makes the report."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from shared.application.merge_sweep import merge_if_last
from shared.application.plan import with_tags
from shared.application.plan_sweep import plan_sweep
from shared.application.requests import SWEEP, Cause, Report, correlation_id_for, request_for
from shared.application.sweep_ports import SweepPorts
from shared.application.sweep_store import SweepStore
from shared.domain.accounts import Account, Provider
from shared.domain.connectors import ENVIRONMENT, Connector
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.placement import is_ours
from shared.domain.policy import decide
from shared.domain.preview import Action, plan_account, plan_departed
from shared.domain.preview_checks import Known
from shared.domain.stack_sets import InstanceState as StackState
from shared.domain.standing import parent_account
from shared.domain.sweep.coverage import AccountSubject, Looked, coverage_findings, role_findings
from shared.domain.sweep.findings import Area, Gap, SweepFinding
from shared.domain.sweep.health import Watched, discovery_findings, health_findings
from shared.domain.sweep.identity import identity_findings
from shared.domain.sweep.kinds import CONNECTOR_UNHEALTHY
from shared.domain.sweep.machines import InstanceState, machine_findings, suspects
from shared.domain.sweep.prerequisites import trial_findings
from shared.domain.sweep.report import SliceResult, SweepReport
from shared.domain.sweep.slices import Slice
from shared.errors import PermanentError, RollcallError
from shared.messages.sweep_slice import PLANNING, SweepSlice

logger = logging.getLogger(__name__)


def sweep_slice(message: SweepSlice, ports: SweepPorts, *, last_try: bool = False) -> SweepReport | None:
    """Does one slice, or plans all; the report where this was the last. Raises TransientError, ConfigurationError.

    On its last try a slice that fails ends with that as its result, so that the sweep comes to its end.
    """
    if message.slice == PLANNING:
        facts = plan_sweep(message, ports)
        return merge_if_last(message.run, ports) if facts.slices == 0 else None
    store = SweepStore(ports.documents, message.run)
    if message.slice not in store.ended():
        store.put_result(_result(message, store, ports, last_try=last_try))
    return merge_if_last(message.run, ports)


def _result(message: SweepSlice, store: SweepStore, ports: SweepPorts, *, last_try: bool) -> SliceResult:
    part: Slice | None = None
    try:
        part = store.find_slice(message.slice)
        if part is None:
            raise PermanentError(f"slice {message.slice} of sweep {message.run} is not there")
        return _looked_at(part, message, ports)
    except RollcallError as error:
        if not last_try and not isinstance(error, PermanentError):
            raise
        facts = {"run": message.run, "slice": message.slice, "reason": error.reason, "remedy": error.remedy}
        logger.error("slice_failed", extra=facts)  # noqa: TRY400 - one line
        return SliceResult(number=message.slice, gaps=tuple(_lost(part, error.reason)))


def _lost(part: Slice | None, reason: str) -> Iterator[Gap]:
    """What a slice that could not be looked at leaves unseen."""
    if part is None:
        yield Gap(reason=reason)
        return
    for subject in part.accounts:
        yield Gap(reason=reason, account=subject.account.account_id)
    if part.machines:
        yield Gap(reason=reason, area=Area.MACHINES)


def _looked_at(part: Slice, message: SweepSlice, ports: SweepPorts) -> SliceResult:
    findings: list[SweepFinding] = []
    gaps: list[Gap] = []
    asked: list[str] = []
    looked: dict[str, int] = {}
    if part.accounts:
        accounts = _Accounts(part, message, ports)
        findings += accounts.findings()
        asked += accounts.asked
        gaps += accounts.gaps
        looked |= accounts.looked
    if part.machines:
        machines = ports.tenant.machines(part.machines)
        looked["machines"] = len(machines)
        now = ports.clock.now()
        limit = timedelta(days=ports.policy.current().sweep.orphaned_after_days)
        states: dict[tuple[str, str], InstanceState] = {}
        for account, wanted in sorted(suspects(machines, now, limit).items()):
            found, gap = _states_of(account, sorted(wanted), ports)
            states |= {(account, instance): state for instance, state in found.items()}
            gaps += [gap] if gap is not None else []
        unasked = frozenset(gap.account for gap in gaps)
        findings += machine_findings(machines, states, now, limit, unasked=unasked)
    return SliceResult(
        number=part.number, findings=tuple(findings), gaps=tuple(gaps), looked=looked, asked=tuple(asked)
    )


def _states_of(
    account: str, wanted: Sequence[str], ports: SweepPorts
) -> tuple[Mapping[str, InstanceState], Gap | None]:
    """What instances are; nothing, and a gap, where their account cannot be asked: no answer is not `gone`."""
    try:
        return ports.instances.states_of(account, wanted), None
    except RollcallError as error:
        logger.warning("instances_unknown", extra={"hierarchy_identifier": account, "reason": error.reason})
        return {}, Gap(reason=error.reason, area=Area.MACHINES, account=account)


class _Accounts:
    """The accounts of one slice, with the connectors that stand for them."""

    def __init__(self, part: Slice, message: SweepSlice, ports: SweepPorts) -> None:
        self._part = part
        self._message = message
        self._ports = ports
        self._policy = ports.policy.current()
        self._now = ports.clock.now()
        self.asked: list[str] = []
        self.looked: dict[str, int] = {}
        self.gaps: list[Gap] = []
        self._tagged: dict[str, Account] = {}

    def findings(self) -> Iterator[SweepFinding]:
        """Everything that is found about them; repairs are asked for on the way."""
        connectors = self._connectors()
        ours: list[Watched] = []
        for subject in self._part.accounts:
            looked = self._look(subject, connectors)
            yield from coverage_findings(looked, self._policy, self._now)
            if self._part.instances_read:
                yield from role_findings(looked, self._policy, self._now)
            for each in looked.connectors:
                if is_ours(each, self._policy):
                    yield from trial_findings(each, self._now)
            self._repair(looked)
            ours += self._watched(looked)
        self.looked = {"accounts": len(self._part.accounts), "connectors": len(ours)}
        yield from self._health(ours)

    def _connectors(self) -> Mapping[str, list[Connector]]:
        wanted = {subject.account.account_id for subject in self._part.accounts}
        wanted |= {parent_account(self._policy, account_id) for account_id in wanted} - {""}
        found: dict[str, list[Connector]] = defaultdict(list)
        for each in self._ports.tenant.connectors_of(sorted(wanted)):
            if each.environment == ENVIRONMENT:
                found[each.hierarchy_identifier].append(each)
        return found

    def _look(self, subject: AccountSubject, connectors: Mapping[str, list[Connector]]) -> Looked:
        account_id = subject.account.account_id
        present = connectors.get(account_id, [])
        ours = [each for each in present if is_ours(each, self._policy)]
        if not subject.listed and ours:
            planned = plan_departed(self._policy, ours[0])
            return Looked(subject=subject, planned=planned, connectors=present, record=self._record(account_id))
        account = with_tags(subject.account, self._policy, self._ports.listing) if subject.listed else subject.account
        known = Known(
            parents=connectors.get(parent_account(self._policy, account_id), ()),
            exclusions=self._part.exclusions,
            mode_switch=self._part.mode_switch,
        )
        planned = plan_account(self._policy, account, present, known)
        self._tagged[account_id] = account
        subject = AccountSubject(account=account, listed=subject.listed, instance=subject.instance)
        return Looked(subject=subject, planned=planned, connectors=present, record=self._record(account_id))

    def _record(self, account_id: str) -> AccountRecord | None:
        return self._ports.ledger.find(AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id))

    def _repair(self, looked: Looked) -> None:
        """Asks for a connector that is missing or drifted, where the policy lets the sweep and the roles are there."""
        action, repairs = looked.planned.action, self._policy.repairs
        wanted = (action is Action.CREATE and repairs.missing_connectors) or (
            action is Action.CHANGE and repairs.drifted_connectors
        )
        account = looked.subject.account
        if not wanted or not (account.is_management or looked.subject.instance is StackState.CURRENT):
            return
        if self._policy.organization_account == account.account_id and self._policy.uses_tags:
            return  # its list of excluded accounts is the daily comparison's business, which reads tags
        self._ask(account)
        self.asked.append(account.account_id)

    def _ask(self, account: Account) -> None:
        cause = Cause(
            event_id=f"sweep/{self._message.run}/{account.account_id}",
            source=SWEEP,
            occurred_at=self._now,
            correlation_id=correlation_id_for(account.account_id),
        )
        report = Report(status=State.DEPLOYED, reason=f"asked for by sweep {self._message.run}", at=self._now)
        self._ports.sender.send(request_for(account, self._policy, cause, report))

    def _watched(self, looked: Looked) -> Iterator[Watched]:
        connected_at = looked.record.connected_at if looked.record is not None else None
        for each in looked.connectors:
            if is_ours(each, self._policy):
                connector_id = str(each.connector_id)
                yield Watched(connector_id=connector_id, account=looked.account_id, connected_at=connected_at)

    def _health(self, ours: Sequence[Watched]) -> Iterator[SweepFinding]:
        if not ours:
            return
        ids = [each.connector_id for each in ours]
        reports = self._ports.health.reports_of(ids)
        discovered = self._ports.health.discovered_by(ids)
        hours = self._policy.sweep.discovery_hours
        for each in ours:
            unhealthy = list(health_findings(each, reports.get(each.connector_id.lower(), ()), self._now))
            yield from unhealthy
            listed = each.account in self._tagged
            if listed and any(finding.key == CONNECTOR_UNHEALTHY.key for finding in unhealthy):
                yield from self._diagnosed(each.account)
            yield from discovery_findings(each, discovered.get(each.connector_id.lower(), {}), hours, self._now)

    def _diagnosed(self, account_id: str) -> Iterator[SweepFinding]:
        """Why Defender may call the account's connector unhealthy, seen in the account itself."""
        profile = decide(self._policy, self._tagged[account_id]).profile
        try:
            seen = self._ports.identities.inspect(account_id, sorted(profile.roles()))
        except RollcallError as error:
            logger.warning("account_not_diagnosed", extra={"hierarchy_identifier": account_id, "reason": error.reason})
            self.gaps.append(Gap(reason=error.reason, area=Area.HEALTH, account=account_id))
            return
        yield from identity_findings(account_id, profile, self._policy.tenant_id, seen)
