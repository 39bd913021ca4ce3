"""Which accounts a service-managed StackSet operation means.

Source: CloudFormation API reference 2010-05-15, DeploymentTargets; service-managed sets never reach the
management account, and descend into child OUs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.organizations.models import OrganizationsBackend


@dataclass(frozen=True)
class Target:
    """One (account, region) of an operation.

    `organizational_unit_id` is the root or OU that the caller named, empty for an account outside of them.
    """

    account: str
    region: str
    organizational_unit_id: str = ""
    suspended: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the stack instance."""
        return (self.account, self.region)


class UnknownUnitError(Exception):
    """An OU or root that the organization does not have: the operation fails with this as its reason."""

    def __init__(self) -> None:
        super().__init__("Target organizational unit could not be found")


def validate(targets: Mapping[str, Any] | None, *, creating: bool) -> None:
    """Insists on what CloudFormation asks of `DeploymentTargets`.

    Raises:
        ValidationError: in CloudFormation's words where public.
    """
    targets = targets or {}
    unit_ids = targets.get("OrganizationalUnitIds")
    filter_type = targets.get("AccountFilterType")
    if not unit_ids:
        message = "StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target"
        raise ValidationError(message=message)
    if len(unit_ids) > 50:
        raise ValidationError(message="At most 50 OrganizationalUnitIds can be targeted in one call")
    if targets.get("AccountsUrl"):
        raise ValidationError(message="AccountsUrl is not known to the sandbox; name the accounts")
    if targets.get("Accounts") and filter_type is None:
        message = "AccountFilterType must be specified when both OrganizationalUnitIds and Accounts are targeted"
        raise ValidationError(message=message)
    if not targets.get("Accounts") and filter_type not in {None, "NONE"}:
        raise ValidationError(message=f"AccountFilterType {filter_type} needs Accounts")
    if creating and filter_type == "UNION":
        message = "AccountFilterType UNION is not supported for CreateStackInstances"
        raise ValidationError(message=message)


def _accounts_below(backend: OrganizationsBackend, unit_id: str) -> list[str]:
    below = {unit_id}
    grown = True
    while grown:
        more = {unit.id for unit in backend.ou if unit.parent_id in below} - below
        below |= more
        grown = bool(more)
    return [account.id for account in backend.accounts if account.parent_id in below]


def resolve(backend: OrganizationsBackend, targets: Mapping[str, Any], regions: Iterable[str]) -> list[Target]:
    """The targets of a service-managed operation, in the order of `regions`.

    Raises:
        UnknownUnitError: if an OU is not in the organization.
    """
    named = set(targets.get("Accounts") or [])
    filter_type = targets.get("AccountFilterType") or "NONE"
    unit_of: dict[str, str] = {}
    known = {unit.id for unit in backend.ou}
    for unit_id in targets["OrganizationalUnitIds"]:
        if unit_id not in known:
            raise UnknownUnitError
        for account_id in _accounts_below(backend, unit_id):
            unit_of.setdefault(account_id, unit_id)
    if filter_type == "INTERSECTION":
        chosen = set(unit_of) & named
    elif filter_type == "DIFFERENCE":
        chosen = set(unit_of) - named
    elif filter_type == "UNION":
        chosen = set(unit_of) | named
    else:
        chosen = set(unit_of)
    accounts = {account.id: account for account in backend.accounts}
    chosen = (chosen & set(accounts)) - {backend.account_id}
    return [
        Target(
            account_id,
            region,
            "" if accounts[account_id].state != "ACTIVE" else unit_of.get(account_id, ""),
            accounts[account_id].state != "ACTIVE",
        )
        for region in regions
        for account_id in accounts
        if account_id in chosen
    ]
