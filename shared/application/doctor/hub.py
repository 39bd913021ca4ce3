"""The Function App's way into AWS, proved by going it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.application.doctor.azure_ports import HubSide
from shared.application.doctor.examine import Question
from shared.application.side_by_side import side_by_side
from shared.domain.accounts import Account
from shared.domain.doctor import azure_checks as checks
from shared.domain.doctor.azure import sentinel_verdict
from shared.domain.doctor.verdicts import Verdict, failed
from shared.domain.identity_provider import uses_existing
from shared.domain.policy import Policy, decide
from shared.domain.policy import Verdict as Decided
from shared.errors import RollcallError

MOST_TRIED = 24
"""Accounts that are looked into: one request each, and the HTTP function has some minutes for everything."""
MOST_ASKED = 200
"""Accounts whose stack instance is looked at."""


class LookThroughHub:
    """One look through the hub role."""

    def __init__(self, side: HubSide) -> None:
        """`side` is what is asked."""
        self._side = side

    def questions(self, checked_as: str) -> list[Question]:
        """One, since each needs the one before."""
        told = (checks.HUB, checks.READERS, checks.SENTINEL_FIRST)
        return [Question(checks=told, ask=self._ask, checked_as=checked_as)]

    def _ask(self) -> Iterator[Verdict]:
        try:
            self._side.hub.enter()
        except RollcallError as error:
            yield failed(checks.HUB, error, subject=self._side.role_arn)
            why = "the hub role cannot be had"
            yield checks.READERS.unknown(why)
            yield checks.SENTINEL_FIRST.unknown(why)
            return
        yield checks.HUB.ok("the managed identity becomes it", subject=self._side.role_arn)
        policy = self._side.policy.current()
        listed = self._side.listing.list_accounts()
        accounts = [each for each in listed if not each.is_management and _takes_part(policy, each)]
        yield from self._readers(accounts)
        yield from self._sentinel(policy, accounts)

    def _readers(self, accounts: Sequence[Account]) -> Iterator[Verdict]:
        tried = spread(sorted(each.account_id for each in accounts), MOST_TRIED)
        refused = [each for each in side_by_side(self._tried, tried) if each is not None]
        yield from refused
        if not refused:
            yield checks.READERS.ok(f"it becomes the reader in {len(tried)} of {len(accounts)} account(s) tried")

    def _tried(self, account_id: str) -> Verdict | None:
        try:
            self._side.hub.look_into(account_id)
        except RollcallError as error:
            command = (
                "aws cloudformation describe-stack-instance --stack-set-name rollcall-reader "
                f"--stack-instance-account {account_id} --stack-instance-region us-east-1"
            )
            return failed(checks.READERS, error, subject=account_id, command=command)
        return None

    def _sentinel(self, policy: Policy, accounts: Sequence[Account]) -> Iterator[Verdict]:
        """Accounts whose stack instance makes no provider, since there was one before."""
        by_id = {each.account_id: each for each in accounts}
        asked = spread(sorted(by_id), MOST_ASKED)
        parameters = side_by_side(self._side.instances.parameters_of, asked)
        adopted = [each for each, found in zip(asked, parameters, strict=True) if found and uses_existing(found)]
        for account_id in adopted[:MOST_TRIED]:
            profile = decide(policy, by_id[account_id]).profile
            try:
                seen = self._side.identities.inspect(account_id, ()).provider
            except RollcallError as error:
                yield checks.SENTINEL_FIRST.unknown(error.reason, subject=account_id, remedy=error.remedy)
                continue
            yield sentinel_verdict(account_id, profile, seen)
        if not adopted:
            yield checks.SENTINEL_FIRST.ok(f"none of {len(asked)} of {len(accounts)} account(s) looked at")


def _takes_part(policy: Policy, account: Account) -> bool:
    return decide(policy, account).verdict is Decided.INCLUDE


def spread(items: Sequence[str], most: int) -> list[str]:
    """At most so many of them, evenly over all."""
    if len(items) <= most:
        return list(items)
    return [items[number * len(items) // most] for number in range(most)]
