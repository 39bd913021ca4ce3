"""What looking at Azure's side needs. All methods raise TransientError, PermanentError, ConfigurationError."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shared.application.ports import AccountListing, PolicySource, TenantSnapshot
    from shared.domain.doctor.azure import RootSeen
    from shared.domain.prechecks import Permission
    from shared.domain.subscription_plans import SubscriptionPlan
    from shared.domain.sweep.identity import IdentitySeen
    from shared.domain.targets import Target


class Foundations(Protocol):
    """What Resource Manager says of the ground that connectors stand on; nothing of it is changed by asking."""

    def root(self, tenant_id: str, object_id: str) -> RootSeen:
        """What the tenant's root management group says of an identity."""

    def subscription_state(self, subscription_id: str) -> str:
        """In Resource Manager's word."""

    def has_group(self, target: Target) -> bool:
        """Whether the target's resource group is there."""

    def registration(self, subscription_id: str) -> str:
        """Of Microsoft.Security, in Resource Manager's word."""

    def find_workspace(self, workspace: str) -> tuple[str, ...] | None:
        """The security solutions of a Log Analytics workspace; None where it is not there."""


class Registrar(Protocol):
    """Registers subscriptions."""

    def register(self, subscription_id: str) -> None:
        """Asks for Microsoft.Security."""


class Rights(Protocol):
    """What our identity may do, and which plans are on."""

    def list_permissions(self, scope: str) -> tuple[Permission, ...]:
        """In a resource group, read anew."""

    def list_plans(self, subscription_id: str) -> tuple[SubscriptionPlan, ...]:
        """Every plan of a subscription."""


class Storage(Protocol):
    """The storage account of queues, ledger, policy and reports."""

    @property
    def account(self) -> str:
        """Its name, as the addresses have it."""

    def queues(self, names: Sequence[str]) -> Mapping[str, bool]:
        """Which are there."""

    def tables(self, names: Sequence[str]) -> Mapping[str, bool]:
        """Which are there."""

    def containers(self) -> Mapping[str, bool]:
        """Those that the settings name, by their names."""

    def make_queue(self, name: str) -> None:
        """Makes a queue; that it is there already is no error."""


@dataclass(frozen=True, kw_only=True)
class AzureSide:
    """Azure's side as one identity sees it, whose object id is `object_id`.

    `is_stand_in`: a person looks in the Function App's place, whose own rights say nothing of the Function App's.
    """

    foundations: Foundations
    rights: Rights
    storage: Storage
    policy: PolicySource
    object_id: Callable[[], str]
    is_stand_in: bool = False


class HubEntrance(Protocol):
    """The way into AWS."""

    def enter(self) -> None:
        """Becomes the hub role, by a new session."""

    def look_into(self, account_id: str) -> None:
        """Becomes the reader of a member account."""


class MemberIdentities(Protocol):
    """Defender's identity provider and roles of member accounts."""

    def inspect(self, account_id: str, roles: Sequence[str]) -> IdentitySeen:
        """What there is."""


class MemberInstances(Protocol):
    """The stack instances of Defender's roles."""

    def parameters_of(self, account_id: str) -> Mapping[str, str] | None:
        """What an account's instance overrides; None where it has none."""


@dataclass(frozen=True, kw_only=True)
class HubSide:
    """AWS through the hub role."""

    hub: HubEntrance
    listing: AccountListing
    identities: MemberIdentities
    instances: MemberInstances
    policy: PolicySource
    role_arn: str


@dataclass(frozen=True, kw_only=True)
class SharedFacts:
    """What advice is made of."""

    policy: PolicySource
    snapshot: TenantSnapshot
