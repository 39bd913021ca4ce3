"""Google Cloud in memory: the organization's projects, what is switched on in them, and Defender's identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shared.domain.accounts import Account
from shared.domain.sweep.machines import InstanceState
from shared.domain.sweep.project_identity import PoolSeen, ProjectIdentitySeen, ServiceAccountSeen
from shared.errors import TransientError
from tests.fakes.failures import Failures


class FakeProjects:
    """Projects by number."""

    def __init__(self, *projects: Account) -> None:
        self.projects = {project.account_id: project for project in projects}
        self.failures = Failures()

    def add(self, project: Account) -> None:
        """Adds or replaces a project."""
        self.projects[project.account_id] = project

    def find(self, project: str) -> Account | None:
        """The project by number or id."""
        self.failures.strike(f"find {project}")
        return next((each for each in self.projects.values() if project in {each.account_id, each.name}), None)

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
        self.failures = Failures()

    def inspect(self, number: str, pool_id: str, emails: Sequence[str]) -> ProjectIdentitySeen:
        """What there is."""
        self.failures.strike("inspect")
        accounts = {email: self.accounts.get(email) for email in emails}
        return ProjectIdentitySeen(pool=self.pools.get((number, pool_id)), service_accounts=accounts)


class FakeProjectInstances:
    """What instances are, by project number and by their own number or name; those that nobody planted are gone."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], InstanceState] = {}
        self.unreachable: set[str] = set()
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def states_of(self, number: str, wanted: Sequence[str]) -> Mapping[str, InstanceState]:
        """What each is."""
        self.asked.append((number, tuple(wanted)))
        if number in self.unreachable:
            raise TransientError(f"project {number} does not answer")
        return {each: self.states.get((number, each), InstanceState.GONE) for each in wanted}


class FakeGoogle:
    """Google Cloud as a whole; `opened` counts how often it was asked for anything."""

    def __init__(self, *projects: Account) -> None:
        self.of_projects = FakeProjects(*projects)
        self.of_setup = FakeProjectSetup()
        self.of_identities = FakeProjectIdentities()
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

    def instances(self) -> FakeProjectInstances:
        """Their virtual machines."""
        self._open()
        return self.of_instances
