"""What a cold start loads: of the heavy packages only those that the event needs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

APP = "import function_app; function_app.app.get_functions()"
FIRST_REQUEST = f"{APP}; from functions import bootstrap; bootstrap.onboard_ports()"
SETTINGS = {
    "ROLLCALL_POLICY": "https://localhost:1/policies/policy.yaml",
    "ROLLCALL_QUEUE__QUEUESERVICEURI": "https://localhost:1/queues",
    "ROLLCALL_LEDGER__TABLESERVICEURI": "https://localhost:1/tables",
}
AWS = ("boto3", "botocore")
AZURE = ("azure.data", "azure.identity", "azure.mgmt", "azure.storage")
ELSEWHERE = ("google.auth", "google.oauth2", "jinja2", "jwt", "azure.monitor")
OF_LAMBDAS = ("google.auth", "jinja2", "jwt", "azure.data", "azure.mgmt", "azure.storage.blob", "azure.functions")
OTHERS = {
    "account_events": ("shared.application.reconcile", "shared.application.report_instance"),
    "stack_events": (
        "shared.application.reconcile",
        "shared.application.deploy_accounts",
        "shared.adapters.policy.problems",
        "yaml",
    ),
    "reconcile_accounts": ("shared.application.deploy_accounts", "shared.application.report_instance"),
}
DOCTOR = ("shared.application.doctor", "shared.messages.doctor_findings")


def modules(code: str) -> set[str]:
    """What a fresh process has loaded after `code`."""
    script = f"import sys; {code}; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ) | SETTINGS
    )
    return set(ran.stdout.split())


def loaded(code: str, unwanted: tuple[str, ...]) -> list[str]:
    """Which of `unwanted`, packages and modules, a fresh process has loaded after `code`."""
    known = modules(code)
    assert "shared" in known
    return [name for name in unwanted if any(each == name or each.startswith(f"{name}.") for each in known)]


def test_listing_the_functions_loads_the_sdk_of_no_cloud() -> None:
    assert loaded(APP, (*AWS, *AZURE, *ELSEWHERE, "pydantic", "yaml")) == []


def test_a_request_from_the_queue_loads_neither_aws_nor_google_nor_the_page_of_the_report() -> None:
    assert loaded(FIRST_REQUEST, (*AWS, *ELSEWHERE, "shared.application.sweep_slice", *DOCTOR)) == []


@pytest.mark.parametrize("name", OTHERS)
def test_a_lambda_function_loads_what_its_own_events_need(name: str) -> None:
    assert loaded(f"import lambdas.{name}.handler", (*OF_LAMBDAS, *OTHERS[name], *DOCTOR)) == []


@pytest.mark.parametrize(
    ("ours", "bare"),
    [
        *((f"import lambdas.{name}.handler", f"import bench.bare.{name}") for name in OTHERS),
        (APP, "from bench.bare import function_app; function_app.app.get_functions()"),
        (FIRST_REQUEST, "from bench.bare import clients_of_app, function_app; clients_of_app.build()"),
    ],
    ids=[*OTHERS, "app", "first request"],
)
def test_what_ours_is_held_against_loads_nothing_that_ours_does_not(ours: str, bare: str) -> None:
    only = {each for each in modules(bare) - modules(ours) if each.partition(".")[0] != "bench"}
    assert only == set()
