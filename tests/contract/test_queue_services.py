"""One suite for both queue services, as an SDK sees them: real Azurite, and the sandbox's that stands in for it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueClient, QueueServiceClient

from sandbox.azure.directory import QUEUE_SENDER
from tests.contract.conftest import FixedCredential
from tests.fakes.azure_world import World

MAKER = "queue-maker"


@pytest.fixture
def service(azure_ports: World, queue_url: str) -> Iterator[QueueServiceClient]:
    directory = azure_ports.azure.directory
    if MAKER not in {*directory.names}:
        directory.add(MAKER, "user-assigned")
        directory.assign(MAKER, "Storage Queue Data Contributor", directory.storage_scope)
    with QueueServiceClient(queue_url, credential=FixedCredential(azure_ports, MAKER), retry_total=0) as client:
        yield client


@pytest.fixture
def queue(service: QueueServiceClient) -> Iterator[QueueClient]:
    client = service.create_queue(f"q-{uuid.uuid4()}", metadata={"purpose": "test"})
    yield client
    client.delete_queue()


def code_of(act: Callable[[], object]) -> tuple[int | None, str]:
    """Status and error code with which the service refuses."""
    with pytest.raises(HttpResponseError) as refused:
        act()
    code = vars(refused.value)["error_code"]  # the SDK of Storage adds it
    return refused.value.status_code, str(getattr(code, "value", code))


def texts(queue: QueueClient, **options: int) -> list[str]:
    pages = queue.receive_messages(messages_per_page=32, **options).by_page()
    return [message.content for message in next(pages, ())]


def test_messages_come_in_their_order_with_what_was_written_in_them(queue: QueueClient) -> None:
    sent = ["one & <two>", "☂", " spaces "]
    for text in sent:
        queue.send_message(text)
    assert texts(queue) == sent
    assert texts(queue) == []


def test_a_received_message_comes_again_once_its_time_is_over_and_is_counted(queue: QueueClient) -> None:
    queue.send_message("x")
    first = queue.receive_message(visibility_timeout=1)
    assert first is not None
    assert first.dequeue_count == 1
    assert queue.receive_message() is None
    time.sleep(1.1)
    again = queue.receive_message()
    assert again is not None
    assert (again.id, again.dequeue_count) == (first.id, 2)
    assert again.pop_receipt != first.pop_receipt
    assert code_of(lambda: queue.delete_message(first))[0] in {400, 404}
    queue.delete_message(again)
    assert code_of(lambda: queue.delete_message(again)) == (404, "MessageNotFound")


def test_a_message_that_expired_is_gone(queue: QueueClient) -> None:
    queue.send_message("x", time_to_live=1)
    queue.send_message("y", time_to_live=60)
    time.sleep(1.2)
    assert [message.content for message in queue.peek_messages(max_messages=5)] == ["y"]
    assert texts(queue) == ["y"]


def test_an_update_changes_text_time_and_receipt(queue: QueueClient) -> None:
    queue.send_message("x")
    held = queue.receive_message(visibility_timeout=60)
    assert held is not None
    kept = queue.update_message(held, visibility_timeout=60)
    assert kept.pop_receipt != held.pop_receipt
    assert code_of(lambda: queue.update_message(held, visibility_timeout=0))[0] in {400, 404}
    queue.update_message(kept, visibility_timeout=0, content="other")
    [seen] = queue.peek_messages()
    assert (seen.content, seen.dequeue_count) == ("other", 1)


def test_looking_changes_nothing_and_clearing_everything(queue: QueueClient) -> None:
    for number in range(3):
        queue.send_message(str(number), visibility_timeout=0)
    queue.send_message("later", visibility_timeout=60)
    assert [each.content for each in queue.peek_messages(max_messages=2)] == ["0", "1"]
    assert [each.content for each in queue.peek_messages(max_messages=5)] == ["0", "1", "2"]
    assert queue.get_queue_properties().approximate_message_count == 4
    queue.clear_messages()
    assert queue.get_queue_properties().approximate_message_count == 0
    assert texts(queue) == []


def test_a_queue_has_metadata_and_is_listed(service: QueueServiceClient, queue: QueueClient) -> None:
    queue.set_queue_metadata({"purpose": "other"})
    found = queue.get_queue_properties().metadata or {}
    assert {name.lower(): value for name, value in found.items()} == {"purpose": "other"}  # headers have no case
    again = partial(service.create_queue, queue.queue_name, metadata={"purpose": "other"})
    assert code_of(again) == (204, "QueueAlreadyExists")  # as the SDK sees "nothing changed"
    assert code_of(lambda: service.create_queue(queue.queue_name)) == (409, "QueueAlreadyExists")
    assert queue.queue_name in {each.name for each in service.list_queues(name_starts_with="q-")}
    assert [each.name for each in service.list_queues(name_starts_with="nobody")] == []


@pytest.mark.parametrize(
    "act",
    [
        lambda queue: queue.send_message("x" * 70_000),
        lambda queue: queue.send_message("x", visibility_timeout=8 * 24 * 3600),
        lambda queue: queue.receive_message(visibility_timeout=8 * 24 * 3600),
        lambda queue: list(queue.receive_messages(messages_per_page=33)),
    ],
)
def test_what_goes_beyond_the_limits_is_refused(queue: QueueClient, act: Callable[[QueueClient], object]) -> None:
    assert code_of(lambda: act(queue))[0] in {400, 413}


def test_a_queue_that_is_not_there_is_said_to_be_missing(service: QueueServiceClient) -> None:
    absent = service.get_queue_client("absent-queue")
    assert code_of(lambda: absent.send_message("x")) == (404, "QueueNotFound")
    assert code_of(absent.delete_queue) == (404, "QueueNotFound")
    assert code_of(absent.get_queue_properties) == (404, "QueueNotFound")


def test_roles_are_checked_in_front_of_both(azure_ports: World, queue_url: str) -> None:
    with QueueServiceClient(queue_url, credential=FixedCredential(azure_ports, QUEUE_SENDER), retry_total=0) as client:
        assert code_of(lambda: client.create_queue("not-mine")) == (403, "AuthorizationPermissionMismatch")
        client.get_queue_client("onboarding").send_message("x")
