"""One request to disconnect removes an account's connectors of ours, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from shared.application import refusals
from shared.application.account_facts import connectors_of, described
from shared.application.onboard_ports import OnboardPorts
from shared.application.outcome import Outcome
from shared.application.settlement import Settlement
from shared.domain.accounts import Provider, as_argument
from shared.domain.connectors import Connector, ConnectorId
from shared.domain.findings import ORGANIZATION_CONNECTOR_IN_USE
from shared.domain.leaving import leave_project, spared
from shared.domain.ledger import LEFT, AccountKey, Result, State
from shared.domain.offboarding import organization_remedy
from shared.domain.placement import address_of, is_member_below, is_organization_connector
from shared.domain.policy import Decision, Policy, Verdict, decide
from shared.domain.standing import DUPLICATE
from shared.errors import PermanentError, TransientError
from shared.messages.connector_request import ConnectorRequest


def disconnect(request: ConnectorRequest, policy: Policy, ports: OnboardPorts, settlement: Settlement) -> Outcome:
    """Deletes what is ours; what is already gone is no error, what is another's is refused.

    The request is a person's word, and then whether the policy includes the account matters not; or it is an opt-in
    under `deletions`, and then this side's policy has to say the same, or the account's state is only noted. A project
    has to be out as it is now, too. Only so many of a cloud lose their connectors in a day as `deletions.most_per_run`
    allows, whoever asks: whoever may put messages here can take no more. Of other projects that leave it is noted,
    other accounts that leave wait for the next day, and a person's request is parked.
    Who asked for a connector later than this wants it connected: then it is a leftover.
    Raises TransientError, PermanentError (a lock, another's connector, members), ConfigurationError.
    """
    record = ports.ledger.find(request.key)
    if record is not None and record.superseded(str(request.message_id), request.attempt, ports.clock.now()):
        return Outcome(result=Result.SKIPPED, reason="a later attempt of this request is scheduled")
    if record is not None and record.outdated_by({State.CONNECTED}, request.occurred_at):
        return Outcome(result=Result.SKIPPED, reason=f"the {policy.noun} was connected after this was asked for")
    decision = decide(policy, described(request, policy))
    if staying := _staying(request, decision, policy, ports, settlement):
        return staying
    owner, now = settlement.owner or "", ports.clock.now()
    if not ports.ledger.claim(request.key, owner=owner, now=now, seconds=ports.claim_seconds):
        return replace(settlement, owner=None).wait(
            f"another worker holds this {policy.noun}", ports.schedule.contended_seconds
        )
    account_id = request.key.hierarchy_identifier
    usual = address_of(policy, account_id, decision.target)
    seen = [each.connector_id for each in connectors_of(account_id, policy, ports, record)]
    present = _read_anew([*seen, *([] if any(each.same_as(usual) for each in seen) else [usual])], ports)
    for connector in present:
        _refuse(connector, policy, ports)
    if present and not ports.removals.take(request.key, policy.deletions.most_per_run, now):
        return _beyond_the_cap(request, policy, settlement, now)
    for connector in present:
        ports.connectors.delete(connector.connector_id)
        ports.snapshot.forget(connector.connector_id)
    return settlement.offboard(tuple(connector.connector_id for connector in present))


def _beyond_the_cap(request: ConnectorRequest, policy: Policy, settlement: Settlement, now: datetime) -> Outcome:
    """What becomes of a request when the day's share is used up. Raises PermanentError for a person's."""
    most = policy.deletions.most_per_run
    if _is_of_google(request):
        return settlement.spare(most)
    if request.data.status in LEFT:  # AWS's side has let its roles go already
        tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1, minutes=1)
        return settlement.wait(spared(request.data.reason, most), (tomorrow - now).total_seconds())
    raise refusals.REMOVALS_USED_UP.error(f"connectors of {most} {policy.noun}s were taken away today (UTC)")


def _allowed(request: ConnectorRequest, decision: Decision, policy: Policy) -> bool:
    """Whether this side's policy, which wins, agrees that what the policy of AWS's side allowed may be deleted."""
    if request.data.status is State.EXCLUDED:
        return policy.deletions.excluded_accounts and decision.verdict is not Verdict.INCLUDE
    return request.data.status is not State.DEPARTED or policy.deletions.departed_accounts


def _staying(
    request: ConnectorRequest, decision: Decision, policy: Policy, ports: OnboardPorts, settlement: Settlement
) -> Outcome | None:
    """The end of a request that this side's policy, or the project as it is now, does not bear out; None where both do.

    A label that is taken off and a folder that is moved back make no event, so nothing outdates the request.
    Raises TransientError, ConfigurationError.
    """
    if not _allowed(request, decision, policy):
        return settlement.note()
    if not _is_of_google(request):
        return None
    project = ports.google.projects().find(request.key.hierarchy_identifier)
    if project is None:  # and the whole organization was in sight
        return None
    now = decide(policy, project)
    if now.verdict is Verdict.WAIT:
        raise TransientError(now.reason, remedy="See in which state its cloud has it.")
    if now.verdict is Verdict.INCLUDE:
        reason = f"the project is ACTIVE and included now, so nothing is deleted: {now.reason}"
        return settlement.keep(Result.SKIPPED, reason)
    leaving = leave_project(project, now, policy.deletions)
    if leaving.disconnect:
        return None
    return settlement.exclude(leaving.reason, status=leaving.status, remedy=leaving.remedy)


def _is_of_google(request: ConnectorRequest) -> bool:
    """Whether it is about a project and no person's word: those of AWS's side are decided and counted there."""
    return request.key.provider is Provider.GCP and request.data.status in LEFT


def _read_anew(connector_ids: list[ConnectorId], ports: OnboardPorts) -> list[Connector]:
    """Those that are there now: nothing is deleted on the word of a snapshot."""
    found = [ports.connectors.find(connector_id) for connector_id in connector_ids]
    return [connector for connector in found if connector is not None]


def _refuse(connector: Connector, policy: Policy, ports: OnboardPorts) -> None:
    if connector.organization != policy.organization:
        who = as_argument(connector.hierarchy_identifier, policy.provider)
        raise PermanentError(
            f"{connector.connector_id} is not ours",
            remedy=f"Remove it by hand, or adopt it first with `rollcall onboard {who} --adopt`. Runbook: {DUPLICATE}.",
            key=DUPLICATE,
        )
    if is_organization_connector(connector):
        parent = connector.hierarchy_identifier
        members = [each for each in ports.snapshot.list_all() if is_member_below(each, parent, policy)]
        if members:
            finding = ORGANIZATION_CONNECTOR_IN_USE.found(
                f"{connector.connector_id} has {len(members)} member connector(s)",
                remedy=organization_remedy(AccountKey(provider=policy.provider, hierarchy_identifier=parent)),
            )
            raise PermanentError(finding.reason, remedy=finding.remedy, key=finding.key)
