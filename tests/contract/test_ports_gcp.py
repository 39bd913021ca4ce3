"""One suite for Google's projects, their setup and identities: the fakes, and the adapters on the sandbox."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import pytest

from shared.adapters.clock import SystemClock
from shared.adapters.gcp import projects as adapter
from shared.adapters.gcp.identities import GcpProjectIdentities
from shared.adapters.gcp.projects import GcpProjects
from shared.adapters.gcp.rules import GcpOrganizationRules
from shared.adapters.gcp.setup import GcpProjectSetup
from shared.application.gcp_ports import OrganizationRules, ProjectIdentities, Projects, ProjectSetup
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.sweep.project_identity import (
    CustomRoleSeen,
    FederationProviderSeen,
    ListPolicySeen,
    PoolSeen,
    ServiceAccountSeen,
)
from shared.errors import PermanentError, TransientError
from tests.contract.conftest import becomes_wrong_deployment
from tests.fakes.clock import FakeClock
from tests.fakes.gcp import FakeOrganizationRules, FakeProjectIdentities, FakeProjects, FakeProjectSetup
from tests.fakes.gcp_world import GcpWorld, gcp_world

ISSUER = "https://sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/"
CSPM = "api://6e81e733-9e7f-474a-85f0-385c097f7f52"
USER, CREATOR = "roles/iam.workloadIdentityUser", "roles/iam.serviceAccountTokenCreator"
_numbers = itertools.count(100000000001)


class Google(Protocol):
    """The ports, and how a test changes what they show."""

    @property
    def projects(self) -> Projects: ...

    @property
    def setup(self) -> ProjectSetup: ...

    @property
    def identities(self) -> ProjectIdentities: ...

    @property
    def rules(self) -> OrganizationRules: ...

    @property
    def organization(self) -> str: ...

    def add(self, project_id: str, *folders: str, state: str = ..., labels: Mapping[str, str] | None = ...) -> str: ...

    def enabled(self, number: str) -> set[str]: ...

    def add_pool(self, number: str, pool_id: str, *, state: str = ...) -> None: ...

    def add_provider(self, number: str, pool_id: str, provider_id: str, *, disabled: bool = ...) -> None: ...

    def add_account(self, project_id: str, name: str) -> str: ...

    def bind(self, email: str, role: str, member: str) -> None: ...

    def grant(self, role: str, member: str) -> None: ...

    def add_role(self, role_id: str, stage: str) -> None: ...

    def restrict(self, root: str, project: str, constraint: str, *values: str) -> None: ...


class FakeGoogle:
    """The fakes."""

    def __init__(self) -> None:
        self.projects = FakeProjects()
        self.setup = FakeProjectSetup()
        self.identities = FakeProjectIdentities()
        self.rules = FakeOrganizationRules()
        self.organization = "518249130711"

    def add(
        self, project_id: str, *folders: str, state: str = "ACTIVE", labels: Mapping[str, str] | None = None
    ) -> str:
        number = str(next(_numbers))
        self.projects.add(
            Account(
                account_id=number,
                name=project_id,
                state=AccountState(state),
                ou_path="/" + "/".join(each.replace("/", "%2F") for each in folders),
                joined_at=datetime.now(UTC),
                tags=dict(labels or {}),
                provider=Provider.GCP,
            )
        )
        return number

    def enabled(self, number: str) -> set[str]:
        return self.setup.services.setdefault(number, set())

    def add_pool(self, number: str, pool_id: str, *, state: str = "ACTIVE") -> None:
        self.identities.pools[number, pool_id] = PoolSeen(usable=state == "ACTIVE", deleted=state == "DELETED")

    def add_provider(self, number: str, pool_id: str, provider_id: str, *, disabled: bool = False) -> None:
        pool = self.identities.pools[number, pool_id]
        seen = FederationProviderSeen(usable=not disabled, issuer=ISSUER, audiences=frozenset({CSPM}))
        self.identities.pools[number, pool_id] = PoolSeen(
            usable=pool.usable, providers={**pool.providers, provider_id: seen}
        )

    def add_account(self, project_id: str, name: str) -> str:
        email = f"{name}@{project_id}.iam.gserviceaccount.com"
        self.identities.accounts[email] = ServiceAccountSeen(usable=True)
        return email

    def bind(self, email: str, role: str, member: str) -> None:
        seen = self.identities.accounts[email]
        self.identities.accounts[email] = ServiceAccountSeen(
            usable=seen.usable,
            federated=seen.federated | ({member} if role == USER else set()),
            token_creators=seen.token_creators | ({member} if role == CREATOR else set()),
        )

    def grant(self, role: str, member: str) -> None:
        self.rules.grant(self.organization, role, member)

    def add_role(self, role_id: str, stage: str) -> None:
        seen = CustomRoleSeen(deleted=stage == "DELETED", disabled=stage == "DISABLED")
        self.rules.roles[self.organization, role_id] = seen

    def restrict(self, root: str, project: str, constraint: str, *values: str) -> None:
        seen = ListPolicySeen(allowed=frozenset(each.removeprefix("is:") for each in values))
        self.rules.policies |= {(root, constraint): seen, (project, constraint): seen}


class SandboxGoogle:
    """The adapters on the sandbox's Google Cloud."""

    def __init__(self, world: GcpWorld) -> None:
        self.world = world
        client = world.client()
        self.projects = GcpProjects(client, world.cloud.organization, SystemClock())
        self.setup = GcpProjectSetup(client, SystemClock())
        self.identities = GcpProjectIdentities(client)
        self.rules = GcpOrganizationRules(client)
        self.organization = world.cloud.organization

    def add(
        self, project_id: str, *folders: str, state: str = "ACTIVE", labels: Mapping[str, str] | None = None
    ) -> str:
        cloud = self.world.cloud
        parent = cloud.folder_at("/" + "/".join(each.replace("/", "%2F") for each in folders))
        return cloud.add_project(project_id, parent, state=state, labels=dict(labels or {})).number

    def enabled(self, number: str) -> set[str]:
        project = self.world.cloud.hierarchy.find_project(number)
        assert project is not None
        return project.services

    def add_pool(self, number: str, pool_id: str, *, state: str = "ACTIVE") -> None:
        self.world.cloud.identities.add_pool(self._pool(number, pool_id), state=state)

    def add_provider(self, number: str, pool_id: str, provider_id: str, *, disabled: bool = False) -> None:
        self.world.cloud.identities.add_provider(
            f"{self._pool(number, pool_id)}/providers/{provider_id}",
            oidc={"issuerUri": ISSUER, "allowedAudiences": [CSPM]},
            **({"disabled": True} if disabled else {}),
        )

    def add_account(self, project_id: str, name: str) -> str:
        return self.world.cloud.identities.add_account(name, project_id)

    def bind(self, email: str, role: str, member: str) -> None:
        self.world.cloud.access.grant(f"serviceAccounts/{email}", role, member)

    def grant(self, role: str, member: str) -> None:
        self.world.cloud.access.grant(self.world.cloud.hierarchy.root, role, member)

    def add_role(self, role_id: str, stage: str) -> None:
        name = f"{self.world.cloud.hierarchy.root}/roles/{role_id}"
        self.world.cloud.access.define(name, ["compute.instances.get"])
        self.world.cloud.access.stage(name, stage)

    def restrict(self, root: str, project: str, constraint: str, *values: str) -> None:
        assert project.startswith("projects/")
        self.world.cloud.org_policies.allow(root, constraint, *values)

    @staticmethod
    def _pool(number: str, pool_id: str) -> str:
        return f"projects/{number}/locations/global/workloadIdentityPools/{pool_id}"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path_factory.mktemp("gcp"), standalone=True) as found:
        yield found


@pytest.fixture(params=["fake", "sandbox"])
def google(request: pytest.FixtureRequest) -> Google:
    return FakeGoogle() if request.param == "fake" else SandboxGoogle(request.getfixturevalue("world"))


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


def test_every_page_of_a_listing_is_read_and_each_folder_once(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
    numbers = {google.add(f"acme-app-{each:02d}", "Workloads", "Prod") for each in range(23)}
    world.cloud.resource_manager.most_per_page = 5
    before = len(world.journal)
    listed = {each.account_id for each in google.projects.list_projects()}
    assert listed == numbers | {world.deployed.management_number}
    asked = [entry.operation for entry in world.journal.entries(since=before)]
    assert asked.count("gcp:cloudresourcemanager.projects.search") == 5
    assert asked.count("gcp:cloudresourcemanager.folders.get") == 2


def test_projects_elsewhere_are_not_there(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
    alone = world.cloud.add_project("acme-alone-1", "")
    stranger = world.cloud.add_project("acme-strange-1", "folders/123456789012")
    for project in (alone, stranger):
        assert not google.projects.is_elsewhere(project.number), "nobody may see it yet"
        world.cloud.access.grant(project.name, "roles/browser", f"serviceAccount:{world.deployed.service_account}")
        assert google.projects.find(project.number) is None
        assert google.projects.is_elsewhere(project.project_id)
    assert {each.name for each in google.projects.list_projects()} == {world.deployed.management_project}


def test_a_refused_folder_is_asked_for_again_and_is_a_reason_to_ask_what_may_be_seen(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
    number = google.add("acme-shop-1", "Workloads")
    folder = next(iter(world.cloud.hierarchy.folders()))
    root, folder.parent = folder.parent, "organizations/123456789012"  # it lies in another organization
    world.cloud.access.grant(f"projects/{number}", "roles/browser", f"serviceAccount:{world.deployed.service_account}")
    before = len(world.journal)
    assert google.projects.find(number) is None
    asked = [entry.operation for entry in world.journal.entries(since=before)]
    assert asked[-2:] == [
        "gcp:cloudresourcemanager.folders.get",
        "gcp:cloudresourcemanager.organizations.testIamPermissions",
    ]
    folder.parent = root
    found = google.projects.find(number)
    assert found is not None
    assert found.ou_path == "/Workloads"


def test_a_listing_whose_right_is_away_while_a_folder_is_read_is_an_error(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
    member = f"serviceAccount:{world.deployed.service_account}"
    placed = {"acme-app-1": (), "acme-app-2": ("Workloads",), "acme-app-3": ()}
    numbers = [world.deployed.management_number, *(google.add(name, *place) for name, place in placed.items())]
    for number in numbers:
        world.cloud.access.grant(f"projects/{number}", "roles/browser", member)
    world.cloud.resource_manager.most_per_page = 1
    listing = google.projects.list_projects()
    assert any(each.name == "acme-app-1" for each in listing)
    world.cloud.access.revoke(world.cloud.hierarchy.root, world.deployed.role)
    with pytest.raises(TransientError) as raised:
        for _ in listing:
            world.cloud.access.grant(world.cloud.hierarchy.root, world.deployed.role, member)
    assert raised.value.key == "gcp-permission-denied"


def test_a_moved_project_is_found_at_its_new_place_at_once(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
    number = google.add("acme-shop-1", "Workloads")
    google.add("acme-shop-2", "Quarantine")
    target = next(each for each in world.cloud.hierarchy.folders() if each.display_name == "Quarantine")
    assert google.projects.find(number) is not None
    moved = world.ask("POST", f"/cloudresourcemanager/v3/projects/{number}:move", {"destinationParent": target.name})
    assert moved.status_code == 200
    found = google.projects.find(number)
    assert found is not None
    assert found.ou_path == "/Quarantine"


def test_a_renamed_folder_is_known_by_its_new_name_after_five_minutes(world: GcpWorld) -> None:
    clock = FakeClock()
    projects = GcpProjects(world.client(), world.cloud.organization, clock)
    number = SandboxGoogle(world).add("acme-shop-1", "Workloads")
    before = projects.find(number)
    next(iter(world.cloud.hierarchy.folders())).display_name = "Payments"
    clock.advance(adapter._FOLDERS_KEPT_SECONDS - 1)
    assert projects.find(number) == before
    clock.advance(2)
    found = projects.find(number)
    assert found is not None
    assert found.ou_path == "/Payments"


def test_without_sight_of_the_whole_organization_nothing_is_listed_and_absence_is_no_answer(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
    number = google.add("acme-shop-1")
    world.cloud.access.revoke(world.cloud.hierarchy.root, world.deployed.role)
    member = f"serviceAccount:{world.deployed.service_account}"
    world.cloud.access.grant(f"projects/{number}", "roles/browser", member)
    inside = google.add("acme-shop-2", "Workloads")
    world.cloud.access.grant(f"projects/{inside}", "roles/browser", member)
    for ask in (
        lambda: list(google.projects.list_projects()),
        lambda: google.projects.find("acme-nowhere-1"),
        lambda: google.projects.find(inside),
    ):
        with pytest.raises(TransientError) as raised:
            ask()
        assert raised.value.key == "gcp-permission-denied"
        assert "resourcemanager.projects.get" in raised.value.reason
        assert becomes_wrong_deployment(raised.value)


def test_a_listing_that_breaks_off_is_an_error(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
    for each in range(6):
        google.add(f"acme-app-{each}")
    world.cloud.resource_manager.most_per_page = 3
    listing = google.projects.list_projects()
    next(listing)
    world.cloud.tokens.revoke_all()
    with pytest.raises(TransientError) as raised:
        list(listing)
    assert raised.value.key == "gcp-unauthenticated"


def test_a_listing_whose_right_is_taken_away_meanwhile_is_an_error(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
    for each in range(6):
        google.add(f"acme-app-{each}")
    world.cloud.resource_manager.most_per_page = 3
    listing = google.projects.list_projects()
    next(listing)
    world.cloud.access.revoke(world.cloud.hierarchy.root, world.deployed.role)
    with pytest.raises(TransientError) as raised:
        list(listing)
    assert raised.value.key == "gcp-permission-denied"


def test_an_api_that_needs_billing_is_refused_for_good(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
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
    number = SandboxGoogle(world).add("acme-shop-1")
    clock.sleep = SystemClock().sleep  # type: ignore[method-assign]  # the operation ends by real time
    setup.enable_services(number, ["compute.googleapis.com"])
    setup.set_metadata("acme-shop-1", "enable-osconfig", "TRUE")
    operations = [each.operation for each in world.journal.entries()]
    assert "gcp:serviceusage.operations.get" in operations
    assert "gcp:compute.globalOperations.get" in operations


def test_metadata_that_somebody_else_changes_meanwhile_is_kept(
    world: GcpWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    google = SandboxGoogle(world)
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
    google = SandboxGoogle(world)
    number = google.add("acme-shop-1")
    with pytest.raises(TransientError) as raised:
        google.setup.find_metadata("acme-shop-1", "enable-osconfig")
    assert raised.value.key == "gcp-api-disabled"
    assert f"Enable the API compute.googleapis.com in projects/{number}." in raised.value.remedy


def test_a_conditional_binding_is_told_as_such(world: GcpWorld) -> None:
    google = SandboxGoogle(world)
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
