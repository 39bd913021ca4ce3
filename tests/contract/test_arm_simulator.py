"""The simulated Resource Manager and Resource Graph against recorded answers and Microsoft's own SDK."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.security import SecurityManagementClient

from sandbox.azure.azurite import installed
from sandbox.azure.directory import FUNCTIONS, OPERATOR, QUEUE_SENDER
from sandbox.azure.throttling import Limit, Limits
from tests.fakes.azure_world import ACCOUNT_ID, ROLE_ARN, Account, Provider, World, start_world, trusting_role

pytestmark = pytest.mark.skipif(not installed(), reason="Azurite is not installed: run `make setup`")
VERSION = "2024-08-01-preview"
ARM = "https://management.azure.com"
GROUP = "rg-defender-connectors"
CONNECTORS = f"resourceGroups/{GROUP}/providers/Microsoft.Security/securityConnectors"
GRAPH = "/providers/Microsoft.ResourceGraph/resources"
QUERY = (
    "resources | where type =~ 'microsoft.security/securityconnectors' "
    "| project id, name, location, tags, properties, subscriptionId, resourceGroup | order by id asc"
)
BODY = {
    "location": "westeurope",
    "tags": {"rollcall": "o-exampleorg"},
    "properties": {
        "hierarchyIdentifier": ACCOUNT_ID,
        "environmentName": "AWS",
        "environmentData": {"environmentType": "AwsAccount", "scanInterval": 12},
        "offerings": [
            {"offeringType": "CspmMonitorAws", "nativeCloudConnection": {"cloudRoleArn": ROLE_ARN}},
            {"offeringType": "DefenderForServersAws", "subPlan": "P1"},
        ],
    },
}
DEVOPS = {
    "location": "centralus",
    "properties": {
        "environmentData": {"environmentType": "AzureDevOpsScope"},
        "environmentName": "AzureDevOps",
        "hierarchyIdentifier": "4a0d7d1c-4a7f-4a0e-9c1d-1d5c1f9f7b10",
        "offerings": [{"offeringType": "CspmMonitorAzureDevOps"}],
    },
}


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = start_world(tmp_path_factory.mktemp("arm"), resource_graph_lag_seconds=0)
    yield world
    world.azure.stop()


@pytest.fixture
def world(shared_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(shared_world.certificates.bundle_path))
    yield shared_world
    shared_world.accounts.clear()
    shared_world.azure.graph.reset_quota()
    for connector in shared_world.azure.connectors.list(""):
        shared_world.azure.resources.delete(connector["id"])


def call(
    world: World, method: str, path: str, body: Any = None, *, token: str | None = None, version: str = VERSION
) -> requests.Response:
    """One request, below the subscription unless the path begins with a slash."""
    [subscription, *_] = world.azure.resources.subscriptions()
    base = path if path.startswith("/") else f"/subscriptions/{subscription.id}/{path}"
    bearer = world.azure.mint(FUNCTIONS, ARM) if token is None else token
    return requests.request(
        method,
        f"{world.azure.arm_url}{base}",
        params={"api-version": version} if version else {},
        json=body,
        headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
        timeout=10,
    )


def shape(value: Any) -> Any:
    """The structure of a JSON value: its keys in their order, and its types."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def recorded(evidence: Path, name: str) -> Any:
    path = evidence / "reference" / "recordings" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["response"]


def assert_same_form(answer: requests.Response, recording: Any) -> None:
    assert answer.status_code == recording["status"]
    assert {name for name in recording["headers"] if name not in answer.headers} <= {"date"}
    if recording["body"] is None:
        assert answer.content == b""
        return
    assert json.dumps(shape(answer.json())) == json.dumps(shape(recording["body"]))


def test_a_connector_lives_as_the_recorded_one_did(world: World, evidence: Path) -> None:
    path = f"{CONNECTORS}/ado-1"
    steps = [("PUT", "put-create-201", DEVOPS), ("GET", "get-200", None), ("DELETE", "delete-204", None)]
    for method, recording, body in steps:
        answer = call(world, method, path, body)
        expected = recorded(evidence, f"security-connector-{recording}")
        expected["headers"] = {k: v for k, v in expected["headers"].items() if k != "date"}
        assert_same_form(answer, expected)
        if method == "PUT":
            expected_id = expected["body"]["id"].rpartition("/resourcegroups/")[2].partition("/")[2]
            assert (
                answer.json()["id"].rpartition("/resourcegroups/")[2].partition("/")[2].rpartition("/")[0]
                == (expected_id.rpartition("/")[0])
            )
            assert answer.json()["type"] == expected["body"]["type"]
            assert answer.json()["location"] == "centralus"
    listed = recorded(evidence, "security-connectors-list-empty-200-2022")
    assert call(world, "GET", CONNECTORS).json() == listed["body"]


def test_the_missing_identity_provider_is_answered_as_recorded(world: World, evidence: Path) -> None:
    answer = call(world, "PUT", f"{CONNECTORS}/aws-{ACCOUNT_ID}", BODY)
    path = evidence / "reference" / "data" / "arm-responses.json"
    expected = json.loads(path.read_text(encoding="utf-8"))["put_aws_no_identity_provider"]["response"]
    assert answer.status_code == 400
    assert answer.json() | {"errorCorrelation": ""} == expected["body"] | {"errorCorrelation": ""}
    assert "x-ms-ratelimit-remaining-subscription-resource-requests" in answer.headers


def test_refusals_have_the_recorded_form(world: World, evidence: Path) -> None:
    one = f"{CONNECTORS}/aws-1"
    expired = world.azure.tokens.mint(world.azure.directory.get(FUNCTIONS), ARM, lifetime_seconds=-10)
    sender = world.azure.mint(QUEUE_SENDER, ARM)
    elsewhere = one.replace(GROUP, "rg-none")
    [subscription, *_] = world.azure.resources.subscriptions()
    subscription.registered.discard("microsoft.security")
    unregistered = call(world, "GET", one)
    subscription.registered.add("microsoft.security")
    recordings = {
        "arm-401-expiredtoken-2": call(world, "GET", one, token=expired),
        "arm-403-authorizationfailed-get": call(world, "GET", one, token=sender),
        "arm-404-resourcegroupnotfound": call(world, "GET", elsewhere),
        "arm-409-missingsubscriptionregistration-2": unregistered,
        "arc-machine-get-404": call(world, "GET", one),
    }
    for name, answer in recordings.items():
        expected = recorded(evidence, name)
        assert_same_form(answer, expected)
        assert answer.json()["error"]["code"] == expected["body"]["error"]["code"]
        assert answer.headers["x-ms-failure-cause"] == "gateway"


def test_resource_graph_answers_in_the_recorded_form(world: World, evidence: Path) -> None:
    world.prepare()
    call(world, "PUT", f"{CONNECTORS}/aws-{ACCOUNT_ID}", BODY)
    query = "resources | where type =~ 'microsoft.security/securityconnectors'"
    answer = call(world, "POST", GRAPH, {"query": query}, version="2021-03-01")
    expected = recorded(evidence, "arg-query-recent-2025-200")
    assert set(expected["headers"]) - {name.lower() for name in answer.headers} <= {
        "date",
        "x-ms-resource-graph-request-duration",
    }
    assert list(answer.json()) == list(expected["body"])
    assert set(answer.json()["data"][0]) == set(expected["body"]["data"][0])


def test_a_connector_is_refused_until_provider_and_role_exist_and_trust_this_tenant(world: World) -> None:
    tenant, path = world.azure.directory.tenant_id, f"{CONNECTORS}/aws-{ACCOUNT_ID}"

    def put() -> tuple[int, str]:
        answer = call(world, "PUT", path, BODY)
        return answer.status_code, answer.json().get("errorMessage", "")

    world.accounts[ACCOUNT_ID] = Account()
    assert "Identity provider is missing from AWS account/s" in put()[1]
    stranger = trusting_role("another-tenant")
    no_session = trusting_role(tenant)
    del no_session.trust_policy["Statement"][0]["Condition"]["StringLike"]["sts:RoleSessionName"]
    without_audience = Provider(client_ids=("api://another",))
    for account in (
        Account([Provider()]),
        Account([Provider()], [stranger]),
        Account([Provider()], [no_session]),
        Account([without_audience], [trusting_role(tenant)]),
        Account([Provider()], [trusting_role(tenant, f"{ROLE_ARN}2")]),
    ):
        world.accounts[ACCOUNT_ID] = account
        status, message = put()
        assert status == 400
        assert "IAM role(s) do not exist or are invalid" in message
    world.prepare()
    assert put() == (201, "")
    assert put() == (200, "")


def test_a_repeated_put_keeps_the_creation_time_and_a_patch_replaces_all_tags(world: World) -> None:
    world.prepare()
    path = f"{CONNECTORS}/aws-{ACCOUNT_ID}"
    first = call(world, "PUT", path, BODY).json()
    second = call(world, "PUT", path, BODY | {"tags": {"a": "1", "b": "2"}}).json()
    assert second["systemData"]["createdAt"] == first["systemData"]["createdAt"]
    assert second["systemData"]["lastModifiedAt"] > first["systemData"]["lastModifiedAt"]
    patched = call(world, "PATCH", path, {"tags": {"c": "3"}}).json()
    assert patched["tags"] == {"c": "3"}
    assert patched["properties"] == second["properties"]
    assert "etag" not in patched
    assert "kind" not in patched
    assert call(world, "DELETE", path).status_code == 204
    assert call(world, "DELETE", path).status_code == 204


def test_a_second_connector_for_one_account_is_refused_as_configured(world: World) -> None:
    world.prepare()
    assert call(world, "PUT", f"{CONNECTORS}/aws-{ACCOUNT_ID}", BODY).status_code == 201
    assert call(world, "PUT", f"{CONNECTORS}/AWS-{ACCOUNT_ID}".lower(), BODY).status_code == 200
    second = call(world, "PUT", f"{CONNECTORS}/another", BODY)
    assert (second.status_code, second.json()["error"]["code"]) == (409, "Conflict")
    normal = replace(world.azure.connectors.duplicate_answer)
    world.azure.connectors.duplicate_answer = replace(normal, status=400, envelope="connector")
    second = call(world, "PUT", f"{CONNECTORS}/another", BODY)
    world.azure.connectors.duplicate_answer = normal
    assert (second.status_code, second.json()["statusCode"]) == (400, 400)


def test_tokens_are_checked_on_every_call(world: World) -> None:
    one = f"{CONNECTORS}/aws-1"
    wrong_audience = world.azure.mint(FUNCTIONS, "https://storage.azure.com")
    forged = world.azure.mint(FUNCTIONS, ARM)[:-12] + "AAAAAAAAAAAA"
    codes = {
        "": "AuthenticationFailed",
        "rubbish": "InvalidAuthenticationToken",
        forged: "InvalidAuthenticationToken",
        wrong_audience: "InvalidAuthenticationTokenAudience",
    }
    for token, code in codes.items():
        for method, path in (("PUT", one), ("GET", one), ("POST", GRAPH), ("GET", "/anything")):
            answer = call(world, method, path, {}, token=token)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert call(world, "PUT", one, BODY, token=world.azure.mint(OPERATOR, ARM)).status_code == 403


def test_what_is_not_simulated_fails_loudly(world: World) -> None:
    unknown = call(world, "PUT", "providers/Microsoft.Security/settings/MCAS", {}, version="2022-05-01")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "InvalidResourceType")
    assert "does not simulate" in unknown.json()["error"]["message"]
    old = call(world, "GET", f"{CONNECTORS}/aws-1", version="2020-01-01")
    assert VERSION in old.json()["error"]["message"]
    assert call(world, "GET", CONNECTORS, version="").json()["error"]["code"] == "MissingApiVersionParameter"
    for query in (
        "resources | summarize count()",
        "resources | where type ==",
        "nothing | take 1",
        "resources | project x",
        "resources | distinct x",
        "resources | distinct name | where type == ''",
    ):
        answer = call(world, "POST", GRAPH, {"query": query}, version="2021-03-01")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
        assert answer.json()["error"]["details"]


def test_requests_beyond_the_bucket_are_throttled_with_a_time_to_wait(world: World) -> None:
    path, counter = f"{CONNECTORS}/aws-1", "x-ms-ratelimit-remaining-subscription-resource-requests"
    limits = world.azure.resource_manager.limits
    limits.connector_reads = Limit(3, 0.5)
    world.azure.resource_manager.reset_buckets()
    answers = [call(world, "GET", path) for _ in range(4)]
    limits.connector_reads = Limits().connector_reads
    world.azure.resource_manager.reset_buckets()
    assert [each.headers.get(counter) for each in answers] == ["2", "1", "0", None]
    assert answers[3].status_code == 429
    assert answers[3].json()["error"]["code"] == "ResourceRequestsThrottled"
    assert int(answers[3].headers["Retry-After"]) in {1, 2}
    assert call(world, "GET", CONNECTORS).headers[counter] == "99"
    world.prepare()
    assert call(world, "PUT", f"{CONNECTORS}/aws-{ACCOUNT_ID}", BODY).headers[counter] == "249"


def fill(world: World, count: int, *, subscription: str | None = None) -> None:
    [first, *_] = world.azure.resources.subscriptions()
    for number in range(count):
        name = f"aws-{number:012d}"
        world.azure.resources.put(
            {
                "properties": {"hierarchyIdentifier": f"{number:012d}", "environmentName": "AWS"},
                "id": f"/subscriptions/{subscription or first.id}/resourcegroups/{GROUP}"
                f"/providers/Microsoft.Security/securityConnectors/{name}",
                "name": name,
                "type": "Microsoft.Security/securityconnectors",
                "location": "westeurope",
                "tags": {"rollcall": "o-exampleorg"} if number % 2 else {},
            },
            seen_by_graph_at=0,
        )


def test_resource_graph_pages_and_the_token_alone_tells_whether_there_is_more(world: World) -> None:
    fill(world, 5)
    options: dict[str, Any] = {"$top": 2}
    pages = []
    while True:
        body = {"query": QUERY, "options": options}
        page = call(world, "POST", GRAPH, body, version="2021-03-01").json()
        pages.append(page)
        assert (page["totalRecords"], page["resultTruncated"]) == (5, "false")
        if "$skipToken" not in page:
            break
        options = {"$top": 2, "$skipToken": page["$skipToken"]}
    rows = [row for page in pages for row in page["data"]]
    assert [page["count"] for page in pages] == [2, 2, 1]
    assert [row["name"] for row in rows] == [f"aws-{number:012d}" for number in range(5)]
    assert list(rows[0]) == ["id", "name", "location", "tags", "properties", "subscriptionId", "resourceGroup"]


def test_resource_graph_filters_by_properties_and_tags(world: World) -> None:
    fill(world, 4)
    base = "resources | where type =~ 'Microsoft.Security/securityConnectors'"
    expected = {
        f"{base} | where tags.rollcall == 'o-exampleorg' | project name": 2,
        f"{base} | where tags['rollcall'] =~ 'O-EXAMPLEORG' and name has '3'": 0,
        f"{base} | where properties.hierarchyIdentifier in~ ('000000000001', '000000000002')": 2,
        f"{base} | where not(isempty(tags)) or tolower(name) == 'aws-000000000000' | limit 2": 2,
        f"{base} | extend account = tostring(properties.hierarchyIdentifier) | where account endswith '1'": None,
    }
    for query, count in expected.items():
        answer = call(world, "POST", GRAPH, {"query": query}, version="2021-03-01")
        assert answer.json().get("count") == count, query


def test_resource_graph_leaves_out_what_the_caller_may_not_read(world: World) -> None:
    other = "7a1cf2c4-64be-4d04-b4a4-0f5b9a6d1e11"
    world.azure.resources.add_subscription(other, "other")
    fill(world, 1)
    fill(world, 1, subscription=other)
    directory = world.azure.directory

    def seen() -> int:
        return int(call(world, "POST", GRAPH, {"query": QUERY}, version="2021-03-01").json()["count"])

    assert seen() == 2
    directory.unassign(FUNCTIONS, "Reader")
    assert seen() == 1
    directory.assign(FUNCTIONS, "Reader", directory.root_scope)


def test_resource_graph_lags_behind_resource_manager(world: World) -> None:
    world.azure.graph.lag_seconds = 0.4
    time.sleep(0.5)  # until what earlier tests deleted is gone here, too
    world.prepare()
    call(world, "PUT", f"{CONNECTORS}/aws-{ACCOUNT_ID}", BODY)

    def seen() -> int:
        return int(call(world, "POST", GRAPH, {"query": QUERY}, version="2021-03-01").json()["count"])

    assert seen() == 0
    time.sleep(0.5)
    assert seen() == 1
    world.azure.graph.lag_seconds = 0


def test_resource_graph_has_a_quota_of_fifteen_queries_in_five_seconds(world: World) -> None:
    token = world.azure.mint(OPERATOR, ARM)
    answers = [call(world, "POST", GRAPH, {"query": QUERY}, token=token, version="2021-03-01") for _ in range(16)]
    assert [each.headers["x-ms-user-quota-remaining"] for each in answers[:2]] == ["14", "13"]
    assert (answers[15].status_code, answers[15].json()["error"]["code"]) == (429, "RateLimiting")
    assert answers[15].headers["x-ms-user-quota-resets-after"].startswith("00:00:0")


class Credential:
    """A token for the SDK."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        audience = scopes[0].removesuffix("/.default")
        return AccessToken(self._world.azure.mint(FUNCTIONS, audience), int(time.time()) + 600)


def test_the_official_sdk_reads_and_writes_connectors(world: World) -> None:
    world.prepare()
    [subscription, *_] = world.azure.resources.subscriptions()
    client = SecurityManagementClient(
        Credential(world),
        subscription.id,
        base_url=world.azure.arm_url,
        credential_scopes=["https://management.azure.com/.default"],
        retry_total=0,
    )
    name = f"aws-{ACCOUNT_ID}"
    with pytest.raises(ResourceNotFoundError):
        client.security_connectors.get(GROUP, name)
    made = client.security_connectors.create_or_update(GROUP, name, json.loads(json.dumps(BODY)))
    assert made.hierarchy_identifier == ACCOUNT_ID
    world.azure.connectors.page_size = 1
    fill(world, 2)
    assert len(list(client.security_connectors.list())) == 3
    assert len(list(client.security_connectors.list_by_resource_group(GROUP))) == 3
    world.azure.connectors.page_size = None
    with pytest.raises(ResourceExistsError):
        client.security_connectors.create_or_update(GROUP, "another", json.loads(json.dumps(BODY)))
    world.accounts.clear()
    with pytest.raises(HttpResponseError) as caught:
        client.security_connectors.create_or_update(GROUP, name, json.loads(json.dumps(BODY)))
    assert caught.value.status_code == 400
    assert caught.value.error is None
    client.security_connectors.delete(GROUP, name)
    written = world.journal.entries(operation="arm:PutSecurityConnector")[-1]
    assert (written.identity, written.authentication, written.body) == (FUNCTIONS, "bearer", BODY)
