"""Whom the Organization connector has to leave alone is told to Azure's side; in mode `member` only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from shared.application.account_batch import AccountSignal, Batch
from shared.application.requests import Cause, Report, correlation_id_for, correlation_id_of, request_for
from shared.domain.accounts import Account, AccountState
from shared.domain.exclusions import Exclusions
from shared.domain.ledger import AccountKey, State
from shared.domain.policy import Policy
from shared.errors import RollcallError
from shared.messages.connector_request import ConnectorRequest


def pieces_of(report: Report, exclusions: Exclusions) -> Iterator[Report]:
    """`report`, about the management account, as often as it takes to carry all; as it is where there is nothing."""
    if not exclusions:
        yield report
    for piece in exclusions.pieces():
        yield replace(report, exclusions=piece)


def note_to_organization(policy: Policy, cause: Cause, exclusions: Exclusions, at: datetime) -> ConnectorRequest:
    """The note about the management project that tells what was decided about one project."""
    key = AccountKey(provider=policy.provider, hierarchy_identifier=policy.organization_account)
    management = Account(
        account_id=key.hierarchy_identifier,
        name="",
        state=AccountState.ACTIVE,
        ou_path="",
        is_management=True,
        provider=policy.provider,
    )
    report = Report(status=State.SEEN, reason="a project was looked at", at=at, exclusions=exclusions)
    return request_for(management, policy, replace(cause, correlation_id=correlation_id_of(key)), report)


def tell_exclusions(
    report: Report, exclusions: Exclusions, signal: AccountSignal, batch: Batch
) -> RollcallError | None:
    """Tells what one batch decided, whether the management account was part of it or not; the error where it cannot.

    Raises ConfigurationError.
    """
    account_id = batch.policy.organization_account
    if not account_id or not exclusions:
        return None
    management = Account(account_id=account_id, name="", state=AccountState.ACTIVE, ou_path="", is_management=True)
    cause = replace(signal.cause, correlation_id=correlation_id_for(account_id))
    about = AccountSignal(account_id=account_id, cause=cause)
    found = [batch.send(management, about, piece) for piece in pieces_of(report, exclusions)]
    return next((error for error in found if error is not None), None)
