"""One request to disconnect removes an account's connectors of ours, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from shared.application.connect import connectors_of, decide_again
from shared.application.onboard_ports import OnboardPorts
from shared.application.outcome import Outcome
from shared.application.settlement import Settlement
from shared.domain.connectors import Connector
from shared.domain.ledger import Result
from shared.domain.placement import place
from shared.domain.policy import Policy
from shared.errors import PermanentError
from shared.messages.connector_request import ConnectorRequest


def disconnect(request: ConnectorRequest, policy: Policy, ports: OnboardPorts, settlement: Settlement) -> Outcome:
    """Deletes what is ours; what is already gone is no error, what is another's is refused.

    The request is a person's word or an opt-in of the policy: whether the policy includes the account matters not.
    Raises TransientError, PermanentError (a lock, another's connector), ConfigurationError.
    """
    record = ports.ledger.find(request.key)
    if record is not None and record.superseded(str(request.message_id), request.attempt, ports.clock.now()):
        return Outcome(result=Result.SKIPPED, reason="a later attempt of this request is scheduled")
    decision = decide_again(request, policy)
    account_id = request.key.hierarchy_identifier
    owner, now = settlement.owner or "", ports.clock.now()
    if not ports.ledger.claim(request.key, owner=owner, now=now, seconds=ports.claim_seconds):
        return replace(settlement, owner=None).wait(
            "another worker holds this account", ports.schedule.contended_seconds
        )
    found = connectors_of(account_id, policy, ports)
    usual = place(policy, account_id, decision.profile, decision.target).connector_id
    if not any(connector.connector_id.same_as(usual) for connector in found):
        actual = ports.connectors.find(usual)  # it may be younger than the snapshot
        found += [actual] if actual is not None else []
    for connector in found:
        _refuse_foreign(connector, policy)
    for connector in found:
        ports.connectors.delete(connector.connector_id)
        ports.snapshot.forget(connector.connector_id)
    return settlement.offboard(tuple(connector.connector_id for connector in found))


def _refuse_foreign(connector: Connector, policy: Policy) -> None:
    if connector.organization != policy.organization:
        raise PermanentError(
            f"{connector.connector_id} is not ours",
            remedy="Remove it by hand, or adopt it first with `rollcall onboard ID --adopt`.",
            key="duplicate-connector",
        )
