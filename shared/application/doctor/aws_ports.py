"""What looking at AWS's side needs. All methods raise TransientError, PermanentError, ConfigurationError."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shared.application.ports import ManagementAccount, PolicySource
    from shared.domain.doctor.aws_organization import StackSetSeen
    from shared.domain.doctor.aws_parts import EventSourceSeen, QueueSeen, RuleSeen
    from shared.domain.profiles import Profile
    from shared.domain.reconciliation import ManagementStack
    from shared.domain.sweep.identity import IdentitySeen
    from shared.domain.template_findings import LintReport
    from shared.domain.template_rollout import BucketFacts


class StackSets(Protocol):
    """StackSets of the management account."""

    def find(self, name: str) -> StackSetSeen | None:
        """One by its name; None where there is none."""


class Stacks(Protocol):
    """Stacks of the management account."""

    def find(self, name: str) -> ManagementStack | None:
        """One by its name; None where there is none."""


class DeployedParts(Protocol):
    """What the stack made."""

    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack."""

    def find_rule(self, name: str) -> RuleSeen | None:
        """A rule of the default bus, with its targets."""

    def get_queue(self, label: str, url: str) -> QueueSeen:
        """A queue with its policy."""

    def find_event_source(self, function: str) -> EventSourceSeen | None:
        """How a function takes from its queue."""

    def find_schedule(self, group: str, name: str) -> str | None:
        """ENABLED or DISABLED; None where there is no such schedule."""


class PartsMender(Protocol):
    """What may be put right without taking anything away."""

    def enable_rule(self, name: str) -> None:
        """Lets a rule of ours work again."""

    def set_queue_policy(self, url: str, policy: str) -> None:
        """Gives a queue this policy."""

    def enable_event_source(self, identifier: str) -> None:
        """Lets a function take from its queue again."""

    def enable_versions(self, bucket: str) -> None:
        """Lets a bucket keep versions."""

    def set_bucket_policy(self, bucket: str, policy: str) -> None:
        """Gives a bucket that has none this policy."""

    def enable_federation(self) -> None:
        """Switches outbound web identity federation on."""


class Delegations(Protocol):
    """Who may operate StackSets of the organization besides the management account."""

    def administrators(self) -> Sequence[str]:
        """Ids of accounts."""


class Identities(Protocol):
    """Defender's identity provider and roles of an account."""

    def inspect(self, account_id: str, roles: Sequence[str]) -> IdentitySeen:
        """What there is."""


class Bucket(Protocol):
    """A bucket of ours."""

    def inspect(self) -> BucketFacts:
        """Versioning and policy."""


@dataclass(frozen=True, kw_only=True)
class AwsNames:
    """What things are called in this deployment."""

    stack: str
    stack_set: str
    management_stack: str
    reader_stack_set: str = "rollcall-reader"


@dataclass(frozen=True, kw_only=True)
class AwsSide:
    """AWS's side as an operator's credentials see it; `bucket` None where no setting names it."""

    account: ManagementAccount
    delegations: Delegations
    identities: Identities
    stack_sets: StackSets
    stacks: Stacks
    parts: DeployedParts
    mender: PartsMender
    bucket: Bucket | None
    policy: PolicySource
    lint: Callable[[bytes, Profile, str], LintReport]
    names: AwsNames
