"""The whole organization as it is now, or an error."""

from __future__ import annotations

from shared.application import refusals
from shared.application.ports import AccountListing
from shared.domain.accounts import Account


def complete_listing(listing: AccountListing) -> dict[str, Account]:
    """Every account by id. An organization without its management account is no complete listing."""
    accounts = {account.account_id: account for account in listing.list_accounts()}
    if not any(account.is_management for account in accounts.values()):
        raise refusals.LISTING_INCOMPLETE.error(
            f"the organization's listing of {len(accounts)} account(s) lacks the management account"
        )
    return accounts
