"""Google's ports as the suites ask them: in memory, and by the adapters on the sandbox; tests change what they show."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from shared.adapters.clock import SystemClock
from shared.adapters.gcp.identities import GcpProjectIdentities
from shared.adapters.gcp.projects import GcpProjects
from shared.adapters.gcp.rules import GcpOrganizationRules
from shared.adapters.gcp.setup import GcpProjectSetup
from shared.application.gcp_ports import OrganizationRules, ProjectIdentities, Projects, ProjectSetup
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.sweep.project_identity import (
    CustomRoleSeen,
    FederationProviderSeen,
    ListPolicySeen,
    PoolSeen,
    ServiceAccountSeen,
)
from tests.fakes.gcp import FakeOrganizationRules, FakeProjectIdentities, FakeProjects, FakeProjectSetup
from tests.fakes.gcp_world import GcpWorld

ISSUER = "https://sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/"
CSPM = "api://6e81e733-9e7f-474a-85f0-385c097f7f52"
USER, CREATOR = "roles/iam.workloadIdentityUser", "roles/iam.serviceAccountTokenCreator"
_numbers = itertools.count(100000000001)


class Google(Protocol):
    """The ports, and how a test changes what they show."""

    @property
    def projects(self) -> Projects: ...

    @property
    def setup(self) -> ProjectSetup: ...

    @property
    def identities(self) -> ProjectIdentities: ...

    @property
    def rules(self) -> OrganizationRules: ...

    @property
    def organization(self) -> str: ...

    def add(self, project_id: str, *folders: str, state: str = ..., labels: Mapping[str, str] | None = ...) -> str: ...

    def enabled(self, number: str) -> set[str]: ...

    def add_pool(self, number: str, pool_id: str, *, state: str = ...) -> None: ...

    def add_provider(self, number: str, pool_id: str, provider_id: str, *, disabled: bool = ...) -> None: ...

    def add_account(self, project_id: str, name: str) -> str: ...

    def bind(self, email: str, role: str, member: str) -> None: ...

    def grant(self, role: str, member: str) -> None: ...

    def add_role(self, role_id: str, stage: str) -> None: ...

    def restrict(self, root: str, project: str, constraint: str, *values: str) -> None: ...


class GoogleInMemory:
    """The fakes."""

    def __init__(self) -> None:
        self.projects = FakeProjects()
        self.setup = FakeProjectSetup()
        self.identities = FakeProjectIdentities()
        self.rules = FakeOrganizationRules()
        self.organization = "518249130711"

    def add(
        self, project_id: str, *folders: str, state: str = "ACTIVE", labels: Mapping[str, str] | None = None
    ) -> str:
        number = str(next(_numbers))
        self.projects.add(
            Account(
                account_id=number,
                name=project_id,
                state=AccountState(state),
                ou_path="/" + "/".join(each.replace("/", "%2F") for each in folders),
                joined_at=datetime.now(UTC),
                tags=dict(labels or {}),
                provider=Provider.GCP,
            )
        )
        return number

    def enabled(self, number: str) -> set[str]:
        return self.setup.services.setdefault(number, set())

    def add_pool(self, number: str, pool_id: str, *, state: str = "ACTIVE") -> None:
        self.identities.pools[number, pool_id] = PoolSeen(usable=state == "ACTIVE", deleted=state == "DELETED")

    def add_provider(self, number: str, pool_id: str, provider_id: str, *, disabled: bool = False) -> None:
        pool = self.identities.pools[number, pool_id]
        seen = FederationProviderSeen(usable=not disabled, issuer=ISSUER, audiences=frozenset({CSPM}))
        self.identities.pools[number, pool_id] = PoolSeen(
            usable=pool.usable, providers={**pool.providers, provider_id: seen}
        )

    def add_account(self, project_id: str, name: str) -> str:
        email = f"{name}@{project_id}.iam.gserviceaccount.com"
        self.identities.accounts[email] = ServiceAccountSeen(usable=True)
        return email

    def bind(self, email: str, role: str, member: str) -> None:
        seen = self.identities.accounts[email]
        self.identities.accounts[email] = ServiceAccountSeen(
            usable=seen.usable,
            federated=seen.federated | ({member} if role == USER else set()),
            token_creators=seen.token_creators | ({member} if role == CREATOR else set()),
        )

    def grant(self, role: str, member: str) -> None:
        self.rules.grant(self.organization, role, member)

    def add_role(self, role_id: str, stage: str) -> None:
        seen = CustomRoleSeen(deleted=stage == "DELETED", disabled=stage == "DISABLED")
        self.rules.roles[self.organization, role_id] = seen

    def restrict(self, root: str, project: str, constraint: str, *values: str) -> None:
        seen = ListPolicySeen(allowed=frozenset(each.removeprefix("is:") for each in values))
        self.rules.policies |= {(root, constraint): seen, (project, constraint): seen}


class GoogleInTheSandbox:
    """The adapters on the sandbox's Google Cloud."""

    def __init__(self, world: GcpWorld) -> None:
        self.world = world
        client = world.client()
        self.projects = GcpProjects(client, world.cloud.organization, SystemClock())
        self.setup = GcpProjectSetup(client, SystemClock())
        self.identities = GcpProjectIdentities(client)
        self.rules = GcpOrganizationRules(client)
        self.organization = world.cloud.organization

    def add(
        self, project_id: str, *folders: str, state: str = "ACTIVE", labels: Mapping[str, str] | None = None
    ) -> str:
        cloud = self.world.cloud
        parent = cloud.folder_at("/" + "/".join(each.replace("/", "%2F") for each in folders))
        return cloud.add_project(project_id, parent, state=state, labels=dict(labels or {})).number

    def enabled(self, number: str) -> set[str]:
        project = self.world.cloud.hierarchy.find_project(number)
        assert project is not None
        return project.services

    def add_pool(self, number: str, pool_id: str, *, state: str = "ACTIVE") -> None:
        self.world.cloud.identities.add_pool(self._pool(number, pool_id), state=state)

    def add_provider(self, number: str, pool_id: str, provider_id: str, *, disabled: bool = False) -> None:
        self.world.cloud.identities.add_provider(
            f"{self._pool(number, pool_id)}/providers/{provider_id}",
            oidc={"issuerUri": ISSUER, "allowedAudiences": [CSPM]},
            **({"disabled": True} if disabled else {}),
        )

    def add_account(self, project_id: str, name: str) -> str:
        return self.world.cloud.identities.add_account(name, project_id)

    def bind(self, email: str, role: str, member: str) -> None:
        self.world.cloud.access.grant(f"serviceAccounts/{email}", role, member)

    def grant(self, role: str, member: str) -> None:
        self.world.cloud.access.grant(self.world.cloud.hierarchy.root, role, member)

    def add_role(self, role_id: str, stage: str) -> None:
        name = f"{self.world.cloud.hierarchy.root}/roles/{role_id}"
        self.world.cloud.access.define(name, ["compute.instances.get"])
        self.world.cloud.access.stage(name, stage)

    def restrict(self, root: str, project: str, constraint: str, *values: str) -> None:
        assert project.startswith("projects/")
        self.world.cloud.org_policies.allow(root, constraint, *values)

    @staticmethod
    def _pool(number: str, pool_id: str) -> str:
        return f"projects/{number}/locations/global/workloadIdentityPools/{pool_id}"
