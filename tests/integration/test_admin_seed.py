"""The admin API plants what should have been in Azure before, and refuses what it does not know."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from sandbox.admin import AdminApi
from sandbox.azure.cloud import AzureCloud
from sandbox.azure.directory import FUNCTIONS
from sandbox.certificates import Certificates
from sandbox.cloud import Sandbox
from sandbox.config import SandboxSettings
from sandbox.gcp.cloud import ADMINISTRATOR, GcpCloud
from sandbox.journal import Journal


@pytest.fixture
def azure(tmp_path: Path) -> AzureCloud:
    settings = SandboxSettings(folder=tmp_path)
    return AzureCloud(Journal(), settings, Certificates(tmp_path), lambda account_id, *, tenant_id: None)


@pytest.fixture
def admin(azure: AzureCloud, tmp_path: Path) -> Iterator[str]:
    gcp = GcpCloud(Journal(), SandboxSettings(folder=tmp_path), Certificates(tmp_path), lambda _: None)
    sandbox = SimpleNamespace(azure=azure, gcp=gcp, journal=Journal(), stop_requested=threading.Event())
    api = AdminApi(cast(Sandbox, sandbox))
    yield api.start()
    api.stop()


def seed(admin: str, **parts: Any) -> requests.Response:
    return requests.post(f"{admin}/seed", json=parts, timeout=10)


def test_every_part_of_a_seed_is_planted(admin: str, azure: AzureCloud) -> None:
    own, other = azure.subscription_id, "7a1cf2c4-64be-4d04-b4a4-0f5b9a6d1e11"
    connector = f"/subscriptions/{own}/resourceGroups/g/providers/Microsoft.Security/securityConnectors/c"
    machine = {"id": f"/subscriptions/{own}/resourceGroups/g/providers/N/machines/m", "name": "m", "type": "N/machines"}
    answer = seed(
        admin,
        subscriptions=[
            {"state": "Disabled", "unregistered": ["Microsoft.Security"], "registered": ["Microsoft.Logic"]},
            {"id": other, "name": "other", "resource_groups": ["rg-other"]},
        ],
        roles=[{"identity": FUNCTIONS, "role": "Owner"}],
        resources=[machine],
        locks=[{"scope": f"/subscriptions/{own}", "level": "ReadOnly", "notes": "audit"}],
        pricings=[{"name": "CloudPosture", "properties": {"pricingTier": "Standard"}}],
        assessments=[
            {"connector": connector, "resource": "eks-cluster-c-us-east-1", "resource_type": "ekscluster", "key": "k"}
        ],
        classic_connectors=[{"name": "old", "authentication_details": {"authenticationType": "awsCreds"}}],
    )
    assert (answer.status_code, answer.json()) == (200, {"accounts": [], "projects": []})
    subscription = azure.resources.find_subscription(own)
    assert subscription is not None
    assert subscription.state == "Disabled"
    assert "microsoft.logic" in subscription.registered
    assert "microsoft.security" not in subscription.registered
    assert azure.resources.find_resource_group(other, "RG-OTHER") is not None
    assert azure.directory.allows(azure.directory.get(FUNCTIONS), "Any/thing/write", f"/subscriptions/{own}")
    assert azure.resources.find(machine["id"]) == machine
    below = f"{connector}/securityentitydata/aws-eks-cluster-c-us-east-1/providers/Microsoft.Security/assessments/k"
    assessment = azure.resources.find(below)
    assert assessment is not None
    assert assessment["properties"]["status"]["code"] == "Healthy"
    [lock] = azure.locks.reaching(f"/subscriptions/{own}")
    assert lock["properties"] == {"level": "ReadOnly", "notes": "audit"}
    assert azure.pricings.get(own, "CloudPosture")["properties"] == {"pricingTier": "Standard"}
    assert azure.classic_connectors.answer == "list"


def test_a_lock_stands_on_the_sandbox_s_subscription_and_is_taken_away_by_name(admin: str, azure: AzureCloud) -> None:
    own = f"/subscriptions/{azure.subscription_id}"
    assert seed(admin, locks=[{"name": "freeze"}]).status_code == 200
    assert [each["name"] for each in azure.locks.reaching(own) if each["name"] == "freeze"] == ["freeze"]
    assert seed(admin, locks=[{"name": "freeze", "action": "remove"}]).status_code == 200
    assert [each for each in azure.locks.reaching(own) if each["name"] == "freeze"] == []
    assert seed(admin, locks=[{"name": "freeze", "action": "remove"}]).status_code == 404


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"subscription": []}, 400),
        ({"subscriptions": [{"state": "Asleep"}]}, 400),
        ({"locks": [{"scope": "/subscriptions/s", "level": "NotSpecified"}]}, 400),
        ({"classic_answer": "maybe"}, 400),
        ({"attack_paths": [{"title": "t"}]}, 400),
        ({"compliance": [{"name": "n", "state": "Done"}]}, 400),
        ({"vulnerabilities": [{"resource": "r", "cve": "c", "severity": "Grave"}]}, 400),
        (
            {"assessments": [{"connector": "c", "resource": "r", "resource_type": "t", "key": "k", "status": "Ill"}]},
            400,
        ),
        ({"roles": [{"identity": FUNCTIONS, "role": "Emperor"}]}, 404),
        ({"roles": [{"identity": "nobody", "role": "Owner"}]}, 404),
        ({"pricings": [{"name": "Servers", "properties": {}}]}, 404),
    ],
)
def test_what_the_sandbox_does_not_know_is_refused(admin: str, parts: dict[str, Any], status: int) -> None:
    answer = seed(admin, **parts)
    assert answer.status_code == status
    assert answer.json()["error"]


ARM, GOOGLE = "https://management.azure.com", "https://www.googleapis.com"


@pytest.mark.parametrize(
    ("role", "audience", "there"),
    [
        ("somebody", ARM, f"operator, {FUNCTIONS}, "),
        (ADMINISTRATOR, ARM, f"operator, {FUNCTIONS}, "),
        ("operator", GOOGLE, "the e-mail address of any person"),
        ("x@p.iam.gserviceaccount.com", GOOGLE, "the e-mail address of any person"),
    ],
)
def test_a_token_of_nobody_is_refused_with_the_names_that_there_are(
    admin: str, role: str, audience: str, there: str
) -> None:
    answer = requests.post(f"{admin}/token", json={"role": role, "audience": audience}, timeout=10)
    [said] = answer.json()["error"]
    assert (answer.status_code, said.startswith(f"nobody is named {role}; there are "), there in said) == (
        404,
        True,
        True,
    )


def test_a_token_of_somebody_is_minted(admin: str) -> None:
    for role, audience in (("operator", ARM), (ADMINISTRATOR, GOOGLE)):
        answer = requests.post(f"{admin}/token", json={"role": role, "audience": audience}, timeout=10)
        assert answer.json()["access_token"]
