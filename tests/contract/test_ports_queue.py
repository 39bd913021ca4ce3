"""One suite for the request queue: the fake, the Storage queue in real Azurite, and the one that stands in for it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from azure.core.credentials import TokenCredential
from azure.storage.queue import QueueClient, TextBase64DecodePolicy

from sandbox.azure.directory import QUEUE_SENDER
from shared.adapters.azure.credentials import federated_credential
from shared.adapters.azure.errors import translated
from shared.adapters.ledger.parked_bodies import TableParkedBodies
from shared.adapters.queue.storage_queue import StorageRequestQueue
from shared.application.parking import Parking
from shared.application.ports import ParkedBodies, RequestQueue
from shared.errors import ConfigurationError, TransientError
from shared.messages.connector_request import ConnectorRequest
from shared.messages.parked_request import MOST_BYTES, ParkedRequest
from tests.contract.conftest import FixedCredential, becomes_wrong_deployment
from tests.fakes.azure_world import SENDER_ROLE, Issuer, World
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.queues import FakeParkedBodies, FakeRequestQueue
from tests.fixtures.read import request

STORAGE = "https://storage.azure.com/.default"


@dataclass
class Queues:
    """A queue, and what a reader finds on it and on its poison queue now."""

    queue: RequestQueue
    visible: Callable[[], list[str]]
    poison: Callable[[], list[str]]


def reader(world: World, name: str, url: str) -> QueueClient:
    return QueueClient(
        url,
        name,
        credential=FixedCredential(world),
        message_decode_policy=TextBase64DecodePolicy(),
    )


@pytest.fixture(params=["fake", "azurite", "memory"])
def queues(request: pytest.FixtureRequest) -> Iterator[Queues]:
    if request.param == "fake":
        fake = FakeRequestQueue()
        yield Queues(
            fake,
            lambda: [sent.text for sent in fake.sent if sent.delay_seconds == 0],
            lambda: fake.parked_texts,
        )
        return
    world: World = request.getfixturevalue("azure_ports")
    own = request.param == "memory"
    url: str = request.getfixturevalue("_memory_queues") if own else world.azure.queue_url
    clients = [reader(world, name, url) for name in ("onboarding", "onboarding-poison")]
    for client in clients:
        client.clear_messages()
    read = [lambda c=client: [message.content for message in c.receive_messages()] for client in clients]
    queue = StorageRequestQueue(FixedCredential(world), queue_endpoint=url)
    yield Queues(queue, read[0], read[1])


def test_a_request_arrives_as_it_was_written(queues: Queues) -> None:
    sent = request(data={"name": "Zahlungsverkehr ☂"})
    queues.queue.send(sent)
    [text] = queues.visible()
    assert ConnectorRequest.from_json(text) == sent


def test_a_delayed_request_cannot_be_seen_yet(queues: Queues) -> None:
    queues.queue.send(request(), delay_seconds=3600.4)
    assert queues.visible() == []


def test_a_parked_request_waits_on_the_poison_queue(queues: Queues) -> None:
    parked = ParkedRequest.of(request().to_json().encode(), reason="r", remedy="m", at=NOON)
    queues.queue.park(parked)
    [text] = queues.poison()
    assert ParkedRequest.from_json(text) == parked
    assert queues.visible() == []


@pytest.fixture(params=["fake", "table"])
def bodies(request: pytest.FixtureRequest) -> ParkedBodies:
    if request.param == "fake":
        return FakeParkedBodies()
    world: World = request.getfixturevalue("azure_ports")
    return TableParkedBodies(FixedCredential(world), table_endpoint=world.azure.table_url)


@pytest.mark.parametrize("size", [0, 1, MOST_BYTES, 64 * 1024])
def test_whatever_a_queue_can_hold_can_be_kept_apart_and_comes_back(bodies: ParkedBodies, size: int) -> None:
    body = os.urandom(size)
    digest = hashlib.sha256(body).hexdigest()
    bodies.keep(digest, body)
    bodies.keep(digest, body)
    assert bodies.find(digest) == body


def test_what_was_never_kept_apart_is_not_found(bodies: ParkedBodies) -> None:
    assert bodies.find("f" * 64) is None


def test_the_largest_message_is_parked_with_its_reason(queues: Queues, bodies: ParkedBodies) -> None:
    body = os.urandom(MOST_BYTES)
    Parking(queue=queues.queue, bodies=bodies, clock=FakeClock()).put(body, reason="r" * 4000, remedy="m")
    [text] = queues.poison()
    parked = ParkedRequest.from_json(text)
    assert (parked.reason, bodies.find(parked.raw_sha256 or "")) == ("r" * 4000, body)


@pytest.mark.parametrize("size", [MOST_BYTES - 300, MOST_BYTES])
def test_what_is_said_to_fit_does_fit(queues: Queues, size: int) -> None:
    parked = ParkedRequest.of(b"{}", reason="", remedy="m", at=NOON)
    parked = parked.model_copy(update={"reason": "r" * (size - len(parked.to_json()))})
    assert parked.fits
    queues.queue.park(parked)
    assert len(queues.poison()) == 1


def test_messages_never_expire(azure_ports: World, queue_url: str) -> None:
    client = reader(azure_ports, "onboarding", queue_url)
    client.clear_messages()
    StorageRequestQueue(FixedCredential(azure_ports), queue_endpoint=queue_url).send(request())
    [message] = client.receive_messages()
    assert message.expires_on is not None
    assert message.expires_on.year > 9000


def test_a_delay_is_rounded_up_and_never_longer_than_the_service_takes(azure_ports: World, queue_url: str) -> None:
    client = reader(azure_ports, "onboarding", queue_url)
    client.clear_messages()
    queue = StorageRequestQueue(FixedCredential(azure_ports), queue_endpoint=queue_url)
    queue.send(request(), delay_seconds=0.2)
    queue.send(request(), delay_seconds=1e9)
    assert list(client.receive_messages()) == []
    time.sleep(1.2)
    assert len(list(client.receive_messages())) == 1


def test_a_queue_that_does_not_exist_is_a_wrong_deployment(azure_ports: World, queue_url: str) -> None:
    queue = StorageRequestQueue(FixedCredential(azure_ports), queue_endpoint=queue_url, name="nowhere")
    with pytest.raises(ConfigurationError, match="QueueNotFound"):
        queue.send(request())


def test_a_sender_that_may_only_put_is_told_so(azure_ports: World, queue_url: str) -> None:
    queue = StorageRequestQueue(FixedCredential(azure_ports, QUEUE_SENDER), queue_endpoint=queue_url)
    queue.send(request())
    with pytest.raises(TransientError, match="AuthorizationPermissionMismatch") as refused:
        queue.park(ParkedRequest.of(b"x", reason="r", remedy="m", at=NOON))
    assert becomes_wrong_deployment(refused.value)


def test_an_assertion_that_entra_does_not_know_yet_is_tried_again(azure_ports: World) -> None:
    issuer = Issuer(azure_ports.certificates)
    try:
        azure_ports.azure.directory.trust(QUEUE_SENDER, issuer=issuer.url, subjects=(SENDER_ROLE,))

        def credential(assertion: str) -> TokenCredential:
            return federated_credential(
                tenant_id=azure_ports.azure.directory.tenant_id,
                client_id=azure_ports.azure.directory.get(QUEUE_SENDER).client_id,
                authority_host=azure_ports.azure.authority_url,
                assertion=lambda: assertion,
            )

        trusted = credential(issuer.token())
        StorageRequestQueue(trusted, queue_endpoint=azure_ports.azure.queue_url).send(request())
        other = credential(issuer.token(sub=f"{SENDER_ROLE}-other"))
        with pytest.raises(TransientError, match="AADSTS700213") as refused, translated("get a token"):
            other.get_token(STORAGE)
        assert becomes_wrong_deployment(refused.value)
        with pytest.raises(ConfigurationError, match="AADSTS"), translated("get a token"):
            credential(issuer.token(exp=1)).get_token(STORAGE)
    finally:
        issuer.stop()
