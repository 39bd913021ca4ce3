"""Whether an account has the connector that it should have: what the policy would do is what is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.accounts import Account, Provider, as_argument
from shared.domain.connectors import Connector
from shared.domain.ledger import AccountRecord
from shared.domain.policy import Mode, Policy, Verdict, decide
from shared.domain.preview import Action, Change, PlannedAccount
from shared.domain.stack_sets import InstanceState
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import (
    CONNECTOR_DRIFTED,
    CONNECTOR_DUPLICATE,
    CONNECTOR_MISPLACED,
    CONNECTOR_MISSING,
    CONNECTOR_ORPHANED,
    CONNECTOR_REFUSED,
    INSTANCE_MISSING,
    MEMBER_OVERDUE,
)
from shared.domain.sweep.refused import is_parked

NAME, UNIT = "name", "unit"
"""Evidence about accounts that the ledger does not know."""
SETTLING = timedelta(hours=1)
"""A new account is on its way for minutes; until then its connector is not missed."""
_LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class AccountSubject:
    """An account that the sweep looks at. `listed` is False for one that has a connector and no organization lists.

    `instance` is the state of its stack instance; None where it has none.
    """

    account: Account
    listed: bool = True
    instance: InstanceState | None = None


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What was seen of an account. `planned` is what the policy would do; `connectors` are all that it has."""

    subject: AccountSubject
    planned: PlannedAccount
    connectors: Sequence[Connector] = ()
    record: AccountRecord | None = None

    @property
    def account_id(self) -> str:
        """Whose it is."""
        return self.subject.account.account_id

    @property
    def provider(self) -> Provider:
        """Its cloud."""
        return self.subject.account.provider

    @property
    def introduced(self) -> dict[str, str]:
        """What an account is called and where it is, as evidence; nothing where the ledger knows that."""
        account = self.subject.account
        told = {NAME: account.name, UNIT: account.ou_path} if self.record is None else {}
        return {name: value for name, value in told.items() if value}

    def is_settled(self, now: datetime) -> bool:
        """Whether it has been in the organization for long enough to have everything."""
        joined = self.subject.account.joined_at
        return joined is None or now - joined >= SETTLING

    def lacks_connector(self, now: datetime) -> bool:
        """Whether the connector that it should have is missing; a new account that never had one is on its way."""
        had_one = self.record is not None and self.record.connected_at is not None
        return self.planned.action is Action.CREATE and (had_one or self.is_settled(now))


def coverage_findings(looked: Looked, policy: Policy, now: datetime) -> Iterator[SweepFinding]:
    """Missing, refused, orphaned, overdue, drifted, in the wrong place, more than one; roles that are not there."""
    planned, account_id, subject = looked.planned, looked.account_id, looked.subject.account.subject
    provider = looked.provider
    if looked.lacks_connector(now):
        yield _missing(looked)
    elif planned.action is Action.CHANGE:
        yield _drifted(looked, policy)
    elif planned.action in {Action.DEPARTED, Action.STAYS, Action.REMOVE}:
        who = as_argument(account_id, provider)
        yield CONNECTOR_ORPHANED.about(
            str(planned.connector_id),
            planned.reason,
            account=account_id,
            provider=provider,
            remedy=CONNECTOR_ORPHANED.remedy.replace("ID", who),
        )
    elif planned.action is Action.REFUSED or (planned.action is Action.WAITS and planned.key):
        yield CONNECTOR_REFUSED.about(
            subject,
            planned.reason,
            account=account_id,
            provider=provider,
            remedy=planned.remedy,
            evidence={"cause": planned.key},
        )
    elif planned.action is Action.WAITS and policy.mode is Mode.NATIVE and _is_overdue(looked, policy, now):
        hours = policy.sweep.native_member_hours
        yield MEMBER_OVERDUE.about(
            subject,
            f"Defender has not made its connector within {hours:g} hours",
            account=account_id,
            provider=provider,
        )
    yield from _noted(looked)


def role_findings(looked: Looked, policy: Policy, now: datetime) -> Iterator[SweepFinding]:
    """Whether the account's stack instance is there and current, where it should be."""
    subject = looked.subject
    if not subject.listed or subject.account.is_management or not looked.is_settled(now):
        return
    if decide(policy, subject.account).verdict is not Verdict.INCLUDE or policy.mode is Mode.NATIVE:
        return
    if subject.instance not in {InstanceState.CURRENT, InstanceState.IN_PROGRESS}:
        state = str(subject.instance) if subject.instance is not None else "missing"
        yield INSTANCE_MISSING.about(
            looked.subject.account.subject,
            f"its stack instance is {state}",
            account=looked.account_id,
            provider=looked.provider,
            evidence={"instance": state} | looked.introduced,
        )


def _missing(looked: Looked) -> SweepFinding:
    record = looked.record
    evidence = {"profile": looked.planned.profile} | looked.introduced
    remedy = ""
    if record is not None:
        evidence |= {"state": str(record.state), "reason": record.reason}
        remedy = record.remedy
    return CONNECTOR_MISSING.about(
        looked.subject.account.subject,
        f"the policy includes it ({looked.planned.reason}), and it has no connector",
        account=looked.account_id,
        provider=looked.provider,
        remedy=remedy,
        evidence=evidence,
    )


def _drifted(looked: Looked, policy: Policy) -> SweepFinding:
    """With the ledger's reason and remedy where it is not asked for again."""
    planned, record = looked.planned, looked.record
    evidence = {change.path: _told(change) for change in planned.changes}
    remedy = ""
    if record is not None and is_parked(record, policy):
        evidence |= {"ledger": record.reason}
        remedy = record.remedy
    return CONNECTOR_DRIFTED.about(
        str(planned.connector_id),
        f"it differs from the policy in {len(planned.changes)} place(s)",
        account=looked.account_id,
        provider=looked.provider,
        remedy=remedy,
        evidence=evidence,
    )


def _noted(looked: Looked) -> Iterator[SweepFinding]:
    kinds = {"several-connectors": CONNECTOR_DUPLICATE, "not-moved": CONNECTOR_MISPLACED}
    for note in looked.planned.notes:
        if (kind := kinds.get(note.key)) is not None:
            yield kind.about(
                looked.subject.account.subject, note.message, account=looked.account_id, provider=looked.provider
            )


def _is_overdue(looked: Looked, policy: Policy, now: datetime) -> bool:
    joined = looked.subject.account.joined_at
    return joined is None or now - joined >= timedelta(hours=policy.sweep.native_member_hours)


def _told(change: Change) -> str:
    now, wanted = str(change.now)[:_LONGEST], str(change.wanted)[:_LONGEST]
    return f"{'absent' if change.now is None else now} → {'absent' if change.wanted is None else wanted}"
