"""The Organization connector's list of accounts that it leaves alone is kept in step with what AWS's side decides."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from shared.application import refusals
from shared.application.onboard_ports import OnboardPorts
from shared.application.outcome import Outcome
from shared.application.ports import Ledger
from shared.application.settlement import Settlement
from shared.application.write_turn import await_turn
from shared.domain.accounts import Provider
from shared.domain.connectors import ENVIRONMENT_OF, Connector, excluding
from shared.domain.exclusions import Exclusions
from shared.domain.ledger import AccountKey, AccountRecord, Result, State
from shared.domain.placement import is_organization_connector, is_ours
from shared.domain.policy import Policy
from shared.messages.connector_request import (
    Action,
    ConnectorRequest,
    RequestData,
    ToldExclusions,
    message_id_for,
)

logger = logging.getLogger(__name__)

_TAKES_PART = {State.DEPLOYING, State.DEPLOYED}


def keep_exclusions(request: ConnectorRequest, policy: Policy, ports: OnboardPorts, settlement: Settlement) -> Outcome:
    """Changes the list, and nothing else of the connector, where it differs from what the request tells.

    Where there is no Organization connector of ours, nothing is done: whoever makes it is told the list, too.
    Raises TransientError, PermanentError, ConfigurationError.
    """
    if request.data.organization != policy.organization:
        raise refusals.OTHER_ORGANIZATION.error(f"the request is about organization {request.data.organization}")
    record = ports.ledger.find(request.key)
    if record is not None and record.superseded(str(request.message_id), request.attempt, ports.clock.now()):
        return Outcome(result=Result.SKIPPED, reason="a later attempt of this request is scheduled")
    account_id = request.key.hierarchy_identifier
    seen = find_organization_connector(account_id, policy, ports)
    if not policy.is_organization_connector_s(account_id) or seen is None:
        return Outcome(result=Result.SKIPPED, reason="there is no Organization connector of ours")
    if not _changes(request, policy, seen):
        return Outcome(result=Result.UNCHANGED, reason="", connector_id=str(seen.connector_id))
    owner, now = settlement.owner or "", ports.clock.now()
    if not ports.ledger.claim(request.key, owner=owner, now=now, seconds=ports.claim_seconds):
        unclaimed = replace(settlement, owner=None)
        return unclaimed.wait(f"another worker holds this {policy.noun}", ports.schedule.contended_seconds)
    return _write(request, policy, ports, settlement, record, seen)


def _write(  # noqa: PLR0913, PLR0917 - what was read before the account was claimed
    request: ConnectorRequest,
    policy: Policy,
    ports: OnboardPorts,
    settlement: Settlement,
    record: AccountRecord | None,
    seen: Connector,
) -> Outcome:
    actual = ports.connectors.find(seen.connector_id)
    if actual is None:
        ports.snapshot.forget(seen.connector_id)
        return settlement.keep(Result.SKIPPED, "there is no Organization connector any more")
    told = _told(request, policy)
    told = undisputed(told, actual.excluded_accounts, request.occurred_at, ports.ledger, policy.provider)
    changes = told.changes(actual.excluded_accounts)
    if not changes:
        ports.snapshot.remember(actual)
        return settlement.keep(Result.UNCHANGED, f"its list of excluded {policy.noun}s is as it should be")
    if waiting := await_turn(request, record, actual.connector_id.subscription_id, ports, settlement):
        return waiting
    body = excluding(actual.body, told.applied(actual.excluded_accounts))
    ports.snapshot.remember(ports.connectors.put(actual.connector_id, body))
    put = len(changes & told.excluded)
    why = f"{put} {policy.noun}(s) put on its list of excluded {policy.noun}s, {len(changes) - put} taken off"
    return settlement.keep(Result.UPDATED, why)


def find_organization_connector(account_id: str, policy: Policy, ports: OnboardPorts) -> Connector | None:
    """The Organization connector of ours that belongs to that account, as the snapshot has it."""
    environment = ENVIRONMENT_OF[policy.provider]
    found = [each for each in ports.snapshot.find_by_hierarchy(account_id) if each.environment == environment]
    return next((each for each in found if is_organization_connector(each) and is_ours(each, policy)), None)


def _told(request: ConnectorRequest, policy: Policy) -> Exclusions:
    """What the request tells; whom this side's policy excludes by id is excluded whatever the other side says."""
    by_id = policy.exclusions.account_ids
    told = request.data.told
    return Exclusions(excluded=told.excluded | (told.included & by_id), included=told.included - by_id)


def _changes(request: ConnectorRequest, policy: Policy, connector: Connector) -> frozenset[str]:
    return _told(request, policy).changes(connector.excluded_accounts)


def undisputed(
    told: Exclusions, present: Iterable[str], told_at: datetime, ledger: Ledger, provider: Provider
) -> Exclusions:
    """`told` without those about whom the ledger has heard the contrary since `told_at`.

    Only whom it would put on the list or take off it is looked up.
    """
    disputed = set()
    for account_id in told.changes(present):
        record = ledger.find(AccountKey(provider=provider, hierarchy_identifier=account_id))
        if record is not None and _says_otherwise(record, told, account_id, told_at):
            disputed.add(account_id)
    if disputed:
        logger.info("exclusions_outdated", extra={"accounts": len(disputed)})
    return told.without(disputed)


def _says_otherwise(record: AccountRecord, told: Exclusions, account_id: str, told_at: datetime) -> bool:
    since = record.asked_at if record.state is State.CONNECTED else record.state_at
    if since is None or since <= told_at:
        return False
    takes_part = record.state in _TAKES_PART or record.state is State.CONNECTED
    return takes_part if account_id in told.excluded else record.state is State.EXCLUDED


def ask_to_include(request: ConnectorRequest, parent: str, ports: OnboardPorts) -> None:
    """Asks for the account of `request`, which takes part, to be taken off the Organization connector's list."""
    provider = request.data.provider
    key = AccountKey(provider=provider, hierarchy_identifier=parent)
    account_id = request.key.hierarchy_identifier
    ports.queue.send(
        ConnectorRequest(
            message_id=message_id_for(f"{request.message_id}/included", key, Action.NOTE, State.SEEN),
            correlation_id=request.correlation_id,
            traceparent=request.traceparent,
            occurred_at=request.occurred_at,
            first_enqueued_at=ports.clock.now(),
            policy_hash=request.policy_hash,
            data=RequestData(
                provider=provider,
                organization=request.data.organization,
                hierarchy_identifier=parent,
                action=Action.NOTE,
                status=State.SEEN,
                ou_path="",
                source=request.data.source,
                reason=f"{account_id} is to be connected",
                exclusions=ToldExclusions(included=(account_id,)),
            ),
        )
    )
