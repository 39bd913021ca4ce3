"""What the use cases about a batch of account events share: the signals, the ports, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shared.application.outcome import Outcome
from shared.application.patience import unless_lasting
from shared.application.ports import AccountDirectory, AccountRetries, Clock, PolicySource, RequestSender, StackSets
from shared.application.requests import Cause, Report, request_for
from shared.application.waiting import NotReady, wait_for
from shared.domain.accounts import Account
from shared.domain.ledger import Result
from shared.domain.policy import Policy
from shared.domain.readiness import Attempt, Readiness, Retry
from shared.errors import PermanentError, RollcallError, TransientError

AccountResult = Outcome | RollcallError
"""What became of one account: done, or the error that its record has to be returned with."""


@dataclass(frozen=True, kw_only=True)
class DeployPorts:
    """What the use case works with."""

    directory: AccountDirectory
    stack_sets: StackSets
    sender: RequestSender
    retries: AccountRetries
    readiness: Readiness
    policy: PolicySource
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class AccountSignal:
    """Some event said that there may be something to do about an account.

    `departed` is how the account left the organization, where the event tells so; `retry` is what we asked for
    ourselves when an attempt failed.
    """

    account_id: str
    cause: Cause
    departed: str = ""
    retry: Retry | None = None

    @property
    def asked_at(self) -> datetime:
        """What was tried since then was tried for this signal, too: a retry was asked for when its attempt failed."""
        return self.retry.since if self.retry else self.cause.occurred_at

    @property
    def attempt(self) -> Attempt | None:
        """Which attempt it asks for; None for the first."""
        return self.retry.attempt if self.retry else None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One batch: the policy that counts for all of it, and the ports."""

    policy: Policy
    ports: DeployPorts

    def settled(self, error: RollcallError, signal: AccountSignal) -> RollcallError:
        """`error`, met by what `signal` asked for. Raises ConfigurationError where it has lasted too long."""
        return unless_lasting(error, since=signal.cause.occurred_at, clock=self.ports.clock)

    def send(self, account: Account, signal: AccountSignal, report: Report) -> RollcallError | None:
        """Sends a report; the error where that does not succeed. Raises ConfigurationError."""
        try:
            self.ports.sender.send(request_for(account, self.policy, signal.cause, report))
        except (TransientError, PermanentError) as error:
            return self.settled(error, signal)
        return None

    def wait(self, account: Account, signal: AccountSignal, why: str) -> AccountResult:
        """Puts off an account that AWS has not readied. Raises ConfigurationError."""
        now = self.ports.clock.now()
        attempt = signal.attempt or Attempt(number=1, first_at=signal.cause.occurred_at)
        found = NotReady(account=account, cause=signal.cause, why=why, attempt=attempt, tried_at=now, failed_at=now)
        try:
            return wait_for(found, self.ports)
        except (TransientError, PermanentError) as error:
            return self.settled(error, signal)

    def look_later(self, signal: AccountSignal) -> AccountResult:
        """Has an account looked at again when the work on its stack instance may be over; `signal` asked for it."""
        now, ports = self.ports.clock.now(), self.ports
        attempt = signal.attempt or Attempt(number=1, first_at=signal.cause.occurred_at)
        retry = ports.readiness.next_retry(attempt, tried_at=now, failed_at=now)
        why = "its stack instance is being worked on"
        if retry is None:
            return Outcome(result=Result.SKIPPED, reason=why)
        try:
            ports.retries.ask_again(signal.account_id, replace(retry, since=signal.asked_at))
        except (TransientError, PermanentError) as error:
            return self.settled(error, signal)
        return Outcome(
            result=Result.DEFERRED,
            reason=f"{why}: looked at again at {retry.due_at:%Y-%m-%dT%H:%M:%SZ}",
            budget_used=ports.readiness.used(attempt, at=now),
        )
