"""What offboarding an account comes to, decided before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.accounts import as_argument
from shared.domain.connectors import Connector
from shared.domain.findings import ORGANIZATION_CONNECTOR_IN_USE, Finding
from shared.domain.identity_provider import makes_no_provider
from shared.domain.ledger import AccountKey
from shared.domain.stack_sets import StackInstance


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock of Azure that stands in the way of a deletion, on the resource or around it."""

    lock_id: str
    level: str


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One Azure Arc machine of an account; `status` in Arc's own words."""

    resource_id: str
    name: str
    status: str


class RolesFate(StrEnum):
    """What becomes of the account's stack instance: its identity provider and roles."""

    NONE = "none"
    REMOVE = "remove"
    KEEP_IN_USE = "keep_in_use"
    KEEP_UNSEEN = "keep_unseen"
    KEEP_CONNECTED = "keep_connected"


def organization_remedy(key: AccountKey) -> str:
    """What to do where the Organization connector of that account or project still has members."""
    who = as_argument(key.hierarchy_identifier, key.provider)
    return (
        "Remove its members first, ours with `rollcall offboard` and Defender's own in the portal; a minute later "
        f"`rollcall offboard {who} --confirm`."
    )


@dataclass(frozen=True, kw_only=True)
class OffboardingPlan:
    """Everything that a person should see before saying yes.

    `users` are roles of the account that trust an identity provider of the member template and are not Defender's
    own; None where the account could not be looked into. `members` is the number of connectors in the tenant that
    stand below one of ours. `name` is empty where the organization does not list it; `still_included` says why the
    policy would connect it again. A project has neither stack instance nor users: what it has at Google is its owner's,
    or the whole organization's, and stays.
    """

    key: AccountKey
    ours: tuple[Connector, ...]
    foreign: tuple[Connector, ...]
    locks: tuple[Lock, ...]
    instance: StackInstance | None
    users: tuple[str, ...] | None
    machines: tuple[Machine, ...]
    members: int = 0
    name: str = ""
    still_included: str = ""

    @property
    def account_id(self) -> str:
        """Its hierarchy identifier."""
        return self.key.hierarchy_identifier

    @property
    def noun(self) -> str:
        """What is taken out."""
        return self.key.provider.noun

    @property
    def roles_fate(self) -> RolesFate:
        """What something else needs, or might, stays: then the whole stack instance stays.

        Unless no identity provider is in it: the roles are Defender's alone.
        """
        if self.instance is None:
            return RolesFate.NONE
        if self.foreign:
            return RolesFate.KEEP_CONNECTED
        if makes_no_provider(self.instance.parameters):
            return RolesFate.REMOVE
        if self.users is None:
            return RolesFate.KEEP_UNSEEN
        return RolesFate.KEEP_IN_USE if self.users else RolesFate.REMOVE

    @property
    def in_use(self) -> Finding | None:
        """Why a connector of ours has to stay for now: that of an organization whose members still stand below it."""
        if not self.members:
            return None
        return ORGANIZATION_CONNECTOR_IN_USE.found(
            f"{self.members} member connector(s) in the tenant stand below the Organization connector of "
            f"{self.account_id}",
            remedy=organization_remedy(self.key),
        )

    @property
    def is_refused(self) -> bool:
        """Whether members, a lock or another's connector keep it as it is, whoever confirms."""
        return self.in_use is not None or bool(self.locks) or bool(self.foreign)

    @property
    def has_nothing_to_do(self) -> bool:
        """Whether there is neither a connector of ours nor a stack instance to remove."""
        return not self.ours and self.roles_fate is not RolesFate.REMOVE
