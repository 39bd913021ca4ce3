"""How the sides of AWS and GCP word their messages to Azure."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from shared.application import refusals
from shared.domain.accounts import Account, Provider
from shared.domain.exclusions import Exclusions
from shared.domain.leaving import Leaving, leave_project
from shared.domain.ledger import AccountKey, State
from shared.domain.policy import Decision, Deletions, Policy, Verdict
from shared.domain.trace import traceparent_for
from shared.messages.connector_request import Action, ConnectorRequest, RequestData, ToldExclusions, message_id_for

_NAMESPACE = uuid.UUID("6a1f6f6e-97a5-5f0c-9d7c-6a1b52a0c3d4")


SWEEP = "sweep"
"""The source of requests that the daily sweep makes, because it saw that a connector is missing or differs."""
OPERATOR = "rollcall"
"""The source of requests that a person makes with `rollcall onboard`."""


def correlation_id_for(account_id: str) -> str:
    """The id that all messages about one account share, whichever event they come from."""
    return str(uuid.uuid5(_NAMESPACE, account_id))


def correlation_id_of(key: AccountKey) -> str:
    """The same for an account or a project: one of GCP may have the digits of an account of AWS."""
    return correlation_id_for(key.hierarchy_identifier if key.provider is Provider.AWS else str(key))


@dataclass(frozen=True, kw_only=True)
class Cause:
    """The event that made us look at an account; `correlation_id` follows the account through both clouds."""

    event_id: str
    source: str
    occurred_at: datetime
    correlation_id: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is said about an account: its state in its own cloud since `at`, why, and what a person has to do.

    `disconnect` asks for its connector to be removed, whatever the state. `exclusions` is for the management account
    only: which accounts its Organization connector has to leave alone.
    """

    status: State
    reason: str
    at: datetime
    remedy: str = ""
    disconnect: bool = False
    exclusions: Exclusions = field(default_factory=Exclusions)

    @property
    def action(self) -> Action:
        """A connector for an account whose roles are in place, none for one that is offboarded; else only a note."""
        if self.disconnect or self.status is State.OFFBOARDED:
            return Action.DISCONNECT
        return Action.CONNECT if self.status is State.DEPLOYED else Action.NOTE


def report_on_project(project: Account, decision: Decision, may: Deletions, now: datetime) -> Report:
    """What is said about a project that was looked at just now: it is to be connected, or takes no part."""
    if decision.verdict is Verdict.INCLUDE:
        return Report(status=State.DEPLOYED, reason=decision.reason, at=now)
    return report_leaving(leave_project(project, decision, may), now)


def report_leaving(leaving: Leaving, now: datetime) -> Report:
    """How a project leaves, as a report."""
    return Report(
        status=leaving.status, reason=leaving.reason, at=now, remedy=leaving.remedy, disconnect=leaving.disconnect
    )


def request_for(account: Account, policy: Policy, cause: Cause, report: Report) -> ConnectorRequest:
    """The message that asks for, or reports about, one account; `policy` is that of its cloud.

    Raises PermanentError where the account's facts go beyond what a message may carry.
    """
    try:
        return _request(account, policy, cause, report)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        reason = f"account {account.account_id} does not fit into a message: {wrong}"
        raise refusals.ACCOUNT_UNSENDABLE.error(reason) from error


def _request(account: Account, policy: Policy, cause: Cause, report: Report) -> ConnectorRequest:
    key = AccountKey(provider=account.provider, hierarchy_identifier=account.account_id)
    return ConnectorRequest(
        message_id=message_id_for(_event_id(cause, report.exclusions), key, report.action, report.status),
        correlation_id=cause.correlation_id,
        traceparent=traceparent_for(cause.correlation_id),
        occurred_at=report.at,
        first_enqueued_at=report.at,
        policy_hash=policy.content_hash,
        data=RequestData(
            provider=account.provider,
            organization=policy.organization,
            hierarchy_identifier=account.account_id,
            name=account.name,
            action=report.action,
            status=report.status,
            ou_path=account.ou_path,
            tags=dict(account.tags),
            source=cause.source,
            reason=report.reason[:4096],
            remedy=report.remedy[:2048],
            joined_at=account.joined_at,
            exclusions=_told(report.exclusions),
        ),
    )


def _told(exclusions: Exclusions) -> ToldExclusions | None:
    if not exclusions:
        return None
    return ToldExclusions(excluded=tuple(sorted(exclusions.excluded)), included=tuple(sorted(exclusions.included)))


def _event_id(cause: Cause, exclusions: Exclusions) -> str:
    """Each piece of what one run tells is a message of its own."""
    named = f"{sorted(exclusions.excluded)}{sorted(exclusions.included)}"
    return f"{cause.event_id}/{hashlib.sha256(named.encode()).hexdigest()}" if exclusions else cause.event_id
