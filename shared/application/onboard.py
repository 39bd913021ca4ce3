"""Use case of `functions/create_connector`: one request becomes one connector, or none any more, or a reason."""

from __future__ import annotations

import uuid
from dataclasses import replace

from shared.application import refusals
from shared.application.connect import connect
from shared.application.disconnect import disconnect
from shared.application.exclusions import keep_exclusions
from shared.application.onboard_ports import OnboardPorts
from shared.application.outcome import Outcome
from shared.application.settlement import Settlement
from shared.domain.ledger import Result, State
from shared.domain.policy import Policy
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest


def onboard(request: ConnectorRequest, ports: OnboardPorts) -> Outcome:
    """Does what the request asks, once, however often it is delivered.

    Created, updated, unchanged, deleted, skipped, deferred (a later copy is on the queue) or parked (on the poison
    queue, with reason and remedy). Raises ConfigurationError, and TransientError where not even a copy could
    be put: both leave the message to the queue's own tries.
    """
    settlement = _settlement(request, ports)
    try:
        if request.data.action is Action.NOTE and (request.data.status is not State.SEEN or not request.data.told):
            noted = settlement.note()
            if not request.data.told:
                return noted
        policy = _policy_for(request, ports.policy.current())
        settlement = replace(settlement, budget_hours=policy.retry_budget_hours)
        return _WORK[request.data.action](request, policy, ports, settlement)
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


_WORK = {Action.CONNECT: connect, Action.DISCONNECT: disconnect, Action.NOTE: keep_exclusions}


def _settlement(request: ConnectorRequest, ports: OnboardPorts) -> Settlement:
    return Settlement(
        request=request,
        queue=ports.queue,
        parking=ports.parking,
        ledger=ports.ledger,
        clock=ports.clock,
        owner=f"{request.message_id}/{request.attempt}/{uuid.uuid4()}",
    )


def _policy_for(request: ConnectorRequest, policy: Policy) -> Policy:
    """What the policy says about accounts of that cloud. Raises PermanentError where it says nothing."""
    found = policy.of(request.data.provider)
    if found is None:
        raise refusals.GCP_NOT_IN_POLICY.error(f"the policy says nothing about {request.data.provider.upper()}")
    return found


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
