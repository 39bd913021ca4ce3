"""Entries about projects as signed pushes: what is sent, what acknowledges, what comes again."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from sandbox.gcp.cloud import ADMINISTRATOR
from sandbox.gcp.pubsub import PushSettings, PushSubscription
from sandbox.serving import ConnectionDroppedError, Service
from tests.fakes.gcp_world import GcpWorld, gcp_world

AUDIENCE = "https://rollcall.example/api/gcp"
EMAIL = "rollcall-push@mdc-mgmt-proj-518249130711.iam.gserviceaccount.com"
PROJECTS = "/cloudresourcemanager/v3/projects"


class Receiver:
    """An endpoint that answers as a test plans it, 204 when nothing is planned; 0 drops the connection."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.planned: list[int] = []
        self._lock = threading.Lock()
        self.service = Service(self._answer).start()

    def _answer(self, environ: Any, start_response: Any) -> list[bytes]:
        with self._lock:
            self.got.append(json.loads(environ["wsgi.input"].read()))
            self.tokens.append(environ["HTTP_AUTHORIZATION"].removeprefix("Bearer "))
            status = self.planned.pop(0) if self.planned else 204
        if status == 0:
            raise ConnectionDroppedError
        start_response(f"{status} Planned", [])
        return [b""]

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(base64.b64decode(each["message"]["data"])) for each in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.service.stop()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path) as found:
        yield found


@pytest.fixture
def subscription(world: GcpWorld, receiver: Receiver) -> PushSubscription:
    settings = PushSettings(
        url=receiver.service.url,
        audience=AUDIENCE,
        service_account=EMAIL,
        first_pause_seconds=0.02,
        longest_pause_seconds=0.05,
        most_deliveries=4,
    )
    return world.cloud.push_to(settings)


def create(world: GcpWorld, project_id: str, **fields: str) -> requests.Response:
    return world.ask("POST", PROJECTS, {"projectId": project_id, "parent": world.cloud.hierarchy.root} | fields)


def test_every_change_of_a_project_is_pushed_in_its_order(
    world: GcpWorld, receiver: Receiver, subscription: PushSubscription
) -> None:
    folder = world.cloud.add_folder("Workloads").name
    create(world, "acme-app-1")
    world.ask("POST", f"{PROJECTS}/acme-app-1:move", {"destinationParent": folder})
    world.ask("DELETE", f"{PROJECTS}/acme-app-1")
    world.ask("POST", f"{PROJECTS}/acme-app-1:undelete", {})
    assert subscription.wait_until_empty(20)
    payloads = [entry["protoPayload"] for entry in receiver.entries]
    prefix = "google.cloud.resourcemanager.v3.Projects."
    assert [each["methodName"].removeprefix(prefix) for each in payloads] == [
        "CreateProject",
        "MoveProject",
        "DeleteProject",
        "UndeleteProject",
    ]
    assert {each["authenticationInfo"]["principalEmail"] for each in payloads} == {ADMINISTRATOR}
    assert {each["resourceName"] for each in payloads} == {"projects/acme-app-1"}
    assert all(each["status"] == {} for each in payloads)


def test_a_project_that_was_there_before_is_told_of_by_nobody(
    world: GcpWorld, receiver: Receiver, subscription: PushSubscription
) -> None:
    world.cloud.add_project("acme-old-1")
    assert subscription.wait_until_empty(5)
    assert receiver.got == []


def test_a_refused_creation_is_told_with_its_status(
    world: GcpWorld, receiver: Receiver, subscription: PushSubscription
) -> None:
    create(world, "acme-app-1")
    assert create(world, "acme-app-1").status_code == 409
    assert subscription.wait_until_empty(20)
    assert [entry["protoPayload"]["status"].get("code") for entry in receiver.entries] == [None, 6]


def test_the_older_form_has_the_number_and_no_operation(
    world: GcpWorld, receiver: Receiver, subscription: PushSubscription
) -> None:
    world.cloud.audit.version = "v1"
    create(world, "acme-app-1")
    world.ask("DELETE", f"{PROJECTS}/acme-app-1")
    world.ask("POST", PROJECTS, {"projectId": "acme-alone-1"})
    assert subscription.wait_until_empty(20)
    made, deleted, alone = receiver.entries
    project = world.cloud.hierarchy.find_project("acme-app-1")
    assert project is not None
    assert made["protoPayload"]["methodName"] == "CreateProject"
    assert made["protoPayload"]["request"]["project"]["projectNumber"] == project.number
    assert made["protoPayload"]["request"]["project"]["parent"] == {
        "type": "organization",
        "id": world.cloud.organization,
    }
    assert deleted["protoPayload"]["methodName"] == "DeleteProject"
    assert "parent" not in alone["protoPayload"]["request"]["project"]
    assert not any("operation" in entry for entry in receiver.entries)


def test_the_token_is_google_s_and_for_us(world: GcpWorld, receiver: Receiver, subscription: PushSubscription) -> None:
    create(world, "acme-app-1")
    assert subscription.wait_until_empty(20)
    [token] = receiver.tokens
    answer = requests.get(world.cloud.certs_url, verify=str(world.certificates.bundle_path), timeout=20)
    [key] = answer.json()["keys"]
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": key["kid"], "typ": "JWT"}
    issuer = "https://accounts.google.com"
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], audience=AUDIENCE, issuer=issuer)
    assert (claims["email"], claims["email_verified"]) == (EMAIL, True)
    assert "max-age" in answer.headers["Cache-Control"]


def test_keys_that_were_replaced_are_published_no_more(world: GcpWorld) -> None:
    before = world.cloud.signer.sign(AUDIENCE, EMAIL)
    world.cloud.signer.rotate()
    [key] = world.cloud.signer.jwks["keys"]
    assert jwt.get_unverified_header(before)["kid"] != key["kid"]


@pytest.mark.parametrize("status", [500, 429, 403, 302, 0])
def test_what_is_not_acknowledged_comes_again(
    world: GcpWorld, receiver: Receiver, subscription: PushSubscription, status: int
) -> None:
    receiver.planned = [status, status]
    create(world, "acme-app-1")
    assert subscription.wait_until_empty(20)
    assert [each["deliveryAttempt"] for each in receiver.got] == [1, 2, 3]
    assert len({each["message"]["messageId"] for each in receiver.got}) == 1
    journal = [(entry.status, entry.detail["attempt"]) for entry in world.journal.entries(operation="gcp:pubsub.push")]
    assert journal == [(status, 1), (status, 2), (204, 3)]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_is_acknowledged_does_not(
    world: GcpWorld, receiver: Receiver, subscription: PushSubscription, status: int
) -> None:
    receiver.planned = [status]
    create(world, "acme-app-1")
    assert subscription.wait_until_empty(20)
    assert len(receiver.got) == 1


def test_a_seek_brings_what_was_acknowledged_once_more(
    world: GcpWorld, receiver: Receiver, subscription: PushSubscription
) -> None:
    create(world, "acme-app-1")
    assert subscription.wait_until_empty(20)
    assert [world.cloud.seek(), subscription.wait_until_empty(20)] == [1, True]
    first, again = receiver.got
    assert first == again
    assert {entry.detail["project"] for entry in world.journal.entries(operation="gcp:pubsub.push")} == {"acme-app-1"}


def test_one_that_nobody_takes_ends_as_a_dead_letter_and_holds_up_no_other(
    world: GcpWorld, receiver: Receiver, subscription: PushSubscription
) -> None:
    receiver.planned = [500, 500, 500, 500]
    create(world, "acme-app-1")
    assert subscription.wait_until_empty(20)
    create(world, "acme-app-2")
    assert subscription.wait_until_empty(20)
    assert len(receiver.got) == 5
    assert [each["messageId"] for each in subscription.dead_letters] == [receiver.got[0]["message"]["messageId"]]


def test_an_endpoint_that_is_not_there_is_tried_again_too(world: GcpWorld, receiver: Receiver) -> None:
    receiver.service.stop()
    settings = PushSettings(
        url=receiver.service.url,
        audience=AUDIENCE,
        service_account=EMAIL,
        first_pause_seconds=0.01,
        longest_pause_seconds=0.02,
        most_deliveries=3,
    )
    subscription = world.cloud.push_to(settings)
    create(world, "acme-app-1")
    assert subscription.wait_until_empty(20)
    assert [entry.status for entry in world.journal.entries(operation="gcp:pubsub.push")] == [0, 0, 0]
    assert len(subscription.dead_letters) == 1
