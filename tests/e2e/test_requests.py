"""What lies on the queue `onboarding`: twice at the same moment, broken, or half done when a host was killed."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from sandbox.functions_app import FunctionHost
from shared.domain.ledger import Result
from shared.messages.parked_request import MOST_BYTES
from tests.e2e.roll import Roll, now, running, wait_until
from tests.fixtures.read import fixture


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roll]:
    with running(tmp_path_factory.mktemp("requests"), function_hosts=2) as made:
        yield made


@contextmanager
def standing_still(roll: Roll) -> Iterator[None]:
    """All hosts stopped in the middle of whatever they do, as by a debugger; going on at the end."""
    pids = [json.loads((roll.sandbox.folder / f"functions-{number}.json").read_bytes())["pid"] for number in range(2)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(0.3)  # what they asked before is answered by now
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # a test may have killed it meanwhile
                os.kill(pid, signal.SIGCONT)


def put(roll: Roll, body: str) -> None:
    roll.onboarding.send_message(base64.b64encode(body.encode()).decode(), time_to_live=-1)


def requests_waiting(roll: Roll) -> list[dict[str, Any]]:
    messages = roll.onboarding.peek_messages(max_messages=32)
    return [json.loads(base64.b64decode(message.content)) for message in messages]


def connect_requests(roll: Roll, account_ids: list[str]) -> list[dict[str, Any]]:
    """The requests that the path itself put for these accounts, while no host works; none is left on the queue."""

    def found() -> list[dict[str, Any]]:
        return [
            request
            for request in requests_waiting(roll)
            if request["data"]["action"] == "connect" and request["data"]["hierarchy_identifier"] in account_ids
        ]

    wait_until(lambda: len(found()) == len(account_ids), "every account has asked for its connector")
    requests = found()
    roll.onboarding.clear_messages()
    return requests


def handled_by(host: FunctionHost, account_id: str) -> list[str]:
    """The outcomes of a host's work on an account's connect requests."""
    lines = [json.loads(line) for line in host.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    return [
        line["outcome"]
        for line in lines
        if line["message"] == "request_handled"
        and line["hierarchy_identifier"] == account_id
        and line["operation"] == "connect"
    ]


ROUNDS = 4
"""Which host takes which messages is theirs to decide: in most rounds the two of an account go to different ones."""


def delivered_twice(roll: Roll, prefix: str, *, another_id: bool) -> list[str]:
    """Accounts whose requests are there twice when both hosts begin; their ids, when all are connected.

    Whether each host takes its four messages at once or the two take turns, two by two: those of an account part.
    """
    with standing_still(roll):
        account_ids = [roll.create_account(f"{prefix}-{number}") for number in range(4)]
        requests = connect_requests(roll, account_ids)
        for request in requests:
            put(roll, json.dumps(request))
        for request in (*requests[2:], *requests[:2]):
            other = request | {"message_id": str(uuid.uuid4())} if another_id else request
            put(roll, json.dumps(other))
    for account_id in account_ids:
        roll.wait_for_state(account_id, "connected")
    roll.wait_until_drained()
    return account_ids


@pytest.mark.parametrize("another_id", [False, True], ids=["same-message", "other-message-id"])
def test_two_deliveries_at_the_same_moment_to_two_hosts_are_one_connector_and_one_put(
    roll: Roll, another_id: bool
) -> None:
    for number in range(ROUNDS):
        account_ids = delivered_twice(roll, f"{'other' if another_id else 'same'}-{number}", another_id=another_id)
        outcomes = {
            account_id: [handled_by(host, account_id) for host in roll.sandbox.function_hosts]
            for account_id in account_ids
        }
        for account_id, of_hosts in outcomes.items():
            assert sum(of_hosts, []).count("created") == 1
            assert len(roll.connectors(account_id)) == 1
            assert [entry.status for entry in roll.puts(account_id)] == [201]
            record = roll.record(account_id)
            assert record is not None
            assert (record.state, record.claimed_by) == ("connected", "")
        if all(map(all, outcomes.values())):
            return
    pytest.fail("never did each host get one of the two deliveries")


def test_a_second_delivery_during_the_put_waits_and_then_finds_nothing_to_do(roll: Roll) -> None:
    connectors = roll.sandbox.azure.connectors
    with standing_still(roll):
        account_id = roll.create_account("slow")
        [request] = connect_requests(roll, [account_id])
        connectors.put_seconds = 2.0
        put(roll, json.dumps(request))
    try:
        wait_until(lambda: _claimed(roll, account_id), "a host works on it")
        put(roll, json.dumps(request | {"message_id": str(uuid.uuid4())}))
        wait_until(lambda: any(entry.result == "deferred" for entry in roll.history(account_id)), "the other one waits")
        assert roll.puts(account_id) == []  # still being answered
    finally:
        connectors.put_seconds = 0.0
    roll.wait_until_drained()
    roll.wait_for_state(account_id, "connected")
    assert [entry.status for entry in roll.puts(account_id)] == [201]
    results = [entry.result for entry in roll.history(account_id)]
    assert results.count(Result.CREATED) == 1
    assert results[-1] == "unchanged"


def _claimed(roll: Roll, account_id: str) -> bool:
    record = roll.record(account_id)
    return record is not None and record.claimed_by != ""


def _looked_up(roll: Roll, account_id: str) -> bool:
    entries = roll.journal.entries(operation="arm:GetSecurityConnector")
    return any(entry.path.partition("?")[0].endswith(f"/aws-{account_id}") for entry in entries)


def test_messages_that_nobody_can_read_are_set_aside_with_their_bytes_and_the_batch_goes_on(roll: Roll) -> None:
    account_id = roll.create_account("bystander")
    roll.wait_for_state(account_id, "connected")
    roll.wait_until_drained()
    no_json, no_base64 = "these are words: ä", "%%% no Base64 %%%"
    wrong = {"schema": "connector-request/9", "data": {"provider": "aws"}}
    largest = "ä" * (MOST_BYTES // 2)
    good = json.loads(fixture("messages/connector-request-1.connect.json"))
    good["data"] |= {"hierarchy_identifier": account_id, "organization": _organization(roll)}
    good |= {"message_id": str(uuid.uuid4()), "occurred_at": now()}  # an older one would be passed over
    before = len(roll.poisoned())
    with standing_still(roll):
        put(roll, no_json)
        put(roll, largest)
        roll.onboarding.send_message(no_base64)
        put(roll, json.dumps(wrong))
        put(roll, json.dumps(good))
    wait_until(lambda: len(roll.poisoned()) == before + 4, "four messages are poison")
    roll.wait_until_drained()
    assert good["message_id"] in {entry.message_id for entry in roll.history(account_id)}
    texts = [message.content for message in roll.poisoned()]
    assert no_base64 in texts
    parked = [json.loads(base64.b64decode(text)) for text in texts if text != no_base64]
    raw = [base64.b64decode(document["raw_base64"]) for document in parked if "raw_base64" in document]
    assert no_json.encode() in raw
    assert wrong in [document.get("original") for document in parked]
    assert [roll.bodies.find(document["raw_sha256"]) for document in parked if "raw_sha256" in document] == [
        largest.encode()
    ]
    for document in parked:
        assert document["schema"] == "parked-request/1"
        assert document["reason"]
        assert document["remedy"]


def _organization(roll: Roll) -> str:
    return str(roll.client("organizations").describe_organization()["Organization"]["Id"])


def test_control_characters_on_the_queue_reach_the_ledger_or_the_poison_queue_unchanged(roll: Roll) -> None:
    name = "bell\x07 null\x00 \x1b[31mred del\x7f line\u2028"
    account_id = roll.plant_account("controlled")
    roll.ask_onboarding(account_id)
    roll.wait_for_state(account_id, "connected")
    roll.wait_until_drained()
    request = json.loads(fixture("messages/connector-request-1.connect.json"))
    request["data"] |= {"hierarchy_identifier": account_id, "organization": _organization(roll), "name": name}
    put(roll, json.dumps(request | {"message_id": str(uuid.uuid4()), "occurred_at": now()}))
    roll.wait_until_drained()
    record = roll.record(account_id)
    assert record is not None
    assert (record.name, record.state) == (name, "connected")
    before = {message.id for message in roll.poisoned()}
    stranger = request["data"] | {"hierarchy_identifier": "000000000778", "organization": "o-stranger01"}
    put(roll, json.dumps(request | {"data": stranger, "message_id": str(uuid.uuid4())}))
    assert roll.wait_for_state("000000000778", "parked").name == name
    [message] = [message for message in roll.poisoned() if message.id not in before]
    assert json.loads(base64.b64decode(message.content))["original"]["data"]["name"] == name


def test_a_request_of_another_organization_is_parked_with_reason_and_remedy(roll: Roll) -> None:
    request = json.loads(fixture("messages/connector-request-1.connect.json"))
    request["data"] |= {"hierarchy_identifier": "000000000777", "organization": "o-stranger00"}
    put(roll, json.dumps(request))
    record = roll.wait_for_state("000000000777", "parked")
    assert "o-stranger00" in record.reason
    assert record.remedy
    assert roll.puts("000000000777") == []


def test_a_request_that_comes_before_the_roles_is_deferred_and_succeeds_by_itself(roll: Roll) -> None:
    with standing_still(roll):
        account_id = roll.create_account("premature")
        [request] = connect_requests(roll, [account_id])
    bare = roll.plant_account("bare")
    request["data"] |= {"hierarchy_identifier": bare, "name": "bare"}
    put(roll, json.dumps(request | {"message_id": str(uuid.uuid4())}))
    record = roll.wait_for_state(bare, "deferred")
    assert "next attempt at" in record.reason
    assert roll.puts(bare)[0].status == 400
    roll.ask_onboarding(bare)
    roll.wait_for_state(bare, "connected")
    roll.wait_until_drained()
    assert [entry.status for entry in roll.puts(bare)].count(201) == 1
    assert len(roll.connectors(bare)) == 1


def kill_all(roll: Roll) -> None:
    for host in roll.sandbox.function_hosts:
        host.kill()


def start_all(roll: Roll) -> None:
    for host in roll.sandbox.function_hosts:
        host.start()
    for host in roll.sandbox.function_hosts:
        host.wait_until_ready()


def test_a_host_killed_with_a_message_in_its_hands_leaves_it_to_the_next(roll: Roll) -> None:
    with standing_still(roll):
        account_id = roll.create_account("orphan")
        [request] = connect_requests(roll, [account_id])
        put(roll, json.dumps(request))
        kill_all(roll)  # also a stopped process dies by SIGKILL
        first = roll.sandbox.function_hosts[0]
        first.start()
        wait_until(lambda: requests_waiting(roll) == [], "the host has taken the message")
        first.kill()
        assert roll.puts(account_id) == []
        assert roll.onboarding.get_queue_properties().approximate_message_count == 1
        start_all(roll)
    roll.wait_for_state(account_id, "connected")
    roll.wait_until_drained()
    assert [entry.status for entry in roll.puts(account_id)] == [201]
    log = first.log.read_text(encoding="utf-8") + roll.sandbox.function_hosts[1].log.read_text(encoding="utf-8")
    assert '"dequeue_count": 2' in log


def test_a_host_killed_during_the_put_leaves_one_connector_and_the_account_connected(roll: Roll) -> None:
    connectors = roll.sandbox.azure.connectors
    with standing_still(roll):
        account_id = roll.create_account("torn")
        [request] = connect_requests(roll, [account_id])
        connectors.put_seconds = 1.5
        put(roll, json.dumps(request))
    wait_until(lambda: _looked_up(roll, account_id), "a host is about to write")
    time.sleep(0.5)  # Resource Manager has the PUT by now, and takes 1.5 s over it
    kill_all(roll)
    record = roll.record(account_id)
    assert record is not None
    assert record.state == "connecting"
    connectors.put_seconds = 0.0
    start_all(roll)
    roll.wait_for_state(account_id, "connected")
    roll.wait_until_drained()
    assert len(roll.connectors(account_id)) == 1
    assert len(roll.puts(account_id)) == 1
