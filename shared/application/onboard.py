"""Use case of `functions/create_connector`: one request becomes one connector, or a reason why not."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.application import refusals
from shared.application.outcome import Outcome
from shared.application.parking import Parking
from shared.application.ports import (
    Clock,
    Connectors,
    Ledger,
    Pacer,
    ParkedBodies,
    PolicySource,
    RequestQueue,
    TenantSnapshot,
)
from shared.application.settlement import Settlement
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import (
    ENVIRONMENT,
    OWNER_TAG,
    Connector,
    ConnectorBody,
    ConnectorId,
    connector_id_for,
    desired_body,
    merge,
)
from shared.domain.drift import differences
from shared.domain.ledger import Result
from shared.domain.pacing import is_stale
from shared.domain.policy import Decision, Policy, Verdict, decide
from shared.domain.retry import RetrySchedule
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 180.0  # longer than the PUT's own time-out of 150 s
LONGEST_PACING_WAIT_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class OnboardPorts:
    """What the use case works with."""

    queue: RequestQueue
    bodies: ParkedBodies
    ledger: Ledger
    connectors: Connectors
    snapshot: TenantSnapshot
    pacer: Pacer
    policy: PolicySource
    clock: Clock
    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    claim_seconds: float = CLAIM_SECONDS

    @property
    def parking(self) -> Parking:
        """Where messages wait for a person."""
        return Parking(queue=self.queue, bodies=self.bodies, clock=self.clock)


def onboard(request: ConnectorRequest, ports: OnboardPorts) -> Outcome:
    """Does what the request asks, once, however often it is delivered.

    Created, updated, unchanged, skipped, deferred (a later copy is on the queue) or parked (on the poison
    queue, with reason and remedy). Raises ConfigurationError, and TransientError where not even a copy could
    be put: both leave the message to the queue's own tries.
    """
    settlement = _settlement(request, ports)
    try:
        _refuse_unsupported(request)
        if request.data.action is Action.NOTE:
            return settlement.note()
        policy = ports.policy.current()
        settlement = replace(settlement, budget_hours=policy.retry_budget_hours)
        return _connect(request, policy, ports, settlement)
    except PermanentError as error:
        return settlement.park(error.reason, error.remedy, error.key)
    except TransientError as error:
        if lasting := error.lasting((ports.clock.now() - request.first_enqueued_at).total_seconds()):
            settlement.fail(lasting)
            raise lasting from error
        return settlement.put_off(error, ports.schedule.delay(request.delays, error.retry_after_seconds))
    except ConfigurationError as error:
        settlement.fail(error)
        raise


def _settlement(request: ConnectorRequest, ports: OnboardPorts) -> Settlement:
    return Settlement(
        request=request,
        queue=ports.queue,
        parking=ports.parking,
        ledger=ports.ledger,
        clock=ports.clock,
        owner=f"{request.message_id}/{request.attempt}/{uuid.uuid4()}",
    )


def _refuse_unsupported(request: ConnectorRequest) -> None:
    if request.data.action is Action.DISCONNECT:
        raise refusals.DISCONNECT_UNSUPPORTED.error("disconnect requests are not supported yet")
    if request.data.action is Action.CONNECT and request.data.provider is not Provider.AWS:
        raise refusals.GCP_UNSUPPORTED.error(f"connecting {request.data.provider} is not supported yet")


def park_given_up(request: ConnectorRequest, error: RollcallError, ports: OnboardPorts) -> Outcome:
    """Parks a request whose tries on the queue ended with `error`: the host would do so without a word."""
    reason = f"given up after the queue's own tries; last: {error.reason}"
    remedy = error.remedy or "Remove the cause and replay the request."
    return _settlement(request, ports).park(reason, remedy, error.key)


def park_unreadable(body: bytes, reason: str, ports: OnboardPorts) -> Outcome:
    """Parks a message that no reader understands, byte for byte."""
    kind = refusals.UNREADABLE_MESSAGE
    ports.parking.put(body, reason=reason, remedy=kind.advice)
    return Outcome(result=Result.PARKED, reason=reason, key=kind.key)


def _connect(request: ConnectorRequest, policy: Policy, ports: OnboardPorts, settlement: Settlement) -> Outcome:
    record = ports.ledger.find(request.key)
    if record is not None and record.superseded(str(request.message_id), request.attempt, ports.clock.now()):
        return Outcome(result=Result.SKIPPED, reason="a later attempt of this request is scheduled")
    decision = _decide(request, policy)
    if decision.verdict is not Verdict.INCLUDE:
        return settlement.exclude(decision.reason)
    account_id = request.key.hierarchy_identifier
    desired = desired_body(account_id, decision.profile, decision.target, policy.organization)
    # A GCP project number may have twelve digits too.
    existing = [found for found in ports.snapshot.find_by_hierarchy(account_id) if found.environment == ENVIRONMENT]
    connector_id = _place(connector_id_for(account_id, decision.target), existing, policy.organization)
    for connector in existing:
        if connector.connector_id.same_as(connector_id) and not differences(desired, connector.body):
            return settlement.finish(Result.UNCHANGED, connector_id)
    owner, now = settlement.owner or "", ports.clock.now()
    if not ports.ledger.claim(request.key, owner=owner, now=now, seconds=ports.claim_seconds):
        unclaimed = replace(settlement, owner=None)
        return unclaimed.wait("another worker holds this account", ports.schedule.contended_seconds)
    slot = record.slot_of(str(request.message_id), request.attempt) if record else None
    return _ensure(connector_id, desired, slot, ports, settlement)


def _decide(request: ConnectorRequest, policy: Policy) -> Decision:
    """Decides again by this side's policy, which wins; the account is as the message describes it."""
    if request.policy_hash != policy.content_hash:
        logger.warning("policy_skew", extra={"theirs": request.policy_hash, "ours": policy.content_hash})
    theirs, ours = request.data.organization, policy.organization
    if theirs != ours:
        raise refusals.OTHER_ORGANIZATION.error(f"the request is about organization {theirs}, the policy about {ours}")
    account = Account(
        account_id=request.key.hierarchy_identifier,
        name=request.data.name,
        state=AccountState.ACTIVE,
        ou_path=request.data.ou_path,
        tags=request.data.tags,
    )
    return decide(policy, account)


def _place(wanted: ConnectorId, existing: Sequence[Connector], organization: str) -> ConnectorId:
    """Where the connector is or belongs: ours is kept where it stands, another's is refused."""
    for connector in existing:
        _refuse_foreign(connector, organization)
    if not existing or any(connector.connector_id.same_as(wanted) for connector in existing):
        return wanted
    return existing[0].connector_id


def _refuse_foreign(connector: Connector, organization: str) -> None:
    if connector.organization != organization:
        raise PermanentError(
            f"the account is connected already by {connector.connector_id}, which is not ours",
            remedy="Remove that connector, or exclude the account in the policy.",
            key="duplicate-connector",
        )


def _ensure(
    connector_id: ConnectorId,
    desired: ConnectorBody,
    slot: datetime | None,
    ports: OnboardPorts,
    settlement: Settlement,
) -> Outcome:
    """GET, merge, PUT where they differ; the claim on the account is ours."""
    actual = ports.connectors.find(connector_id)
    if actual is not None:
        _refuse_foreign(actual, desired["tags"][OWNER_TAG])
    if actual is not None and not differences(desired, actual.body):
        ports.snapshot.remember(actual)
        return settlement.finish(Result.UNCHANGED, connector_id)
    if slot is None or is_stale(slot, ports.clock.now()):
        slot = ports.pacer.reserve(connector_id.subscription_id)
    wait = (slot - ports.clock.now()).total_seconds()
    if wait > LONGEST_PACING_WAIT_SECONDS:
        return settlement.wait("the subscription's write budget is spoken for", wait, write_slot=slot)
    if wait > 0:
        ports.clock.sleep(wait)
    written = ports.connectors.put(connector_id, merge(actual.body, desired) if actual else desired)
    ports.snapshot.remember(written)
    return settlement.finish(Result.UPDATED if actual else Result.CREATED, connector_id)
