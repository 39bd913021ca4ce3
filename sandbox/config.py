"""The sandbox's own settings: times default to production's, tests and the demo shorten them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

QueueService = Literal["azurite", "memory"]


class SandboxSettings(BaseSettings):
    """Settings of one sandbox, from `ROLLCALL_SANDBOX_*` or the command line. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_SANDBOX_", extra="forbid")

    folder: Path = Path(".sandbox")
    seed: int = 42
    tenant_id: str = "5f0d3b52-8a7e-4c43-9d3e-6d1c7f0e2a10"
    subscription_id: str = "0b7c1f8e-2d54-4a8a-9a43-7f9f5f6f1c21"
    resource_group: str = "rg-defender-connectors"
    function_hosts: int = Field(default=1, ge=1, le=4)
    arm_endpoint: str | None = None  # another Resource Manager in the place of ours

    # AWS
    account_creation_seconds: float = 5.0
    event_delay_seconds: float = 0.5  # Organizations → EventBridge
    stack_instance_seconds: float = 30.0  # one stack instance, from RUNNING to its end
    # Lambda
    unpacked_folder: Path | None = None  # where each artefact is unpacked once; None = for each function
    cold_functions: frozenset[str] = frozenset()  # these start with their first event, the others with the sandbox
    sqs_batch_window_scale: float = 1.0  # multiplies MaximumBatchingWindowInSeconds
    sqs_visibility_seconds: int = 380  # the template's RetryDelaySeconds
    reconcile_visibility_seconds: int = 5400  # the template's ReconcileRetryDelaySeconds
    reconcile_seconds: int = 600  # the template's ReconcileSeconds
    readiness_first_delay_seconds: int = 60  # the template's ReadinessFirstDelaySeconds
    readiness_budget_seconds: int = 7200  # the template's ReadinessBudgetSeconds
    # Azure
    queue_service: QueueService = "azurite"  # memory: ours, which does not get slower with a queue's depth
    connector_put_seconds: float = 0.0
    connector_checks_all_roles: bool = True  # else only the CSPM role
    native_members_seconds: float | None = None  # None = Defender makes no member connectors by itself
    resource_graph_lag_seconds: float = 2.0
    token_seconds: int = 3599  # how long a token of Entra or of a managed identity is good for
    storage_keeps_data: bool = False  # on disk, so that the storage account can be restarted
    pricing_gap_seconds: float = 10.0  # two changes of plans of one subscription need so much between them
    # Google Cloud
    gcp_organization: str = "518249130711"
    gcp_operation_seconds: float = 2.0  # until a long-running operation is reported as done
    gcp_search_lag_seconds: float = 2.0  # until projects:search learns of a change
    gcp_push_pause_seconds: float = 10.0  # before a push that was not acknowledged comes again; then it grows
    # Functions host
    telemetry: bool = False  # whether hosts send to the sandbox's Application Insights, as deployed ones do
    crash_invisibility_seconds: float = 600.0
    max_polling_interval_seconds: float | None = None  # None = as host.json says
    queue_visibility_seconds: int | None = None  # after a failed try; None = as host.json says
    retry_first_seconds: float = 30.0  # ROLLCALL_RETRY__* of the Function App
    retry_longest_seconds: float = 6 * 3600.0
    retry_contended_seconds: float = 30.0
    retry_claim_seconds: float = 180.0  # how long a killed worker's account stays claimed
    pacing_writes_per_second: float = 1.0  # ROLLCALL_PACING__* of the Function App
    pacing_burst: int = 20
