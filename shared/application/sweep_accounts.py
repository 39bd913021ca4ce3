"""The accounts or projects of one slice of a sweep: what they have, should have, and what is asked for again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from shared.application import refusals
from shared.application.diagnose import Diagnosis
from shared.application.diagnose_projects import ProjectDiagnosis
from shared.application.requests import SWEEP, Cause, Report, correlation_id_of, request_for
from shared.application.selection import with_tags
from shared.application.sweep_advice import advice_on
from shared.application.sweep_compliance import compliance_findings
from shared.application.sweep_notes import ProjectNotes
from shared.application.sweep_ports import SweepPorts
from shared.application.sweep_project_advice import project_advice_on
from shared.application.tell_exclusions import pieces_of
from shared.domain.accounts import Account, Provider
from shared.domain.connectors import ENVIRONMENT_OF, Connector, ConnectorId
from shared.domain.exclusions import Exclusions
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.placement import is_ours
from shared.domain.policy import Policy, Verdict, decide
from shared.domain.preview import Action, plan_account, plan_departed
from shared.domain.preview_checks import Known
from shared.domain.profiles import Profile
from shared.domain.stack_sets import InstanceState as StackState
from shared.domain.standing import parent_account
from shared.domain.sweep.advice import Equipped
from shared.domain.sweep.coverage import AccountSubject, Looked, coverage_findings, role_findings
from shared.domain.sweep.findings import Area, Gap, SweepFinding
from shared.domain.sweep.health import Watched, discovery_findings, discovery_hours, health_findings
from shared.domain.sweep.kinds import CONNECTOR_UNHEALTHY
from shared.domain.sweep.paid_plans import PlanUse, added_up, use_of
from shared.domain.sweep.prerequisites import trial_findings
from shared.domain.sweep.refused import is_parked, was_refused
from shared.domain.sweep.slices import Slice
from shared.errors import RollcallError
from shared.messages.sweep_slice import SweepSlice


class SweptAccounts:
    """The accounts, or the projects, of one slice, with the connectors that stand for them."""

    def __init__(self, part: Slice, message: SweepSlice, ports: SweepPorts) -> None:
        """`part` is the slice that `message` names.

        Raises PermanentError where the policy says nothing about projects any more, ConfigurationError.
        """
        self._part = part
        self._message = message
        self._ports = ports
        self._policy = _policy_for(part.provider, ports.policy.current())
        self._now = ports.clock.now()
        self.asked: list[str] = []
        self.names: dict[str, str] = {}
        self.looked: dict[str, int] = {}
        self.discovered: Counter[str] = Counter()
        self.plans: Mapping[str, PlanUse] = {}
        self.gaps: list[Gap] = []
        self._tagged: dict[str, Account] = {}

    def findings(self) -> Iterator[SweepFinding]:
        """Everything that is found about them; repairs are asked for on the way."""
        connectors = self._connectors()
        ours: list[Watched] = []
        seen: list[Looked] = []
        notes = ProjectNotes(self._policy, self._ports, self._cause, since=self._now)
        for subject in self._part.accounts:
            looked = self._look(subject, connectors)
            if looked is None:
                continue
            yield from coverage_findings(looked, self._policy, self._now)
            if self._part.instances_read:
                yield from role_findings(looked, self._policy, self._now)
            for each in looked.connectors:
                if is_ours(each, self._policy):
                    yield from trial_findings(each, self._policy.provider, self._now)
                    self.plans = added_up((self.plans, use_of(each, self._now)))
            self._repair(looked, drifted=looked.planned.action is Action.CHANGE)
            notes.tell(looked)
            ours += self._watched(looked)
            seen.append(looked)
        self.gaps += notes.gaps
        self.looked = {f"{self._policy.noun}s": len(self._part.accounts), "connectors": len(ours)}
        for looked, finding in compliance_findings(seen, self._policy, self._ports.compliance, self._now):
            yield finding
            if not was_refused(finding, looked.record, self._policy):
                self._repair(looked, drifted=True)
        yield from self._health(ours)

    def _connectors(self) -> Mapping[str, list[Connector]]:
        wanted = {subject.account.account_id for subject in self._part.accounts}
        wanted |= {parent_account(self._policy, account_id) for account_id in wanted} - {""}
        found: dict[str, list[Connector]] = defaultdict(list)
        for each in self._ports.tenant.connectors_of(sorted(wanted)):
            if each.environment == ENVIRONMENT_OF[self._policy.provider]:
                found[each.hierarchy_identifier].append(each)
        return found

    def _look(self, subject: AccountSubject, connectors: Mapping[str, list[Connector]]) -> Looked | None:
        """What there is of an account; None, and a gap, where its connector or its tags cannot be read any more."""
        account_id = subject.account.account_id
        record = self._record(account_id)
        try:
            present = connectors.get(account_id) or self._remembered(record)
            account = self._with_tags(subject)
        except RollcallError as error:
            self.gaps.append(Gap(reason=error.reason, account=account_id))
            return None
        ours = [each for each in present if is_ours(each, self._policy)]
        if not subject.listed and ours:
            planned = plan_departed(self._policy, ours[0])
            return Looked(subject=subject, planned=planned, connectors=present, record=record)
        known = Known(
            record=record,
            parents=connectors.get(parent_account(self._policy, account_id), ()),
            exclusions=self._part.exclusions,
            mode_switch=self._part.mode_switch,
        )
        planned = plan_account(self._policy, account, present, known)
        self._tagged[account_id] = account
        subject = AccountSubject(account=account, listed=subject.listed, instance=subject.instance)
        return Looked(subject=subject, planned=planned, connectors=present, record=record)

    def _with_tags(self, subject: AccountSubject) -> Account:
        if not subject.listed:
            return subject.account
        return with_tags(subject.account, self._policy, self._ports.listing)

    def _remembered(self, record: AccountRecord | None) -> list[Connector]:
        """The connector that the ledger names and Resource Graph does not show: that leaves out what may not be read.

        Resource Manager tells a connector that is gone from one that we may not see. Raises our errors only.
        """
        if record is None or not record.connector_id:
            return []
        actual = self._ports.connectors.find(ConnectorId.parse(record.connector_id))
        return [actual] if actual is not None else []

    def _record(self, account_id: str) -> AccountRecord | None:
        return self._records.get(account_id)

    @cached_property
    def _records(self) -> dict[str, AccountRecord]:
        """What the ledger knows of the slice's accounts: their ids follow one another, so one look does for all."""
        ids = sorted(subject.account.account_id for subject in self._part.accounts)
        first, last = (self._key(each) for each in (ids[0], ids[-1]))
        found = {each.key.hierarchy_identifier: each for each in self._ports.ledger.list_records((first, last))}
        return {account_id: found[account_id] for account_id in ids if account_id in found}

    def _repair(self, looked: Looked, *, drifted: bool) -> None:
        """Asks for a connector that is missing or drifted, where the policy lets the sweep and the roles are there.

        Once for an account: a request sees to the connector and to what follows it. Not where one is parked already.
        A project has no roles that its request would not look at.
        """
        account, repairs = looked.subject.account, self._policy.repairs
        missing = looked.lacks_connector(self._now)
        wanted = (missing and repairs.missing_connectors) or (drifted and repairs.drifted_connectors)
        if not wanted or account.account_id in self.asked or is_parked(looked.record, self._policy):
            return
        has_roles = account.is_management or looked.subject.instance is StackState.CURRENT
        if account.provider is Provider.AWS and not has_roles:
            return
        if self._policy.organization_account == account.account_id and self._policy.reads_tags:
            return  # its list of excluded accounts is the daily comparison's business, which reads tags
        self._ask(account)
        self.asked.append(account.account_id)
        if account.provider is Provider.GCP:
            self.names[account.account_id] = account.name

    def _ask(self, account: Account) -> None:
        """Requests, of which those about GCP's Organization connector tell whom it has to leave alone.

        That was decided when the sweep was planned, so it is told as of before: what was decided since counts for more.
        """
        cause, told = self._cause(account.account_id), self._exclusions_for(account)
        at = self._message.asked_at if told else self._now
        report = Report(status=State.DEPLOYED, reason=f"asked for by sweep {self._message.run}", at=at)
        for each in pieces_of(report, told):
            self._ports.sender.send(request_for(account, self._policy, cause, each))

    def _exclusions_for(self, account: Account) -> Exclusions:
        """Nothing for AWS, whose daily comparison tells its Organization connector."""
        if account.provider is Provider.AWS or not self._policy.is_organization_connector_s(account.account_id):
            return Exclusions()
        return self._part.exclusions

    def _cause(self, account_id: str) -> Cause:
        return Cause(
            event_id=f"sweep/{self._message.run}/{account_id}",
            source=SWEEP,
            occurred_at=self._now,
            correlation_id=correlation_id_of(self._key(account_id)),
        )

    def _key(self, account_id: str) -> AccountKey:
        return AccountKey(provider=self._policy.provider, hierarchy_identifier=account_id)

    def _watched(self, looked: Looked) -> Iterator[Watched]:
        connected_at = looked.record.connected_at if looked.record is not None else None
        for each in looked.connectors:
            if is_ours(each, self._policy):
                connector_id = str(each.connector_id)
                yield Watched(
                    connector_id=connector_id,
                    account=looked.account_id,
                    provider=looked.provider,
                    connected_at=connected_at,
                )

    def _health(self, ours: Sequence[Watched]) -> Iterator[SweepFinding]:
        if not ours:
            return
        of_aws, ids = self._policy.provider is Provider.AWS, [each.connector_id for each in ours]
        reports, discovered = self._ports.health.reports_of(ids), self._ports.health.discovered_by(ids)
        hours = discovery_hours(self._policy.provider, self._policy.sweep.discovery_hours)
        diagnosis = (Diagnosis if of_aws else ProjectDiagnosis)(self._policy, self._ports, since=self._now)
        for each in ours:
            if each.connector_id.lower() not in reports:  # what was wrong with it may be so still
                self.gaps.append(Gap(reason="no health report", area=Area.HEALTH, account=each.account, told=True))
            unhealthy = list(health_findings(each, reports.get(each.connector_id.lower(), ()), self._now))
            profile = self._profile_of(each)
            if profile is not None and any(finding.key == CONNECTOR_UNHEALTHY.key for finding in unhealthy):
                yield from diagnosis.of(self._tagged[each.account], profile, unhealthy)
            else:
                yield from unhealthy
            found = discovered.get(each.connector_id.lower(), {})
            self.discovered.update(found)
            yield from discovery_findings(each, found, hours, self._now)
        self.gaps += diagnosis.gaps
        equipped = tuple(self._equipped(ours, discovered))
        if of_aws:
            yield from advice_on(equipped, self._ports, hours, self.gaps, since=self._now)
        else:
            yield from project_advice_on(equipped, self._ports, hours)

    def _equipped(self, ours: Sequence[Watched], discovered: Mapping[str, Mapping[str, int]]) -> Iterator[Equipped]:
        """The connectors of accounts that the policy includes, with their profiles."""
        for each in ours:
            profile = self._profile_of(each)
            if profile is not None:
                found = discovered.get(each.connector_id.lower(), {})
                yield Equipped(watched=each, profile=profile, discovered=found)

    def _profile_of(self, watched: Watched) -> Profile | None:
        """The profile that the connector can have; None where the policy includes its account no more."""
        account = self._tagged.get(watched.account)
        decision = decide(self._policy, account) if account is not None else None
        if decision is None or decision.verdict is not Verdict.INCLUDE:
            return None
        known = Known(record=self._record(watched.account))
        subscription_id = ConnectorId.parse(watched.connector_id).subscription_id
        return known.obtainable(decision.profile, self._policy.prechecks, subscription_id)


def _policy_for(provider: Provider, policy: Policy) -> Policy:
    found = policy.of(provider)
    if found is None:
        raise refusals.GCP_NOT_IN_POLICY.error("the policy says nothing about GCP any more")
    return found
