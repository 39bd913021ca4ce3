"""The composition root of the command line: reads the settings once and builds the adapters, lazily."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import boto3
from azure.core.credentials import TokenCredential
from botocore.config import Config
from dotenv import dotenv_values
from pydantic import ValidationError

from cli.output import progress
from cli.settings import PolicySettings, Settings
from shared.adapters.aws.event_bus import AwsEventBus
from shared.adapters.aws.organization import AwsOrganization
from shared.adapters.aws.policy_destination import S3PolicyDestination
from shared.adapters.aws.policy_store import S3PolicyStore
from shared.adapters.azure.credentials import make_credential
from shared.adapters.clock import SystemClock
from shared.adapters.ledger.table_ledger import TableLedger
from shared.adapters.policy.blob import BlobPolicyStore
from shared.adapters.policy.blob_destination import BlobPolicyDestination
from shared.adapters.policy.source import CachedPolicySource, FilePolicyStore, PolicyStore
from shared.application.ports import PolicyDestination
from shared.application.request_onboarding import WaitPorts
from shared.errors import ConfigurationError

SANDBOX_ENVIRONMENT = Path(".sandbox") / "operator.env"
BUS_REGION = "us-east-1"  # Organizations' events appear there only


_NAMES_A_DEPLOYMENT = ("ROLLCALL_LEDGER", "ROLLCALL_POLICY", "ROLLCALL_PUBLISH")
_AWS = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=20)


def adopt_sandbox() -> bool:
    """Works on the sandbox that runs in this folder where the shell names no deployment; True where it does so."""
    if any(name.upper().startswith(_NAMES_A_DEPLOYMENT) for name in os.environ):
        return False
    running = (SANDBOX_ENVIRONMENT.parent / "endpoints.json").exists()  # the settings outlive their sandbox
    return running and load_environment(SANDBOX_ENVIRONMENT)


def announce_sandbox() -> None:
    """`adopt_sandbox`, with a word about it on standard error."""
    if adopt_sandbox():
        progress.print(f"[dim]working on the sandbox in {SANDBOX_ENVIRONMENT.parent}[/dim]")


def load_environment(path: Path) -> bool:
    """Takes the settings of a file as if the shell had set them; False where there is no such file."""
    if not path.exists():
        return False
    os.environ.update({name: value for name, value in dotenv_values(path).items() if value is not None})
    return True


@cache
def settings() -> Settings:
    """The settings. Raises ConfigurationError that names what is missing or wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = ", ".join("ROLLCALL_" + "__".join(map(str, item["loc"])).upper() for item in error.errors())
        raise ConfigurationError(
            f"settings missing or wrong: {wrong}",
            setting=wrong,
            remedy="Set them, or start a sandbox with `rollcall sandbox up`.",
        ) from error


@cache
def policy_settings() -> PolicySettings:
    """The settings of `rollcall policy`. Raises ConfigurationError."""
    try:
        return PolicySettings()
    except ValidationError as error:
        wrong = ", ".join("ROLLCALL_" + "__".join(map(str, item["loc"])).upper() for item in error.errors())
        raise ConfigurationError(f"settings wrong: {wrong}", setting=wrong) from error


@cache
def _policy_credential() -> TokenCredential:
    return make_credential(policy_settings().credential, client_id=policy_settings().client_id)


def policy_source(origin: str) -> CachedPolicySource:
    """The policy of a file, an `s3://` address or a blob's https address."""
    store: PolicyStore
    if origin.startswith("s3://"):
        store = S3PolicyStore(boto3.client("s3", config=_AWS), origin)
    elif origin.startswith("https://"):
        store = BlobPolicyStore(_policy_credential(), origin)
    else:
        store = FilePolicyStore(Path(origin))
    return CachedPolicySource(store, origin=origin, clock=SystemClock())


def policy_destination(url: str) -> PolicyDestination:
    """Where a policy is published to: `s3://bucket/key`, or a blob's https address."""
    if url.startswith("s3://"):
        return S3PolicyDestination(boto3.client("s3", config=_AWS), url)
    return BlobPolicyDestination(_policy_credential(), url)


@cache
def account_directory() -> AwsOrganization:
    """The organization, as the AWS credentials of this shell may read it."""
    return AwsOrganization(boto3.client("organizations", region_name=BUS_REGION, config=_AWS), SystemClock())


@cache
def ledger() -> TableLedger:
    """The ledger of the deployment."""
    credential = make_credential(settings().credential, client_id=settings().client_id)
    return TableLedger(credential, table_endpoint=settings().ledger.tableserviceuri)


@cache
def event_bus() -> AwsEventBus:
    """The event bus of the management account."""
    return AwsEventBus(boto3.client("events", region_name=BUS_REGION))


def wait_ports() -> WaitPorts:
    """What waiting for an account needs."""
    return WaitPorts(ledger=ledger(), clock=SystemClock())
