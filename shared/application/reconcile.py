"""Use case of `lambdas/reconcile_accounts` and `rollcall backfill`: everything is compared with the policy.

It sends messages and does nothing else. Each says "look at this account"; the present state decides what follows,
so the same message sent twice does nothing twice.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.application.complete_listing import complete_listing
from shared.application.ports import (
    AccountListing,
    Clock,
    ManagementStacks,
    PolicySource,
    ReconcileEvents,
    RequestSender,
    StackInstances,
)
from shared.application.requests import Cause, Report, correlation_id_for, request_for
from shared.application.selection import Selection, with_tags
from shared.application.tell_exclusions import pieces_of
from shared.domain.accounts import Account
from shared.domain.exclusions import exclusions_of
from shared.domain.ledger import State
from shared.domain.policy import Decision, Policy, Verdict, decide
from shared.domain.reconciliation import (
    Sending,
    Signal,
    sending_for,
    sending_for_departed,
    sending_for_instance,
    sending_for_management,
)
from shared.domain.stack_sets import InstanceState
from shared.errors import PermanentError, RollcallError, TransientError

logger = logging.getLogger(__name__)

EVENTS_AT_ONCE = 10
"""Events that are put in one request. Source: EventBridge API, PutEvents."""
MOST_UNREAD = 10
"""Accounts that may be left to `account_events` because they could not be read; more mean that AWS is in trouble."""


@dataclass(frozen=True, kw_only=True)
class ReconcilePorts:
    """What the use case works with."""

    listing: AccountListing
    instances: StackInstances
    management: ManagementStacks
    events: ReconcileEvents
    sender: RequestSender
    policy: PolicySource
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Part:
    """The part of a run that begins after an account id; the first begins after none."""

    run: str
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is asked for.

    `name` is the same for all parts of one run, `after` the account id at which the part before stopped, and `seconds`
    how long this one may take. `limit` is how many new accounts may be asked for at most; those in `connected`, and
    what is tried or looked at again, do not count.
    """

    name: str
    source: str
    after: str = ""
    seconds: float | None = None
    selection: Selection = field(default_factory=Selection)
    limit: int | None = None
    connected: frozenset[str] = frozenset()
    dry: bool = False


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What came of one account; `failed` where nothing could be sent about it. `name`: empty for one that has left."""

    account_id: str
    signal: Signal
    reason: str
    failed: bool = False
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """What one part of a run did. `after` is where the next has to begin; None: this was the last.

    `left` is how many accounts the limit left out.
    """

    accounts: tuple[Looked, ...]
    after: str | None
    left: int = 0

    @property
    def totals(self) -> dict[Signal, int]:
        """Accounts by signal, every signal named; those that failed are apart."""
        counted = Counter(looked.signal for looked in self.accounts if not looked.failed)
        return {signal: counted[signal] for signal in Signal}

    @property
    def failed(self) -> tuple[Looked, ...]:
        """Accounts about which nothing could be sent."""
        return tuple(looked for looked in self.accounts if looked.failed)


_PARAMETERS_COUNT = {InstanceState.CURRENT, InstanceState.IN_PROGRESS}
"""States in which an instance may have, or get, other parameters than its profile asks for."""

Tell = Callable[[Looked, int], None]
"""Is told of every account, and of how many there are."""


def reconcile_part(run: Run, ports: ReconcilePorts) -> Reconciliation:
    """One part of a run, and the request for the next where time is up. Raises as `reconcile`.

    Killed between the two, or after them, the part is done again and asks for the next again.
    """
    found = reconcile(run, ports)
    if found.after is not None:
        ports.events.request_part(run.name, found.after)
    facts: dict[str, object] = {"run": run.name, "accounts": len(found.accounts), "after": found.after or ""}
    logger.info(
        "reconciled", extra=facts | {"failed": len(found.failed)} | {str(k): v for k, v in found.totals.items()}
    )
    return found


def reconcile(run: Run, ports: ReconcilePorts, *, tell: Tell | None = None) -> Reconciliation:
    """Looks at every account and every stack instance after `run.after`, in the order of their ids.

    Raises TransientError, ConfigurationError; where a listing is incomplete, before anything was sent.
    """
    started = ports.clock.now()
    until = None if run.seconds is None else started + timedelta(seconds=run.seconds)
    work = _Work(run, ports, started)
    waiting = work.account_ids()
    done: list[Looked] = []
    after, left = None, 0
    for number, account_id in enumerate(waiting):
        if done and until is not None and ports.clock.now() >= until:
            after = done[-1].account_id
            break
        looked = work.look(account_id)
        if looked is None:
            left = len(waiting) - number
            break
        done.append(looked)
        if tell is not None:
            tell(looked, len(waiting))
    work.flush()
    if (untold := work.tell_organization()) is not None:
        done = [untold if each.account_id == untold.account_id else each for each in done]
    return Reconciliation(accounts=tuple(done), after=after, left=left)


class _Work:
    """One part of a run: the complete listings that it goes by, and what it has not sent yet."""

    def __init__(self, run: Run, ports: ReconcilePorts, started: datetime) -> None:
        self._run = run
        self._ports = ports
        self._started = started
        self._policy: Policy = ports.policy.current()
        self._accounts: Mapping[str, Account] = complete_listing(ports.listing)
        self._states: Mapping[str, InstanceState] = ports.instances.list_states()
        self._pending: list[str] = []
        self._decided: list[tuple[Account, Decision]] = []
        self._organization: Sending | None = None
        self._new = self._unread = 0

    def account_ids(self) -> list[str]:
        """Whose turn it is, in order."""
        return sorted(account_id for account_id in self._selected() if account_id > self._run.after)

    def _selected(self) -> Iterator[str]:
        selection = self._run.selection
        yield from (each.account_id for each in self._accounts.values() if selection.holds(each))
        departed = self._states.keys() - self._accounts.keys()
        yield from (each for each in departed if selection.holds_departed(each))

    def look(self, account_id: str) -> Looked | None:
        """Sends what the account needs; None where the limit is reached."""
        account = self._accounts.get(account_id)
        try:
            if account is not None:
                account = with_tags(account, self._policy, self._ports.listing)
            sending = self._sending(account, account_id)
        except (TransientError, PermanentError) as error:
            sending = self._unreadable(account_id, error)
        if self._is_new(account_id, sending):
            if self._run.limit is not None and self._new >= self._run.limit:
                return None
            self._new += 1
        return self._send(account, account_id, sending)

    def _sending(self, account: Account | None, account_id: str) -> Sending:
        if account is None:
            return sending_for_departed()
        decision, state = decide(self._policy, account), self._states.get(account_id)
        self._decided.append((account, decision))
        if decision.verdict is Verdict.INCLUDE and account.is_management:
            management = self._ports.management
            return sending_for_management(decision, management.find(), management.name)
        if decision.verdict is Verdict.INCLUDE and state in _PARAMETERS_COUNT:
            declared = self._ports.instances.declared_parameters()
            instance = self._ports.instances.find_instance(account_id)
            return sending_for_instance(account, decision, instance, declared, self._ports.clock.now())
        return sending_for(account, decision, state)

    def _unreadable(self, account_id: str, error: RollcallError) -> Sending:
        """Leaves the account to `account_events`, whose queue tries again."""
        self._unread += 1
        if self._unread > MOST_UNREAD:
            raise error
        facts = {"hierarchy_identifier": account_id, "reason": error.reason, "error_key": error.key}
        logger.warning("account_not_read", extra=facts)
        return Sending(signal=Signal.ACCOUNT_EVENT, reason=f"it could not be looked at: {error.reason}", repeated=True)

    def _is_new(self, account_id: str, sending: Sending) -> bool:
        asks = sending.signal in {Signal.ACCOUNT_EVENT, Signal.CONNECT_REQUEST}
        return asks and not sending.repeated and account_id not in self._run.connected

    def _send(self, account: Account | None, account_id: str, sending: Sending) -> Looked:
        name = account.name if account is not None else ""
        looked = Looked(account_id=account_id, signal=sending.signal, reason=sending.reason, name=name)
        if self._run.dry:
            return looked
        if sending.signal is Signal.ACCOUNT_EVENT:
            self._pending.append(account_id)
            if len(self._pending) >= EVENTS_AT_ONCE:
                self.flush()
        elif self._policy.is_organization_connector_s(account_id):
            self._organization = sending  # it goes last, with what all others mean for its connector
        elif account is not None and sending.status is not None:
            now = self._ports.clock.now()
            report = Report(status=sending.status, reason=sending.reason, at=now, remedy=sending.remedy)
            return self._request(account, sending, report) or looked
        return looked

    def _request(self, account: Account, sending: Sending, report: Report) -> Looked | None:
        """Sends a request; what came of the account where it fits into no message."""
        account_id = account.account_id
        try:
            self._ports.sender.send(request_for(account, self._policy, self._cause(account_id), report))
        except PermanentError as error:
            facts = {"hierarchy_identifier": account_id, "reason": error.reason, "error_key": error.key}
            logger.error("request_not_sent", extra=facts | {"remedy": error.remedy})  # noqa: TRY400 - one line
            return Looked(
                account_id=account_id, signal=sending.signal, reason=str(error), failed=True, name=account.name
            )
        return None

    def tell_organization(self) -> Looked | None:
        """In mode `member`: sends what the management account needs, with what this part decided about the others.

        What came of that account where it fits into no message.
        """
        management = self._accounts.get(self._policy.organization_account)
        exclusions = exclusions_of(self._policy, self._decided)
        sending = self._organization or Sending(signal=Signal.NOTE, reason="accounts were looked at")
        if self._run.dry or management is None or not (exclusions or self._organization):
            return None
        report = Report(status=sending.status or State.SEEN, reason=sending.reason, at=self._started)
        failed = [self._request(management, sending, each) for each in pieces_of(report, exclusions)]
        return next(filter(None, failed), None)

    def flush(self) -> None:
        """Puts the events that are still kept back."""
        if self._pending:
            self._ports.events.request_accounts(self._pending)
            self._pending = []

    def _cause(self, account_id: str) -> Cause:
        return Cause(
            event_id=self._run.name,
            source=self._run.source,
            occurred_at=self._started,
            correlation_id=correlation_id_for(account_id),
        )
