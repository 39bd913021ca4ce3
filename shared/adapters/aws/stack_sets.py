"""Our StackSet through CloudFormation. Source: CloudFormation API 2010-05-15."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, reads_aws, translated
from shared.domain.stack_sets import Deployment, InstanceState, Removal, StackInstance, attempt_of
from shared.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_organizations.client import OrganizationsClient

logger = logging.getLogger(__name__)

_BY_DETAIL = {
    "PENDING": InstanceState.IN_PROGRESS,
    "RUNNING": InstanceState.IN_PROGRESS,
    "SKIPPED_SUSPENDED_ACCOUNT": InstanceState.SUSPENDED,
    "FAILED": InstanceState.FAILED,
    "CANCELLED": InstanceState.FAILED,
    "INOPERABLE": InstanceState.FAILED,
    "FAILED_IMPORT": InstanceState.FAILED,
}
_MAX_AGE_SECONDS = 60.0
_PAGE_SIZE = 100  # the most that CloudFormation gives
_ALL_AT_ONCE: dict[str, Any] = {
    "FailureTolerancePercentage": 100,
    "MaxConcurrentPercentage": 100,
    "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
}


@dataclass(frozen=True, kw_only=True)
class _Described:
    """The StackSet itself, as read at `read_at` (monotonic seconds)."""

    stack_set_id: str
    declared: frozenset[str]
    read_at: float


class CloudFormationStackSets:
    """One service-managed StackSet, deployed to one region, since IAM is global."""

    def __init__(
        self,
        cloudformation: CloudFormationClient,
        organizations: OrganizationsClient,
        *,
        name: str,
        region: str,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is the StackSet's name or ARN; instances are made in `region`. `seconds` is a monotonic clock."""
        self._client = cloudformation
        self._organizations = organizations
        self._name = name
        self._region = region
        self._seconds = seconds
        self._lock = threading.Lock()
        self._known: _Described | None = None
        self._root_id: str | None = None

    def stack_set_id(self) -> str:
        """Its id, `name:uuid`."""
        return self._described().stack_set_id

    def declared_parameters(self) -> frozenset[str]:
        """The parameters of its template; both are read together and kept for a minute.

        Source: CloudFormation API 2010-05-15, DescribeStackSet: those with a default that nobody set are among its
        Parameters. The API reference does not say so; Terraform's documentation of aws_cloudformation_stack_set does.
        """
        return self._described().declared

    def _described(self) -> _Described:
        with self._lock:  # accounts are looked at side by side
            known = self._known
            if known is None or self._seconds() - known.read_at >= _MAX_AGE_SECONDS:
                known = self._known = self._describe()
            return known

    def _describe(self) -> _Described:
        read_at = self._seconds()
        with translated(f"read StackSet {self._name}"):
            found = self._client.describe_stack_set(StackSetName=self._name)["StackSet"]
            return _Described(
                stack_set_id=found["StackSetId"],
                declared=frozenset(each["ParameterKey"] for each in found.get("Parameters", [])),
                read_at=read_at,
            )

    @reads_aws
    def find_instance(self, account_id: str) -> StackInstance | None:
        """The account's instance as it is now; None where there is none."""
        with translated(f"read the stack instance of {account_id}"):
            try:
                found: Any = self._client.describe_stack_instance(
                    StackSetName=self._name,
                    StackInstanceAccount=account_id,
                    StackInstanceRegion=self._region,
                )["StackInstance"]
            except ClientError as error:
                if error_code(error) == "StackInstanceNotFoundException":
                    return None
                raise
            state = _state(found)
            operation = found.get("LastOperationId", "") if state is InstanceState.FAILED else ""
            tried_at = self._started_at(operation)
            overrides = found.get("ParameterOverrides", [])
            parameters = {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in overrides}
        return StackInstance(
            account_id=account_id,
            state=state,
            tried_at=tried_at,
            attempt=attempt_of(operation, tried_at) if tried_at else None,
            parameters=parameters,
            reason=found.get("StatusReason", ""),
        )

    def list_states(self) -> dict[str, InstanceState]:
        """Account id → state of its instance, a hundred in a request; summaries tell no parameters."""
        with translated(f"list the instances of StackSet {self._name}"):
            pages: Any = self._client.get_paginator("list_stack_instances").paginate(
                StackSetName=self._name, StackInstanceRegion=self._region, PaginationConfig={"PageSize": _PAGE_SIZE}
            )
            return {found["Account"]: _state(found) for page in pages for found in page["Summaries"]}

    def deploy(self, deployment: Deployment) -> None:
        """Starts one operation on exactly these accounts, wherever in the organization they are now.

        Raises TransientError where AWS refuses it because the template has other parameters since a moment ago.
        """
        call = self._client.update_stack_instances if deployment.update else self._client.create_stack_instances
        with translated(f"deploy StackSet {self._name} to {len(deployment.account_ids)} account(s)"):
            try:
                call(
                    StackSetName=self._name,
                    DeploymentTargets=self._exactly(deployment.account_ids),  # type: ignore[arg-type] # a literal map
                    Regions=[self._region],
                    ParameterOverrides=[
                        {"ParameterKey": key, "ParameterValue": value}
                        for key, value in sorted(deployment.parameters.items())
                    ],
                    OperationPreferences=_ALL_AT_ONCE,  # type: ignore[arg-type] # a literal map, not a TypedDict
                    OperationId=deployment.operation_id,
                )
            except ClientError as error:
                code = error_code(error)
                if code == "ValidationError" and self._declares_no_longer(deployment.parameters):
                    raise TransientError(f"the template of StackSet {self._name} was changed meanwhile") from error
                if code != "OperationIdAlreadyExistsException":
                    raise
                logger.info("operation_was_started_before", extra={"operation_id": deployment.operation_id})

    def _declares_no_longer(self, parameters: Mapping[str, str]) -> bool:
        """Whether some of these were parameters of the template as it was known; it is read anew."""
        with self._lock:
            known, self._known = self._known, None
        declared = known.declared & parameters.keys() if known is not None else frozenset()
        return bool(declared) and not declared <= self.declared_parameters()

    def remove(self, removal: Removal) -> None:
        """Starts one operation that deletes these accounts' instances, and their stacks unless they are retained."""
        with translated(f"remove StackSet {self._name} from {len(removal.account_ids)} account(s)"):
            try:
                self._client.delete_stack_instances(
                    StackSetName=self._name,
                    DeploymentTargets=self._exactly(removal.account_ids),  # type: ignore[arg-type] # a literal map
                    Regions=[self._region],
                    RetainStacks=removal.retain_stacks,
                    OperationPreferences=_ALL_AT_ONCE,  # type: ignore[arg-type] # a literal map, not a TypedDict
                    OperationId=removal.operation_id,
                )
            except ClientError as error:
                code = error_code(error)
                gone = code == "StackInstanceNotFoundException" and len(removal.account_ids) == 1
                if not gone and code != "OperationIdAlreadyExistsException":
                    raise
                logger.info("stack_instances_are_gone_or_going", extra={"operation_id": removal.operation_id})

    def _exactly(self, account_ids: Sequence[str]) -> dict[str, Any]:
        """These accounts and no others, wherever in the organization they are now."""
        return {
            "OrganizationalUnitIds": [self._root()],
            "Accounts": list(account_ids),
            "AccountFilterType": "INTERSECTION",
        }

    def _started_at(self, operation_id: str) -> datetime | None:
        if not operation_id:
            return None
        try:
            answer = self._client.describe_stack_set_operation(StackSetName=self._name, OperationId=operation_id)
        except ClientError as error:
            if error_code(error) == "OperationNotFoundException":  # AWS keeps them for a while only
                return None
            raise
        return answer["StackSetOperation"]["CreationTimestamp"].astimezone(UTC)

    def _root(self) -> str:
        if self._root_id is None:
            self._root_id = self._organizations.list_roots()["Roots"][0]["Id"]
        return self._root_id


def _state(found: dict[str, Any]) -> InstanceState:
    detail = found.get("StackInstanceStatus", {}).get("DetailedStatus", "")
    if detail in _BY_DETAIL:
        return _BY_DETAIL[detail]
    if found.get("Status") == "INOPERABLE":
        return InstanceState.FAILED
    return InstanceState.CURRENT if found.get("Status") == "CURRENT" else InstanceState.OUTDATED
