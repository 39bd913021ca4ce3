"""What the sweep works with; apart from the other functions, which need nothing of AWS."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from functions import bootstrap
from functions.receivers import SettingReceivers
from shared.adapters.aws.account_identity import IamIdentities
from shared.adapters.aws.hub import Hub
from shared.adapters.aws.hub_views import HubAccountListing, HubQueueGauge, HubStackStates
from shared.adapters.aws.instance_profiles import Ec2Profiles
from shared.adapters.aws.instances import Ec2Instances
from shared.adapters.aws.member_templates import MemberTemplates
from shared.adapters.azure.errors import translated
from shared.adapters.clock import SystemClock
from shared.adapters.defender.arc_machines import ArmMachines
from shared.adapters.defender.subscriptions import ArmSubscriptions
from shared.adapters.ledger.sweep_documents import BlobDocuments
from shared.adapters.ledger.sweep_log import TableSweepLog
from shared.adapters.queue.depth import StorageQueueGauge
from shared.adapters.queue.sweep_queue import SWEEP
from shared.adapters.resource_graph.advice import GraphAdvice
from shared.adapters.resource_graph.prerequisites import GraphSubscriptions
from shared.adapters.resource_graph.query import ResourceGraph
from shared.adapters.resource_graph.swept import GraphHealth, GraphTenant
from shared.adapters.resource_graph.swept_compliance import GraphCompliance
from shared.application.notify import NotifyPorts
from shared.application.report import ReportPorts
from shared.application.sweep_ports import SweepPorts
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

REGION = "us-east-1"
"""Where the StackSet makes its instances: IAM is global."""


@cache
def sweep_ports() -> SweepPorts:
    """What `sweep_slice` works with. Raises ConfigurationError that names what is missing."""
    chosen, clock, hub = bootstrap.settings(), SystemClock(), fresh_hub()
    if chosen.sweep is None:
        raise ConfigurationError("the setting is missing", setting="ROLLCALL_SWEEP__CONTAINER")
    graph = ResourceGraph(bootstrap.credential(), arm_endpoint=chosen.arm_endpoint, patient=clock)
    onboarding = bootstrap.onboard_ports()
    return SweepPorts(
        documents=BlobDocuments(bootstrap.credential(), chosen.sweep.container),
        slices=bootstrap.slice_queue(),
        tenant=GraphTenant(graph),
        health=GraphHealth(graph),
        compliance=GraphCompliance(graph),
        listing=HubAccountListing(hub, clock),
        google=onboarding.google,
        stack_instances=HubStackStates(hub, name=chosen.stack_set_name, region=REGION),
        instances=Ec2Instances(_ec2_of(hub)),
        advice=GraphAdvice(graph),
        profiles=Ec2Profiles(_ec2_of(hub)),
        identities=IamIdentities(lambda account_id: hub.client("iam", account_id=account_id)),
        templates=MemberTemplates(
            lambda account_id: hub.client("cloudformation", account_id=account_id),
            name=chosen.stack_set_name,
            region=REGION,
            clock=clock,
        ),
        machines=ArmMachines(bootstrap.credential(), arm_endpoint=chosen.arm_endpoint),
        connectors=onboarding.connectors,
        ledger=onboarding.ledger,
        sender=onboarding.queue,
        gauges=(
            *_storage_gauges(chosen.queue.queueserviceuri, chosen.queue.name),
            HubQueueGauge(hub, stack_name=chosen.stack_name, clock=clock),
        ),
        subscriptions=GraphSubscriptions(graph),
        rights=ArmSubscriptions(bootstrap.credential(), arm_endpoint=chosen.arm_endpoint, clock=clock),
        sweeps=bootstrap.rewrap_ports().sweeps,
        policy=onboarding.policy,
        clock=clock,
    )


@cache
def notify_ports() -> NotifyPorts:
    """What a notice works with. Raises ConfigurationError that names what is missing."""
    ports = sweep_ports()
    return NotifyPorts(
        documents=ports.documents,
        ledger=ports.ledger,
        slices=ports.slices,
        policy=ports.policy,
        receivers=SettingReceivers(),
        clock=ports.clock,
    )


@cache
def report_ports() -> ReportPorts:
    """What `report` works with. Raises ConfigurationError that names what is missing."""
    ports = sweep_ports()
    tables = bootstrap.settings().ledger.tableserviceuri
    return ReportPorts(
        ledger=ports.ledger,
        documents=ports.documents,
        gauges=ports.gauges,
        sweeps=TableSweepLog(bootstrap.credential(), table_endpoint=tables),
        clock=ports.clock,
    )


def _ec2_of(hub: Hub) -> Callable[[str, str], EC2Client]:
    return lambda account_id, region: hub.client("ec2", account_id=account_id, region=region)


def _storage_gauges(endpoint: str, onboarding: str) -> tuple[StorageQueueGauge, ...]:
    """Nobody makes the poison queue of `sweep` but the host, when it needs it."""
    credential = bootstrap.credential()
    return (
        StorageQueueGauge(credential, queue_endpoint=endpoint, name=onboarding),
        StorageQueueGauge(credential, queue_endpoint=endpoint, name=SWEEP, poison_may_be_absent=True),
    )


def fresh_hub() -> Hub:
    """The way into AWS, which nobody has gone yet. Raises ConfigurationError where no setting names the hub."""
    chosen = bootstrap.settings()
    if chosen.hub is None:
        raise ConfigurationError("the setting is missing", setting="ROLLCALL_HUB__ROLE_ARN")
    scope = f"{chosen.hub.audience}/.default"

    def web_token() -> str:
        with translated("get a token for AWS"):
            return bootstrap.credential().get_token(scope).token

    return Hub(
        web_token,
        hub_role_arn=chosen.hub.role_arn,
        reader_role=chosen.reader_role,
        region=REGION,
        clock=SystemClock(),
    )
