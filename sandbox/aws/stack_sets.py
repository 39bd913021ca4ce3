"""StackSets, their instances and operations: what the simulator remembers of each.

Source: CloudFormation API reference 2010-05-15 (StackSet, StackInstance, StackSetOperation).
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.cloudformation.exceptions import StackSetNotEmpty, StackSetNotFoundException, ValidationError
from moto.organizations.models import OrganizationsBackend, organizations_backends

from sandbox.aws.active import PARTITION
from sandbox.aws.errors import AwsError
from sandbox.aws.stack_set_parameters import effective, refuse_parameters
from sandbox.aws.stack_set_targets import Target
from sandbox.aws.stacks import parse_template, refuse_unknown_types, require_capabilities

NO_ACCESS = "You must enable organizations access to operate a service managed stack set"
NOT_MANAGEMENT = (
    "You must be the management account or delegated admin account of an organization before operating a "
    "SERVICE_MANAGED stack set"
)
ENDED = {"SUCCEEDED", "FAILED", "STOPPED"}


@dataclass
class StackInstance:
    """One stack in one (account, region)."""

    account: str
    region: str
    organizational_unit_id: str = ""
    stack_id: str | None = None
    status: str = "OUTDATED"
    detailed_status: str = "PENDING"
    reason: str = ""
    overrides: dict[str, str] = field(default_factory=dict)
    last_operation_id: str = ""
    changed_by_hand: bool = False
    drift_status: str = "NOT_CHECKED"


@dataclass
class OperationResult:
    """What an operation did in one (account, region)."""

    target: Target
    status: str = "PENDING"
    reason: str = ""


@dataclass
class Operation:
    """One operation; `overrides` None means: keep what each instance has."""

    id: str
    action: str
    targets: list[Target]
    preferences: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, str] | None = None
    deployment_targets: dict[str, Any] | None = None
    retain_stacks: bool = False
    status: str = "RUNNING"
    reason: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    results: dict[tuple[str, str], OperationResult] = field(default_factory=dict)

    @property
    def failed_count(self) -> int:
        """How many stack instances failed."""
        return sum(result.status == "FAILED" for result in self.results.values())


@dataclass
class StackSet:
    """One StackSet of an administrator account and region."""

    id: str
    name: str
    account_id: str
    region: str
    template: str
    parameters: dict[str, str]
    description: str | None = None
    capabilities: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    permission_model: str = "SELF_MANAGED"
    auto_deployment: dict[str, Any] | None = None
    managed_execution: bool = False
    administration_role_arn: str | None = None
    execution_role_name: str | None = None
    status: str = "ACTIVE"
    instances: dict[tuple[str, str], StackInstance] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    drift_checked_at: datetime | None = None

    @property
    def arn(self) -> str:
        """The ARN, which ends in the id `name:uuid`."""
        return f"arn:aws:cloudformation:{self.region}:{self.account_id}:stackset/{self.id}"

    @property
    def service_managed(self) -> bool:
        """Whether Organizations' trusted access deploys it."""
        return self.permission_model == "SERVICE_MANAGED"

    @property
    def organization(self) -> OrganizationsBackend:
        """The administrator account's organization."""
        return organizations_backends[self.account_id][PARTITION]

    def effective_parameters(self) -> dict[str, str]:
        """Every parameter that its template declares, as given or by its default."""
        return effective(parse_template(self.template), self.parameters)

    def roots(self) -> list[str]:
        """The ids of the organization's roots."""
        return [unit.id for unit in self.organization.ou if unit.type == "ROOT"]

    def unfinished(self) -> list[Operation]:
        """Operations that run, stop or wait."""
        return [operation for operation in self.operations if operation.status not in ENDED]


class NameAlreadyExistsError(AwsError):
    """A live StackSet has that name."""

    code = "NameAlreadyExistsException"


class OperationInProgressError(AwsError):
    """Something runs on the StackSet."""

    code = "OperationInProgressException"


class StackSets:
    """All StackSets of one sandbox. `lock` guards them and everything below them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.all: list[StackSet] = []
        self.organizations_access: dict[str, str] = {}

    def check(self, stack_set: StackSet, template: dict[str, Any] | None = None) -> None:
        """Insists on what CloudFormation asks of a StackSet before any operation on it.

        Raises:
            ValidationError: in CloudFormation's words.
            InsufficientCapabilitiesError: if the template makes IAM resources unacknowledged.
        """
        template = template or parse_template(stack_set.template)
        refuse_unknown_types(template)
        require_capabilities(template, stack_set.capabilities)
        if not stack_set.service_managed:
            return
        if stack_set.organization.org is None:
            raise ValidationError(message=NOT_MANAGEMENT)
        if self.organizations_access.get(stack_set.account_id) != "ENABLED":
            raise ValidationError(message=NO_ACCESS)
        if "Transform" in template:
            message = "Transforms are not supported in templates of SERVICE_MANAGED stack sets"
            raise ValidationError(message=message)

    def create(self, account_id: str, region: str, name: str, **fields: Any) -> StackSet:
        """Makes a StackSet.

        Raises:
            NameAlreadyExistsError: if a live one of this account and region has that name.
        """
        with self.lock:
            stack_set = StackSet(f"{name}:{uuid.uuid4()}", name, account_id, region, **fields)
            if any(other.name == name for other in self.of(account_id, region)):
                raise NameAlreadyExistsError(f"Name {name} already exists")
            self.check(stack_set)
            refuse_parameters(parse_template(stack_set.template), stack_set.parameters)
            self.all.append(stack_set)
            return stack_set

    def of(self, account_id: str, region: str, *, deleted: bool = False) -> list[StackSet]:
        """The StackSets of an administrator account and region."""
        return [
            stack_set
            for stack_set in self.all
            if (stack_set.account_id, stack_set.region) == (account_id, region)
            and (deleted or stack_set.status == "ACTIVE")
        ]

    def get(self, account_id: str, region: str, name: str) -> StackSet:
        """The live StackSet with this name, id or ARN.

        Raises:
            StackSetNotFoundException: if there is none.
        """
        for stack_set in self.of(account_id, region):
            if name in {stack_set.name, stack_set.id, stack_set.arn}:
                return stack_set
        raise StackSetNotFoundException(name)

    def delete(self, stack_set: StackSet) -> None:
        """Deletes an empty, idle StackSet."""
        with self.lock:
            if stack_set.unfinished():
                raise OperationInProgressError("Another operation is in progress on this StackSet")
            if stack_set.instances:
                raise StackSetNotEmpty
            stack_set.status = "DELETED"

    def account_placed(self, organization: OrganizationsBackend, account_id: str) -> None:
        """Deploys what has AutoDeployment on to an account that came to a new place."""
        from sandbox.aws.stack_set_operations import deploy_automatically  # noqa: PLC0415 - it imports this module

        with self.lock:
            for stack_set in self.all:
                if stack_set.status == "ACTIVE" and stack_set.organization is organization:
                    deploy_automatically(stack_set, account_id)
