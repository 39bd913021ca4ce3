"""The organization and the StackSet as the hub role sees them; its sessions last an hour, a process may last longer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.adapters.aws.account_listing import AwsAccountListing
from shared.adapters.aws.errors import error_code, translated
from shared.adapters.aws.hub import Hub
from shared.adapters.aws.queue_gauge import SqsGauge
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.application.ports import Clock
from shared.domain.accounts import Account
from shared.domain.queues import QueueDepth
from shared.domain.stack_sets import InstanceState
from shared.errors import RollcallError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient


class HubAccountListing:
    """Accounts and their tags."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        """Asks as the hub role."""
        self._hub = hub
        self._clock = clock
        self._kept: tuple[object, AwsAccountListing] | None = None
        self._keeping = threading.Lock()

    def list_accounts(self) -> tuple[Account, ...]:
        """Every account once, without its tags."""
        return self._listing().list_accounts()

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """One account's tags."""
        return self._listing().tags_of(account_id)

    def _listing(self) -> AwsAccountListing:
        """One for all threads, since it is what paces the reading of tags."""
        client = self._hub.client("organizations")
        with self._keeping:
            if self._kept is None or self._kept[0] is not client:
                self._kept = client, AwsAccountListing(client, self._clock)
            return self._kept[1]


class HubStackStates:
    """The instances of one StackSet."""

    def __init__(self, hub: Hub, *, name: str, region: str) -> None:
        """`name` is the StackSet's; `region` the one that its instances are made in."""
        self._hub = hub
        self._name = name
        self._region = region

    def list_states(self) -> Mapping[str, InstanceState]:
        """Account id → state of its instance."""
        clients = self._hub.client("cloudformation"), self._hub.client("organizations")
        return CloudFormationStackSets(*clients, name=self._name, region=self._region).list_states()


class HubStackInstances:
    """The stack instances of Defender's roles, one account at a time."""

    def __init__(self, hub: Hub, *, name: str, region: str) -> None:
        """`name` is the StackSet's; `region` the one that its instances are made in."""
        self._hub = hub
        self._name = name
        self._region = region

    def parameters_of(self, account_id: str) -> Mapping[str, str] | None:
        """What an account's instance overrides; None where it has none. Source: CloudFormation API 2010-05-15."""
        client: CloudFormationClient = self._hub.client("cloudformation")
        with translated(f"read the stack instance of {account_id}"):
            try:
                found: Any = client.describe_stack_instance(
                    StackSetName=self._name, StackInstanceAccount=account_id, StackInstanceRegion=self._region
                )["StackInstance"]
            except ClientError as error:
                if error_code(error) == "StackInstanceNotFoundException":
                    return None
                raise
            overrides = found.get("ParameterOverrides", [])
            return {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in overrides}


class HubEntrance:
    """The way through the hub, gone anew."""

    def __init__(self, hub: Hub) -> None:
        """`hub` has kept no session yet."""
        self._hub = hub

    def enter(self) -> None:
        """Becomes the hub role."""
        self._hub.client("organizations")

    def look_into(self, account_id: str) -> None:
        """Becomes the reader of a member account."""
        self._hub.client("ec2", account_id=account_id)


class HubQueueGauge:
    """The dead-letter queues of one stack."""

    def __init__(self, hub: Hub, *, stack_name: str, clock: Clock) -> None:
        """`stack_name` is that of infra/aws/template.yaml."""
        self._hub = hub
        self._stack_name = stack_name
        self._clock = clock

    def measure(self) -> Sequence[QueueDepth]:
        """The depths; one with a problem where nobody lets us in, or where the stack has no such queue."""
        try:
            clients = self._hub.client("sqs"), self._hub.client("cloudformation"), self._hub.client("cloudwatch")
        except RollcallError as error:
            return [_unknown(error.reason)]
        gauge = SqsGauge(*clients, stack_name=self._stack_name, clock=self._clock, given_up_only=True)
        return gauge.measure() or [_unknown(f"stack {self._stack_name} names no dead-letter queue")]


def _unknown(problem: str) -> QueueDepth:
    return QueueDepth(name="dead-letter queues of AWS's side", given_up=True, problem=problem)
