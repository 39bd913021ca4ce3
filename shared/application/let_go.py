"""Accounts of a batch that take no part, or no part any more: reported, and let go as far as the policy allows."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.application.account_batch import AccountResult, AccountSignal, Batch
from shared.application.outcome import Outcome
from shared.application.requests import Report
from shared.application.side_by_side import side_by_side
from shared.domain.accounts import Account
from shared.domain.findings import ROLES_NOT_REMOVED
from shared.domain.leaving import InstanceFate, Leaving, spare
from shared.domain.ledger import Result, State
from shared.domain.stack_sets import Removal, removal_id
from shared.errors import PermanentError, TransientError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Exit:
    """An account as it was at `looked_at`, why it is looked at, and how it leaves."""

    account: Account
    signal: AccountSignal
    leaving: Leaving
    looked_at: datetime


def let_go(exits: Sequence[Exit], batch: Batch) -> dict[str, AccountResult]:
    """Reports all, then takes their stack instances, in one operation for each fate; account id → what became of it.

    Connectors and roles are deleted for so many only as the policy allows in one run. A crash between reports and
    operations does both again. Raises ConfigurationError.
    """
    results: dict[str, AccountResult] = {}
    going: dict[InstanceFate, list[Exit]] = defaultdict(list)
    leavers = _capped(exits, batch.policy.deletions.most_per_run)
    sent = side_by_side(lambda each: batch.send(each.account, each.signal, _report(each)), leavers)
    for each, error in zip(leavers, sent, strict=True):
        leaving = each.leaving
        if error is not None:
            results[each.account.account_id] = error
        elif leaving.fate is InstanceFate.KEEP:
            results[each.account.account_id] = Outcome(result=Result.SKIPPED, reason=leaving.reason)
        else:
            going[leaving.fate].append(each)
    for fate, group in going.items():
        results |= _remove(group, fate, batch)
    return results


def _capped(exits: Sequence[Exit], most: int) -> list[Exit]:
    deletions, capped = 0, []
    for each in exits:
        deletions += each.leaving.disconnect
        over = each.leaving.disconnect and deletions > most
        capped.append(replace(each, leaving=spare(each.leaving, most)) if over else each)
    return capped


def _report(exit_: Exit) -> Report:
    leaving = exit_.leaving
    return Report(
        status=leaving.status,
        reason=leaving.reason,
        at=exit_.looked_at,
        remedy=leaving.remedy,
        disconnect=leaving.disconnect,
    )


def _remove(group: list[Exit], fate: InstanceFate, batch: Batch) -> dict[str, AccountResult]:
    """Takes the instances together; where AWS refuses that, each half on its own."""
    stack_sets = batch.ports.stack_sets
    try:
        causes = [(each.account.account_id, each.signal.cause.event_id) for each in group]
        stack_sets.remove(
            Removal(
                operation_id=removal_id(stack_sets.stack_set_id(), causes),
                account_ids=tuple(sorted(each.account.account_id for each in group)),
                retain_stacks=fate is InstanceFate.LET_GO,
            )
        )
    except PermanentError as error:
        if len(group) == 1:
            return {group[0].account.account_id: _not_removed(group[0], error, batch)}
        logger.warning("stack_set_operation_refused", extra={"accounts": len(group), "reason": error.reason})
        middle = len(group) // 2
        return _remove(group[:middle], fate, batch) | _remove(group[middle:], fate, batch)
    except TransientError as error:
        return {each.account.account_id: batch.settled(error, each.signal) for each in group}
    return {each.account.account_id: Outcome(result=Result.DELETED, reason=each.leaving.reason) for each in group}


def _not_removed(exit_: Exit, error: PermanentError, batch: Batch) -> AccountResult:
    finding = ROLES_NOT_REMOVED.found(f"its stack instance is still there: {error.reason}")
    failure = Report(status=State.SEEN, reason=finding.reason, at=batch.ports.clock.now(), remedy=finding.remedy)
    unsent = batch.send(exit_.account, exit_.signal, failure)
    return unsent or Outcome(result=Result.FAILED, reason=finding.reason, key=finding.key)
