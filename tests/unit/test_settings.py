"""Settings come from the environment and say what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from functions import bootstrap as functions_bootstrap
from functions.settings import Settings as FunctionSettings
from lambdas import bootstrap as lambdas_bootstrap
from lambdas.settings import Settings as LambdaSettings
from shared.adapters.azure.credential_kind import CredentialKind
from shared.adapters.gcp.credentials import identity_of
from shared.adapters.settings import GcpSettings
from shared.errors import ConfigurationError

FUNCTIONS = {
    "ROLLCALL_POLICY": "policy.yaml",
    "ROLLCALL_QUEUE__queueServiceUri": "https://account.queue.core.windows.net",
    "ROLLCALL_QUEUE__credential": "managedidentity",
    "ROLLCALL_QUEUE__clientId": "00000000-0000-4000-8000-0000000000c1",
    "ROLLCALL_LEDGER__TABLESERVICEURI": "https://account.table.core.windows.net",
}
LAMBDAS = {
    "ROLLCALL_POLICY": "s3://bucket/policy.yaml",
    "ROLLCALL_STACK_SET_NAME": "rollcall-member-roles",
    "ROLLCALL_TENANT_ID": "00000000-0000-4000-8000-0000000000f1",
    "ROLLCALL_CLIENT_ID": "00000000-0000-4000-8000-0000000000c2",
    "ROLLCALL_QUEUE__QUEUESERVICEURI": "https://account.queue.core.windows.net",
    "ROLLCALL_READINESS__QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/900000000001/account-events",
    "AWS_REGION": "us-east-1",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.upper().startswith("ROLLCALL_"):
            monkeypatch.delenv(name)
    functions_bootstrap.settings.cache_clear()
    lambdas_bootstrap.settings.cache_clear()
    yield
    functions_bootstrap.settings.cache_clear()
    lambdas_bootstrap.settings.cache_clear()


def give(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_the_function_app_shares_the_connection_of_its_queue_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, FUNCTIONS)
    settings = FunctionSettings()
    assert settings.queue.queueserviceuri == "https://account.queue.core.windows.net"
    assert settings.queue.name == "onboarding"
    assert settings.ledger.tableserviceuri == "https://account.table.core.windows.net"
    assert settings.arm_endpoint == "https://management.azure.com"
    assert settings.credential is CredentialKind.MANAGED_IDENTITY


def test_delays_and_rates_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, FUNCTIONS)
    give(monkeypatch, {"ROLLCALL_RETRY__FIRST_SECONDS": "0.5", "ROLLCALL_PACING__BURST": "3"})
    settings = FunctionSettings()
    assert settings.retry.schedule().delay(1) == 1.0
    assert settings.pacing.rate().burst == 3


def test_the_lambda_functions_read_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, LAMBDAS)
    settings = LambdaSettings()
    assert settings.authority_host == "https://login.microsoftonline.com"
    assert settings.queue.queueserviceuri == "https://account.queue.core.windows.net"


def test_how_we_get_into_google_is_read_and_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError) as raised:
        identity_of(GcpSettings())
    assert raised.value.setting == "ROLLCALL_GCP__AUDIENCE"
    audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/rollcall/providers/entra"
    with pytest.raises(ConfigurationError) as raised:
        identity_of(GcpSettings(audience=audience))
    assert raised.value.setting == "ROLLCALL_GCP__SERVICE_ACCOUNT"
    found = identity_of(GcpSettings(audience=audience, service_account="rollcall@sample.iam.gserviceaccount.com"))
    assert (found.audience, found.resource, found.endpoint) == (audience, "api://rollcall-gcp", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUDIENCE", "https://iam.googleapis.com/projects/1"),
        ("AUDIENCE", "//iam.googleapis.com/projects/by-id/locations/global/workloadIdentityPools/p/providers/r"),
        ("SERVICE_ACCOUNT", "rollcall"),
        ("ENDPOINT", "http://127.0.0.1"),
    ],
)
def test_a_wrong_setting_about_google_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    give(monkeypatch, FUNCTIONS | {f"ROLLCALL_GCP__{name}": value})
    with pytest.raises(ConfigurationError) as raised:
        functions_bootstrap.settings()
    assert raised.value.setting == f"ROLLCALL_GCP__{name}"


@pytest.mark.parametrize(
    ("values", "changed", "named"),
    [
        (FUNCTIONS, {"ROLLCALL_POLICY": None}, "ROLLCALL_POLICY"),
        (FUNCTIONS, {"ROLLCALL_LEDGER__TABLESERVICEURI": None}, "ROLLCALL_LEDGER"),
        (FUNCTIONS, {"ROLLCALL_QUEUE__queueServiceUri": "http://insecure"}, "ROLLCALL_QUEUE__QUEUESERVICEURI"),
        (FUNCTIONS, {"ROLLCALL_ARM_ENDPOINT": "http://insecure"}, "ROLLCALL_ARM_ENDPOINT"),
        (FUNCTIONS, {"ROLLCALL_CREDENTIAL": "password"}, "ROLLCALL_CREDENTIAL"),
        (FUNCTIONS, {"ROLLCALL_RETRY__FIRST_SECONDS": "0"}, "ROLLCALL_RETRY__FIRST_SECONDS"),
    ],
)
def test_a_missing_or_wrong_setting_of_the_function_app_is_named(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], changed: dict[str, str | None], named: str
) -> None:
    kept = {name: value for name, value in (values | changed).items() if value is not None}
    give(monkeypatch, kept)
    with pytest.raises(ConfigurationError) as wrong:
        functions_bootstrap.settings()
    assert wrong.value.setting == named


@pytest.mark.parametrize("missing", ["ROLLCALL_STACK_SET_NAME", "ROLLCALL_TENANT_ID", "ROLLCALL_CLIENT_ID"])
def test_a_missing_setting_of_the_lambda_functions_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    give(monkeypatch, {name: value for name, value in LAMBDAS.items() if name != missing})
    with pytest.raises(ConfigurationError) as wrong:
        lambdas_bootstrap.settings()
    assert wrong.value.setting == missing


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://management.usgovcloudapi.net",
        "https://management.chinacloudapi.cn/",
        "https://MANAGEMENT.microsoftazure.de",
    ],
)
def test_a_function_app_of_a_sovereign_cloud_is_told_that_there_are_no_connectors(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    give(monkeypatch, FUNCTIONS | {"ROLLCALL_ARM_ENDPOINT": endpoint})
    with pytest.raises(ConfigurationError, match="public Azure only") as refused:
        functions_bootstrap.settings()
    assert refused.value.setting == "ROLLCALL_ARM_ENDPOINT"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWS_REGION", "us-gov-west-1", "commercial partition"),
        ("AWS_REGION", "cn-north-1", "commercial partition"),
        ("ROLLCALL_AUTHORITY_HOST", "https://login.microsoftonline.us", "public Azure only"),
        ("ROLLCALL_AUTHORITY_HOST", "https://login.partner.microsoftonline.cn", "public Azure only"),
    ],
)
def test_a_lambda_of_another_partition_or_authority_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    give(monkeypatch, LAMBDAS | {name: value})
    with pytest.raises(ConfigurationError, match=said) as refused:
        lambdas_bootstrap.settings()
    assert refused.value.setting == name


def test_addresses_that_only_look_sovereign_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, FUNCTIONS | {"ROLLCALL_ARM_ENDPOINT": "https://usgovcloudapi.net.example"})
    assert functions_bootstrap.settings().arm_endpoint == "https://usgovcloudapi.net.example"
