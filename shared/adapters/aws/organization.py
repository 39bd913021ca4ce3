"""The organization as AWS Organizations describes it. Source: Organizations API 2016-11-28."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, reads_aws, translated
from shared.adapters.aws.unit_paths import named_path, unit_ids
from shared.application.ports import Clock
from shared.domain.accounts import Account, AccountState
from shared.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_organizations.client import OrganizationsClient

_NAMES_MAX_AGE = timedelta(seconds=60)


class AwsOrganization:
    """Reads accounts; the names of organizational units are kept for a minute."""

    def __init__(self, organizations: OrganizationsClient, clock: Clock) -> None:
        """Works in the management account or a delegated administrator."""
        self._client = organizations
        self._clock = clock
        self._units: dict[str, tuple[datetime, str, str]] = {}

    @reads_aws
    def find_account(self, account_id: str, *, with_tags: bool) -> Account | None:
        """The account as it is now; None where the organization has none of that id."""
        with translated(f"read account {account_id}"):
            try:
                found: Any = self._client.describe_account(AccountId=account_id)["Account"]
            except ClientError as error:
                if error_code(error) == "AccountNotFoundException":
                    return None
                raise
            path = self._path_by_ids(found) or self._path_by_parents(account_id)
            tags = self._tags_of(account_id) if with_tags else {}
            state, owner = found.get("State") or found["Status"], found["Arn"].split(":")[4]
        joined = found.get("JoinedTimestamp")
        return Account(
            account_id=account_id,
            name=found.get("Name", ""),
            state=_state(state, account_id),
            ou_path=path,
            joined_at=joined.astimezone(UTC) if isinstance(joined, datetime) else None,
            tags=tags,
            is_management=owner == account_id,
        )

    def _path_by_ids(self, found: dict[str, Any]) -> str | None:
        """The path as the account's own answer tells it; None where it tells of no unit, which is asked for then."""
        _, *units = unit_ids(found) or [""]
        return named_path(self._unit(unit_id)[0] for unit_id in units) if units else None

    def _path_by_parents(self, account_id: str) -> str:
        names: list[str] = []
        parent = self._client.list_parents(ChildId=account_id)["Parents"][0]
        unit_id, kind = parent["Id"], str(parent["Type"])
        while kind != "ROOT":
            name, unit_id, kind = self._unit(unit_id)
            names.append(name)
        return named_path(reversed(names))

    def _unit(self, unit_id: str) -> tuple[str, str, str]:
        """Name, parent id and parent type of an organizational unit."""
        now = self._clock.now()
        known = self._units.get(unit_id)
        if known is None or now - known[0] > _NAMES_MAX_AGE:
            unit = self._client.describe_organizational_unit(OrganizationalUnitId=unit_id)["OrganizationalUnit"]
            parent = self._client.list_parents(ChildId=unit_id)["Parents"][0]
            known = (now, unit["Name"], parent["Id"])
            self._units[unit_id] = known
        return known[1], known[2], "ROOT" if known[2].startswith("r-") else "ORGANIZATIONAL_UNIT"

    def _tags_of(self, account_id: str) -> dict[str, str]:
        tags: dict[str, str] = {}
        for page in self._client.get_paginator("list_tags_for_resource").paginate(ResourceId=account_id):
            tags |= {tag["Key"]: tag["Value"] for tag in page["Tags"]}
        return tags


def _state(text: str, account_id: str) -> AccountState:
    """AWS's word for it; one that AWS has added since concerns this account alone, not its batch."""
    try:
        return AccountState(text)
    except ValueError as error:
        raise TransientError(
            f"account {account_id} is in a state that is not known: {text}",
            remedy="Install a newer version of Rollcall, then move the event back.",
        ) from error
