"""What the sweep needs: its own documents, the queue `sweep`, and whole listings or parts of them to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shared.domain.accounts import Provider

if TYPE_CHECKING:
    from shared.application.gcp_ports import Google
    from shared.application.ports import AccountListing, Clock, Ledger, PolicySource, RequestSender
    from shared.application.rewrap import SweepLog
    from shared.application.status import QueueGauge
    from shared.domain.connectors import Connector, ConnectorId
    from shared.domain.prechecks import Permission
    from shared.domain.profiles import Plan
    from shared.domain.stack_sets import InstanceState as StackState
    from shared.domain.sweep.advice import Assessed, RunningInstances
    from shared.domain.sweep.compliance import Assignment
    from shared.domain.sweep.health import HealthReport
    from shared.domain.sweep.identity import IdentitySeen
    from shared.domain.sweep.machines import ArcMachine, InstanceState
    from shared.domain.sweep.slices import MachineRef
    from shared.domain.sweep.templates import InstanceSeen
    from shared.messages.sweep_notice import SweepNotice
    from shared.messages.sweep_slice import SweepSlice

JsonBody = Mapping[str, Any]
"""A resource as Resource Manager writes it."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document and the version of it that was read."""

    content: bytes
    version: str


class Documents(Protocol):
    """Where a sweep keeps what it knows. All methods raise TransientError, ConfigurationError."""

    def find(self, name: str) -> Document | None:
        """The document; None where there is none."""

    def put(self, name: str, content: bytes, *, over: str | None = None) -> bool:
        """Writes it; False where it is not the version `over` any more, or, with `over` empty, is there already."""

    def list_names(self, prefix: str) -> Iterator[str]:
        """The names that begin so."""

    def list_folders(self, prefix: str) -> Iterator[str]:
        """What comes between `prefix` and the next slash in names that have one, each once."""

    def delete(self, name: str) -> None:
        """Deletes it; one that is gone is no error."""


class SliceSender(Protocol):
    """The queue `sweep`, of slices and of notices about a sweep."""

    def send_slice(self, message: SweepSlice) -> None:
        """Puts a message. Raises TransientError, ConfigurationError."""

    def send_notice(self, message: SweepNotice, *, delay_seconds: float = 0.0) -> None:
        """Puts a message, visible after `delay_seconds`. Raises TransientError, ConfigurationError."""


class SweptTenant(Protocol):
    """What Resource Graph tells; whole or an error. All methods raise TransientError, ConfigurationError."""

    def list_connectors(self) -> Iterator[Connector]:
        """Every connector of the tenant, without its offerings."""

    def connectors_of(self, account_ids: Sequence[str]) -> tuple[Connector, ...]:
        """All connectors of these accounts."""

    def list_machines(self) -> Iterator[MachineRef]:
        """The Arc machines that Defender onboarded from AWS and GCP."""

    def machines(self, machine_ids: Sequence[str]) -> tuple[ArcMachine, ...]:
        """These machines; those that are gone are left out."""


class SweptHealth(Protocol):
    """What Defender says of connectors. Both raise TransientError, ConfigurationError."""

    def reports_of(self, connector_ids: Sequence[str]) -> Mapping[str, tuple[HealthReport, ...]]:
        """Health reports by connector id in lower case."""

    def discovered_by(self, connector_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """How many resources were assessed, by connector id in lower case and by type.

        A type begins with the AWS service's name: `ekscluster`, `ecr/repository`; `unknown` where nothing says it. One
        of GCP begins with `gcp/` and how ids call it: `gcp/instances`, `gcp/unknown`.
        """


class SweptAdvice(Protocol):
    """What Defender and Arc say of resources. Both raise TransientError, PermanentError, ConfigurationError."""

    def assessed(self, connector_ids: Sequence[str], keys: Sequence[str]) -> Mapping[str, Mapping[str, Assessed]]:
        """Assessments of these recommendations, by connector id and by key, both in lower case."""

    def sql_machines_of(self, account_ids: Sequence[str], provider: Provider = Provider.AWS) -> Mapping[str, int]:
        """How many Arc machines with SQL Server there are, by the account or project number that their tags name."""


class InstanceProfiles(Protocol):
    """EC2 instances in their own accounts, and whether they have an instance profile."""

    def running_of(self, account_id: str, regions: Sequence[str] = ()) -> RunningInstances:
        """Those that run in these regions, or in all.

        Raises TransientError, PermanentError, ConfigurationError where the account does not say.
        """


class SweptCompliance(Protocol):
    """What belongs to connectors, as Resource Graph shows it. Both raise TransientError, ConfigurationError."""

    def assignments_of(self, connector_ids: Sequence[str]) -> tuple[Assignment, ...]:
        """The standards that are assigned to these connectors."""

    def rules_of(self, connector_ids: Sequence[str]) -> Mapping[str, Mapping[str, JsonBody]]:
        """Governance rules by connector id and by their own GUID, both in lower case."""


class SweptSubscriptions(Protocol):
    """What Resource Graph tells of subscriptions, by their ids in lower case.

    All methods raise TransientError, ConfigurationError.
    """

    def shown(self) -> frozenset[str]:
        """Every subscription that it shows."""

    def holders(self, organization: str, management_account: str) -> Mapping[str, Mapping[Plan, int]]:
        """How many connectors of that organization, or below that management account, have a plan; empty names none.

        Of projects it is the organization's number in both places, or what the policy says that members name.
        """

    def plans(self) -> Mapping[str, Mapping[str, bool]]:
        """Whether each plan that a connector may need is on; without subscriptions of which none is shown."""


class Rights(Protocol):
    """What our own identity may do."""

    def list_permissions(self, scope: str) -> tuple[Permission, ...]:
        """Its permissions in a resource group. Raises TransientError, PermanentError, ConfigurationError."""


class ConnectorReader(Protocol):
    """Security connectors in Resource Manager, to look at."""

    def find(self, connector_id: ConnectorId) -> Connector | None:
        """The connector as it is now. Raises TransientError, ConfigurationError."""


class StackStates(Protocol):
    """The instances of the StackSet with Defender's roles."""

    def list_states(self) -> Mapping[str, StackState]:
        """Account id → state of its instance; all of them or an error. Raises TransientError, ConfigurationError."""


class Machines(Protocol):
    """Arc machines in Resource Manager. Both raise TransientError, PermanentError, ConfigurationError."""

    def find(self, machine_id: str) -> tuple[ArcMachine, bytes] | None:
        """The machine as it is now, with its whole body; None where there is none."""

    def delete(self, machine_id: str) -> None:
        """Deletes it; one that is gone is no error."""


class Identities(Protocol):
    """Defender's identity provider and roles in member accounts."""

    def inspect(self, account_id: str, roles: Sequence[str]) -> IdentitySeen:
        """What there is. Raises TransientError, PermanentError, ConfigurationError where it cannot be asked."""


class MemberTemplates(Protocol):
    """The StackSet's instances in member accounts, with what their stacks are made of."""

    def inspect(self, account_id: str) -> InstanceSeen | None:
        """The account's instance, its stack's template and the StackSet's; None where it has no instance.

        Raises TransientError, PermanentError, ConfigurationError where one of both accounts cannot be asked.
        """


class Instances(Protocol):
    """The instances behind machines, in their own accounts."""

    def states_of(
        self, account_id: str, instance_ids: Sequence[str], regions: Sequence[str] = ()
    ) -> Mapping[str, InstanceState]:
        """What each is in these regions, or in all.

        Raises TransientError, PermanentError, ConfigurationError where the account cannot be asked.
        """


@dataclass(frozen=True, kw_only=True)
class SweepPorts:
    """What the sweep works with."""

    documents: Documents
    slices: SliceSender
    tenant: SweptTenant
    health: SweptHealth
    compliance: SweptCompliance
    listing: AccountListing
    google: Google
    stack_instances: StackStates
    instances: Instances
    advice: SweptAdvice
    profiles: InstanceProfiles
    identities: Identities
    templates: MemberTemplates
    machines: Machines
    connectors: ConnectorReader
    ledger: Ledger
    sender: RequestSender
    gauges: tuple[QueueGauge, ...]
    subscriptions: SweptSubscriptions
    rights: Rights
    sweeps: SweepLog
    policy: PolicySource
    clock: Clock
