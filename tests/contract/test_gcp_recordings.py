"""The simulated Google Cloud, and the adapters, against answers and samples that the real one gave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from sandbox.gcp.pubsub import PushSettings
from sandbox.serving import Service
from shared.adapters.gcp.errors import read_failure, refusal
from shared.adapters.gcp.projects import GcpProjects
from tests.contract.recordings import Recording, names, read, shape, wording
from tests.fakes.answering_google import PlannedAnswers, planned_client
from tests.fakes.clock import FakeClock
from tests.fakes.gcp_world import GcpWorld, gcp_world

REFUSED = {
    "gcp-403-service-disabled": ("TransientError", "gcp-api-disabled"),
    "gcp-404-sink-not-found": ("PermanentError", "gcp-not-found"),
    "gcp-409-already-exists": ("PermanentError", "gcp-conflict"),
    "gcp-iam-workloadidentitypool-409-soft-deleted": ("PermanentError", "gcp-conflict"),
}
OLD_FORM = {
    "gcp-project-get-v1-200": "Resource Manager v1",
    "gcp-projects-list-v1-200": "Resource Manager v1",
    "gcp-folder-get-v2-200": "Resource Manager v2",
    "gcp-project-getiampolicy-v1-200": "Resource Manager v1; the policy's keys are compared",
}
COMPARED = {
    "gcp-project-get-v3-200",
    "gcp-project-create-operation-200",
    "gcp-serviceusage-enable-operation-200",
    "gcp-serviceusage-disable-200",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path) as found:
        found.cloud.add_project("acme-shop-1", found.cloud.add_folder("Workloads").name)
        yield found


def headers_missing(answer: requests.Response, recording: Recording) -> set[str]:
    standing = {"content-type", "server", "vary", "cache-control"}
    return {name for name in recording.headers if name in standing and name not in answer.headers}


def test_no_recording_is_left_out(evidence: Path) -> None:
    found = {name for name in names(evidence) if name.startswith("gcp-")}
    assert found == REFUSED.keys() | OLD_FORM.keys() | COMPARED


@pytest.mark.parametrize("name", REFUSED)
def test_a_recorded_refusal_is_read_as_we_say(evidence: Path, name: str) -> None:
    recording = read(evidence, name)
    error = refusal(read_failure(recording.status, json.dumps(recording.body)), "ask")
    assert (type(error).__name__, error.key) == REFUSED[name]
    assert recording.body["error"]["message"][:80] in error.reason


def test_a_project_has_the_recorded_keys_and_types_and_is_read(evidence: Path, world: GcpWorld) -> None:
    recording = read(evidence, "gcp-project-get-v3-200")
    answer = world.ask("GET", "/cloudresourcemanager/v3/projects/acme-shop-1")
    assert headers_missing(answer, recording) == set()
    ours, theirs = shape(answer.json()), shape(recording.body)
    theirs["state"] = "str"  # it was asked for as a number
    assert theirs.items() <= ours.items()
    answers = PlannedAnswers()
    body = recording.body | {"parent": "organizations/300000000001", "name": "projects/100000000001", "state": "ACTIVE"}
    answers.plan("api", 200, body)
    found = GcpProjects(planned_client(answers, FakeClock()), "300000000001", FakeClock()).find("100000000001")
    assert found is not None
    assert found.joined_at is not None
    assert found.joined_at.isoformat() == "2024-04-01T12:34:56.123456+00:00"


def test_the_operation_of_a_creation_ends_as_recorded(evidence: Path, world: GcpWorld) -> None:
    recording = read(evidence, "gcp-project-create-operation-200")  # of v1: another project inside, the same outside
    body = {"projectId": "acme-new-1", "parent": world.cloud.hierarchy.root}
    started = world.ask("POST", "/cloudresourcemanager/v3/projects", body).json()
    ours = world.ask("GET", f"/cloudresourcemanager/v3/{started['name']}").json()
    assert set(recording.body) == set(ours)
    assert set(recording.body["metadata"]) <= set(ours["metadata"])
    assert ours["done"] is True


def test_enabling_ends_as_recorded_and_disabling_begins_so(evidence: Path, world: GcpWorld) -> None:
    services = "/serviceusage/v1/projects/acme-shop-1/services"
    recording = read(evidence, "gcp-serviceusage-enable-operation-200")
    started = world.ask("POST", f"{services}/pubsub.googleapis.com:enable", {}).json()
    ours = world.ask("GET", f"/serviceusage/v1/{started['name']}").json()
    assert shape(ours) == shape(recording.body)
    assert ours["response"]["@type"] == recording.body["response"]["@type"]
    assert ours["response"]["service"]["state"] == recording.body["response"]["service"]["state"]
    recording = read(evidence, "gcp-serviceusage-disable-200")
    answer = world.ask("POST", f"{services}/pubsub.googleapis.com:disable", {})
    assert headers_missing(answer, recording) == set()
    assert shape(answer.json()) == shape(recording.body)
    assert answer.json()["name"].startswith("operations/acf.")


def test_an_api_that_is_off_is_told_in_the_recorded_words(evidence: Path, world: GcpWorld) -> None:
    recording = read(evidence, "gcp-403-service-disabled")
    answer = world.ask("GET", "/compute/compute/v1/projects/acme-shop-1")
    assert answer.status_code == recording.status
    ours, theirs = answer.json()["error"], recording.body["error"]
    assert wording(ours["message"].replace("Compute Engine API", "App Engine Admin API")) == wording(
        theirs["message"].replace("appengine.", "compute.")
    )
    assert (ours["code"], ours["status"]) == (theirs["code"], theirs["status"])
    [help_link] = [each for each in ours["details"] if each["@type"].endswith("Help")]
    assert shape(help_link) == shape(theirs["details"][0])


@pytest.mark.parametrize("name", ["gcp-409-already-exists", "gcp-iam-workloadidentitypool-409-soft-deleted"])
def test_a_name_that_is_taken_is_told_in_the_recorded_words(evidence: Path, world: GcpWorld, name: str) -> None:
    recording = read(evidence, name)
    project = world.cloud.hierarchy.find_project("acme-shop-1")
    assert project is not None
    project.services.add("iam.googleapis.com")
    pools = f"/iam/v1/projects/{project.number}/locations/global/workloadIdentityPools"
    for method, path in (("POST", "?workloadIdentityPoolId=sample"), ("DELETE", "/sample")):
        assert world.ask(method, f"{pools}{path}", {}).status_code == 200
    answers = [
        world.ask("POST", f"{pools}?workloadIdentityPoolId=sample", {}),
        world.ask(
            "POST",
            "/cloudresourcemanager/v3/projects",
            {"projectId": "acme-shop-1", "parent": world.cloud.hierarchy.root},
        ),
    ]
    theirs = {key: value for key, value in recording.body["error"].items() if key != "errors"}  # of older services
    assert [answer.json()["error"] for answer in answers] == [theirs, theirs]


def test_what_is_not_found_has_the_recorded_envelope(evidence: Path, world: GcpWorld) -> None:
    recording = read(evidence, "gcp-404-sink-not-found")
    answer = world.ask(
        "GET", f"/iam/v1/projects/{world.deployed.management_number}/locations/global/workloadIdentityPools/no"
    )
    assert answer.status_code == recording.status
    assert shape(answer.json()) == shape(recording.body)
    assert answer.json()["error"]["status"] == recording.body["error"]["status"]


def test_a_policy_has_the_recorded_keys(evidence: Path, world: GcpWorld) -> None:
    recording = read(evidence, "gcp-project-getiampolicy-v1-200")
    answer = world.ask("POST", f"/cloudresourcemanager/v3/{world.cloud.hierarchy.root}:getIamPolicy", {})
    assert shape(answer.json()) == shape(recording.body)


def sample(evidence: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((evidence / "reference" / "events" / f"gcp.{name}.json").read_text())
    return found


def test_an_entry_has_the_keys_of_the_sample(evidence: Path, world: GcpWorld) -> None:
    entries: list[dict[str, Any]] = []
    world.cloud.audit.listeners.append(entries.append)
    body = {"projectId": "acme-app-1", "displayName": "acme app 1", "parent": world.cloud.hierarchy.root}
    world.ask("POST", "/cloudresourcemanager/v3/projects", body)
    world.cloud.audit.version = "v1"
    world.ask("POST", "/cloudresourcemanager/v3/projects", body | {"projectId": "acme-app-2"})
    new, old = entries
    theirs = sample(evidence, "CreateProject.v3.CONSTRUCTED")["entry"]
    assert shape(new) == shape(theirs)
    assert new["protoPayload"]["methodName"] == theirs["protoPayload"]["methodName"]
    assert new["protoPayload"]["request"]["@type"] == theirs["protoPayload"]["request"]["@type"]
    assert new["logName"] == theirs["logName"]
    assert old["protoPayload"]["methodName"] == "CreateProject"
    assert "operation" not in old
    assert old["protoPayload"]["request"]["project"]["projectNumber"].isdigit()


def test_a_push_has_the_keys_of_the_samples(evidence: Path, world: GcpWorld) -> None:
    got: list[tuple[str, dict[str, Any]]] = []

    def listen(environ: Any, start_response: Any) -> list[bytes]:
        body = json.loads(environ["wsgi.input"].read())
        got.append((environ["HTTP_AUTHORIZATION"], body))
        start_response("204 No Content", [])
        return [b""]

    service = Service(listen).start()
    settings = PushSettings(url=service.url, audience="https://example.com", service_account="push@sample.example")
    subscription = world.cloud.push_to(settings)
    body = {"projectId": "acme-app-1", "displayName": "acme app 1", "parent": world.cloud.hierarchy.root}
    world.ask("POST", "/cloudresourcemanager/v3/projects", body)
    assert subscription.wait_until_empty(20)
    service.stop()
    [(authorization, envelope)] = got
    assert shape(envelope) == shape(sample(evidence, "pubsub_push_envelope"))
    token = authorization.removeprefix("Bearer ")
    theirs = sample(evidence, "pubsub_push_jwt")
    assert shape(jwt.get_unverified_header(token)) == shape(dict(sorted(theirs["header"].items())))
    assert shape(jwt.decode(token, options={"verify_signature": False})) == shape(theirs["claims"])
