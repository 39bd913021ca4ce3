"""Google Cloud in memory: the organization's projects, what is switched on in them, and Defender's identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shared.domain.accounts import Account
from shared.domain.gcp_grants import ARC_ACCOUNT, ARC_CREATORS, ROLES_OF, role_name
from shared.domain.gcp_identities import AUDIENCE_OF, issuer_of
from shared.domain.sweep.machines import InstanceState
from shared.domain.sweep.project_findings import custom_roles_of, outsiders
from shared.domain.sweep.project_home import Home
from shared.domain.sweep.project_identity import (
    CustomRoleSeen,
    FederationProviderSeen,
    ListPolicySeen,
    PoolSeen,
    ServiceAccountSeen,
)
from shared.errors import PermanentError, TransientError
from tests.fakes.failures import Failures


class FakeProjects:
    """Projects by number."""

    def __init__(self, *projects: Account) -> None:
        self.projects = {project.account_id: project for project in projects}
        self.elsewhere: set[str] = set()
        self.failures = Failures()

    def add(self, project: Account) -> None:
        """Adds or replaces a project."""
        self.projects[project.account_id] = project

    def find(self, project: str) -> Account | None:
        """The project by number or id."""
        self.failures.strike(f"find {project}")
        return next((each for each in self.projects.values() if project in {each.account_id, each.name}), None)

    def is_elsewhere(self, project: str) -> bool:
        """Whether a test put it into another organization."""
        self.failures.strike("is_elsewhere")
        return project in self.elsewhere

    def list_projects(self) -> Iterator[Account]:
        """Every project."""
        self.failures.strike("list_projects")
        yield from list(self.projects.values())


class FakeProjectSetup:
    """APIs by project number, metadata by project id; `enabled` remembers what was enabled when."""

    def __init__(self) -> None:
        self.services: dict[str, set[str]] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.enabled: list[tuple[str, tuple[str, ...]]] = []
        self.failures = Failures()

    def missing_services(self, number: str, services: Sequence[str]) -> tuple[str, ...]:
        """Those that are not enabled."""
        self.failures.strike("missing_services")
        return tuple(each for each in services if each not in self.services.get(number, set()))

    def enable_services(self, number: str, services: Sequence[str]) -> None:
        """Enables them."""
        self.failures.strike("enable_services")
        self.enabled.append((number, tuple(services)))
        self.services.setdefault(number, set()).update(services)

    def find_metadata(self, project_id: str, key: str) -> str | None:
        """A value."""
        self.failures.strike("find_metadata")
        return self.metadata.get(project_id, {}).get(key)

    def set_metadata(self, project_id: str, key: str, value: str) -> None:
        """Sets a value."""
        self.failures.strike("set_metadata")
        self.metadata.setdefault(project_id, {})[key] = value


class FakeProjectIdentities:
    """Pools by project number and id, service accounts by e-mail address."""

    def __init__(self) -> None:
        self.pools: dict[tuple[str, str], PoolSeen] = {}
        self.accounts: dict[str, ServiceAccountSeen] = {}
        self.asked: list[str] = []
        self.failures = Failures()

    def find_pool(self, number: str, pool_id: str) -> PoolSeen | None:
        """The pool."""
        self.asked.append(f"pool of {number}")
        self.failures.strike("find_pool")
        return self.pools.get((number, pool_id))

    def find_account(self, project_id: str, email: str) -> ServiceAccountSeen | None:
        """One account."""
        assert email.endswith(f"@{project_id}.iam.gserviceaccount.com")
        self.asked.append(email)
        self.failures.strike("find_account")
        self.failures.strike(f"find_account {email.partition('@')[0]}")
        return self.accounts.get(email)


class FakeOrganizationRules:
    """Members by organization and role, custom roles, and policies by resource and constraint."""

    def __init__(self) -> None:
        self.members: dict[str, dict[str, frozenset[str]]] = {}
        self.roles: dict[tuple[str, str], CustomRoleSeen] = {}
        self.policies: dict[tuple[str, str], ListPolicySeen] = {}
        self.asked: list[str] = []
        self.failures = Failures()

    def grant(self, organization: str, role: str, member: str) -> None:
        """Adds a member."""
        roles = self.members.setdefault(organization, {})
        roles[role] = roles.get(role, frozenset()) | {member}

    def grants(self, organization: str) -> Mapping[str, frozenset[str]]:
        """All members."""
        self.asked.append(f"grants of {organization}")
        self.failures.strike("grants")
        return dict(self.members.get(organization, {}))

    def find_role(self, organization: str, role_id: str) -> CustomRoleSeen | None:
        """A custom role."""
        self.failures.strike("find_role")
        return self.roles.get((organization, role_id))

    def list_policy(self, resource: str, constraint: str) -> ListPolicySeen:
        """The policy; everything is allowed where none was planted."""
        self.asked.append(f"{constraint} of {resource}")
        self.failures.strike("list_policy")
        self.failures.strike(f"list_policy {constraint}")
        return self.policies.get((resource, constraint), ListPolicySeen())


class FakeProjectInstances:
    """What instances are, by project number and by their own number or name; those that nobody planted are gone."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], InstanceState] = {}
        self.unreachable: set[str] = set()
        self.unpaid: set[str] = set()
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def states_of(self, number: str, wanted: Sequence[str]) -> Mapping[str, InstanceState]:
        """What each is."""
        self.asked.append((number, tuple(wanted)))
        if number in self.unreachable:
            raise TransientError(f"project {number} does not answer")
        if number in self.unpaid:
            raise PermanentError(f"project {number} has no billing", key="gcp-billing-off")
        return {each: self.states.get((number, each), InstanceState.GONE) for each in wanted}


class FakeGoogle:
    """Google Cloud as a whole; `opened` counts how often it was asked for anything."""

    def __init__(self, *projects: Account) -> None:
        self.of_projects = FakeProjects(*projects)
        self.of_setup = FakeProjectSetup()
        self.of_identities = FakeProjectIdentities()
        self.of_rules = FakeOrganizationRules()
        self.of_instances = FakeProjectInstances()
        self.opened = 0
        self.failures = Failures()

    def _open(self) -> None:
        self.opened += 1
        self.failures.strike("open")

    def projects(self) -> FakeProjects:
        """The projects."""
        self._open()
        return self.of_projects

    def setup(self) -> FakeProjectSetup:
        """What is switched on in them."""
        self._open()
        return self.of_setup

    def identities(self) -> FakeProjectIdentities:
        """Defender's way into them."""
        self._open()
        return self.of_identities

    def rules(self) -> FakeOrganizationRules:
        """What is granted and what is forbidden."""
        self._open()
        return self.of_rules

    def make(self, home: Home) -> None:
        """Everything that has to be there, as `infra/gcp` or an owner makes it."""
        self.of_setup.services.setdefault(home.number, set()).update(home.services)
        providers: dict[str, FederationProviderSeen] = {
            provider: FederationProviderSeen(
                usable=True,
                issuer=issuer_of(provider, home.tenant_id),
                audiences=frozenset({AUDIENCE_OF[provider]}),
            )
            for provider in home.providers
        }
        self.of_identities.pools[home.number, home.pool] = PoolSeen(usable=True, providers=providers)
        for account in home.accounts:
            admitted = frozenset({f"principalSet:{home.members}*"})
            self.of_identities.accounts[home.email(account)] = ServiceAccountSeen(usable=True, federated=admitted)
        if home.arc:
            creators = frozenset(f"serviceAccount:{home.email(each)}" for each in ARC_CREATORS)
            arc = ServiceAccountSeen(usable=True, token_creators=creators)
            self.of_identities.accounts[home.email(ARC_ACCOUNT)] = arc
        if home.shared:
            self._grant_roles(home)

    def _grant_roles(self, home: Home) -> None:
        granted = {home.email(account): ROLES_OF[account] for account in home.accounts}
        for email, roles in (granted | {each.email: each.roles for each in outsiders(home)}).items():
            for role in roles:
                name = role_name(role, home.organization)
                self.of_rules.grant(home.organization, name, f"serviceAccount:{email}")
        for role in custom_roles_of(home):
            self.of_rules.roles[home.organization, role] = CustomRoleSeen()

    def instances(self) -> FakeProjectInstances:
        """Their virtual machines."""
        self._open()
        return self.of_instances
