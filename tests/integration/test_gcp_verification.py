"""What a PUT of a project's connector looks for in the sandbox's Google Cloud, and how it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure.answers import RefusalError
from sandbox.azure.gcp_verification import GcpVerification
from sandbox.config import SandboxSettings
from sandbox.gcp.cloud import GcpCloud
from sandbox.gcp.defender import deploy_defender, inspect_project, pool_of
from sandbox.gcp.hierarchy import Project
from shared.application.look_at_google import LookAtGoogle
from shared.domain.connectors import desired_project_body, to_create
from shared.domain.gcp_connector_api import Project as Named
from shared.domain.gcp_connector_api import ProjectMember, ProjectOrganization
from shared.domain.gcp_identities import services_of
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.project_home import home_of
from tests.fakes.gcp_world import GcpWorld, gcp_world
from tests.fixtures.profiles import FULL
from tests.fixtures.read import account
from tests.unit.test_project_policy import MEMBER

TENANT = SandboxSettings().tenant_id


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path) as found:
        deploy_defender(found.cloud, management(found), TENANT)
        found.cloud.add_project("acme-app-1", services=set(services_of(FULL)))
        yield found


def management(world: GcpWorld) -> Project:
    found = world.cloud.hierarchy.find_project(world.deployed.management_number)
    assert found is not None
    return found


def app(world: GcpWorld) -> Project:
    found = world.cloud.hierarchy.find_project("acme-app-1")
    assert found is not None
    return found


def named(project: Project) -> Named:
    return Named(number=project.number, project_id=project.project_id)


def properties(world: GcpWorld) -> dict[str, Any]:
    """A member's, as the product writes it."""
    membership = ProjectMember(parent=world.cloud.organization, management=named(management(world)))
    body = desired_project_body(named(app(world)), FULL, MEMBER.target, world.cloud.organization, membership)
    found: dict[str, Any] = to_create(body)["properties"]
    return found


def check(world: GcpWorld, wanted: dict[str, Any]) -> None:
    verification = GcpVerification(TENANT)
    verification.inspect_project = partial(inspect_project, world.cloud)
    verification.check(wanted)


def test_what_the_product_writes_is_let_in_once_everything_is_there(world: GcpWorld) -> None:
    check(world, properties(world))


def test_the_organization_connector_is_let_in_with_one_identity_more(world: GcpWorld) -> None:
    project = management(world)
    project.services |= set(services_of(FULL))
    organization = ProjectOrganization(excluded=())
    body = desired_project_body(named(project), FULL, MEMBER.target, world.cloud.organization, organization)
    check(world, to_create(body)["properties"])
    del world.cloud.identities.accounts[f"mdc-onboarding-sa@{project.project_id}.iam.gserviceaccount.com"]
    with pytest.raises(RefusalError):
        check(world, to_create(body)["properties"])


def cspm(world: GcpWorld) -> str:
    return f"microsoft-defender-cspm@{management(world).project_id}.iam.gserviceaccount.com"


def provider(world: GcpWorld) -> dict[str, Any]:
    return world.cloud.identities.providers[f"{pool_of(management(world).number, TENANT)}/providers/cspm"]


BREAKS: dict[str, Callable[[GcpWorld], object]] = {
    "no project": lambda world: setattr(app(world), "project_id", "other-id-1"),
    "deleted": lambda world: setattr(app(world), "state", "DELETE_REQUESTED"),
    "api": lambda world: app(world).services.discard("compute.googleapis.com"),
    "pool": lambda world: world.cloud.identities.pools[pool_of(management(world).number, TENANT)].update(
        state="DELETED"
    ),
    "provider": lambda world: provider(world).update(disabled=True),
    "issuer": lambda world: provider(world)["oidc"].update(issuerUri="https://elsewhere.example.com/"),
    "audience": lambda world: provider(world)["oidc"].update(allowedAudiences=["api://other"]),
    "account": lambda world: world.cloud.identities.accounts[cspm(world)].update(disabled=True),
    "binding": lambda world: world.cloud.access.revoke(
        f"serviceAccounts/{cspm(world)}", "roles/iam.workloadIdentityUser"
    ),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_whatever_is_missing_is_refused_with_the_recorded_words(world: GcpWorld, broken: str) -> None:
    wanted = properties(world)
    BREAKS[broken](world)
    with pytest.raises(RefusalError) as refusal:
        check(world, deepcopy(wanted))
    assert refusal.value.status == 400
    assert "There is a problem with authenticating to your GCP project." in refusal.value.body["errorMessage"]


@pytest.mark.parametrize("broken", ["binding", "account", "audience", "issuer", "provider", "pool"])
def test_the_product_s_own_look_agrees_about_identities(world: GcpWorld, broken: str) -> None:
    project = management(world)
    project.services |= set(services_of(FULL))
    seen = account(project.number, name=project.project_id)
    home = home_of(seen, FULL, replace(MEMBER, tenant_id=TENANT))

    def lacks() -> list[SweepFinding]:
        return list(LookAtGoogle(world.google(), home).at_identities())

    assert lacks() == []
    BREAKS[broken](world)
    assert len(lacks()) == 1


def test_nobody_looks_where_there_is_no_google_cloud(world: GcpWorld) -> None:
    with pytest.raises(RefusalError):
        GcpVerification(TENANT).check(properties(world))
    assert isinstance(world.cloud, GcpCloud)
