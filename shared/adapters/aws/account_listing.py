"""The whole organization in as few requests as it takes. Source: Organizations API 2016-11-28.

ListAccounts answers at most 20 accounts a page, since 2026 with their `Paths` of unit ids; one
ListOrganizationalUnitsForParent for each unit that holds others gives the names. Where an answer has no `Paths`, or
they lead into no unit although there are some, every unit is asked for its accounts instead.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.aws.errors import reads_aws, translated
from shared.adapters.aws.unit_paths import named_path, step, unit_ids
from shared.application.ports import Clock
from shared.domain.accounts import Account, AccountState
from shared.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_organizations.client import OrganizationsClient

PAGE_SIZE = 20  # the most that Organizations gives
TAG_READS_PER_SECOND = 10
_Listed = dict[str, Any]
_Names = dict[str, dict[str, str]]
"""Unit id → name, by the id of the parent."""


class AwsAccountListing:
    """Lists accounts; tags are one request for each account, so they are read apart and at a pace."""

    def __init__(self, organizations: OrganizationsClient, clock: Clock) -> None:
        """Works in the management account or a delegated administrator."""
        self._client = organizations
        self._clock = clock
        self._next_tag_read: datetime | None = None
        self._pacing = threading.Lock()

    @reads_aws
    def list_accounts(self) -> tuple[Account, ...]:
        """Every account once, without its tags; all of them or an error."""
        with translated("list the accounts of the organization"):
            listed = {found["Id"]: found for found in self._pages("list_accounts", "Accounts")}
            places = self._places_by_paths(listed) or self._places_by_walk()
        if missing := listed.keys() - places.keys():
            raise TransientError(
                f"the organization changed while it was listed: {', '.join(sorted(missing)[:5])}",
                remedy="Run it again.",
            )
        return tuple(_account(found, places[account_id]) for account_id, found in listed.items())

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """One account's tags."""
        self._wait_for_turn()
        with translated(f"read the tags of account {account_id}"):
            pages = self._client.get_paginator("list_tags_for_resource").paginate(ResourceId=account_id)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def _wait_for_turn(self) -> None:
        with self._pacing:
            now = self._clock.now()
            turn = now if self._next_tag_read is None else max(now, self._next_tag_read)
            self._next_tag_read = turn + timedelta(seconds=1 / TAG_READS_PER_SECOND)
        if turn > now:
            self._clock.sleep((turn - now).total_seconds())

    def _pages(self, operation: Any, key: str, **parameters: str) -> Iterator[_Listed]:
        paging = {"PageSize": PAGE_SIZE}
        pages: Any = self._client.get_paginator(operation).paginate(PaginationConfig=paging, **parameters)
        for page in pages:
            yield from page[key]

    def _places_by_paths(self, listed: Mapping[str, _Listed]) -> dict[str, str] | None:
        """Each account's path by names, from the `Paths` of its answer; None where they cannot be relied on."""
        chains = {account_id: unit_ids(found) for account_id, found in listed.items()}
        if not all(chains.values()):
            return None
        edges = {(parent, unit) for chain in chains.values() for parent, unit in zip(chain, chain[1:], strict=False)}
        roots = {chain[0] for chain in chains.values()}
        names = {parent: self._units_of(parent) for parent in {parent for parent, _ in edges} | roots}
        if not edges and any(names.values()):
            return None
        if any(unit not in names[parent] for parent, unit in edges):
            raise TransientError("organizational units changed while they were listed", remedy="Run it again.")
        return {account_id: _named(chain, names) for account_id, chain in chains.items()}

    def _places_by_walk(self) -> dict[str, str]:
        """Each account's path by names, from asking every unit for its units and accounts."""
        places: dict[str, str] = {}
        [root] = self._pages("list_roots", "Roots")
        waiting = [(root["Id"], "")]
        while waiting:
            unit_id, path = waiting.pop()
            for found in self._pages("list_accounts_for_parent", "Accounts", ParentId=unit_id):
                places[found["Id"]] = path or "/"
            waiting += [(child, f"{path}/{step(name)}") for child, name in self._units_of(unit_id).items()]
        return places

    def _units_of(self, parent_id: str) -> dict[str, str]:
        found = self._pages("list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent_id)
        return {unit["Id"]: unit["Name"] for unit in found}


def _named(chain: list[str], names: _Names) -> str:
    return named_path(names[parent][unit] for parent, unit in zip(chain, chain[1:], strict=False))


def _account(found: _Listed, ou_path: str) -> Account:
    joined = found.get("JoinedTimestamp")
    return Account(
        account_id=found["Id"],
        name=found.get("Name", ""),
        state=_state(found.get("State") or found.get("Status") or ""),
        ou_path=ou_path,
        joined_at=joined.astimezone(UTC) if isinstance(joined, datetime) else None,
        is_management=found["Arn"].split(":")[4] == found["Id"],
    )


def _state(text: str) -> AccountState:
    """AWS's word for it; one that AWS has added since concerns that account alone, not the listing."""
    return AccountState(text) if text in set(AccountState) else AccountState.UNKNOWN
