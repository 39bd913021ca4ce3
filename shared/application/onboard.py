"""Use case of `functions/create_connector`: one request becomes one connector, or a reason why not."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field, replace

from shared.application.outcome import Outcome
from shared.application.ports import (
    Clock,
    Connectors,
    Ledger,
    Pacer,
    PolicySource,
    RequestQueue,
    TenantSnapshot,
)
from shared.application.settlement import Settlement
from shared.domain.accounts import Account, AccountState
from shared.domain.connectors import (
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
from shared.domain.policy import Decision, Policy, Verdict, decide
from shared.domain.retry import RetrySchedule, budget_spent
from shared.errors import PermanentError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest
from shared.messages.parked_request import ParkedRequest

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 180.0  # longer than the PUT's own time-out of 150 s
LONGEST_PACING_WAIT_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class OnboardPorts:
    """What the use case works with."""

    queue: RequestQueue
    ledger: Ledger
    connectors: Connectors
    snapshot: TenantSnapshot
    pacer: Pacer
    policy: PolicySource
    clock: Clock
    schedule: RetrySchedule = field(default_factory=RetrySchedule)


def onboard(request: ConnectorRequest, ports: OnboardPorts) -> Outcome:
    """Does what the request asks, once, however often it is delivered.

    Created, updated, unchanged, skipped, deferred (a later copy is on the queue) or parked (on the poison
    queue, with reason and remedy). Raises ConfigurationError, and TransientError where not even a copy could
    be put: both leave the message to the queue's own tries.
    """
    settlement = Settlement(
        request=request,
        queue=ports.queue,
        ledger=ports.ledger,
        clock=ports.clock,
        owner=f"{request.message_id}/{request.attempt}/{uuid.uuid4()}",
    )
    if request.data.action is Action.NOTE:
        return settlement.note()
    if request.data.action is Action.DISCONNECT:
        return settlement.park("disconnect requests are not supported yet", "Remove the connector by hand.")
    policy = ports.policy.current()
    try:
        return _connect(request, policy, ports, settlement)
    except PermanentError as error:
        return settlement.park(error.reason, error.remedy)
    except TransientError as error:
        if budget_spent(request.first_enqueued_at, ports.clock.now(), policy.retry_budget_hours):
            reason = f"tried for {policy.retry_budget_hours:g} hours; last: {error.reason}"
            return settlement.park(reason, error.remedy or "Remove the cause and replay the request.")
        return settlement.defer(error.reason, ports.schedule.delay(request.attempt, error.retry_after_seconds))


def park_unreadable(body: bytes, reason: str, queue: RequestQueue, clock: Clock) -> Outcome:
    """Parks a message that no reader understands, byte for byte."""
    remedy = "Export it, mend it and put it back, or discard it with a reason."
    queue.park(ParkedRequest.of(body, reason=reason, remedy=remedy, at=clock.now()))
    return Outcome(result=Result.PARKED, reason=reason)


def _connect(request: ConnectorRequest, policy: Policy, ports: OnboardPorts, settlement: Settlement) -> Outcome:
    record = ports.ledger.find(request.key)
    if record is not None and record.superseded(str(request.message_id), request.attempt):
        return Outcome(result=Result.SKIPPED, reason="a later attempt of this request is scheduled")
    decision = _decide(request, policy)
    if decision.verdict is not Verdict.INCLUDE:
        return settlement.exclude(decision.reason)
    account_id = request.key.hierarchy_identifier
    desired = desired_body(account_id, decision.profile, decision.target, policy.organization)
    connector_id = _place(request, policy, decision, ports)
    for connector in ports.snapshot.find_by_hierarchy(account_id):
        if connector.connector_id.same_as(connector_id) and not differences(desired, connector.body):
            return settlement.finish(Result.UNCHANGED, connector_id)
    owner, now = settlement.owner or "", ports.clock.now()
    if not ports.ledger.claim(request.key, owner=owner, now=now, seconds=CLAIM_SECONDS):
        unclaimed = replace(settlement, owner=None)
        return unclaimed.defer("another worker holds this account", ports.schedule.contended_seconds)
    return _ensure(connector_id, desired, ports, settlement)


def _decide(request: ConnectorRequest, policy: Policy) -> Decision:
    """Decides again by this side's policy, which wins; the account is as the message describes it."""
    if request.policy_hash != policy.content_hash:
        logger.warning("policy_skew", extra={"theirs": request.policy_hash, "ours": policy.content_hash})
    theirs, ours = request.data.organization, policy.organization
    if theirs != ours:
        raise PermanentError(
            f"the request is about organization {theirs}, the policy about {ours}",
            remedy="Send it to the deployment of its own organization.",
        )
    account = Account(
        account_id=request.key.hierarchy_identifier,
        name=request.data.name,
        state=AccountState.ACTIVE,
        ou_path=request.data.ou_path,
        tags=request.data.tags,
    )
    return decide(policy, account)


def _place(request: ConnectorRequest, policy: Policy, decision: Decision, ports: OnboardPorts) -> ConnectorId:
    """Where the connector is or belongs: ours is kept where it stands, another's is refused."""
    wanted = connector_id_for(request.key.hierarchy_identifier, decision.target)
    existing = ports.snapshot.find_by_hierarchy(request.key.hierarchy_identifier)
    for connector in existing:
        _refuse_foreign(connector, policy.organization)
    if not existing or any(connector.connector_id.same_as(wanted) for connector in existing):
        return wanted
    return existing[0].connector_id


def _refuse_foreign(connector: Connector, organization: str) -> None:
    if connector.organization != organization:
        raise PermanentError(
            f"the account is connected already by {connector.connector_id}, which is not ours",
            remedy="Remove that connector, or exclude the account in the policy.",
        )


def _ensure(connector_id: ConnectorId, desired: ConnectorBody, ports: OnboardPorts, settlement: Settlement) -> Outcome:
    """GET, merge, PUT where they differ; the claim on the account is ours."""
    actual = ports.connectors.find(connector_id)
    if actual is not None:
        _refuse_foreign(actual, desired["tags"][OWNER_TAG])
    if actual is not None and not differences(desired, actual.body):
        ports.snapshot.remember(actual)
        return settlement.finish(Result.UNCHANGED, connector_id)
    slot = ports.pacer.reserve(connector_id.subscription_id)
    wait = (slot - ports.clock.now()).total_seconds()
    if wait > LONGEST_PACING_WAIT_SECONDS:
        return settlement.defer("the subscription's write budget is spoken for", wait)
    if wait > 0:
        ports.clock.sleep(wait)
    written = ports.connectors.put(connector_id, merge(actual.body, desired) if actual else desired)
    ports.snapshot.remember(written)
    return settlement.finish(Result.UPDATED if actual else Result.CREATED, connector_id)
