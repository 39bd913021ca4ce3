"""How work on a request ends: noted, finished, deferred or parked; each leaves its line in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.application.outcome import Outcome
from shared.application.parking import Parking
from shared.application.ports import Clock, Ledger, RequestQueue
from shared.domain.accounts import as_argument
from shared.domain.connectors import ConnectorId
from shared.domain.findings import Finding
from shared.domain.instance_failures import diagnose_instance
from shared.domain.leaving import spared
from shared.domain.ledger import LEFT, HistoryEntry, Result, State
from shared.domain.policy import DEFAULT_RETRY_BUDGET_HOURS
from shared.domain.retry import budget_spent
from shared.errors import ConfigurationError, RollcallError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """The ends that one attempt at a request can have; `owner` names the claim that ends with it.

    None as owner: another worker holds the account, and its state is that worker's to tell.
    """

    request: ConnectorRequest
    queue: RequestQueue
    parking: Parking
    ledger: Ledger
    clock: Clock
    owner: str | None = None
    budget_hours: float = DEFAULT_RETRY_BUDGET_HOURS

    def finish(
        self, result: Result, connector_id: ConnectorId, *, findings: Sequence[Finding] = (), aftercare: str = ""
    ) -> Outcome:
        """The connector is as the policy asks, but for what `findings` say."""
        reason = "; ".join(finding.reason for finding in findings)
        entry = replace(
            self._entry(result, State.CONNECTED),
            connector_id=str(connector_id),
            reason=reason,
            remedy=" ".join(finding.remedy for finding in findings),
            aftercare=aftercare,
        )
        self.ledger.record(entry, release=self.owner)
        key = findings[0].key if findings else ""
        joined = self.request.data.joined_at
        age = (entry.at - joined).total_seconds() if joined and result is Result.CREATED else None
        return Outcome(result=result, reason=reason, connector_id=str(connector_id), key=key, seconds_since_joined=age)

    def offboard(self, removed: Sequence[ConnectorId]) -> Outcome:
        """Nothing of ours is left: the account was taken out, or is what the request says besides."""
        data = self.request.data
        gone = ", ".join(map(str, removed))
        reason = f"removed {gone}" if gone else "there was no connector of ours"
        result = Result.DELETED if removed else Result.UNCHANGED
        entry = self._entry(result, State.OFFBOARDED)
        if data.status in LEFT:
            entry = replace(entry, state=data.status, remedy=data.remedy)
            reason = f"{data.reason}; {reason}" if data.reason else reason
        self.ledger.record(replace(entry, reason=reason), release=self.owner)
        return Outcome(result=result, reason=reason)

    def spare(self, most: int) -> Outcome:
        """The account is what the request says, and keeps its connector: others have used up the day's share."""
        data = self.request.data
        reason = spared(data.reason, most)
        who = as_argument(data.hierarchy_identifier, data.provider)
        told = f"`rollcall offboard {who} --confirm` takes the connector away; the daily sweep tells whose is left."
        remedy = data.remedy or told
        entry = replace(self._entry(Result.SKIPPED, data.status), reason=reason, remedy=remedy)
        self.ledger.record(entry, release=self.owner)
        return Outcome(result=Result.SKIPPED, reason=reason)

    def note(self) -> Outcome:
        """Only remembers what the request reports; what was merely seen changes no state."""
        data = self.request.data
        failed = data.status is State.DEPLOY_FAILED or (data.status is State.SEEN and data.remedy != "")
        diagnosed = diagnose_instance(data.reason).remedy if data.status is State.DEPLOY_FAILED else ""
        entry = replace(
            self._entry(Result.FAILED if failed else Result.SKIPPED, data.status),
            reason=data.reason,
            remedy=data.remedy or diagnosed,
            at=self.request.occurred_at,
        )
        self.ledger.record(replace(entry, state=None) if data.status is State.SEEN else entry)
        return Outcome(result=Result.SKIPPED, reason=f"noted: {data.status}")

    def keep(self, result: Result, reason: str) -> Outcome:
        """Something was done that changes no state: the account stands as it stood before it was claimed."""
        entry = replace(self._entry(result, State.SEEN), reason=reason, state=None)
        self.ledger.record(entry, release=self.owner)
        return Outcome(result=result, reason=reason)

    def exclude(self, reason: str, *, status: State = State.EXCLUDED, remedy: str = "") -> Outcome:
        """The account gets no connector, or is on its way out: seen just now, which outdates no other request."""
        entry = replace(self._entry(Result.SKIPPED, status), reason=reason, remedy=remedy, sent_at=None)
        self.ledger.record(entry)
        return Outcome(result=Result.SKIPPED, reason=reason)

    def put_off(self, error: TransientError, delay_seconds: float) -> Outcome:
        """What failed is tried again later."""
        outcome = self._defer(self.request.next_attempt(failed=True), error.reason, delay_seconds, remedy=error.remedy)
        return replace(outcome, key=error.key)

    def wait(self, reason: str, delay_seconds: float, *, write_slot: datetime | None = None) -> Outcome:
        """Nothing failed, but others come first. `write_slot` is kept for the copy, so that its turn comes."""
        return self._defer(self.request.next_attempt(failed=False), reason, delay_seconds, write_slot=write_slot)

    def _defer(
        self,
        again: ConnectorRequest,
        reason: str,
        delay_seconds: float,
        *,
        remedy: str = "",
        write_slot: datetime | None = None,
    ) -> Outcome:
        """Puts a later copy on the queue, then remembers it: a crash in between repeats an attempt, loses none.

        Parks where the request has been tried for its whole budget.
        """
        remedy = self._with_note(remedy)
        if budget_spent(self.request.first_enqueued_at, self.clock.now(), self.budget_hours):
            spent = f"tried for {self.budget_hours:g} hours; last: {reason}"
            return self.park(spent, remedy or "Remove the cause and replay the request.")
        self.queue.send(again, delay_seconds=delay_seconds)
        due = self.clock.now() + timedelta(seconds=delay_seconds)
        entry = replace(
            self._entry(Result.DEFERRED, State.DEFERRED),
            reason=f"{reason}; next attempt at {due:%Y-%m-%dT%H:%M:%SZ}",
            remedy=remedy,
            next_attempt=again.attempt,
            next_attempt_at=due,
            write_slot=write_slot,
        )
        tells = self.owner is not None and self.request.data.action is not Action.NOTE
        self._remember(entry if tells else replace(entry, state=None))
        return Outcome(result=Result.DEFERRED, reason=reason)

    def park(self, reason: str, remedy: str, key: str = "") -> Outcome:
        """Puts the request on the poison queue, where it waits for a person."""
        body, remedy = self.request.to_json().encode(), self._with_note(remedy)
        self.parking.put(body, reason=reason, remedy=remedy)
        entry = replace(self._entry(Result.PARKED, State.PARKED), reason=reason, remedy=remedy)
        self._remember(entry if self.owner is not None else replace(entry, state=None))
        return Outcome(result=Result.PARKED, reason=reason, key=key)

    def _with_note(self, remedy: str) -> str:
        """What the sender of a request to connect knows of a person's part in it, before what was found out here."""
        note = self.request.data.remedy if self.request.data.action is Action.CONNECT else ""
        return remedy if not note or remedy.startswith(note) else f"{note} {remedy}".strip()

    def fail(self, error: ConfigurationError) -> None:
        """Remembers that the deployment is wrong and lets go of the account; the message stays with the queue."""
        entry = replace(self._entry(Result.FAILED, State.DEFERRED), reason=error.reason, remedy=error.remedy)
        self._remember(entry if self.request.data.action is Action.CONNECT else replace(entry, state=None))

    def _remember(self, entry: HistoryEntry) -> None:
        """Records what is decided already: the ledger only remembers; to raise would double the request."""
        try:
            self.ledger.record(entry, release=self.owner)
        except RollcallError as error:
            logger.warning("ledger_unavailable", extra={"reason": error.reason, "message_id": entry.message_id})

    def _entry(self, result: Result, state: State) -> HistoryEntry:
        request = self.request
        return HistoryEntry(
            key=request.key,
            at=self.clock.now(),
            step=f"{request.data.action}:{request.data.status}",
            result=result,
            state=state,
            message_id=str(request.message_id),
            attempt=request.attempt,
            correlation_id=request.correlation_id,
            name=request.data.name,
            ou_path=request.data.ou_path,
            policy_hash=request.policy_hash,
            sent_at=request.occurred_at,
            joined_at=request.data.joined_at,
        )
