"""Google Cloud is opened when a project is to be worked on, and not before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken

from functions import bootstrap, gcp_bootstrap
from shared.adapters.gcp.access import GoogleAccess
from shared.adapters.gcp.credentials import operators_session
from shared.adapters.settings import GcpSettings
from shared.domain.accounts import Provider
from shared.domain.policy import Policy
from shared.errors import ConfigurationError
from tests.fakes.aws import FakePolicySource
from tests.fakes.clock import FakeClock
from tests.fixtures.read import fixture

SETTINGS = GcpSettings(
    audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/rollcall/providers/function-app",
    service_account="rollcall@mdc-mgmt-proj-200000000001.iam.gserviceaccount.com",
)


class Refusing(requests.adapters.BaseAdapter):
    """Google, to a token that it does not know any more."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]  # unread
        answer = requests.Response()
        answer.status_code = 401
        answer.request = request
        return answer

    def close(self) -> None:
        pass


class NoCredential:
    """Nobody: fails the test where it is asked."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise AssertionError(f"asked for {scopes}")


def access(policy: Policy, settings: GcpSettings = SETTINGS) -> tuple[GoogleAccess, FakePolicySource]:
    source = FakePolicySource(policy)
    return GoogleAccess(NoCredential(), settings, source, FakeClock()), source


def with_projects(policy: Policy, organization: str = "200000000001") -> Policy:
    return replace(policy, gcp=replace(policy, provider=Provider.GCP, organization=organization))


def test_what_is_opened_is_kept_as_long_as_the_policy_speaks_of_one_organization(policy: Policy) -> None:
    google, source = access(with_projects(policy))
    first = google.projects()
    assert google.projects() is first
    source.policy = with_projects(policy, "200000000002")
    assert google.projects() is not first
    google.setup()
    google.identities()


def test_a_policy_without_projects_opens_nothing(policy: Policy) -> None:
    google, _ = access(policy)
    with pytest.raises(ConfigurationError) as wrong:
        google.projects()
    assert "`gcp`" in str(wrong.value.setting)


@pytest.mark.parametrize("opens", ["projects", "setup", "identities"])
def test_a_setting_that_is_missing_is_named_when_it_is_needed(policy: Policy, opens: str) -> None:
    google, _ = access(with_projects(policy), GcpSettings())
    with pytest.raises(ConfigurationError, match="ROLLCALL_GCP__AUDIENCE"):
        getattr(google, opens)()


def test_an_operator_is_whom_the_shell_s_token_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.somebody")
    headers: dict[str, str] = {}
    operators_session().credentials.before_request(None, "GET", "https://example.com", headers)
    assert headers["authorization"] == "Bearer ya29.somebody"


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"type": "authorized_user", "client_id": "a"})])
def test_an_operator_without_credentials_of_use_is_told_how_to_get_some(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "credentials.json"
    if content:
        file.write_text(content, encoding="utf-8")
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(ConfigurationError, match="no credentials for Google Cloud") as refused:
        operators_session()
    assert "gcloud auth application-default login" in refused.value.remedy


@pytest.fixture
def aws_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The settings of a Function App for AWS alone."""
    (tmp_path / "policy.yaml").write_text(fixture("policies/full.yaml"), encoding="utf-8")
    monkeypatch.setenv("ROLLCALL_POLICY", str(tmp_path / "policy.yaml"))
    monkeypatch.setenv("ROLLCALL_QUEUE__QUEUESERVICEURI", "https://store.queue.core.windows.net")
    monkeypatch.setenv("ROLLCALL_LEDGER__TABLESERVICEURI", "https://store.table.core.windows.net")
    cached = (bootstrap.settings, bootstrap.credential, bootstrap.onboard_ports, bootstrap._policy)
    for each in cached:
        each.cache_clear()
    yield
    for each in cached:
        each.cache_clear()


@pytest.mark.usefixtures("aws_only")
def test_a_deployment_for_aws_alone_needs_no_setting_of_google() -> None:
    assert bootstrap.onboard_ports().policy.current().of(Provider.GCP) is None
    with pytest.raises(ConfigurationError, match="says nothing about projects"):
        gcp_bootstrap.project_event_ports()


def test_a_token_that_google_refuses_is_to_be_replaced_by_whoever_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "sample-expired")
    session = operators_session()
    session.mount("https://", Refusing())
    with pytest.raises(ConfigurationError, match="or they have expired") as wrong:
        session.request("GET", "https://cloudresourcemanager.googleapis.com/v3/projects:search")
    assert "gcloud auth print-access-token" in str(wrong.value)
    assert "sample-expired" not in str(wrong.value)
