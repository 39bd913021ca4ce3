"""The composition root of the Lambda functions: reads the settings once and builds the adapters, lazily.

What all of them need is imported while Lambda starts the process, which is its fastest time; the rest by who needs it.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from botocore.config import Config

from lambdas.settings import Settings
from shared.adapters.aws.account_retries import SqsAccountRetries
from shared.adapters.aws.organization import AwsOrganization
from shared.adapters.aws.policy_store import S3PolicyStore
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.adapters.aws.web_identity import web_identity_assertion
from shared.adapters.azure.credentials import federated_credential
from shared.adapters.clock import SystemClock
from shared.adapters.policy.source import CachedPolicySource, FilePolicyStore, PolicyStore
from shared.adapters.queue.storage_queue import StorageRequestQueue
from shared.adapters.settings import read_settings
from shared.domain.readiness import Readiness

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_organizations.client import OrganizationsClient

    from shared.application.account_batch import DeployPorts
    from shared.application.doctor.lambdas import LambdaSide
    from shared.application.reconcile import Part, ReconcilePorts, Run
    from shared.application.report_instance import ReportPorts

_CONFIG = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10)
"""Three hanging answers of one call still fit into the function's 60 seconds."""


@cache
def logger() -> Logger:
    """The structured logger, which the loggers of `shared` and `lambdas` share."""
    ours = Logger()
    for name in ("shared", "lambdas"):
        logging.getLogger(name)
    copy_config_to_registered_loggers(ours, include={"shared", "lambdas"})
    return ours


@cache
def settings() -> Settings:
    """The settings. Raises ConfigurationError that names what is missing or wrong."""
    return read_settings(Settings)


@cache
def deploy_ports() -> DeployPorts:
    """What `account_events` works with."""
    from shared.application.account_batch import DeployPorts

    clock = SystemClock()
    return DeployPorts(
        directory=AwsOrganization(_organizations(), clock),
        stack_sets=_stack_sets(),
        sender=_sender(),
        retries=_retries(),
        readiness=_readiness(),
        policy=_policy(),
        clock=clock,
    )


@cache
def report_ports() -> ReportPorts:
    """What `stack_events` works with."""
    from shared.application.report_instance import ReportPorts

    clock = SystemClock()
    return ReportPorts(
        directory=AwsOrganization(_organizations(), clock),
        stack_sets=_stack_sets(),
        sender=_sender(),
        retries=_retries(),
        readiness=_readiness(),
        policy=_policy(),
        clock=clock,
    )


@cache
def reconcile_ports() -> ReconcilePorts:
    """What `reconcile_accounts` works with."""
    from shared.adapters.aws.account_listing import AwsAccountListing
    from shared.adapters.aws.event_bus import AwsEventBus
    from shared.adapters.aws.management_stack import CloudFormationManagementStack
    from shared.application.reconcile import ReconcilePorts

    clock = SystemClock()
    return ReconcilePorts(
        listing=AwsAccountListing(_organizations(), clock),
        instances=_stack_sets(),
        management=CloudFormationManagementStack(_cloudformation(), name=settings().reconcile.management_stack_name),
        events=AwsEventBus(boto3.client("events", config=_CONFIG)),
        sender=_sender(),
        policy=_policy(),
        clock=clock,
    )


def reconcile_run(part: Part) -> Run:
    """A part of a run, as long as the settings allow."""
    from shared.adapters.aws.own_events import RECONCILE_SOURCE
    from shared.application.reconcile import Run

    return Run(name=part.run, source=RECONCILE_SOURCE, after=part.after, seconds=settings().reconcile.seconds)


@cache
def _organizations() -> OrganizationsClient:
    return boto3.client("organizations", config=_CONFIG)


@cache
def _cloudformation() -> CloudFormationClient:
    return boto3.client("cloudformation", config=_CONFIG)


@cache
def _stack_sets() -> CloudFormationStackSets:
    return CloudFormationStackSets(
        _cloudformation(),
        _organizations(),
        name=settings().stack_set_name,
        region=settings().aws_region,
    )


@cache
def _sender() -> StorageRequestQueue:
    chosen = settings()
    credential = federated_credential(
        tenant_id=chosen.tenant_id,
        client_id=chosen.client_id,
        authority_host=chosen.authority_host,
        assertion=web_identity_assertion(boto3.client("sts", config=_CONFIG)),
    )
    return StorageRequestQueue(credential, queue_endpoint=chosen.queue.queueserviceuri, name=chosen.queue.name)


def doctor_side(function: str) -> LambdaSide:
    """What a function says of itself with; nothing of it has signed in before."""
    from shared.adapters.aws.lambda_identity import FederatedIdentity
    from shared.application.doctor.lambdas import LambdaSide

    chosen = settings()
    assertion = web_identity_assertion(boto3.client("sts", config=_CONFIG))
    credential = federated_credential(
        tenant_id=chosen.tenant_id,
        client_id=chosen.client_id,
        authority_host=chosen.authority_host,
        assertion=assertion,
    )
    return LambdaSide(
        function=function,
        identity=FederatedIdentity(assertion, credential),
        queue=StorageRequestQueue(credential, queue_endpoint=chosen.queue.queueserviceuri, name=chosen.queue.name),
        policy=_fresh_policy(),
    )


@cache
def _retries() -> SqsAccountRetries:
    sqs = boto3.client("sqs", config=_CONFIG)
    return SqsAccountRetries(sqs, SystemClock(), queue_url=settings().readiness.queue_url)


def _readiness() -> Readiness:
    chosen = settings().readiness
    return Readiness(
        first_delay_seconds=chosen.first_delay_seconds,
        longest_delay_seconds=chosen.longest_delay_seconds,
        budget_seconds=chosen.budget_seconds,
    )


@cache
def _policy() -> CachedPolicySource:
    return _fresh_policy()


def _fresh_policy() -> CachedPolicySource:
    origin = settings().policy
    store: PolicyStore = (
        S3PolicyStore(boto3.client("s3", config=_CONFIG), origin)
        if origin.startswith("s3://")
        else FilePolicyStore(Path(origin))
    )
    return CachedPolicySource(store, origin=origin, clock=SystemClock())
