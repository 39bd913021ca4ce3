"""An account that AWS has not readied is looked at again later, and the ledger told so."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.application.outcome import Outcome
from shared.application.requests import Cause, Report, request_for
from shared.domain.instance_failures import NOT_READY
from shared.domain.ledger import Result, State
from shared.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from shared.application.ports import AccountRetries, Clock, PolicySource, RequestSender
    from shared.domain.accounts import Account
    from shared.domain.readiness import Attempt, Readiness

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NotReady:
    """An attempt that found an account not ready: begun at `tried_at`, known to have failed at `failed_at`."""

    account: Account
    cause: Cause
    why: str
    attempt: Attempt
    tried_at: datetime
    failed_at: datetime


class _Means(Protocol):
    """What both use cases have that meet such accounts."""

    @property
    def sender(self) -> RequestSender: ...
    @property
    def retries(self) -> AccountRetries: ...
    @property
    def readiness(self) -> Readiness: ...
    @property
    def policy(self) -> PolicySource: ...
    @property
    def clock(self) -> Clock: ...


def wait_for(found: NotReady, ports: _Means) -> Outcome:
    """Asks for the next attempt, then reports it: a crash in between does both again.

    What is asked for is not asked for again because nobody could be told. Where the time for this is spent it only
    reports, and the daily comparison goes on. Raises TransientError, PermanentError, ConfigurationError.
    """
    attempt, known_at = found.attempt, max(found.tried_at, found.failed_at)
    retry = ports.readiness.next_retry(attempt, tried_at=found.tried_at, failed_at=found.failed_at)
    if retry is None:
        status, result = State.DEPLOY_FAILED, Result.FAILED
        reason = (
            f"not ready, tried {attempt.number} time(s) since {_written(attempt.first_at)}; "
            f"the daily comparison tries again: {found.why}"
        )
    else:
        status, result = State.DEPLOYING, Result.DEFERRED
        reason = f"not ready yet, attempt {retry.attempt.number} at {_written(retry.due_at)}: {found.why}"
        ports.retries.ask_again(found.account.account_id, retry)
    report = Report(status=status, reason=reason, at=ports.clock.now(), remedy=NOT_READY.remedy)
    try:
        ports.sender.send(request_for(found.account, ports.policy.current(), found.cause, report))
    except (TransientError, PermanentError) as error:
        if retry is None:
            raise
        facts = {"hierarchy_identifier": found.account.account_id, "reason": error.reason, "error_key": error.key}
        logger.warning("retry_not_reported", extra=facts)  # the next attempt reports
    used = 1.0 if retry is None else ports.readiness.used(attempt, at=known_at)
    return Outcome(result=result, reason=reason, key=NOT_READY.key, budget_used=used)


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
