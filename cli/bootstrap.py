"""The composition root of the command line: reads the settings once and builds the adapters, lazily."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cli.settings import Settings
from shared.adapters.clock import SystemClock
from shared.adapters.settings import read_settings
from shared.domain.accounts import Provider
from shared.domain.connectors import ENVIRONMENT_OF
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from botocore.config import Config

    from shared.adapters.aws.event_bus import AwsEventBus
    from shared.adapters.aws.organization import AwsOrganization
    from shared.adapters.defender.automations import ArmAutomations
    from shared.adapters.defender.connectors import DefenderConnectors
    from shared.adapters.defender.subscriptions import ArmSubscriptions
    from shared.adapters.ledger.table_ledger import TableLedger
    from shared.adapters.policy.source import CachedPolicySource, PolicyStore
    from shared.adapters.queue.storage_queue import StorageRequestQueue
    from shared.adapters.resource_graph.snapshot import ResourceGraphSnapshot
    from shared.application.ports import PolicyDestination
    from shared.application.publish_template import TemplatePorts
    from shared.application.reconcile import ReconcilePorts
    from shared.application.request_onboarding import WaitPorts
    from shared.application.subscription_plans import SubscriptionPorts
    from shared.domain.policy import Policy

BUS_REGION = "us-east-1"  # Organizations' events appear there only
_REMEDY = "Set them, or start a sandbox with `rollcall sandbox up`."


@cache
def aws_config() -> Config:
    """How long and how often AWS is asked."""
    from botocore.config import Config

    return Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=20)


@cache
def settings() -> Settings:
    """The settings. Raises ConfigurationError that names what is missing or wrong."""
    return read_settings(Settings, remedy=_REMEDY)


@cache
def credential() -> TokenCredential:
    """Who the operator is on Azure."""
    from shared.adapters.azure.credentials import make_credential

    return make_credential(settings().credential, client_id=settings().client_id)


def policy_destination(url: str) -> PolicyDestination:
    """Where a policy is published to: `s3://bucket/key`, or a blob's https address."""
    import boto3

    from shared.adapters.aws.policy_destination import S3PolicyDestination
    from shared.adapters.policy.blob_destination import BlobPolicyDestination

    if url.startswith("s3://"):
        return S3PolicyDestination(boto3.client("s3", config=aws_config()), url, owner=bucket_owner)
    return BlobPolicyDestination(credential(), url)


@cache
def bucket_owner() -> str:
    """Whose the bucket has to be that is written to: the account that the setting names, else this shell's own."""
    import boto3

    from shared.adapters.aws.management_account import caller_account

    named = settings().publish.bucket_owner
    return named or caller_account(boto3.client("sts", region_name=BUS_REGION, config=aws_config()))


@cache
def account_directory() -> AwsOrganization:
    """The organization, as the AWS credentials of this shell may read it."""
    import boto3

    from shared.adapters.aws.organization import AwsOrganization

    return AwsOrganization(boto3.client("organizations", region_name=BUS_REGION, config=aws_config()), SystemClock())


@cache
def ledger() -> TableLedger:
    """The ledger of the deployment. Raises ConfigurationError where none is named."""
    from shared.adapters.ledger.table_ledger import TableLedger

    chosen = settings().ledger
    if chosen is None:
        raise missing("ROLLCALL_LEDGER__TABLESERVICEURI")
    return TableLedger(credential(), table_endpoint=chosen.tableserviceuri)


def missing(setting: str) -> ConfigurationError:
    """That a command needs a setting which nobody made."""
    return ConfigurationError(
        f"settings missing or wrong: {setting}",
        setting=setting,
        remedy=_REMEDY,
    )


@cache
def event_bus() -> AwsEventBus:
    """The event bus of the management account."""
    import boto3

    from shared.adapters.aws.event_bus import AwsEventBus

    return AwsEventBus(boto3.client("events", region_name=BUS_REGION))


def policy_source(origin: str | None) -> CachedPolicySource:
    """The policy at `origin`, a file, `s3://` or an https address; None means the setting `ROLLCALL_POLICY`."""
    import boto3

    from shared.adapters.aws.policy_store import S3PolicyStore
    from shared.adapters.policy.blob import BlobPolicyStore
    from shared.adapters.policy.source import CachedPolicySource, FilePolicyStore

    origin = origin or settings().policy
    if not origin:
        raise ConfigurationError(
            "no policy is named", setting="ROLLCALL_POLICY", remedy="Set it, or give the option --policy."
        )
    store: PolicyStore
    if origin.startswith("https://"):
        store = BlobPolicyStore(credential(), origin)
    elif origin.startswith("s3://"):
        store = S3PolicyStore(boto3.client("s3", config=aws_config()), origin)
    else:
        store = FilePolicyStore(Path(origin))
    return CachedPolicySource(store, origin=origin, clock=SystemClock())


def policy() -> Policy:
    """The policy that the setting names."""
    return policy_source(None).current()


def subscription_ports(gap_seconds: float) -> SubscriptionPorts:
    """What `rollcall subscription` works with."""
    from shared.application.subscription_plans import SubscriptionPorts

    return SubscriptionPorts(plans=subscriptions(), clock=SystemClock(), gap_seconds=gap_seconds)


def subscriptions() -> ArmSubscriptions:
    """Subscriptions, by the operator's own rights."""
    from shared.adapters.defender.subscriptions import ArmSubscriptions

    return ArmSubscriptions(credential(), arm_endpoint=settings().arm_endpoint, clock=SystemClock())


def automations() -> ArmAutomations:
    """What tells a Logic App of alerts."""
    from shared.adapters.defender.automations import ArmAutomations

    return ArmAutomations(credential(), arm_endpoint=settings().arm_endpoint)


def connectors() -> DefenderConnectors:
    """Connectors, by the operator's own rights."""
    from shared.adapters.defender.connectors import DefenderConnectors

    return DefenderConnectors(credential(), arm_endpoint=settings().arm_endpoint)


def snapshot() -> ResourceGraphSnapshot:
    """The tenant's connectors, as far as the operator may read them."""
    from shared.adapters.resource_graph.snapshot import ResourceGraphSnapshot

    return ResourceGraphSnapshot(credential(), arm_endpoint=settings().arm_endpoint, clock=SystemClock())


def connected_accounts(provider: Provider) -> frozenset[str]:
    """Accounts or projects that have a connector, as far as the operator may read them."""
    environment = ENVIRONMENT_OF[provider]
    return frozenset(each.hierarchy_identifier for each in snapshot().list_all() if each.environment == environment)


def reconcile_ports() -> ReconcilePorts:
    """What `rollcall backfill` works with."""
    import boto3

    from shared.adapters.aws.account_listing import AwsAccountListing
    from shared.adapters.aws.management_stack import CloudFormationManagementStack
    from shared.adapters.aws.stack_sets import CloudFormationStackSets
    from shared.application.reconcile import ReconcilePorts

    chosen, clock = settings(), SystemClock()
    cloudformation = boto3.client("cloudformation", region_name=BUS_REGION, config=aws_config())
    organizations = boto3.client("organizations", region_name=BUS_REGION, config=aws_config())
    return ReconcilePorts(
        listing=AwsAccountListing(organizations, clock),
        instances=CloudFormationStackSets(cloudformation, organizations, name=chosen.stack_set_name, region=BUS_REGION),
        management=CloudFormationManagementStack(cloudformation, name=chosen.management_stack_name),
        events=event_bus(),
        sender=request_sender(),
        policy=policy_source(None),
        clock=clock,
    )


def request_sender() -> StorageRequestQueue:
    """The queue `onboarding`. Raises ConfigurationError where no storage account is named."""
    from shared.adapters.queue.storage_queue import StorageRequestQueue

    queue = settings().queue
    if queue is None:
        raise missing("ROLLCALL_QUEUE__QUEUESERVICEURI")
    return StorageRequestQueue(credential(), queue_endpoint=queue.queueserviceuri, name=queue.name)


def template_ports(bucket: str, key: str) -> TemplatePorts:
    """What `rollcall template publish` works with, as the AWS credentials of this shell may."""
    import boto3

    from shared.adapters.aws.management_account import AwsManagementAccount
    from shared.adapters.aws.role_deployments import ManagementStack, RoleStackSet
    from shared.adapters.aws.template_bucket import S3TemplateBucket
    from shared.application.publish_template import TemplatePorts

    cloudformation = boto3.client("cloudformation", region_name=BUS_REGION, config=aws_config())
    name = settings().stack_set_name
    return TemplatePorts(
        account=AwsManagementAccount(
            boto3.client("sts", region_name=BUS_REGION, config=aws_config()),
            boto3.client("iam", region_name=BUS_REGION, config=aws_config()),
            boto3.client("organizations", region_name=BUS_REGION, config=aws_config()),
            cloudformation,
        ),
        bucket=S3TemplateBucket(
            boto3.client("s3", region_name=BUS_REGION, config=aws_config()),
            bucket=bucket,
            key=key,
            region=BUS_REGION,
            owner=bucket_owner,
        ),
        stack_set=RoleStackSet(cloudformation, name=name),
        stack=ManagementStack(cloudformation, name=settings().management_stack_name),
        clock=SystemClock(),
    )


def wait_ports() -> WaitPorts:
    """What waiting for an account needs."""
    from shared.application.request_onboarding import WaitPorts

    return WaitPorts(ledger=ledger(), clock=SystemClock())
