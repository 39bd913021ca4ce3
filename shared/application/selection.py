"""Which accounts a use case is asked about, and their tags where these can matter."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.application.ports import AccountListing
from shared.domain.accounts import Account, Provider
from shared.domain.matching import Matcher
from shared.domain.policy import Policy, Verdict, decide


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which accounts are asked about; what is empty asks for all. An OU path is one of the policy's patterns.

    A project may be named by its number or by its id.
    """

    account_ids: frozenset[str] = frozenset()
    ou_path: str = ""

    def holds(self, account: Account) -> bool:
        """Whether the account is asked about."""
        unit = Matcher(ou_paths=(self.ou_path,))
        named = self._names(account.account_id) or (account.provider is Provider.GCP and self._names(account.name))
        return named and (not self.ou_path or unit.match_every(account) is not None)

    def holds_departed(self, account_id: str) -> bool:
        """Whether an account that is in no unit any more is asked about."""
        return self._names(account_id) and not self.ou_path

    def _names(self, account_id: str) -> bool:
        return not self.account_ids or account_id in self.account_ids


def with_tags(account: Account, policy: Policy, listing: AccountListing) -> Account:
    """The account with its tags where they can matter: none takes an exclusion back."""
    if not policy.reads_tags or decide(policy, account).verdict is not Verdict.INCLUDE:
        return account
    return replace(account, tags=listing.tags_of(account.account_id))
