"""The composition root of the command line: reads the settings once and builds the adapters, lazily."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import boto3
from dotenv import dotenv_values
from pydantic import ValidationError

from cli.settings import Settings
from shared.adapters.aws.event_bus import AwsEventBus
from shared.adapters.azure.credentials import make_credential
from shared.adapters.clock import SystemClock
from shared.adapters.ledger.table_ledger import TableLedger
from shared.application.request_onboarding import WaitPorts
from shared.errors import ConfigurationError

SANDBOX_ENVIRONMENT = Path(".sandbox") / "operator.env"
BUS_REGION = "us-east-1"  # Organizations' events appear there only


def adopt_sandbox() -> bool:
    """Works on the sandbox that runs in this folder where the shell names no deployment; True where it does so."""
    if any(name.upper().startswith("ROLLCALL_LEDGER") for name in os.environ):
        return False
    running = (SANDBOX_ENVIRONMENT.parent / "endpoints.json").exists()  # the settings outlive their sandbox
    return running and load_environment(SANDBOX_ENVIRONMENT)


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
