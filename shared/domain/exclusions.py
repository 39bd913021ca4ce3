"""Whom the Organization connector leaves alone: what was decided about accounts, and the list that follows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from shared.domain.accounts import Account, AccountState
from shared.domain.policy import Decision, Policy, Verdict, is_management

MOST_IN_ONE_MESSAGE = 1000
"""15 KiB of a message that may have 48; the rest is the management account's own facts."""


@dataclass(frozen=True, kw_only=True)
class Exclusions:
    """What the policy says about some accounts of the organization; about all others this says nothing."""

    excluded: frozenset[str] = frozenset()
    included: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return bool(self.excluded or self.included)

    def applied(self, present: Iterable[str]) -> tuple[str, ...]:
        """The list that follows from `present`, in order: whom this does not name stays on it, or off it."""
        return tuple(sorted((set(present) - self.included) | self.excluded))

    def changes(self, present: Iterable[str]) -> frozenset[str]:
        """Whom this puts on the list `present`, or takes off it."""
        there = frozenset(present)
        return (self.excluded - there) | (self.included & there)

    def without(self, account_ids: Collection[str]) -> Exclusions:
        """The same about everybody else."""
        return Exclusions(
            excluded=self.excluded.difference(account_ids), included=self.included.difference(account_ids)
        )

    def pieces(self) -> Iterator[Exclusions]:
        """The same in as many messages as it takes."""
        everybody = sorted(self.excluded | self.included)
        for start in range(0, len(everybody), MOST_IN_ONE_MESSAGE):
            named = frozenset(everybody[start : start + MOST_IN_ONE_MESSAGE])
            yield Exclusions(excluded=self.excluded & named, included=self.included & named)


def exclusions_of(policy: Policy, decided: Iterable[tuple[Account, Decision]]) -> Exclusions:
    """What decisions mean for the Organization connector that Rollcall keeps; nothing in other modes.

    Accounts that wait, and those that are suspended or closed, stay as they are: Defender connects none of them.
    """
    excluded, included = set(), set()
    for account, decision in decided:
        if not policy.organization_account or is_management(policy, account):
            continue
        if decision.verdict is Verdict.INCLUDE:
            included.add(account.account_id)
        elif decision.verdict is Verdict.EXCLUDE and account.state is AccountState.ACTIVE:
            excluded.add(account.account_id)
    return Exclusions(excluded=frozenset(excluded), included=frozenset(included))
