"""What the processes of a sandbox, and an operator's shell, are told: environment variables, no secret of yours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.entra import HUB_AUDIENCE, OPERATORS_AUDIENCE
from sandbox.gcp.cloud import ADMINISTRATOR

if TYPE_CHECKING:
    from sandbox.cloud import Sandbox

REGION = "us-east-1"
OPERATOR_ENVIRONMENT = "operator.env"
READER_ROLE = "OrganizationAccountAccessRole"
"""Moto gives it to every account; it stands for `rollcall-reader`, which the hub's template would bring."""
PUSH_AUDIENCE = "rollcall-project-events"


def _identity(sandbox: Sandbox, who: str) -> dict[str, str]:
    """Settings of whoever reaches Azure through a managed identity's endpoint."""
    return {
        "IDENTITY_ENDPOINT": sandbox.azure.identity_endpoint,
        "IDENTITY_HEADER": sandbox.azure.identity_headers[who],
        "REQUESTS_CA_BUNDLE": str(sandbox.certificates.bundle_path),
        "ROLLCALL_CREDENTIAL": "managed-identity",
    }


def function_settings(sandbox: Sandbox, arm: str, policy_url: str) -> dict[str, str]:
    """The application settings of the Function App."""
    client_id = sandbox.azure.directory.get(FUNCTIONS).client_id
    return (
        _identity(sandbox, "functions")
        | _telemetry(sandbox)
        | {
            "ROLLCALL_ARM_ENDPOINT": arm,
            "ROLLCALL_POLICY": policy_url,
            "ROLLCALL_CLIENT_ID": client_id,
            "ROLLCALL_TENANT_ID": sandbox.settings.tenant_id,
            "ROLLCALL_AUTHORITY_HOST": sandbox.azure.authority_url,
            "ROLLCALL_OPERATORS__AUDIENCE": OPERATORS_AUDIENCE,
            "ROLLCALL_QUEUE__queueServiceUri": sandbox.azure.queue_url,
            "ROLLCALL_QUEUE__credential": "managedidentity",
            "ROLLCALL_QUEUE__clientId": client_id,
            "ROLLCALL_LEDGER__tableServiceUri": sandbox.azure.table_url,
            "AzureWebJobsStorage__blobServiceUri": sandbox.azure.blob_url,
            "AzureWebJobsStorage__credential": "managedidentity",
            "AzureWebJobsStorage__clientId": client_id,
            "ROLLCALL_RETRY__FIRST_SECONDS": str(sandbox.settings.retry_first_seconds),
            "ROLLCALL_RETRY__LONGEST_SECONDS": str(sandbox.settings.retry_longest_seconds),
            "ROLLCALL_RETRY__CONTENDED_SECONDS": str(sandbox.settings.retry_contended_seconds),
            "ROLLCALL_RETRY__CLAIM_SECONDS": str(sandbox.settings.retry_claim_seconds),
            "ROLLCALL_PACING__WRITES_PER_SECOND": str(sandbox.settings.pacing_writes_per_second),
            "ROLLCALL_PACING__BURST": str(sandbox.settings.pacing_burst),
            "ROLLCALL_SWEEP__CONTAINER": f"{sandbox.azure.blob_url}/sweeps",
            "ROLLCALL_SWEEP__SCHEDULE": "0 0 5 * * *",
            "ROLLCALL_HUB__ROLE_ARN": f"arn:aws:iam::{sandbox.aws.management_account_id}:role/rollcall-reader-hub",
            "ROLLCALL_HUB__AUDIENCE": HUB_AUDIENCE,
            "ROLLCALL_READER_ROLE": READER_ROLE,
            "AWS_ENDPOINT_URL": sandbox.aws.url,
            "ROLLCALL_GCP__AUDIENCE": sandbox.google.audience,
            "ROLLCALL_GCP__SERVICE_ACCOUNT": sandbox.google.service_account,
            "ROLLCALL_GCP__ENDPOINT": sandbox.gcp.url,
            "ROLLCALL_GCP__PUSH_AUDIENCE": PUSH_AUDIENCE,
            "ROLLCALL_GCP__PUSH_SERVICE_ACCOUNT": sandbox.google.push_account,
            "ROLLCALL_GCP__CERTS_URL": sandbox.gcp.certs_url,
        }
        | _receivers(sandbox)
    )


def _receivers(sandbox: Sandbox) -> dict[str, str]:
    """What Key Vault references come to once the platform has resolved them."""
    receivers, url = sandbox.azure.receivers, sandbox.azure.receivers_url
    return {
        "ROLLCALL_NOTIFY_TEAMS": f"{url}{receivers.teams_path}",
        "ROLLCALL_NOTIFY_WEBHOOK": f"{url}{receivers.webhook_path}",
        "ROLLCALL_NOTIFY_WEBHOOK_KEY": receivers.webhook_key,
    }


def _telemetry(sandbox: Sandbox) -> dict[str, str]:
    """What `infra/azure` sets, where it is wanted: every test would carry it otherwise."""
    if not sandbox.settings.telemetry:
        return {}
    return {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": sandbox.azure.monitor_connection,
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "PYTHON_ENABLE_OPENTELEMETRY": "true",
        "OTEL_BSP_SCHEDULE_DELAY": "500",  # milliseconds; the exporter's own are five seconds and a minute
        "OTEL_METRIC_EXPORT_INTERVAL": "2000",
    }


def write_operator_environment(sandbox: Sandbox, arm: str, policy_url: str, policy_object: str) -> None:
    """What `rollcall` needs to work on this sandbox as it would on the real clouds."""
    values = _identity(sandbox, "operator") | {
        "AWS_ENDPOINT_URL": sandbox.aws.url,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "ROLLCALL_ARM_ENDPOINT": arm,
        "ROLLCALL_POLICY": policy_url,
        "ROLLCALL_PUBLISH__S3": policy_object,
        "ROLLCALL_PUBLISH__BLOB": policy_url,
        "ROLLCALL_QUEUE__queueServiceUri": sandbox.azure.queue_url,
        "ROLLCALL_LEDGER__tableServiceUri": sandbox.azure.table_url,
        "ROLLCALL_READER_ROLE": READER_ROLE,
        "ROLLCALL_SWEEP__CONTAINER": f"{sandbox.azure.blob_url}/sweeps",
        "ROLLCALL_GCP__ENDPOINT": sandbox.gcp.url,
        "GOOGLE_OAUTH_ACCESS_TOKEN": sandbox.gcp.token_of(ADMINISTRATOR),
    }
    path = sandbox.folder / OPERATOR_ENVIRONMENT
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")
    path.chmod(0o600)
