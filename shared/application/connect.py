"""One request to connect becomes one connector as the policy asks, or a reason why not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.application.account_facts import account_of, connectors_of
from shared.application.aftercare import aftercare_due, ensure_aftercare
from shared.application.exclusions import ask_to_include, undisputed
from shared.application.explain_refusal import REFUSED
from shared.application.onboard_ports import OnboardPorts
from shared.application.outcome import Outcome
from shared.application.ready_project import ready_project
from shared.application.requests import OPERATOR, SWEEP
from shared.application.settlement import Settlement
from shared.application.write_turn import await_turn
from shared.domain.accounts import Account, Provider
from shared.domain.aftercare import aftercare_digest
from shared.domain.connectors import Connector, ConnectorId, merge, to_create
from shared.domain.drift import differences
from shared.domain.findings import EXCLUDED_AT_PARENT, NATIVE_MEMBER_OVERDUE, Finding
from shared.domain.leaving import leave_project
from shared.domain.ledger import LEFT, AccountRecord, Result, State
from shared.domain.modes import mode_switch, of_other_modes
from shared.domain.placement import Placement, beside, is_ours, is_parent, place
from shared.domain.policy import Decision, Mode, Policy, Verdict, decide
from shared.domain.prechecks import Checked, check
from shared.domain.profiles import Profile
from shared.domain.standing import (
    find_foreign,
    foreign,
    membership_change,
    missing_parent,
    parent_account,
    standing_at,
    target_of,
)
from shared.errors import PermanentError, TransientError
from shared.messages.connector_request import ConnectorRequest

logger = logging.getLogger(__name__)

DELAYS_BEFORE_ASKING = 3
"""AWS's side tells the Organization connector of many accounts at once; a member asks for itself where that is lost."""
FACTS_AGE_SECONDS = 300.0
"""How old what was read about a subscription may be; before it refuses or takes anything it is read again."""
FACTS_AGE_TO_REFUSE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One account's request with everything that is decided about it."""

    request: ConnectorRequest
    policy: Policy
    ports: OnboardPorts
    settlement: Settlement
    record: AccountRecord | None
    account: Account
    decision: Decision

    @property
    def account_id(self) -> str:
        return self.account.account_id

    def place(self, profile: Profile) -> Placement:
        """What the policy wants for the account with this profile."""
        return place(self.policy, self.account_id, profile, self.decision.target, self.account.name)


def connect(request: ConnectorRequest, policy: Policy, ports: OnboardPorts, settlement: Settlement) -> Outcome:
    """Creates, updates or leaves alone. Raises TransientError, PermanentError, ConfigurationError."""
    record = ports.ledger.find(request.key)
    if record is not None and record.superseded(str(request.message_id), request.attempt, ports.clock.now()):
        return Outcome(result=Result.SKIPPED, reason="a later attempt of this request is scheduled")
    if record is not None and record.outdated_by({State.CONNECTED, State.OFFBOARDED, *LEFT}, request.occurred_at):
        return Outcome(result=Result.SKIPPED, reason=f"the {policy.noun} was {record.state} after this was asked for")
    account = account_of(request, policy, ports)
    decision = decide(policy, account)
    if decision.verdict is not Verdict.INCLUDE:
        return _leave_out(account, decision, policy, settlement)
    task = _Task(
        request=request,
        policy=policy,
        ports=ports,
        settlement=settlement,
        record=record,
        account=account,
        decision=decision,
    )
    existing = connectors_of(task.account_id, policy, ports, record)
    if policy.mode is Mode.NATIVE:
        return _verify_native(existing, task)
    return _connect(existing, task)


def _leave_out(account: Account, decision: Decision, policy: Policy, settlement: Settlement) -> Outcome:
    """Raises TransientError where that may change: the project's state is one that this version does not know."""
    if decision.verdict is Verdict.WAIT:
        raise TransientError(decision.reason, remedy="See in which state its cloud has it.")
    if account.provider is Provider.GCP:
        leaving = leave_project(account, decision, policy.deletions)
        return settlement.exclude(leaving.reason, status=leaving.status, remedy=leaving.remedy)
    return settlement.exclude(decision.reason)


def _connect(existing: Sequence[Connector], task: _Task) -> Outcome:
    wanted = task.place(task.decision.profile)
    if (theirs := find_foreign(existing, task.policy)) is not None:
        raise _refused(foreign(theirs, task.policy))
    current = standing_at(wanted.connector_id, existing)
    connector_id = current.connector_id if current is not None else wanted.connector_id
    if current is not None and (change := membership_change(current, wanted)):
        raise _refused(change)
    lacks_nothing = task.record is not None and not task.record.reason
    due = _aftercare_due(task.decision.profile, task)
    if lacks_nothing and not due and _is_known(task) and _agrees(current, wanted, task):
        return task.settlement.finish(Result.UNCHANGED, connector_id)
    if current is None:
        _refuse_mode_switch(task)
    ports, checked = task.ports, _checked(task, connector_id)
    if checked.profile != task.decision.profile:
        wanted = task.place(checked.profile)
    if _agrees(current, wanted, task) and (
        _is_known(task) or _agrees(ports.connectors.find(connector_id), wanted, task)
    ):
        return _finish(Result.UNCHANGED, connector_id, checked, task)
    settlement = task.settlement
    owner, now = settlement.owner or "", ports.clock.now()
    if not ports.ledger.claim(task.request.key, owner=owner, now=now, seconds=ports.claim_seconds, connecting=True):
        unclaimed = replace(settlement, owner=None)
        return unclaimed.wait(f"another worker holds this {task.policy.noun}", ports.schedule.contended_seconds)
    return _ensure(replace(wanted, connector_id=connector_id), checked, task)


def _is_known(task: _Task) -> bool:
    """Whether the snapshot may be believed that nothing is to be done.

    An account that was offboarded, or that the ledger does not know, is looked up in Resource Manager itself; so is one
    that the sweep asks for, which may have seen more than the snapshot.
    """
    asked_by_sweep = task.request.data.source == SWEEP
    return task.record is not None and task.record.connector_id != "" and not asked_by_sweep


def _aftercare_due(profile: Profile, task: _Task) -> str:
    """What has to be seen to; once more where the sweep or a person asks, who may have seen that it is undone."""
    return aftercare_due(profile, task.record, again=task.request.data.source in {SWEEP, OPERATOR})


def _agrees(current: Connector | None, wanted: Placement, task: _Task) -> bool:
    wanted = beside(wanted, current, task.request.data.told)
    return current is not None and not differences(wanted.desired, current.body)


def _refuse_mode_switch(task: _Task) -> None:
    """Raises PermanentError where connectors of another mode are left; who is named is there now.

    As a rule there are none; to see that must not take longer the more connectors the tenant has.
    """
    standalone = task.policy.mode is Mode.STANDALONE
    if not of_other_modes(task.policy, task.ports.snapshot.list_organizational(organizational=standalone)):
        return
    others = [each for each in of_other_modes(task.policy, task.ports.snapshot.list_all()) if _takes_part(each, task)]
    for connector in others:
        if task.ports.connectors.find(connector.connector_id) is None:
            task.ports.snapshot.forget(connector.connector_id)
        elif finding := mode_switch(task.policy, others):
            raise _refused(finding)


def _takes_part(connector: Connector, task: _Task) -> bool:
    """Whether the ledger knows nothing to the contrary: what is left of an excluded account is in nobody's way."""
    key = replace(task.request.key, hierarchy_identifier=connector.hierarchy_identifier)
    record = task.ports.ledger.find(key) if task.policy.mode is not Mode.STANDALONE else None
    return record is None or record.state not in LEFT


def _refused(finding: Finding) -> PermanentError:
    return PermanentError(finding.reason, remedy=finding.remedy, key=finding.key)


def _checked(task: _Task, connector_id: ConnectorId) -> Checked:
    """What the prechecks come to. Raises PermanentError where they refuse, TransientError where a parent is awaited."""
    profile = task.decision.profile
    target = target_of(connector_id, task.decision.target)
    facts = task.ports.subscriptions.inspect(target, max_age_seconds=FACTS_AGE_SECONDS)
    checked = check(facts, profile, task.policy.prechecks, task.account_id)
    if checked.refusals or checked.profile != profile:
        facts = task.ports.subscriptions.inspect(target, max_age_seconds=FACTS_AGE_TO_REFUSE_SECONDS)
        checked = check(facts, profile, task.policy.prechecks, task.account_id)
    if checked.refusals:
        raise PermanentError(
            "; ".join(finding.reason for finding in checked.refusals),
            remedy=" ".join(finding.remedy for finding in checked.refusals),
            key=checked.refusals[0].key,
        )
    _need_organization_connector(task)
    if task.account.provider is Provider.GCP:
        lacks = ready_project(task.account, checked.profile, task.policy, task.ports.google)
        checked = replace(checked, notes=(*checked.notes, *lacks))
    return checked


def _need_organization_connector(task: _Task) -> None:
    parent = parent_account(task.policy, task.account_id)
    found = connectors_of(parent, task.policy, task.ports) if parent else ()
    if finding := missing_parent(task.policy, task.decision, task.account_id, found):
        raise TransientError(finding.reason, remedy=finding.remedy, key=finding.key)
    for connector in found:
        if task.account_id in connector.excluded_accounts:
            _await_inclusion(connector, parent, task)


def _await_inclusion(connector: Connector, parent: str, task: _Task) -> None:
    """A member that its Organization connector excludes would be removed by Defender: it is taken off the list first.

    Raises TransientError until it is.
    """
    actual = task.ports.connectors.find(connector.connector_id)
    if actual is None or task.account_id not in actual.excluded_accounts:
        if actual is not None:
            task.ports.snapshot.remember(actual)
        return
    if task.request.delays >= DELAYS_BEFORE_ASKING:
        ask_to_include(task.request, parent, task.ports)
    finding = EXCLUDED_AT_PARENT.found(f"{connector.connector_id} still excludes the {task.policy.noun}")
    raise TransientError(finding.reason, remedy=finding.remedy, key=finding.key)


def _verify_native(existing: Sequence[Connector], task: _Task) -> Outcome:
    """In mode `native` Defender makes the connectors: ours is to see that it does."""
    wanted = task.place(task.decision.profile)
    for connector in existing:
        if is_ours(connector, task.policy) and (change := membership_change(connector, wanted)):
            raise _refused(change)
        if is_ours(connector, task.policy) or is_parent(connector, task.policy):
            return task.settlement.finish(Result.UNCHANGED, connector.connector_id)
        raise _refused(foreign(connector, task.policy))
    _refuse_mode_switch(task)
    hours = task.policy.sweep.native_member_hours
    age = (task.ports.clock.now() - task.request.first_enqueued_at).total_seconds()
    finding = NATIVE_MEMBER_OVERDUE.found(f"Defender has not made the account's connector within {hours:g} hours")
    if age >= hours * 3600:
        raise _refused(finding)
    raise TransientError("Defender has not made the account's connector yet", remedy=finding.remedy)


def _ensure(wanted: Placement, checked: Checked, task: _Task) -> Outcome:
    """GET, merge, PUT where they differ; the claim on the account is ours."""
    connector_id, ports = wanted.connector_id, task.ports
    actual = ports.connectors.find(connector_id)
    if actual is not None:
        if not is_ours(actual, task.policy):
            raise _refused(foreign(actual, task.policy))
        if change := membership_change(actual, wanted):
            raise _refused(change)
    present = actual.excluded_accounts if actual is not None else ()
    told = undisputed(task.request.data.told, present, task.request.occurred_at, ports.ledger, task.policy.provider)
    wanted = beside(wanted, actual, told)
    if actual is not None and not differences(wanted.desired, actual.body):
        ports.snapshot.remember(actual)
        return _finish(Result.UNCHANGED, connector_id, checked, task)
    subscription_id = connector_id.subscription_id
    if waiting := await_turn(task.request, task.record, subscription_id, ports, task.settlement):
        return waiting
    body = merge(actual.body, wanted.desired) if actual else to_create(wanted.desired)
    try:
        ports.snapshot.remember(ports.connectors.put(connector_id, body))
    except TransientError as error:
        if error.key != REFUSED:
            raise
        raise ports.explainer.explained(error, task.account, checked.profile, task.policy) from error
    return _finish(Result.UPDATED if actual else Result.CREATED, connector_id, checked, task)


def _finish(result: Result, connector_id: ConnectorId, checked: Checked, task: _Task) -> Outcome:
    """Sees to standards and governance rules, then says that the account is connected, and what it lacks."""
    created = result is Result.CREATED
    due = aftercare_digest(checked.profile) if created else _aftercare_due(checked.profile, task)
    findings = ensure_aftercare(connector_id, checked.profile, task.ports.compliance) if due else ()
    seen_to = "" if findings else due  # what was refused is asked for again at the next look
    return task.settlement.finish(result, connector_id, findings=(*checked.notes, *findings), aftercare=seen_to)
