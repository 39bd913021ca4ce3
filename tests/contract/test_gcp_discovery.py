"""The simulated Google Cloud against the discovery documents inside google-api-python-client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.gcp.hierarchy import Instance
from sandbox.gcp.intake import SINK, SUBSCRIPTION
from sandbox.gcp.pubsub import PushSettings
from tests.contract import discovery
from tests.fakes.gcp_world import GcpWorld, gcp_world

NEW = "acme-new-1"
SCHEMA_OF_RESPONSE = {
    "google.cloud.resourcemanager.v3.Project": ("cloudresourcemanager", "Project"),
    "google.api.serviceusage.v1.BatchEnableServicesResponse": ("serviceusage", "BatchEnableServicesResponse"),
    "google.api.serviceusage.v1.EnableServiceResponse": ("serviceusage", "EnableServiceResponse"),
    "google.api.serviceusage.v1.DisableServiceResponse": ("serviceusage", "DisableServiceResponse"),
    "google.iam.v1.WorkloadIdentityPool": ("iam", "WorkloadIdentityPool"),
    "google.iam.v1.WorkloadIdentityPoolProvider": ("iam", "WorkloadIdentityPoolProvider"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path_factory.mktemp("discovery")) as found:
        yield found


def test_every_operation_is_one_of_google_s_with_its_method_and_path(world: GcpWorld) -> None:
    assert len(world.cloud.routing.routes) > 35
    for route in world.cloud.routing.routes:
        published = discovery.method(route.id)
        assert route.method == published["httpMethod"], route.id
        assert re.fullmatch(route.path, discovery.example_path(route.id)), (route.id, discovery.example_path(route.id))


Call = tuple[str, str, str, Any]
"""One call: the operation's id, HTTP method, path, body."""


def calls(world: GcpWorld) -> Iterator[Call]:
    """One call of every operation, in an order in which each succeeds."""
    cloud = world.cloud
    folder = cloud.add_folder("Workloads").name
    shop = cloud.add_project("acme-shop-1", folder, labels={"env": "prod"})
    shop.services |= {"compute.googleapis.com", "iam.googleapis.com"}
    shop.metadata = {"ssh-keys": "sample"}
    shop.instances = [Instance("1111111111111111111", "web-1", "europe-west1-b")]
    yield from policy_calls(world, cloud.hierarchy.root)
    yield from policy_calls(world, shop.name)
    yield from resource_manager_calls(world, folder)
    yield from service_usage_calls(shop.number)
    yield from pool_calls(shop.number)
    yield from service_account_calls(world)
    yield from rule_calls(world, shop.number)
    yield from compute_calls(world)
    yield from intake_calls(world)


def policy_calls(world: GcpWorld, name: str) -> Iterator[Call]:
    kind, where = name.partition("/")[0], f"/cloudresourcemanager/v3/{name}"
    asked = {"permissions": [f"resourcemanager.{kind}.get"]}
    yield f"cloudresourcemanager.{kind}.testIamPermissions", "POST", f"{where}:testIamPermissions", asked
    yield f"cloudresourcemanager.{kind}.getIamPolicy", "POST", f"{where}:getIamPolicy", {}
    policy = {"policy": world.cloud.access.policy(name)}
    yield f"cloudresourcemanager.{kind}.setIamPolicy", "POST", f"{where}:setIamPolicy", policy


def resource_manager_calls(world: GcpWorld, folder: str) -> Iterator[Call]:
    crm, root = "/cloudresourcemanager/v3", world.cloud.hierarchy.root
    yield "cloudresourcemanager.organizations.get", "GET", f"{crm}/{root}", None
    yield "cloudresourcemanager.folders.get", "GET", f"{crm}/{folder}", None
    yield "cloudresourcemanager.folders.list", "GET", f"{crm}/folders?parent={root}", None
    new = {"projectId": NEW, "displayName": "acme new 1", "parent": folder}
    yield "cloudresourcemanager.projects.create", "POST", f"{crm}/projects", new
    yield "cloudresourcemanager.projects.get", "GET", f"{crm}/projects/{NEW}", None
    yield "cloudresourcemanager.projects.search", "GET", f"{crm}/projects:search?query=projectId:{NEW}", None
    to = {"destinationParent": root}
    yield "cloudresourcemanager.projects.move", "POST", f"{crm}/projects/{NEW}:move", to
    yield "cloudresourcemanager.projects.delete", "DELETE", f"{crm}/projects/{NEW}", None
    yield "cloudresourcemanager.projects.undelete", "POST", f"{crm}/projects/{NEW}:undelete", {}


def service_usage_calls(number: str) -> Iterator[Call]:
    services = f"/serviceusage/v1/projects/{number}/services"
    name = f"projects/{number}/services/sts.googleapis.com"
    yield "serviceusage.services.batchGet", "GET", f"{services}:batchGet?names={name}", None
    yield "serviceusage.services.get", "GET", f"{services}/sts.googleapis.com", None
    wanted = {"serviceIds": ["sts.googleapis.com"]}
    yield "serviceusage.services.batchEnable", "POST", f"{services}:batchEnable", wanted
    yield "serviceusage.services.enable", "POST", f"{services}/pubsub.googleapis.com:enable", {}
    yield "serviceusage.services.disable", "POST", f"{services}/pubsub.googleapis.com:disable", {}


def pool_calls(number: str) -> Iterator[Call]:
    pools = f"/iam/v1/projects/{number}/locations/global/workloadIdentityPools"
    pool_id = "iam.projects.locations.workloadIdentityPools"
    yield f"{pool_id}.create", "POST", f"{pools}?workloadIdentityPoolId=sample", {"displayName": "Sample"}
    made = {
        "displayName": "CSPM",
        "oidc": {"issuerUri": "https://sts.windows.net/sample/", "allowedAudiences": ["api://sample"]},
        "attributeMapping": {"google.subject": "assertion.sub"},
    }
    path = f"{pools}/sample/providers?workloadIdentityPoolProviderId=cspm"
    yield f"{pool_id}.providers.create", "POST", path, made
    yield f"{pool_id}.get", "GET", f"{pools}/sample", None
    yield f"{pool_id}.list", "GET", pools, None
    yield f"{pool_id}.providers.get", "GET", f"{pools}/sample/providers/cspm", None
    yield f"{pool_id}.providers.list", "GET", f"{pools}/sample/providers", None
    yield f"{pool_id}.delete", "DELETE", f"{pools}/sample", None


def service_account_calls(world: GcpWorld) -> Iterator[Call]:
    iam, email = "/iam/v1", world.deployed.service_account
    accounts = "iam.projects.serviceAccounts"
    made = {"accountId": "sample", "serviceAccount": {"displayName": "Sample"}}
    yield f"{accounts}.create", "POST", f"{iam}/projects/acme-shop-1/serviceAccounts", made
    yield f"{accounts}.list", "GET", f"{iam}/projects/acme-shop-1/serviceAccounts", None
    yield f"{accounts}.get", "GET", f"{iam}/projects/-/serviceAccounts/{email}", None
    yield f"{accounts}.getIamPolicy", "POST", f"{iam}/projects/-/serviceAccounts/{email}:getIamPolicy", {}
    policy = {"policy": world.cloud.access.policy(f"serviceAccounts/{email}")}
    yield f"{accounts}.setIamPolicy", "POST", f"{iam}/projects/-/serviceAccounts/{email}:setIamPolicy", policy
    token = f"/iamcredentials/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
    yield "iamcredentials.projects.serviceAccounts.generateAccessToken", "POST", token, {"lifetime": "600s"}


def rule_calls(world: GcpWorld, number: str) -> Iterator[Call]:
    root, constraint = world.cloud.hierarchy.root, "compute.storageResourceUseRestrictions"
    yield "iam.organizations.roles.get", "GET", f"/iam/v1/{root}/roles/rollcall", None
    world.cloud.org_policies.allow(root, constraint, "under:organizations/1")
    for kind, resource in (("organizations", root), ("projects", f"projects/{number}")):
        path = f"/orgpolicy/v2/{resource}/policies/{constraint}:getEffectivePolicy"
        yield f"orgpolicy.{kind}.policies.getEffectivePolicy", "GET", path, None


def intake_calls(world: GcpWorld) -> Iterator[Call]:
    push = PushSettings(url="https://app.example/api/gcp/project-events", audience="a", service_account="push@example")
    shop = world.cloud.hierarchy.find_project("acme-shop-1")
    assert shop is not None
    world.cloud.intake.deploy(world.cloud.organization, shop.project_id, shop.number, push)
    sink = f"/logging/v2/{world.cloud.hierarchy.root}/sinks/{SINK}"
    yield "logging.organizations.sinks.get", "GET", sink, None
    subscription = f"/pubsub/v1/projects/acme-shop-1/subscriptions/{SUBSCRIPTION}"
    yield "pubsub.projects.subscriptions.get", "GET", subscription, None


def compute_calls(world: GcpWorld) -> Iterator[Call]:
    compute = "/compute/compute/v1/projects/acme-shop-1"
    yield "compute.projects.get", "GET", compute, None
    fingerprint = world.ask("GET", compute).json()["commonInstanceMetadata"]["fingerprint"]
    metadata = {"fingerprint": fingerprint, "items": [{"key": "enable-osconfig", "value": "TRUE"}]}
    yield "compute.projects.setCommonInstanceMetadata", "POST", f"{compute}/setCommonInstanceMetadata", metadata
    yield "compute.instances.get", "GET", f"{compute}/zones/europe-west1-b/instances/web-1", None
    yield "compute.instances.aggregatedList", "GET", f"{compute}/aggregated/instances", None


def operation_of(method_id: str, name: str) -> tuple[str, str]:
    """The method that reads an operation, and the path."""
    api = method_id.partition(".")[0]
    if api == "compute":
        return "compute.globalOperations.get", f"/compute/compute/v1/projects/acme-shop-1/global/operations/{name}"
    if api == "iam":
        return "iam.projects.locations.workloadIdentityPools.operations.get", f"/iam/v1/{name}"
    return f"{api}.operations.get", f"/{api}/{discovery.VERSIONS[api]}/{name}"


def checked(method_id: str, answer: requests.Response) -> list[str]:
    """What is wrong with an answer, and with the resource that a finished operation carries."""
    assert answer.status_code == 200, (method_id, answer.text)
    api, body = method_id.partition(".")[0], answer.json()
    found = discovery.problems(api, discovery.method(method_id)["response"]["$ref"], body)
    response = body.get("response")
    if isinstance(response, dict):
        where, schema = SCHEMA_OF_RESPONSE[response["@type"].removeprefix("type.googleapis.com/")]
        found += discovery.problems(where, schema, {key: each for key, each in response.items() if key != "@type"})
    return found


def test_every_answer_has_the_shape_that_google_publishes(world: GcpWorld) -> None:
    asked = {"sts.token"}  # whose answer is in OAuth's words; the next test has it
    wrong: dict[str, list[str]] = {}
    for method_id, method, path, body in calls(world):
        answer = world.ask(method, path, body)
        asked.add(method_id)
        wrong[method_id] = checked(method_id, answer)
        if discovery.method(method_id)["response"]["$ref"] == "Operation" and "DONE_OPERATION" not in answer.text:
            reader, where = operation_of(method_id, answer.json()["name"])
            asked.add(reader)
            wrong[f"{method_id}, then {reader}"] = checked(reader, world.ask("GET", where))
    assert {name: found for name, found in wrong.items() if found} == {}
    assert asked == {route.id for route in world.cloud.routing.routes}


def test_the_token_exchange_answers_as_published(world: GcpWorld) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": world.deployed.audience,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": world.get_token("api://rollcall-gcp/.default").token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    verify = str(world.certificates.bundle_path)
    answer = requests.post(f"{world.cloud.url}/sts/v1/token", data=form, verify=verify, timeout=20)
    assert checked("sts.token", answer) == []


def test_audit_entries_and_messages_are_what_logging_and_pubsub_publish(world: GcpWorld) -> None:
    entries: list[dict[str, Any]] = []
    world.cloud.audit.listeners.append(entries.append)
    for version in ("v3", "v1"):
        world.cloud.audit.version = version
        body = {"projectId": f"acme-audit-{version}", "parent": world.cloud.hierarchy.root}
        assert world.ask("POST", "/cloudresourcemanager/v3/projects", body).status_code == 200
    world.cloud.audit.listeners.remove(entries.append)
    assert [discovery.problems("logging", "LogEntry", entry) for entry in entries] == [[], []]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("Project", {"unknown": 1}),
        ("Project", {"state": "CLOSED"}),
        ("Project", {"labels": {"env": 1}}),
        ("Project", {"createTime": "yesterday"}),
        ("SearchProjectsResponse", {"projects": {}}),
        ("SearchProjectsResponse", {"projects": [{"name": 1}]}),
        ("Operation", {"done": "yes"}),
    ],
)
def test_the_check_finds_what_is_wrong(schema: str, value: Any) -> None:
    assert discovery.problems("cloudresourcemanager", schema, value)
