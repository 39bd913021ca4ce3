"""What the use cases need of Google Cloud, in our words; the adapters satisfy these Protocols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shared.domain.accounts import Account
    from shared.domain.sweep.machines import InstanceState
    from shared.domain.sweep.project_identity import CustomRoleSeen, ListPolicySeen, PoolSeen, ServiceAccountSeen


class Projects(Protocol):
    """The organization's projects."""

    def find(self, project: str) -> Account | None:
        """The project by number or id, as it is now, with folder path and labels.

        None where it is not in the organization; Google answers alike what may not be seen, so that is an error where
        this identity does not see the whole organization. Raises TransientError, ConfigurationError.
        """

    def is_elsewhere(self, project: str) -> bool:
        """Whether the project, which `find` does not know, may be seen: in another organization, or in none.

        Raises TransientError, ConfigurationError.
        """

    def list_projects(self) -> Iterator[Account]:
        """Every project of the organization, whatever its state; all or an error.

        Raises TransientError, ConfigurationError.
        """


class ProjectSetup(Protocol):
    """What has to be switched on in a project. All methods raise TransientError, PermanentError, ConfigurationError."""

    def missing_services(self, number: str, services: Sequence[str]) -> tuple[str, ...]:
        """Which of these APIs are not enabled."""

    def enable_services(self, number: str, services: Sequence[str]) -> None:
        """Enables these APIs and waits until they are."""

    def find_metadata(self, project_id: str, key: str) -> str | None:
        """A value of the project's common instance metadata, e.g. of `enable-osconfig`; None where it has none."""

    def set_metadata(self, project_id: str, key: str, value: str) -> None:
        """Sets one value of the common instance metadata and keeps all others."""


class Google(Protocol):
    """Google Cloud as a whole, opened only when a project is to be worked on.

    A deployment for AWS alone says nothing about Google. All methods raise ConfigurationError that names what is
    missing.
    """

    def projects(self) -> Projects:
        """The projects of the policy's organization."""

    def setup(self) -> ProjectSetup:
        """What is switched on in them."""

    def identities(self) -> ProjectIdentities:
        """Defender's way into them."""

    def rules(self) -> OrganizationRules:
        """What is granted and what is forbidden."""

    def instances(self) -> ProjectInstances:
        """Their virtual machines."""


class ProjectIdentities(Protocol):
    """Defender's way into a project: looked at, never made.

    All methods raise TransientError, PermanentError, ConfigurationError where it cannot be asked.
    """

    def find_pool(self, number: str, pool_id: str) -> PoolSeen | None:
        """What there is of the pool and its providers; None where it is not there."""

    def find_account(self, project_id: str, email: str) -> ServiceAccountSeen | None:
        """A service account of that project, with who may be it; None where it is not there."""


class OrganizationRules(Protocol):
    """Who is granted what on an organization, and what its policies forbid: looked at, never changed.

    All methods raise TransientError, PermanentError, ConfigurationError where it cannot be asked.
    """

    def grants(self, organization: str) -> Mapping[str, frozenset[str]]:
        """The members of each role on the organization itself; those of a binding with a condition count."""

    def find_role(self, organization: str, role_id: str) -> CustomRoleSeen | None:
        """A custom role of the organization; None where it is not there."""

    def list_policy(self, resource: str, constraint: str) -> ListPolicySeen:
        """The policy as it holds for `projects/<number>` or `organizations/<number>`, with what is inherited."""


class ProjectInstances(Protocol):
    """The instances of Compute Engine behind machines, in their own projects."""

    def states_of(self, number: str, wanted: Sequence[str]) -> Mapping[str, InstanceState]:
        """What each is, by its number or name; in a project whose Compute Engine API is off there are none.

        Raises TransientError, PermanentError, ConfigurationError where the project cannot be asked.
        """
