"""What the use cases about a batch of account events share: the signals, the ports, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass

from shared.application.outcome import Outcome
from shared.application.patience import unless_lasting
from shared.application.ports import AccountDirectory, Clock, PolicySource, RequestSender, StackSets
from shared.application.requests import Cause, Report, request_for
from shared.domain.accounts import Account
from shared.domain.policy import Policy
from shared.errors import PermanentError, RollcallError, TransientError

AccountResult = Outcome | RollcallError
"""What became of one account: done, or the error that its record has to be returned with."""


@dataclass(frozen=True, kw_only=True)
class DeployPorts:
    """What the use case works with."""

    directory: AccountDirectory
    stack_sets: StackSets
    sender: RequestSender
    policy: PolicySource
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class AccountSignal:
    """Some event said that there may be something to do about an account.

    `departed` is how the account left the organization, where the event tells so.
    """

    account_id: str
    cause: Cause
    departed: str = ""


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
