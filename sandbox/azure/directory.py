"""The Entra tenant: applications and managed identities, federated credentials, role assignments."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from typing import Literal

from sandbox.azure.azurite import ACCOUNT
from sandbox.azure.roles import ROLES, RoleDefinition

FUNCTIONS = "rollcall-functions"
QUEUE_SENDER = "rollcall-lambda-queue-sender"
OPERATOR = "operator"
POLICY_CONTAINER = "policy"
TOKEN_EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"  # noqa: S105 - an audience, no secret


@dataclass(frozen=True, kw_only=True)
class Identity:
    """An application or a managed identity with its service principal's object id."""

    name: str
    client_id: str
    object_id: str
    kind: Literal["application", "user-assigned", "system-assigned"]
    app_roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FederatedCredential:
    """Whose assertions an identity accepts in the place of a secret; every part compares exactly."""

    issuer: str
    subject: str
    audience: str = TOKEN_EXCHANGE_AUDIENCE


@dataclass(frozen=True, kw_only=True)
class RoleAssignment:
    """A role given to one identity on a scope and everything below it."""

    object_id: str
    role: str
    scope: str


class Directory:
    """One tenant; thread-safe. Ids are derived from the tenant's id, so that every start has the same."""

    def __init__(self, tenant_id: str, *, storage_scope: str) -> None:
        """Makes an empty tenant whose storage account has the resource id `storage_scope`."""
        self.tenant_id = tenant_id
        self.storage_scope = storage_scope
        self.root_scope = f"/providers/Microsoft.Management/managementGroups/{tenant_id}"
        self._identities: dict[str, Identity] = {}
        self._credentials: dict[str, list[FederatedCredential]] = {}
        self._assignments: list[RoleAssignment] = []
        self._lock = threading.Lock()
        self.revision = 0
        """Counts the changes of assignments."""

    def add(
        self,
        name: str,
        kind: Literal["application", "user-assigned", "system-assigned"],
        *,
        app_roles: tuple[str, ...] = (),
        client_id: str | None = None,
    ) -> Identity:
        """Registers an identity; `client_id` is that of an application which another tenant knows, too."""
        namespace = uuid.UUID(self.tenant_id)
        identity = Identity(
            name=name,
            client_id=client_id or str(uuid.uuid5(namespace, f"client:{name}")),
            object_id=str(uuid.uuid5(namespace, f"object:{name}")),
            kind=kind,
            app_roles=app_roles,
        )
        with self._lock:
            self._identities[name] = identity
        return identity

    def get(self, name: str) -> Identity:
        """The identity of that name; KeyError where there is none."""
        return self._identities[name]

    @property
    def names(self) -> list[str]:
        """The names of all identities."""
        with self._lock:
            return sorted(self._identities)

    def find_by_client_id(self, client_id: str) -> Identity | None:
        """The identity with that client id."""
        return next((each for each in self._identities.values() if each.client_id == client_id.lower()), None)

    def find_by_object_id(self, object_id: str) -> Identity | None:
        """The identity with that object id."""
        return next((each for each in self._identities.values() if each.object_id == object_id), None)

    def trust(self, name: str, *, issuer: str, subjects: tuple[str, ...]) -> None:
        """Gives an identity one federated credential per subject, in the place of those that it had.

        Raises:
            ValueError: more than 20, the limit of Entra.
        """
        if len(subjects) > 20:
            raise ValueError("an identity has at most 20 federated credentials")
        with self._lock:
            identity = self._identities[name]
            self._credentials[identity.object_id] = [
                FederatedCredential(issuer=issuer, subject=subject) for subject in subjects
            ]

    def credentials(self, identity: Identity) -> list[FederatedCredential]:
        """The federated credentials of an identity."""
        with self._lock:
            return list(self._credentials.get(identity.object_id, ()))

    def assign(self, name: str, role: str, scope: str) -> None:
        """Assigns a role; KeyError for a role or identity that the sandbox does not know."""
        assignment = RoleAssignment(object_id=self._identities[name].object_id, role=ROLES[role].name, scope=scope)
        with self._lock:
            self._assignments.append(assignment)
            self.revision += 1

    def unassign(self, name: str, role: str | None = None, scope: str | None = None) -> None:
        """Takes one role, or all, away from an identity: everywhere, or on one scope only.

        KeyError for a role or identity that the sandbox does not know.
        """
        object_id = self._identities[name].object_id
        role = ROLES[role].name if role is not None else None
        with self._lock:
            self.revision += 1
            self._assignments = [
                each
                for each in self._assignments
                if each.object_id != object_id
                or (role is not None and each.role != role)
                or (scope is not None and each.scope.lower().rstrip("/") != scope.lower().rstrip("/"))
            ]

    def allows(self, identity: Identity, action: str, scope: str, *, data: bool = False) -> bool:
        """Whether any of the identity's roles contains the action on the scope."""
        return any(role.allows(action, data=data) for role in self.roles_on(identity, scope))

    def roles_on(self, identity: Identity, scope: str) -> list[RoleDefinition]:
        """The roles of an identity that reach a scope, one for each assignment on it or above it."""
        with self._lock:
            assignments = list(self._assignments)
        return [
            ROLES[each.role]
            for each in assignments
            if each.object_id == identity.object_id and self._covers(each.scope, scope)
        ]

    def assignments_of(self, object_id: str) -> list[RoleAssignment]:
        """Every role that was given to one identity, wherever."""
        with self._lock:
            return [each for each in self._assignments if each.object_id == object_id]

    def _covers(self, outer: str, inner: str) -> bool:
        outer, inner = outer.lower().rstrip("/"), inner.lower().rstrip("/")
        if outer == self.root_scope.lower():
            return True
        return inner == outer or inner.startswith(f"{outer}/")


def storage_account_scope(subscription_id: str) -> str:
    """The resource id of the storage account that Azurite plays."""
    return (
        f"/subscriptions/{subscription_id}/resourceGroups/rg-rollcall"
        f"/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
    )


def insights_scope(subscription_id: str) -> str:
    """The resource id of the Application Insights that takes the Function App's telemetry."""
    group = f"/subscriptions/{subscription_id}/resourceGroups/rg-rollcall"
    return f"{group}/providers/Microsoft.Insights/components/rollcall-insights"


def default_directory(tenant_id: str, subscription_id: str) -> Directory:
    """The tenant as a deployment of Rollcall leaves it; the sender's credentials come with `trust`."""
    storage = storage_account_scope(subscription_id)
    directory = Directory(tenant_id, storage_scope=storage)
    directory.add(FUNCTIONS, "user-assigned")
    directory.assign(FUNCTIONS, "Security Admin", f"/subscriptions/{subscription_id}")
    directory.assign(FUNCTIONS, "Reader", directory.root_scope)
    for role in ("Queue Data Contributor", "Table Data Contributor", "Blob Data Owner"):
        directory.assign(FUNCTIONS, f"Storage {role}", storage)
    directory.assign(FUNCTIONS, "Monitoring Metrics Publisher", insights_scope(subscription_id))
    directory.add(QUEUE_SENDER, "application")
    directory.assign(
        QUEUE_SENDER,
        "Storage Queue Data Message Sender",
        f"{storage}/queueServices/default/queues/onboarding",
    )
    directory.add(OPERATOR, "system-assigned", app_roles=("Rollcall.Operator",))
    directory.assign(OPERATOR, "Reader", directory.root_scope)
    for role in ("Queue Data Contributor", "Table Data Reader", "Blob Data Reader"):
        directory.assign(OPERATOR, f"Storage {role}", storage)
    policies = f"{storage}/blobServices/default/containers/{POLICY_CONTAINER}"
    directory.assign(OPERATOR, "Storage Blob Data Contributor", policies)
    return directory
