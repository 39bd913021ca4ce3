"""The sandbox's Google Cloud as an outsider and as the Function App's identity see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.azure.directory import FUNCTIONS
from sandbox.endpoints import Endpoints
from sandbox.variables import function_settings
from shared.adapters.azure.credential_kind import CredentialKind
from shared.adapters.azure.credentials import make_credential
from shared.adapters.clock import SystemClock
from shared.adapters.gcp.client import GoogleClient
from shared.adapters.gcp.credentials import federated_session, identity_of
from shared.adapters.gcp.projects import GcpProjects
from shared.adapters.settings import GcpSettings
from shared.domain.accounts import AccountState
from tests.e2e.roll import Roll, running


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roll]:
    with running(tmp_path_factory.mktemp("google"), gcp_search_lag_seconds=0) as made:
        yield made


def published(roll: Roll) -> Endpoints:
    found = Endpoints.read(roll.sandbox.folder)
    assert found is not None
    return found


def admin(roll: Roll, path: str, body: Any) -> Any:
    answer = requests.post(f"{published(roll).admin}{path}", json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_whoever_has_the_administrator_s_token_sees_what_was_planted(roll: Roll) -> None:
    at = published(roll)
    seed = {"projects": [{"id": "acme-seed-1", "folder": "/Workloads/Prod%2FEU", "labels": {"env": "prod"}}]}
    [number] = admin(roll, "/seed", seed)["projects"]
    asked = {"role": "administrator@example.com", "audience": "https://www.googleapis.com"}
    headers = {"Authorization": f"Bearer {admin(roll, '/token', asked)['access_token']}"}
    url = f"{at.gcp}/cloudresourcemanager/v3/projects:search"
    found = requests.get(url, headers=headers, verify=at.ca_bundle, timeout=20).json()["projects"]
    assert f"projects/{number}" in {each["name"] for each in found}


def test_the_function_app_s_identity_gets_in_by_its_settings(roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = roll.sandbox
    variables = function_settings(sandbox, sandbox.azure.arm_url, "policy")
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, variables[name])
    prefix = "ROLLCALL_GCP__"
    chosen = GcpSettings.model_validate(
        {name.removeprefix(prefix).lower(): value for name, value in variables.items() if name.startswith(prefix)}
    )
    client_id = sandbox.azure.directory.get(FUNCTIONS).client_id
    session = federated_session(
        make_credential(CredentialKind.MANAGED_IDENTITY, client_id=client_id),
        identity_of(chosen),
    )
    client = GoogleClient(session, SystemClock(), endpoint=chosen.endpoint)
    projects = GcpProjects(client, sandbox.gcp.organization, SystemClock())
    seed = {"projects": [{"id": "acme-seed-2", "folder": "/Workloads", "state": "DELETE_REQUESTED"}]}
    [number] = admin(roll, "/seed", seed)["projects"]
    found = projects.find("acme-seed-2")
    assert found is not None
    assert (found.account_id, found.ou_path, found.state) == (number, "/Workloads", AccountState.DELETE_REQUESTED)
    assert number in {each.account_id for each in projects.list_projects()}
