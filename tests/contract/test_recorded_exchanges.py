"""Every recorded exchange that the simulated Azure can express is asked of it again; the rest says why not."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sandbox.azure.azurite import installed
from sandbox.azure.directory import FUNCTIONS, QUEUE_SENDER
from sandbox.azure.throttling import Limit, Limits
from tests.contract.not_replayed import NOT_REPLAYED
from tests.contract.recordings import Recording, assert_agrees, missing_headers, names, read, wording, xml_shape
from tests.fakes.azure_world import ACCOUNT_ID, SENDER_ROLE, Issuer, World, start_world

pytestmark = pytest.mark.skipif(not installed(), reason="Azurite is not installed: run `make setup`")
ARM, STORAGE = "https://management.azure.com", "https://storage.azure.com"
SERVED = "2024-08-01-preview"  # the connectors' recordings are of 2023-10-01-preview and 2022-07-01-preview
Ask = Callable[[World, Recording], requests.Response]


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = start_world(tmp_path_factory.mktemp("recorded"), resource_graph_lag_seconds=0, pricing_gap_seconds=0)
    yield world
    world.azure.stop()


@pytest.fixture
def world(shared_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(shared_world.certificates.bundle_path))
    shared_world.azure.graph.reset_quota()
    shared_world.azure.resource_manager.reset_buckets()
    yield shared_world
    shared_world.accounts.clear()
    for connector in shared_world.azure.connectors.list(""):
        shared_world.azure.resources.delete(connector["id"])
    for kind in ("Microsoft.Security/pricings", "Microsoft.Security/automations"):
        for each in shared_world.azure.resources.of_type(kind):
            shared_world.azure.resources.delete(each["id"])


def ask(world: World, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
    token = options.get("token") or world.azure.mint(FUNCTIONS, ARM)
    return requests.request(
        method,
        f"{world.azure.arm_url}{path}",
        params={"api-version": options.get("version", SERVED)},
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )


def exactly(world: World, recording: Recording, **options: Any) -> requests.Response:
    """The recorded request itself, below a subscription and resource group that exist."""
    admit(world, recording)
    options.setdefault("version", recording.version)
    return ask(world, recording.method, recording.path, recording.sent, **options)


def admit(world: World, recording: Recording) -> None:
    resources = world.azure.resources
    if recording.subscription and resources.find_subscription(recording.subscription) is None:
        resources.add_subscription(recording.subscription, "recorded")
        world.azure.directory.assign(FUNCTIONS, "Contributor", f"/subscriptions/{recording.subscription}")
    if recording.group:
        resources.add_resource_group(recording.subscription, recording.group, "westeurope", None)


def connector(world: World, recording: Recording) -> requests.Response:
    """The connector's recorded life up to the recorded step."""
    admit(world, recording)
    path = recording.path.removesuffix("/")
    sent = {
        "location": "centralus",
        "properties": {
            "environmentData": {"environmentType": "AzureDevOpsScope"},
            "environmentName": "AzureDevOps",
            "hierarchyIdentifier": "44444444-0000-4000-8000-000000000001",
            "offerings": [{"offeringType": "CspmMonitorAzureDevOps"}],
        },
    }
    if recording.method != "PUT" and not path.lower().endswith("securityconnectors"):
        assert ask(world, "PUT", path, sent).status_code == 201
    return ask(world, recording.method, path, recording.sent)


def in_our_group(world: World, name: str = "aws-1") -> str:
    [subscription, *_] = world.azure.resources.subscriptions()
    group = f"/subscriptions/{subscription.id}/resourceGroups/rg-defender-connectors"
    return f"{group}/providers/Microsoft.Security/securityConnectors/{name}"


def expired(world: World, recording: Recording) -> requests.Response:
    token = world.azure.tokens.mint(world.azure.directory.get(FUNCTIONS), ARM, lifetime_seconds=-10)
    return ask(world, recording.method, recording.path, token=token)


def forbidden(world: World, _: Recording) -> requests.Response:
    return ask(world, "GET", in_our_group(world), token=world.azure.mint(QUEUE_SENDER, ARM))


def group_missing(world: World, recording: Recording) -> requests.Response:
    admit(world, replace(recording, url=recording.url.replace("rg000004", "another")))
    return ask(world, "GET", recording.path, version=recording.version)


def unregistered(world: World, _: Recording) -> requests.Response:
    [subscription, *_rest] = world.azure.resources.subscriptions()
    subscription.registered.discard("microsoft.security")
    try:
        return ask(world, "PUT", in_our_group(world), {"location": "eastus", "properties": {}})
    finally:
        subscription.registered.add("microsoft.security")


def throttled(world: World, _: Recording) -> requests.Response:
    limits = world.azure.resource_manager.limits
    limits.connector_reads = Limit(1, 0.5)
    world.azure.resource_manager.reset_buckets()
    try:
        ask(world, "GET", in_our_group(world))
        return ask(world, "GET", in_our_group(world))
    finally:
        limits.connector_reads = Limits().connector_reads
        world.azure.resource_manager.reset_buckets()


def seeded(world: World, recording: Recording) -> requests.Response:
    world.azure.resources.put(dict(recording.body), seen_by_graph_at=0)
    return exactly(world, recording)


def new_group(world: World, recording: Recording) -> requests.Response:
    admit(world, replace(recording, url=recording.url.partition("/resourcegroups/")[0]))
    return ask(world, "PUT", f"{recording.path}-new", recording.sent, version="2021-04-01")


def a_list(world: World, recording: Recording) -> requests.Response:
    admit(world, recording)
    path = f"/subscriptions/{recording.subscription}/resourcegroups"
    return ask(world, "GET", path, version=recording.version)


def plans(world: World, recording: Recording) -> requests.Response:
    """The plan's recorded life: excluded tags are told once, then the recorded PUT leaves them out."""
    admit(world, recording)
    one = recording.path if recording.path.endswith("VirtualMachines") else f"{recording.path}/VirtualMachines"
    if recording.name == "security-pricings-list-200":
        seeded_plan = next(each for each in recording.body["value"] if each["name"] == "VirtualMachines")
        world.azure.pricings.seed(recording.subscription, "VirtualMachines", seeded_plan["properties"])
        return ask(world, "GET", recording.path, version=recording.version)
    tags = {"ExclusionTags": '[{"key":"A","value":"B"}]'}
    scanning = {"name": "AgentlessVmScanning", "isEnabled": "True", "additionalExtensionProperties": tags}
    told = {"properties": {"pricingTier": "Standard", "extensions": [scanning]}}
    assert ask(world, "PUT", one, told, version=recording.version).status_code == 200
    return ask(world, recording.method, recording.path, recording.sent, version=recording.version)


def lock(world: World, recording: Recording) -> requests.Response:
    """A lock that was there before; its writer owns the subscription."""
    admit(world, recording)
    scope = f"/subscriptions/{recording.subscription}"
    world.azure.locks.put(scope, "cli-test-lock000001", "ReadOnly")
    world.azure.directory.assign(FUNCTIONS, "Owner", scope)
    try:
        return ask(world, recording.method, recording.path, recording.sent, version=recording.version)
    finally:
        world.azure.directory.unassign(FUNCTIONS, "Owner")
        world.azure.locks.remove(scope, "cli-test-lock000001")


def locked(world: World, _: Recording) -> requests.Response:
    scope = in_our_group(world).partition("/providers/")[0]
    world.azure.locks.put(scope, "keep", "CanNotDelete")
    try:
        return ask(world, "DELETE", in_our_group(world))
    finally:
        world.azure.locks.remove(scope, "keep")


def automations(world: World, recording: Recording) -> requests.Response:
    """Each recorded automation is written as its author must have, with what answers never hold, and listed."""
    admit(world, recording)
    hidden = {"LogicApp": {"uri": "https://logic.example/run"}, "EventHub": {"connectionString": "none"}}
    for each in recording.body["value"]:
        kept = {key: value for key, value in each["properties"].items() if key != "metadata"}
        kept["actions"] = [action | hidden.get(action["actionType"], {}) for action in kept["actions"]]
        body = {key: each[key] for key in ("kind", "location", "tags") if key in each} | {"properties": kept}
        made = ask(world, "PUT", f"{recording.path}/{each['name']}", body, version="2023-12-01-preview")
        assert made.status_code == 201, made.text
    return ask(world, "GET", recording.path, version=recording.version)


def machine(world: World, recording: Recording) -> requests.Response:
    document = {"id": recording.path, "name": "testmachine", "type": "Microsoft.HybridCompute/machines"}
    world.azure.resources.put(document | {"location": "eastus"})
    return exactly(world, recording)


def orphan(world: World, _: Recording) -> requests.Response:
    path = f"{in_our_group(world, 'none')}/providers/Microsoft.Security/standardAssignments"
    return ask(world, "GET", path, version="2024-08-01")


RESOURCE_MANAGER: dict[str, Ask] = {
    "security-automations-list-resourcegroup-200": automations,
    "arc-machine-delete-200": machine,
    "arm-404-parentresourcenotfound": orphan,  # of a standard's assignment to a connector that is not there
    "security-pricings-list-200": plans,
    "security-pricings-get-standard-200": plans,
    "security-pricings-put-standard-extensions-200": plans,
    "arm-lock-list-200": lock,
    "arm-lock-put-200": lock,
    "arm-409-scopelocked-delete": locked,  # of a connector below a locked group
    "security-connector-put-create-201": connector,
    "security-connector-get-200": connector,
    "security-connector-delete-204": connector,
    "security-connectors-list-empty-200-2022": connector,
    "arm-401-expiredtoken": expired,
    "arm-401-expiredtoken-2": expired,
    "arm-403-authorizationfailed-get": forbidden,  # asked for a connector: policies are not simulated
    "arm-404-resourcegroupnotfound": group_missing,
    "arm-409-missingsubscriptionregistration-2": unregistered,  # of our namespace
    "arm-429-resourcerequeststhrottled": throttled,  # of our resource type
    "arm-429-resourcerequeststhrottled-report": throttled,
    "arm-resourcegroup-put-201-2022": new_group,
    "arm-get-ratelimit-2026-reads-249": a_list,  # of resource groups, not deployments
    "arc-machine-get-200": seeded,
    "arc-machine-get-404": exactly,
}


@pytest.mark.parametrize("name", RESOURCE_MANAGER)
def test_resource_manager_answers_as_recorded(world: World, evidence: Path, name: str) -> None:
    recording = read(evidence, name)
    assert_agrees(RESOURCE_MANAGER[name](world, recording), recording)


def test_plans_that_are_free_look_as_recorded(world: World, evidence: Path) -> None:
    recording = read(evidence, "security-pricings-list-200")
    ours = {each["name"]: each["properties"] for each in plans(world, recording).json()["value"]}
    free = {
        each["name"]: each["properties"]
        for each in recording.body["value"]
        if each["properties"]["pricingTier"] == "Free"
    }
    assert len(free) > 10
    assert {name: ours[name] for name in free} == free
    assert list(ours) == [each["name"] for each in recording.body["value"]]


def test_a_plan_s_recorded_answer_comes_back_to_the_letter(world: World, evidence: Path) -> None:
    for name in ("security-pricings-put-standard-extensions-200", "security-pricings-get-standard-200"):
        recording = read(evidence, name)
        theirs = recording.body["properties"]
        if recording.method == "GET":
            put = read(evidence, "security-pricings-put-standard-extensions-200")
            plans(world, put)
            ours = ask(world, "GET", recording.path, version=recording.version).json()["properties"]
        else:
            ours = plans(world, recording).json()["properties"]
        assert ours | {"enablementTime": ""} == theirs | {"enablementTime": ""}, name


def test_listed_automations_are_the_recorded_ones(world: World, evidence: Path) -> None:
    recording = read(evidence, "security-automations-list-resourcegroup-200")
    ours = {each["name"]: each for each in automations(world, recording).json()["value"]}
    assert len(ours) == len(recording.body["value"]) > 1
    for theirs in recording.body["value"]:
        found = ours[theirs["name"]]
        assert list(found) == list(theirs)
        assert list(found["properties"]["metadata"]) == list(theirs["properties"]["metadata"])
        for part in ("description", "isEnabled", "scopes", "sources", "actions"):
            assert found["properties"][part] == theirs["properties"][part], part


def test_the_recorded_counters_are_those_of_a_full_bucket(world: World, evidence: Path) -> None:
    counted = re.compile("x-ms-ratelimit-remaining-subscription-(resource-requests|(global-)?reads)")
    compared = 0
    names_of_files = (
        *("security-connector-put-create-201", "security-connector-get-200", "arm-get-ratelimit-2026-reads-249"),
        *("security-pricings-list-200", "security-pricings-put-standard-extensions-200"),
        "security-automations-list-resourcegroup-200",
    )
    for name in names_of_files:
        recording = read(evidence, name)
        if name.startswith("security-connector-get"):
            ask(world, "PUT", in_our_group(world), recording.sent)
        world.azure.resource_manager.reset_buckets()
        admit(world, recording)
        path = recording.path if name.startswith("security") else f"/subscriptions/{recording.subscription}"
        version = SERVED if name.startswith(("security-connector", "arm")) else recording.version
        answer = ask(world, recording.method, path, recording.sent, version=version)
        for header in filter(counted.fullmatch, recording.headers):
            compared += 1
            assert answer.headers[header] == recording.headers[header], (name, header)
    assert compared == 7


GRAPH = {
    "arg-query-recent-2025-200": 1,
    "arg-query-simple-200": 2,
    "arg-query-skiptoken-page1-200": 20,
    "arg-query-tenant-scope-quota-13-200": 20,
}


@pytest.mark.parametrize("name", GRAPH)
def test_resource_graph_answers_the_recorded_query_as_recorded(world: World, evidence: Path, name: str) -> None:
    recording = read(evidence, name)
    seed_rows(world, recording, GRAPH[name])
    body = dict(recording.sent)
    body.pop("subscriptions", None)  # some rows lie in others: the recorder trimmed the list or wrote zeros
    answer = ask(world, "POST", recording.path, body, version=recording.version)
    ours, theirs = answer.json(), recording.body
    assert answer.status_code == recording.status
    assert missing_headers(answer, recording) == set()
    assert list(ours) == list(theirs)
    assert [list(row) for row in ours["data"][:1]] == [list(row) for row in theirs["data"][:1]] or set(
        ours["data"][0]
    ) == set(theirs["data"][0])
    for key in ("count", "facets", "resultTruncated"):
        assert ours[key] == theirs[key], key
    assert ours["totalRecords"] == (theirs["totalRecords"] if theirs["totalRecords"] < 100 else GRAPH[name])
    assert re.fullmatch(r"\d\d:\d\d:\d\d", answer.headers["x-ms-user-quota-resets-after"])
    world.azure.graph.reset_quota()


def seed_rows(world: World, recording: Recording, count: int) -> None:
    """The recorded rows as resources, and as many more of their kind as the recorded total needs."""
    resources = world.azure.resources
    for each in resources.as_of(float("inf")):
        resources.delete(each["id"])
    if not world.azure.directory.allows(
        world.azure.directory.get(FUNCTIONS), "Microsoft.Any/x/read", "/subscriptions/any"
    ):
        world.azure.directory.assign(FUNCTIONS, "Reader", world.azure.directory.root_scope)
    for number in range(count):
        row = recording.body["data"][number % len(recording.body["data"])]
        suffix = "" if number < len(recording.body["data"]) else f"-{number}"
        parts = row["id"].split("/")
        resources.put(
            {
                "id": row["id"] + suffix,
                "name": parts[-1] + suffix,
                "type": row.get("type", "/".join(parts[6:8])),
                "location": row.get("location", "westeurope"),
                "tags": row.get("tags") or {},
                "properties": row.get("properties") or {},
            },
            seen_by_graph_at=0,
        )


def test_a_skip_token_is_made_as_the_recorded_one(world: World, evidence: Path) -> None:
    recording = read(evidence, "arg-query-skiptoken-page1-200")
    seed_rows(world, recording, 20)
    body = {"query": "project id | order by id asc", "options": {"$top": 3}}
    ours = ask(world, "POST", recording.path, body, version="2021-03-01").json()
    tokens = [json.loads(base64.b64decode(each["$skipToken"])) for each in (ours, recording.body)]
    assert set(tokens[0]) <= set(tokens[1])
    assert tokens[0]["MaxRows"] == tokens[1]["MaxRows"] == 3


def test_connector_refusals_have_the_recorded_words(world: World, evidence: Path) -> None:
    path = evidence / "reference" / "data" / "arm-responses.json"
    derived = json.loads(path.read_text(encoding="utf-8"))
    wanted = ("put_aws_no_identity_provider", "AWS", ACCOUNT_ID), ("put_gcp_auth_problem", "GCP", "123456789012")
    kinds = {"AWS": "AwsAccount", "GCP": "GcpProject"}
    for name, environment, identifier in wanted:
        body = {
            "location": "CentralUS",
            "properties": {
                "hierarchyIdentifier": identifier,
                "environmentName": environment,
                "environmentData": {"environmentType": kinds[environment]},
                "offerings": [],
            },
        }
        answer, expected = ask(world, "PUT", in_our_group(world), body), derived[name]["response"]
        assert answer.status_code == expected["status"]
        assert {each for each in expected["headers"] if each not in answer.headers} == set()
        assert list(answer.json()) == list(expected["body"])
        assert wording(answer.json()["errorMessage"]) == wording(expected["body"]["errorMessage"])


def form(world: World, assertion: str) -> dict[str, str]:
    return {
        "client_id": world.azure.directory.get(QUEUE_SENDER).client_id,
        "grant_type": "client_credentials",
        "scope": f"{STORAGE}/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }


@pytest.mark.parametrize("name", ["entra-token-v2-client-credentials-200", "entra-token-assertion-401-aadsts700213"])
def test_entra_answers_as_recorded(world: World, evidence: Path, name: str) -> None:
    recording = read(evidence, name)
    issuer = Issuer(world.certificates)
    world.azure.directory.trust(QUEUE_SENDER, issuer=issuer.url, subjects=(SENDER_ROLE,))
    token = issuer.token() if recording.status == 200 else issuer.token(sub="another")
    url = f"{world.azure.authority_url}/{world.azure.directory.tenant_id}/oauth2/v2.0/token"
    answer = requests.post(url, data=form(world, token), timeout=10)
    issuer.stop()
    assert_agrees(answer, recording)
    if recording.status != 200:
        ours, theirs = answer.json(), recording.body
        assert ours["error"] == theirs["error"]
        assert ours["error_codes"] == theirs["error_codes"]
        assert wording(ours["error_description"]) == wording(theirs["error_description"])


def queue(
    world: World, method: str, path: str, body: str | None = None, *, token: str = "", metadata: str = ""
) -> requests.Response:
    bearer = token or world.azure.mint(FUNCTIONS, STORAGE)
    headers = {"Authorization": f"Bearer {bearer}", "x-ms-version": "2021-02-12"}
    if metadata:
        headers["x-ms-meta-val"] = metadata
    data = body.encode() if body is not None else None
    return requests.request(method, f"{world.azure.queue_url}/{path}", data=data, headers=headers, timeout=10)


def put_message(world: World, name: str) -> requests.Response:
    text = "<QueueMessage><MessageText>test message</MessageText></QueueMessage>"
    return queue(world, "POST", f"{name}/messages", f"<?xml version='1.0' encoding='utf-8'?>\n{text}")


def ask_queue(world: World, recording: Recording) -> requests.Response:
    name = f"recorded-{abs(hash(recording.name)):x}"[:40]
    before = {
        "queue-create-201": lambda: queue(world, "PUT", name),
        "queue-list-400-invalidauth": lambda: queue(world, "GET", "?comp=list", token="initial_token"),
        "queue-metadata-get-404-queuenotfound": lambda: queue(world, "GET", f"{name}?comp=metadata"),
    }
    if recording.name in before:
        return before[recording.name]()
    assert queue(world, "PUT", name).status_code == 201
    if recording.name == "queue-create-409-exists":
        return queue(world, "PUT", name, metadata="value")
    posted = put_message(world, name)
    if recording.name == "queue-message-post-201":
        return posted
    peeked = "?peekonly=true" if recording.name == "queue-message-peek-200" else ""
    taken = queue(world, "GET", f"{name}/messages{peeked}")
    if recording.name != "queue-message-delete-204":
        return taken
    found = {each: re.search(f"<{each}>(.*?)</", taken.text) for each in ("MessageId", "PopReceipt")}
    message, receipt = (str(each[1]) for each in found.values() if each)
    return queue(world, "DELETE", f"{name}/messages/{message}?popreceipt={quote(receipt, safe='')}")


QUEUE = (
    "queue-create-201",
    "queue-create-409-exists",
    "queue-list-400-invalidauth",
    "queue-message-delete-204",
    "queue-message-peek-200",
    "queue-message-post-201",
    "queue-messages-get-200",
    "queue-metadata-get-404-queuenotfound",
)


@pytest.mark.parametrize("name", QUEUE)
def test_the_queue_answers_as_recorded(world: World, evidence: Path, name: str) -> None:
    recording = read(evidence, name)
    answer = ask_queue(world, recording)
    said = f"{answer.status_code} {dict(answer.headers)} {answer.text}"
    assert answer.status_code == recording.status, said
    assert missing_headers(answer, recording) == set(), said
    if recording.body is None:
        assert answer.content == b""
        return
    assert xml_shape(answer.text) == xml_shape(recording.body), said
    if "<Error>" in recording.body:
        code, message = (re.search(f"<{part}>([^<\n]*)", recording.body) for part in ("Code", "Message"))
        assert code is not None
        assert message is not None
        assert f"<Code>{code[1]}</Code>" in answer.text
        assert answer.headers["x-ms-error-code"] == code[1]
        assert message[1] in answer.text


def test_every_recording_is_replayed_or_says_why_not(evidence: Path) -> None:
    entra = {"entra-token-v2-client-credentials-200", "entra-token-assertion-401-aadsts700213"}
    replayed = {*RESOURCE_MANAGER, *GRAPH, *QUEUE, *entra}
    assert replayed.isdisjoint(NOT_REPLAYED)
    assert replayed | set(NOT_REPLAYED) == names(evidence)
    assert all(len(reason) > 10 for reason in NOT_REPLAYED.values())


def test_what_is_not_simulated_is_refused_and_never_made_up(world: World, evidence: Path) -> None:
    asked = 0
    for name in NOT_REPLAYED:
        recording = read(evidence, name)
        if not recording.url.startswith(ARM) or not recording.method or "*" in recording.path:
            continue
        answer = exactly(world, recording)
        asked += 1
        assert answer.status_code in {400, 404}, (name, answer.text)
        said = json.dumps(answer.json())
        assert any(word in said for word in ("does not simulate", "was not found", "not simulated", "api-version")), (
            name
        )
    assert asked > 28
