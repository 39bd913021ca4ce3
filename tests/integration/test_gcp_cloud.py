"""The simulated Google Cloud by plain HTTP and by google-auth: tokens, permissions, owners' rules, faults."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.azure.directory import FUNCTIONS, OPERATOR
from sandbox.azure.entra import GOOGLE_AUDIENCE
from sandbox.azure.tokens import Tokens
from sandbox.faults import Fault, FaultKind
from sandbox.gcp.deployment import IDENTITIES_PERMISSIONS, POLICY_VIEWER, POOL_VIEWER, ROLE_PERMISSIONS
from sandbox.gcp.org_policies import ISSUERS, SHARING
from shared.adapters.gcp.client import GoogleClient
from shared.adapters.gcp.identities import GcpProjectIdentities
from shared.adapters.gcp.instances import GcpInstances
from shared.adapters.gcp.projects import GcpProjects
from shared.adapters.gcp.rules import GcpOrganizationRules
from shared.adapters.gcp.setup import GcpProjectSetup
from shared.errors import ConfigurationError, RollcallError, TransientError
from tests.fakes.clock import FakeClock
from tests.fakes.gcp_world import GcpWorld, gcp_world

SHOP = "acme-shop-1"
PROJECT = f"/cloudresourcemanager/v3/projects/{SHOP}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path) as found:
        found.cloud.add_project(SHOP, found.cloud.add_folder("Workloads").name)
        yield found


def read(client: GoogleClient) -> dict[str, Any]:
    return client.get("cloudresourcemanager", f"/v3/projects/{SHOP}", "read the project")


def provider(world: GcpWorld) -> dict[str, Any]:
    return world.cloud.identities.providers[world.deployed.audience.removeprefix("//iam.googleapis.com/")]


def exchanged(world: GcpWorld, token: str, **changes: str) -> requests.Response:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": world.deployed.audience,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    verify = str(world.certificates.bundle_path)
    return requests.post(f"{world.cloud.url}/sts/v1/token", data=form | changes, verify=verify, timeout=20)


def test_the_managed_identity_becomes_the_service_account_and_reads(world: GcpWorld) -> None:
    assert read(world.client())["projectId"] == SHOP
    seen = [(entry.operation, entry.identity) for entry in world.journal.entries()]
    assert seen == [
        ("gcp:sts.token", "anonymous"),
        ("gcp:iamcredentials.projects.serviceAccounts.generateAccessToken", world.deployed.member),
        ("gcp:cloudresourcemanager.projects.get", world.deployed.service_account),
    ]


BROKEN: dict[str, tuple[Callable[[GcpWorld], object], type[RollcallError], str]] = {
    "no provider": (
        lambda world: world.cloud.identities.providers.clear(),
        TransientError,
        "gcp-federation-missing",
    ),
    "a deleted pool": (
        lambda world: [pool.update(state="DELETED") for pool in world.cloud.identities.pools.values()],
        TransientError,
        "gcp-federation-missing",
    ),
    "a disabled provider": (
        lambda world: provider(world).update(disabled=True),
        TransientError,
        "gcp-federation-missing",
    ),
    "another audience": (
        lambda world: provider(world)["oidc"].update(allowedAudiences=["api://other"]),
        ConfigurationError,
        "gcp-token-refused",
    ),
    "another tenant's issuer": (
        lambda world: provider(world)["oidc"].update(issuerUri="https://sts.windows.net/other/"),
        ConfigurationError,
        "gcp-token-refused",
    ),
    "another identity's condition": (
        lambda world: provider(world).update(attributeCondition="google.subject == 'other'"),
        ConfigurationError,
        "gcp-token-refused",
    ),
    "no binding": (
        lambda world: world.cloud.access.revoke(
            f"serviceAccounts/{world.deployed.service_account}", "roles/iam.workloadIdentityUser"
        ),
        TransientError,
        "gcp-impersonation-denied",
    ),
    "no service account": (
        lambda world: world.cloud.identities.accounts.clear(),
        TransientError,
        "gcp-impersonation-denied",
    ),
    "a disabled service account": (
        lambda world: world.cloud.identities.accounts[world.deployed.service_account].update(disabled=True),
        ConfigurationError,
        "gcp-token-refused",
    ),
    "no IAM Credentials": (
        lambda world: services(world, world.deployed.management_number).discard("iamcredentials.googleapis.com"),
        TransientError,
        "gcp-api-disabled",
    ),
    "no Resource Manager": (
        lambda world: services(world, world.deployed.management_number).discard("cloudresourcemanager.googleapis.com"),
        TransientError,
        "gcp-api-disabled",
    ),
    "no role": (
        lambda world: world.cloud.access.revoke(world.cloud.hierarchy.root, world.deployed.role),
        TransientError,
        "gcp-permission-denied",
    ),
    "a perimeter": (
        lambda world: world.cloud.gate.perimeter.update(each.number for each in world.cloud.hierarchy.projects()),
        ConfigurationError,
        "gcp-service-perimeter",
    ),
}


def services(world: GcpWorld, number: str) -> set[str]:
    project = world.cloud.hierarchy.find_project(number)
    assert project is not None
    return project.services


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_on_the_way_is_told_apart(world: GcpWorld, broken: str) -> None:
    spoil, kind, key = BROKEN[broken]
    spoil(world)
    with pytest.raises(RollcallError) as raised:
        read(world.client())
    assert (type(raised.value), raised.value.key) == (kind, key)


def test_the_token_creator_role_does_as_well(world: GcpWorld) -> None:
    account = f"serviceAccounts/{world.deployed.service_account}"
    world.cloud.access.revoke(account, "roles/iam.workloadIdentityUser")
    world.cloud.access.grant(account, "roles/iam.serviceAccountTokenCreator", world.deployed.member)
    assert read(world.client())["projectId"] == SHOP


def test_google_checks_the_token_itself(world: GcpWorld) -> None:
    ours = world.directory.get(FUNCTIONS)
    forger = Tokens(world.directory)
    cases = {
        world.tokens.mint(ours, GOOGLE_AUDIENCE): (200, ""),
        forger.mint(ours, GOOGLE_AUDIENCE): (400, "Unable to verify the ID Token signature."),
        world.tokens.mint(ours, "https://management.azure.com"): (400, "The audience in ID Token"),
        world.tokens.mint(ours, GOOGLE_AUDIENCE, lifetime_seconds=-120): (400, "is stale to sign-in."),
        world.tokens.mint(world.directory.get(OPERATOR), GOOGLE_AUDIENCE): (400, "rejected by the attribute condition"),
        "no token": (400, "Unable to parse"),
    }
    for token, (status, words) in cases.items():
        answer = exchanged(world, token)
        assert answer.status_code == status, answer.text
        assert words in answer.json().get("error_description", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "https://iam.googleapis.com/projects/1"},
        {"grant_type": "client_credentials"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_exchange_that_asks_for_something_else_is_refused(world: GcpWorld, changes: dict[str, str]) -> None:
    answer = exchanged(world, world.get_token(GOOGLE_AUDIENCE).token, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("token", ["", "ya29.forged", "Bearer"])
def test_without_a_token_of_google_nothing_is_answered(world: GcpWorld, token: str) -> None:
    answer = world.ask("GET", PROJECT, token=token)
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_a_federated_token_alone_may_do_nothing(world: GcpWorld) -> None:
    federated = exchanged(world, world.get_token(GOOGLE_AUDIENCE).token).json()["access_token"]
    assert world.ask("GET", PROJECT, token=federated).status_code == 403


@pytest.mark.parametrize("project", [SHOP, "acme-nowhere-1"])
def test_absence_and_refusal_are_the_same_to_who_may_not_look(world: GcpWorld, project: str) -> None:
    answer = world.ask("GET", f"/cloudresourcemanager/v3/projects/{project}", who="stranger@example.com")
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert "(or it may not exist)" in error["message"]
    assert error["details"][0]["reason"] == "IAM_PERMISSION_DENIED"


def test_permissions_are_inherited_from_folder_and_organization_and_not_sideways(world: GcpWorld) -> None:
    cloud = world.cloud
    here = next(iter(cloud.hierarchy.folders()))
    other = cloud.add_project("acme-other-1", cloud.add_folder("Other").name)
    cloud.access.grant(here.name, "roles/browser", "user:reader@example.com")
    assert world.ask("GET", PROJECT, who="reader@example.com").status_code == 200
    elsewhere = f"/cloudresourcemanager/v3/projects/{other.number}"
    assert world.ask("GET", elsewhere, who="reader@example.com").status_code == 403
    found = world.ask("GET", "/cloudresourcemanager/v3/projects:search", who="reader@example.com").json()["projects"]
    assert [each["projectId"] for each in found] == [SHOP]
    assert world.ask("GET", "/cloudresourcemanager/v3/projects:search", who="stranger@example.com").json() == {}


def test_our_role_reads_and_sets_up_and_does_no_more(world: GcpWorld) -> None:
    who = world.deployed.service_account
    asked: list[tuple[str, str, Any]] = [
        ("DELETE", PROJECT, None),
        ("POST", f"{PROJECT}:move", {"destinationParent": world.cloud.hierarchy.root}),
        ("POST", "/cloudresourcemanager/v3/projects", {"projectId": "acme-new-1"}),
        ("POST", f"{PROJECT}:setIamPolicy", {"policy": {}}),
        ("POST", f"/serviceusage/v1/projects/{SHOP}/services/iam.googleapis.com:disable", {}),
    ]
    for method, path, body in asked:
        assert world.ask(method, path, body, who=who).status_code == 403, path


class ShortClock(FakeClock):
    """Waits for real, but never long: operations of the sandbox end by real time."""

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.06))
        super().sleep(seconds)


def everything(world: GcpWorld) -> None:
    """Every request that the adapters make, each once."""
    client, clock = world.client(), ShortClock()
    projects, setup = GcpProjects(client, world.cloud.organization, clock), GcpProjectSetup(client, clock)
    list(projects.list_projects())
    assert projects.find(SHOP) is not None
    assert setup.missing_services(number_of(world), ["compute.googleapis.com"])
    setup.enable_services(number_of(world), ["compute.googleapis.com"])
    setup.set_metadata(SHOP, "enable-osconfig", "TRUE")
    GcpInstances(client, setup).states_of(number_of(world), ["1111111111111111111"])
    number = world.deployed.management_number
    identities, rules = GcpProjectIdentities(client), GcpOrganizationRules(client)
    assert identities.find_pool(number, "rollcall") is not None
    assert identities.find_account(world.deployed.management_project, world.deployed.service_account) is not None
    assert rules.grants(world.cloud.organization)
    assert rules.find_role(world.cloud.organization, "rollcall") is not None
    rules.list_policy(f"projects/{number}", SHARING)


@pytest.mark.parametrize("permission", [*ROLE_PERMISSIONS, *IDENTITIES_PERMISSIONS])
def test_our_role_has_no_permission_too_many(world: GcpWorld, permission: str) -> None:
    account = f"serviceAccounts/{world.deployed.service_account}"
    world.cloud.access.define(
        "sample/being", ["iam.serviceAccounts.getAccessToken"]
    )  # the predefined one may also look
    world.cloud.access.revoke(account, "roles/iam.workloadIdentityUser")
    world.cloud.access.grant(account, "sample/being", world.deployed.member)
    world.cloud.operation_seconds = 0.05
    world.cloud.access.define(world.deployed.role, set(ROLE_PERMISSIONS) - {permission})
    world.cloud.access.define(world.deployed.identities_role, set(IDENTITIES_PERMISSIONS) - {permission})
    with pytest.raises(TransientError) as raised:
        everything(world)
    assert raised.value.key == "gcp-permission-denied"
    assert permission in f"{raised.value.reason} {raised.value.remedy}"


@pytest.mark.parametrize("role", [POLICY_VIEWER, POOL_VIEWER])
def test_neither_role_of_google_s_is_given_for_nothing(world: GcpWorld, role: str) -> None:
    for resource in (world.cloud.hierarchy.root, f"projects/{world.deployed.management_number}"):
        world.cloud.access.revoke(resource, role)
    world.cloud.operation_seconds = 0.05
    with pytest.raises(TransientError) as raised:
        everything(world)
    assert raised.value.key == "gcp-permission-denied"


def test_our_role_is_enough(world: GcpWorld) -> None:
    world.cloud.operation_seconds = 0.05
    everything(world)
    assert world.ask("GET", "/compute/compute/v1/projects/acme-shop-1").json()["commonInstanceMetadata"]["items"]


def test_a_project_lives_through_its_states(world: GcpWorld) -> None:
    def state() -> tuple[str, str]:
        body = world.ask("GET", PROJECT).json()
        return body["state"], body["parent"]

    folder = next(iter(world.cloud.hierarchy.folders())).name
    root = world.cloud.hierarchy.root
    assert state() == ("ACTIVE", folder)
    assert world.ask("POST", f"{PROJECT}:undelete", {}).json()["error"]["status"] == "FAILED_PRECONDITION"
    assert world.ask("DELETE", PROJECT).status_code == 200
    assert state() == ("DELETE_REQUESTED", folder)
    assert world.ask("DELETE", PROJECT).status_code == 400
    assert world.ask("POST", f"{PROJECT}:undelete", {}).status_code == 200
    assert world.ask("POST", f"{PROJECT}:move", {"destinationParent": root}).status_code == 200
    assert state() == ("ACTIVE", root)
    assert world.ask("POST", f"{PROJECT}:move", {"destinationParent": "folders/1"}).status_code == 403


def test_an_operation_is_done_when_its_time_is_over(tmp_path: Path) -> None:
    with gcp_world(tmp_path, gcp_operation_seconds=60.0) as world:
        body = {"projectId": "acme-new-1", "parent": world.cloud.hierarchy.root}
        started = world.ask("POST", "/cloudresourcemanager/v3/projects", body).json()
        assert "done" not in started
        assert world.ask("GET", f"/cloudresourcemanager/v3/{started['name']}").json() == started
        assert world.ask("GET", "/cloudresourcemanager/v3/projects/acme-new-1").status_code == 200


def test_a_search_learns_of_changes_late(tmp_path: Path) -> None:
    with gcp_world(tmp_path, gcp_search_lag_seconds=60.0) as world:
        world.cloud.add_project(SHOP)
        assert world.ask("GET", PROJECT).status_code == 200
        assert world.ask("GET", "/cloudresourcemanager/v3/projects:search").json() == {}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {SHOP, "acme-red-1", "acme-big-1"}),
        ("labels.color:red labels.size:big", {"acme-red-1", "acme-big-1"}),
        ("labels.color:*", {"acme-red-1"}),
        ("projectId:ACME-S*", {SHOP}),
        ("state:DELETE_REQUESTED", {"acme-big-1"}),
    ],
)
def test_a_query_finds_what_any_of_its_terms_names(world: GcpWorld, query: str, found: set[str]) -> None:
    world.cloud.add_project("acme-red-1", labels={"color": "red"})
    world.cloud.add_project("acme-big-1", labels={"size": "big"}, state="DELETE_REQUESTED")
    answer = world.ask("GET", f"/cloudresourcemanager/v3/projects:search?query={query}").json()
    assert {each["projectId"] for each in answer["projects"]} - {world.deployed.management_project} == found


def test_domain_restricted_sharing_refuses_foreign_members(world: GcpWorld) -> None:
    world.cloud.org_policies.allow(world.cloud.hierarchy.root, SHARING, "C0example")
    foreign = "serviceAccount:scanner@another-owners-project.iam.gserviceaccount.com"
    path = f"{PROJECT}:setIamPolicy"
    bindings = [{"role": "roles/browser", "members": [f"serviceAccount:{world.deployed.service_account}"]}]
    assert world.ask("POST", path, {"policy": {"bindings": bindings}}).status_code == 200
    bindings[0]["members"] = [foreign]
    answer = world.ask("POST", path, {"policy": {"bindings": bindings}})
    assert answer.status_code == 400
    [detail] = answer.json()["error"]["details"]
    assert detail["violations"][0]["type"] == "constraints/iam.allowedPolicyMemberDomains"
    client = world.client()
    world.cloud.access.grant(
        f"projects/{number_of(world)}", "roles/owner", f"serviceAccount:{world.deployed.service_account}"
    )
    with pytest.raises(ConfigurationError) as raised:
        client.post(
            "cloudresourcemanager", f"/v3/projects/{SHOP}:setIamPolicy", {"policy": {"bindings": bindings}}, "set"
        )
    assert raised.value.key == "gcp-domain-restricted"


def test_domain_restricted_sharing_lets_microsoft_s_scanner_in_where_its_organization_is_allowed(
    world: GcpWorld,
) -> None:
    scanner = "serviceAccount:mdc-agentless-scanning@guardians-prod-diskscanning.iam.gserviceaccount.com"
    wanted = {"policy": {"bindings": [{"role": "roles/browser", "members": [scanner]}]}}
    root, path = world.cloud.hierarchy.root, f"{PROJECT}:setIamPolicy"
    world.cloud.org_policies.allow(root, SHARING, "C0example")
    assert world.ask("POST", path, wanted).status_code == 400
    world.cloud.org_policies.allow(root, SHARING, "C0example", "C03um0klj")
    assert world.ask("POST", path, wanted).status_code == 200


def test_a_provider_is_made_only_for_an_issuer_that_is_allowed(world: GcpWorld) -> None:
    number, issuer = world.deployed.management_number, "https://sts.windows.net/sample/"
    path = f"/iam/v1/projects/{number}/locations/global/workloadIdentityPools/rollcall/providers"
    wanted = {"oidc": {"issuerUri": issuer, "allowedAudiences": ["api://sample"]}}
    world.cloud.org_policies.allow(world.cloud.hierarchy.root, ISSUERS, "https://elsewhere.example.com/")
    refused = world.ask("POST", f"{path}?workloadIdentityPoolProviderId=sample", wanted)
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
    world.cloud.org_policies.allow(world.cloud.hierarchy.root, ISSUERS, issuer)
    assert world.ask("POST", f"{path}?workloadIdentityPoolProviderId=sample", wanted).status_code == 200


def test_a_perimeter_around_its_project_hides_a_service_account(world: GcpWorld) -> None:
    world.cloud.gate.perimeter.add(world.deployed.management_number)
    answer = world.ask("GET", f"/iam/v1/projects/-/serviceAccounts/{world.deployed.service_account}")
    assert answer.status_code == 403
    assert "vpcServiceControlsUniqueIdentifier" in answer.text


def test_a_service_account_that_is_not_there_is_404_only_to_whoever_names_its_project_and_may_look(
    world: GcpWorld,
) -> None:
    project, who = world.deployed.management_project, world.deployed.service_account
    name = f"nobody@{project}.iam.gserviceaccount.com"
    for place, status in ((project, 404), ("-", 403), (SHOP, 403)):
        answer = world.ask("GET", f"/iam/v1/projects/{place}/serviceAccounts/{name}", who=who)
        assert answer.status_code == status, place


def number_of(world: GcpWorld) -> str:
    project = world.cloud.hierarchy.find_project(SHOP)
    assert project is not None
    return project.number


def test_a_policy_that_was_changed_meanwhile_is_not_overwritten(world: GcpWorld) -> None:
    policy = world.ask("POST", f"{PROJECT}:getIamPolicy", {}).json()
    world.cloud.access.grant(f"projects/{number_of(world)}", "roles/browser", "user:reader@example.com")
    answer = world.ask("POST", f"{PROJECT}:setIamPolicy", {"policy": policy})
    assert (answer.status_code, answer.json()["error"]["status"]) == (409, "ABORTED")


def test_a_binding_with_a_condition_grants_nothing(world: GcpWorld) -> None:
    bindings = [{"role": "roles/browser", "members": ["user:reader@example.com"], "condition": {"expression": "true"}}]
    assert world.ask("POST", f"{PROJECT}:setIamPolicy", {"policy": {"bindings": bindings}}).status_code == 200
    assert world.ask("GET", PROJECT, who="reader@example.com").status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/cloudresourcemanager/v1/projects"),
        ("PATCH", PROJECT),
        ("GET", "/bigquery/v2/projects"),
        ("POST", "/oauth2/v3/certs"),
        ("GET", "/"),
    ],
)
def test_what_is_not_simulated_says_so(world: GcpWorld, method: str, path: str) -> None:
    answer = world.ask(method, path)
    assert answer.status_code == 501
    assert "does not simulate" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (FaultKind.THROTTLE, "gcp-throttled"),
        (FaultKind.ERROR, "gcp-server-error"),
        (FaultKind.RESET, "gcp-no-answer"),
        (FaultKind.REPLY_LOST, "gcp-no-answer"),
        (FaultKind.WRONG_CONTENT_TYPE, "gcp-no-answer"),
        (FaultKind.EMPTY_BODY, "gcp-no-answer"),
    ],
)
@pytest.mark.parametrize("operation", ["sts.token", "iamcredentials.*", "cloudresourcemanager.projects.get"])
def test_a_planted_fault_is_ridden_out_or_told(world: GcpWorld, operation: str, kind: FaultKind, key: str) -> None:
    world.faults.plant(Fault(service="gcp", operation=operation, kind=kind, count=2))
    assert read(world.client())["projectId"] == SHOP
    world.faults.plant(Fault(service="gcp", operation=operation, kind=kind, count=3))
    with pytest.raises(TransientError) as raised:
        read(world.client())
    assert raised.value.key == key


def test_a_throttled_request_says_how_long_to_wait(world: GcpWorld) -> None:
    world.faults.plant(
        Fault(service="gcp", kind=FaultKind.THROTTLE, operation="cloudresourcemanager.*", retry_after=90)
    )
    with pytest.raises(TransientError) as raised:
        read(world.client())
    assert raised.value.retry_after_seconds == 90


def test_no_token_is_in_the_journal(world: GcpWorld) -> None:
    read(world.client())
    text = json.dumps(list(world.journal.as_json()), default=str)
    assert "ya29." not in text
    assert "eyJ" not in text
