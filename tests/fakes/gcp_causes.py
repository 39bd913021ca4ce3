"""Google Cloud with Defender's identities in place, and the deeds that break them: in memory and in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sandbox.gcp.defender import deploy_defender, deploy_identities, pool_of
from sandbox.gcp.deployment import IDENTITIES_PERMISSIONS, POLICY_VIEWER, POOL_VIEWER, ROLE_PERMISSIONS
from sandbox.gcp.hierarchy import Project
from shared.application.gcp_ports import Google
from shared.domain.gcp_grants import READ_ONLY_INSTEAD, TOKEN_CREATOR, USER, role_name
from shared.domain.gcp_identities import AUDIENCE_OF
from shared.domain.sweep.project_findings import outsiders
from shared.domain.sweep.project_home import Home
from shared.domain.sweep.project_identity import CustomRoleSeen, ListPolicySeen
from shared.errors import ConfigurationError, RollcallError, TransientError
from tests.fakes.failures import Failures
from tests.fakes.gcp import FakeGoogle
from tests.fakes.gcp_world import GcpWorld

ELSEWHERE = "https://elsewhere.example.com/"
_CALLS = 40


class Causes(Protocol):
    """What a case breaks, deed by deed; see tests/fixtures/gcp/causes.yaml."""

    def google(self) -> Google:
        """The port as it answers now."""

    def service_off(self, service: str) -> None: ...

    def pool(self, state: str) -> None: ...

    def provider(self, provider: str, state: str) -> None: ...

    def account(self, account: str, state: str) -> None: ...

    def unbound(self, account: str) -> None: ...

    def not_minting(self, account: str) -> None: ...

    def not_granted(self, account: str, role: str) -> None: ...

    def read_only(self, account: str) -> None: ...

    def role(self, role: str, state: str) -> None: ...

    def allow_only(self, constraint: str, *values: str) -> None: ...

    def deny_values(self, constraint: str, *values: str) -> None: ...

    def perimeter(self, closed: bool) -> None: ...

    def denied(self, permission: str) -> None: ...


def break_all(causes: Causes, deeds: Sequence[Mapping[str, Any]]) -> None:
    """Does every deed, in order."""
    for deed in deeds:
        for name, given in deed.items():
            getattr(causes, name)(*(given if isinstance(given, list) else [given]))


def address(home: Home, account: str) -> str:
    """An account's e-mail address; those from outside keep their own."""
    return next((each.email for each in outsiders(home) if each.email.startswith(f"{account}@")), home.email(account))


class FakeCauses:
    """In memory."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._google = FakeGoogle()
        self._google.make(home)

    def google(self) -> Google:
        return self._google

    def service_off(self, service: str) -> None:
        self._google.of_setup.services[self._home.number].discard(service)

    def pool(self, state: str) -> None:
        pools, key = self._google.of_identities.pools, (self._home.number, self._home.pool)
        seen = pools.pop(key)
        if state != "gone":
            pools[key] = replace(seen, usable=False, deleted=state == "deleted")

    def provider(self, provider: str, state: str) -> None:
        pools, key = self._google.of_identities.pools, (self._home.number, self._home.pool)
        providers = dict(pools[key].providers)
        seen = providers.pop(provider)
        changed = {
            "deleted": replace(seen, usable=False, deleted=True),
            "disabled": replace(seen, usable=False),
            "issuer": replace(seen, issuer=ELSEWHERE),
            "audience": replace(seen, audiences=frozenset({"api://other"})),
        }
        if state != "gone":
            providers[provider] = changed[state]
        pools[key] = replace(pools[key], providers=providers)

    def account(self, account: str, state: str) -> None:
        accounts, email = self._google.of_identities.accounts, self._home.email(account)
        seen = accounts.pop(email)
        if state == "disabled":
            accounts[email] = replace(seen, usable=False)

    def unbound(self, account: str) -> None:
        accounts, email = self._google.of_identities.accounts, self._home.email(account)
        accounts[email] = replace(accounts[email], federated=frozenset())

    def not_minting(self, account: str) -> None:
        accounts, email = self._google.of_identities.accounts, self._home.email("azure-arc-for-servers-onboard")
        left = accounts[email].token_creators - {f"serviceAccount:{self._home.email(account)}"}
        accounts[email] = replace(accounts[email], token_creators=left)

    def not_granted(self, account: str, role: str) -> None:
        members = self._google.of_rules.members[self._home.organization]
        members[role_name(role, self._home.organization)] -= {f"serviceAccount:{address(self._home, account)}"}

    def read_only(self, account: str) -> None:
        for role, instead in READ_ONLY_INSTEAD.items():
            self.not_granted(account, role)
            member = f"serviceAccount:{self._home.email(account)}"
            self._google.of_rules.grant(self._home.organization, instead, member)

    def role(self, role: str, state: str) -> None:
        roles = self._google.of_rules.roles
        roles.pop((self._home.organization, role))
        if state != "gone":
            seen = CustomRoleSeen(deleted=state == "DELETED", disabled=state == "DISABLED")
            roles[self._home.organization, role] = seen

    def allow_only(self, constraint: str, *values: str) -> None:
        self._restrict(constraint, ListPolicySeen(allowed=frozenset(each.removeprefix("is:") for each in values)))

    def deny_values(self, constraint: str, *values: str) -> None:
        self._restrict(constraint, ListPolicySeen(denied=frozenset(values)))

    def _restrict(self, constraint: str, seen: ListPolicySeen) -> None:
        for resource in (f"organizations/{self._home.organization}", f"projects/{self._home.number}"):
            self._google.of_rules.policies[resource, constraint] = seen

    def perimeter(self, closed: bool) -> None:
        assert closed
        named = f"gcloud logging read '\"perimeter-{self._home.number}\"' --organization=ORG"
        error = ConfigurationError("403 VPC", setting="perimeter", remedy=named, key="gcp-service-perimeter")
        for each in ("missing_services", "find_pool", "find_account", "list_policy projects"):
            self._always(each, error)

    def denied(self, permission: str) -> None:
        self._always(_METHODS[permission], TransientError(f"403 {permission}", key="gcp-permission-denied"))

    def _always(self, method: str, error: RollcallError) -> None:
        google = self._google
        failures: tuple[Failures, ...] = (
            google.of_setup.failures,
            google.of_identities.failures,
            google.of_rules.failures,
        )
        for each in failures:
            each.plan(method, *([error] * _CALLS))


_METHODS = {
    "iam.serviceAccounts.get": "find_account",
    "iam.workloadIdentityPools.get": "find_pool",
    "serviceusage.services.get": "missing_services",
    "resourcemanager.organizations.getIamPolicy": "grants",
    "iam.roles.get": "find_role",
    "orgpolicy.policy.get": "list_policy",
}
_PREDEFINED = {"iam.workloadIdentityPools.get": POOL_VIEWER, "orgpolicy.policy.get": POLICY_VIEWER}


class SandboxCauses:
    """In the sandbox's Google Cloud, through the real adapters."""

    def __init__(self, world: GcpWorld, project: Project, home: Home) -> None:
        """`project` is new; what another case broke in the organization is mended first."""
        self._world, self._cloud, self._project, self._home = world, world.cloud, project, home
        access, deployed = world.cloud.access, world.deployed
        world.cloud.org_policies.reset()
        access.define(deployed.role, ROLE_PERMISSIONS)
        access.define(deployed.identities_role, IDENTITIES_PERMISSIONS)
        ours = f"serviceAccount:{deployed.service_account}"
        access.grant(self._root, POLICY_VIEWER, ours)
        for role in (deployed.identities_role, POOL_VIEWER):
            access.grant(project.name, role, ours)
        project.services |= set(home.services)
        deploy: Callable[..., None] = deploy_defender if home.shared else deploy_identities
        deploy(world.cloud, project, home.tenant_id)
        self._pool = pool_of(project.number, home.tenant_id)

    def google(self) -> Google:
        return self._world.google()

    def service_off(self, service: str) -> None:
        self._project.services.discard(service)

    def pool(self, state: str) -> None:
        self._change(self._cloud.identities.pools, self._pool, state)

    def provider(self, provider: str, state: str) -> None:
        oidc = {"issuer": {"issuerUri": ELSEWHERE}, "audience": {"allowedAudiences": ["api://other"]}}
        providers, name = self._cloud.identities.providers, f"{self._pool}/providers/{provider}"
        assert provider in AUDIENCE_OF.values() or name in providers
        if state in oidc:
            providers[name]["oidc"] |= oidc[state]
        else:
            self._change(providers, name, state)

    def account(self, account: str, state: str) -> None:
        self._change(self._cloud.identities.accounts, self._home.email(account), state)

    @staticmethod
    def _change(where: dict[str, dict[str, Any]], name: str, state: str) -> None:
        if state == "gone":
            del where[name]
        else:
            where[name] |= {"state": "DELETED"} if state == "deleted" else {"disabled": True}

    def unbound(self, account: str) -> None:
        self._cloud.access.revoke(f"serviceAccounts/{self._home.email(account)}", USER)

    def not_minting(self, account: str) -> None:
        arc = f"serviceAccounts/{self._home.email('azure-arc-for-servers-onboard')}"
        self._cloud.access.revoke(arc, TOKEN_CREATOR, f"serviceAccount:{self._home.email(account)}")

    def not_granted(self, account: str, role: str) -> None:
        member = f"serviceAccount:{address(self._home, account)}"
        self._cloud.access.revoke(self._root, role_name(role, self._home.organization), member)

    def read_only(self, account: str) -> None:
        for role, instead in READ_ONLY_INSTEAD.items():
            self.not_granted(account, role)
            self._cloud.access.grant(self._root, instead, f"serviceAccount:{self._home.email(account)}")

    def role(self, role: str, state: str) -> None:
        name = f"{self._root}/roles/{role}"
        if state == "gone":
            self._cloud.access.forget(name)
        else:
            self._cloud.access.stage(name, state)

    def allow_only(self, constraint: str, *values: str) -> None:
        self._cloud.org_policies.allow(self._root, constraint, *values)

    def deny_values(self, constraint: str, *values: str) -> None:
        self._cloud.org_policies.deny(self._root, constraint, *values)

    def perimeter(self, closed: bool) -> None:
        assert closed
        self._cloud.gate.perimeter.add(self._project.number)

    def denied(self, permission: str) -> None:
        access, deployed = self._cloud.access, self._world.deployed
        if permission in _PREDEFINED:
            for resource in (self._root, self._project.name):
                access.revoke(resource, _PREDEFINED[permission])
        else:
            for role in (deployed.role, deployed.identities_role):
                left = set(access.role(role)["includedPermissions"]) - {permission}  # type: ignore[index]  # it is there
                access.define(role, left)

    @property
    def _root(self) -> str:
        return self._cloud.hierarchy.root
