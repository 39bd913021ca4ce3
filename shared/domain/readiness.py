"""An account that AWS has not readied yet: which failures say so, and when it is looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.accounts import Account
from shared.domain.instance_failures import DENIED_IN_ACCOUNT, EXECUTION_ROLE_MISSING, NOT_READY, diagnose_instance

ACCOUNT_NOT_READY = "account-not-ready"
"""The kind of error (`RollcallError.key`) by which AWS refuses to work for an account that is not ready."""

_MOMENT = timedelta(milliseconds=1)  # as exact as CloudFormation tells when an operation was created


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Which of the tries for one account it is, counted from 1, and when the first of them was made."""

    number: int
    first_at: datetime


@dataclass(frozen=True, kw_only=True)
class Retry:
    """A look at an account that is to come, at `due_at`; `attempt` is the one that it will be.

    `since` follows the try that failed: whatever was tried later has a retry of its own.
    """

    attempt: Attempt
    due_at: datetime
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """How long AWS may take: the delays grow from the first to the longest, until the budget is spent.

    The longest is what SQS can delay a message by. Source: SQS API 2012-11-05, SendMessage, DelaySeconds.
    """

    first_delay_seconds: float = 60.0
    longest_delay_seconds: float = 900.0
    budget_seconds: float = 7200.0

    def next_retry(self, attempt: Attempt, *, tried_at: datetime, failed_at: datetime) -> Retry | None:
        """The retry of an attempt that was begun at `tried_at`; None where the budget does not reach that far.

        The same failure leads to the same retry, however often it is told.
        """
        delay = min(self.first_delay_seconds * 2.0 ** min(attempt.number - 1, 30), self.longest_delay_seconds)
        due_at = max(tried_at, failed_at) + timedelta(seconds=delay)
        if due_at > attempt.first_at + timedelta(seconds=self.budget_seconds):
            return None
        after = Attempt(number=attempt.number + 1, first_at=attempt.first_at)
        return Retry(attempt=after, due_at=due_at, since=tried_at + _MOMENT)

    def used(self, attempt: Attempt, *, at: datetime) -> float:
        """How much of the budget has passed at a time: 0 none, 1 all or more."""
        passed = (at - attempt.first_at).total_seconds()
        return min(max(passed / self.budget_seconds, 0.0), 1.0) if self.budget_seconds else 1.0

    def is_not_ready(self, account: Account, attempt: Attempt, reason: str) -> bool:
        """Whether a stack instance failed for `reason` because AWS has not readied its account yet.

        A new account shows that also by refusing StackSets' own role. The same words about an old account, or
        about one whose policy denies on purpose, are a person's to mend.
        """
        failure = diagnose_instance(reason)
        if failure is NOT_READY:
            return True
        said = reason.lower()
        refused = failure in {DENIED_IN_ACCOUNT, EXECUTION_ROLE_MISSING} and "stacksets-exec-" in said
        return refused and "explicit deny" not in said and self._was_new(account, attempt)

    def _was_new(self, account: Account, attempt: Attempt) -> bool:
        """Whether the first try came so soon after the account joined that it may not have been ready."""
        joined = account.joined_at
        return joined is not None and attempt.first_at - joined <= timedelta(seconds=self.budget_seconds)
