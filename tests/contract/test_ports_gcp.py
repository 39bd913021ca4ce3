"""One suite for Google's projects, their setup and identities: the fakes, and the adapters on the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from shared.adapters.clock import SystemClock
from shared.adapters.gcp.setup import GcpProjectSetup
from shared.domain.accounts import AccountState, Provider
from shared.domain.sweep.project_identity import (
    CustomRoleSeen,
    FederationProviderSeen,
    ListPolicySeen,
    ServiceAccountSeen,
)
from shared.errors import PermanentError, TransientError
from tests.fakes.clock import FakeClock
from tests.fakes.gcp_sides import CREATOR, CSPM, ISSUER, USER, Google, GoogleInMemory, GoogleInTheSandbox
from tests.fakes.gcp_world import GcpWorld, gcp_world


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path_factory.mktemp("gcp"), standalone=True) as found:
        yield found


@pytest.fixture(params=["fake", "sandbox"])
def google(request: pytest.FixtureRequest) -> Google:
    return GoogleInMemory() if request.param == "fake" else GoogleInTheSandbox(request.getfixturevalue("world"))


def test_a_project_is_found_by_number_and_by_id_with_its_path_and_labels(google: Google) -> None:
    number = google.add("acme-shop-1", "Workloads", "Prod/EU", labels={"env": "prod"})
    found = google.projects.find(number)
    assert found is not None
    assert (found.account_id, found.name, found.provider) == (number, "acme-shop-1", Provider.GCP)
    assert (found.ou_path, found.tags, found.state) == ("/Workloads/Prod%2FEU", {"env": "prod"}, AccountState.ACTIVE)
    assert found.joined_at is not None
    assert abs((datetime.now(UTC) - found.joined_at).total_seconds()) < 60
    assert google.projects.find("acme-shop-1") == found


def test_a_project_directly_below_the_organization_lies_at_the_root(google: Google) -> None:
    found = google.projects.find(google.add("acme-root-1"))
    assert found is not None
    assert found.ou_path == "/"


@pytest.mark.parametrize("project", ["999999999999", "acme-nowhere-1", "", "../organizations/1", "UPPER"])
def test_what_is_not_there_is_none(google: Google, project: str) -> None:
    number = google.add("acme-shop-1")
    assert google.projects.find(project) is None
    assert not google.projects.is_elsewhere(project)
    assert not google.projects.is_elsewhere(number)


def test_a_listing_has_every_project_whatever_its_state_and_agrees_with_find(google: Google) -> None:
    one = google.add("acme-shop-1", "Workloads", labels={"env": "prod"})
    two = google.add("sys-1234567890", "system-gsuite", "apps-script")
    gone = google.add("acme-old-1", state="DELETE_REQUESTED")
    listed = {each.account_id: each for each in google.projects.list_projects()}
    assert {one, two, gone} <= set(listed)
    assert listed[gone].state is AccountState.DELETE_REQUESTED
    assert listed[two].ou_path == "/system-gsuite/apps-script"
    assert all(google.projects.find(number) == listed[number] for number in (one, two, gone))


def test_services_are_missing_until_they_are_enabled(google: Google) -> None:
    number = google.add("acme-shop-1")
    google.enabled(number).add("iam.googleapis.com")
    wanted = ("compute.googleapis.com", "iam.googleapis.com", "sts.googleapis.com")
    assert google.setup.missing_services(number, wanted) == ("compute.googleapis.com", "sts.googleapis.com")
    google.setup.enable_services(number, ["compute.googleapis.com", "sts.googleapis.com"])
    assert google.setup.missing_services(number, wanted) == ()
    google.setup.enable_services(number, wanted)
    assert set(wanted) <= google.enabled(number)


def test_more_services_than_one_request_takes(google: Google) -> None:
    number = google.add("acme-shop-1")
    many = [f"sample{each:02d}.googleapis.com" for each in range(43)]
    assert google.setup.missing_services(number, many) == tuple(many)
    google.setup.enable_services(number, many)
    assert google.setup.missing_services(number, many) == ()
    assert google.setup.missing_services(number, []) == ()


def test_metadata_is_set_beside_what_is_there(google: Google) -> None:
    number = google.add("acme-shop-1")
    google.enabled(number).add("compute.googleapis.com")
    assert google.setup.find_metadata("acme-shop-1", "enable-osconfig") is None
    google.setup.set_metadata("acme-shop-1", "ssh-keys", "sample")
    google.setup.set_metadata("acme-shop-1", "enable-osconfig", "FALSE")
    google.setup.set_metadata("acme-shop-1", "enable-osconfig", "TRUE")
    assert google.setup.find_metadata("acme-shop-1", "enable-osconfig") == "TRUE"
    assert google.setup.find_metadata("acme-shop-1", "ssh-keys") == "sample"


def test_pool_provider_account_binding_and_token_creator_are_told_apart(google: Google) -> None:
    number = google.add("acme-shop-1")
    google.enabled(number).add("iam.googleapis.com")
    assert google.identities.find_pool(number, "tenant") is None
    assert google.identities.find_account("acme-shop-1", "sa@acme-shop-1.iam.gserviceaccount.com") is None
    google.add_pool(number, "tenant")
    google.add_provider(number, "tenant", "cspm")
    google.add_provider(number, "tenant", "containers", disabled=True)
    bound, creating, bare = (google.add_account("acme-shop-1", name) for name in ("bound", "creating", "bare"))
    member = f"principalSet://iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/tenant/*"
    google.bind(bound, USER, member)
    google.bind(creating, CREATOR, member)
    pool, find = google.identities.find_pool(number, "tenant"), partial(google.identities.find_account, "acme-shop-1")
    assert pool is not None
    assert (pool.usable, pool.deleted) == (True, False)
    assert pool.providers["cspm"] == FederationProviderSeen(usable=True, issuer=ISSUER, audiences=frozenset({CSPM}))
    disabled = pool.providers["containers"]
    assert (disabled.usable, disabled.deleted) == (False, False)
    assert find(bound) == ServiceAccountSeen(usable=True, federated=frozenset({member}))
    assert find(creating) == ServiceAccountSeen(usable=True, token_creators=frozenset({member}))
    assert find(bare) == ServiceAccountSeen(usable=True)


def test_a_deleted_pool_is_there_and_unusable(google: Google) -> None:
    number = google.add("acme-shop-1")
    google.enabled(number).add("iam.googleapis.com")
    google.add_pool(number, "tenant", state="DELETED")
    pool = google.identities.find_pool(number, "tenant")
    assert pool is not None
    assert (pool.usable, pool.deleted) == (False, True)


def test_who_has_which_role_on_the_organization(google: Google) -> None:
    google.grant("roles/container.viewer", "serviceAccount:one@acme-shop-1.iam.gserviceaccount.com")
    google.grant("roles/container.viewer", "serviceAccount:two@acme-shop-1.iam.gserviceaccount.com")
    found = google.rules.grants(google.organization)
    assert found["roles/container.viewer"] == {
        f"serviceAccount:{name}@acme-shop-1.iam.gserviceaccount.com" for name in ("one", "two")
    }
    assert "roles/container.admin" not in found


@pytest.mark.parametrize(
    ("stage", "seen"),
    [
        ("GA", CustomRoleSeen()),
        ("DELETED", CustomRoleSeen(deleted=True)),
        ("DISABLED", CustomRoleSeen(disabled=True)),
        ("", None),
    ],
)
def test_a_custom_role_is_there_deleted_disabled_or_not_there(
    google: Google, stage: str, seen: CustomRoleSeen | None
) -> None:
    if stage:
        google.add_role("MDCCustomRole", stage)
    assert google.rules.find_role(google.organization, "MDCCustomRole") == seen


def test_a_policy_holds_for_what_is_below_it(google: Google) -> None:
    number, constraint = google.add("acme-shop-1", "Workloads"), "compute.storageResourceUseRestrictions"
    root, project = f"organizations/{google.organization}", f"projects/{number}"
    assert google.rules.list_policy(project, constraint) == ListPolicySeen()
    google.restrict(root, project, constraint, "under:organizations/1", "is:projects/2")
    seen = ListPolicySeen(allowed=frozenset({"under:organizations/1", "projects/2"}))
    assert google.rules.list_policy(root, constraint) == seen
    assert google.rules.list_policy(project, constraint) == seen
    google.restrict(root, project, constraint)
    assert google.rules.list_policy(project, constraint) == ListPolicySeen(allowed=frozenset())


# What only the real adapters can get wrong


def test_an_api_that_needs_billing_is_refused_for_good(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    number = google.add("acme-poor-1")
    project = world.cloud.hierarchy.find_project(number)
    assert project is not None
    project.billing = False
    with pytest.raises(PermanentError) as raised:
        google.setup.enable_services(number, ["sts.googleapis.com", "compute.googleapis.com"])
    assert raised.value.key == "gcp-billing-missing"
    assert google.setup.missing_services(number, ["sts.googleapis.com"]) == ("sts.googleapis.com",)


def test_an_operation_is_waited_for(world: GcpWorld) -> None:
    world.cloud.operation_seconds = 0.3
    clock = FakeClock()
    setup = GcpProjectSetup(world.client(), clock)
    number = GoogleInTheSandbox(world).add("acme-shop-1")
    clock.sleep = SystemClock().sleep  # type: ignore[method-assign]  # the operation ends by real time
    setup.enable_services(number, ["compute.googleapis.com"])
    setup.set_metadata("acme-shop-1", "enable-osconfig", "TRUE")
    operations = [each.operation for each in world.journal.entries()]
    assert "gcp:serviceusage.operations.get" in operations
    assert "gcp:compute.globalOperations.get" in operations


def test_metadata_that_somebody_else_changes_meanwhile_is_kept(
    world: GcpWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    google = GoogleInTheSandbox(world)
    number = google.add("acme-shop-1")
    google.enabled(number).add("compute.googleapis.com")
    project = world.cloud.hierarchy.find_project(number)
    assert project is not None
    read = google.setup._metadata
    struck: list[str] = []

    def interfering(project_id: str) -> tuple[str, dict[str, str]]:
        found = read(project_id)
        if not struck:
            struck.append(project_id)
            project.metadata["ssh-keys"] = "somebody's"
        return found

    monkeypatch.setattr(google.setup, "_metadata", interfering)
    google.setup.set_metadata("acme-shop-1", "enable-osconfig", "TRUE")
    assert project.metadata == {"ssh-keys": "somebody's", "enable-osconfig": "TRUE"}


def test_compute_engine_switched_off_is_told_with_the_api_s_name(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    number = google.add("acme-shop-1")
    with pytest.raises(TransientError) as raised:
        google.setup.find_metadata("acme-shop-1", "enable-osconfig")
    assert raised.value.key == "gcp-api-disabled"
    assert f"Enable the API compute.googleapis.com in projects/{number}." in raised.value.remedy


def test_a_conditional_binding_is_told_as_such(world: GcpWorld) -> None:
    google = GoogleInTheSandbox(world)
    number = google.add("acme-shop-1")
    email = google.add_account("acme-shop-1", "bound")
    condition = {"title": "until noon", "expression": "request.time < timestamp('2026-11-26T12:00:00Z')"}
    bindings = [{"role": USER, "members": ["principal://sample"], "condition": condition}]
    path = f"/iam/v1/projects/-/serviceAccounts/{email}:setIamPolicy"
    google.enabled(number).add("iam.googleapis.com")
    assert world.ask("POST", path, {"policy": {"bindings": bindings, "version": 3}}).status_code == 200
    assert google.identities.find_account("acme-shop-1", email) == ServiceAccountSeen(
        usable=True, conditional=frozenset({"principal://sample"})
    )
