"""`rollcall replay` on a real sandbox: hundreds of given-up messages, a kill -9 in the middle, and the way back."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.entra import OPERATORS_AUDIENCE
from sandbox.faults import Hold
from tests.e2e.burst import connected
from tests.e2e.given_up import (
    KINDS,
    READABLE,
    SENDABLE,
    accounts_with_roles,
    encoded,
    put,
    put_apart,
    request,
    text_of,
)
from tests.e2e.processes import ROLLCALL, Command, environment
from tests.e2e.roll import Roll, running, wait_until
from tests.fixtures.read import fixture

HIDDEN: dict[str, Any] = {"ROLLCALL_REPLAY__HIDDEN_SECONDS": "8"}
QUICK: dict[str, Any] = {
    "pacing_writes_per_second": 10_000.0,
    "pacing_burst": 10_000,
    "resource_graph_lag_seconds": 0.2,
}
REPLAYED = ("security-admin-missing", "hierarchy-taken", "retry-budget-spent")
"""And `given-up`, which are two of the ten kinds: what the host moved, and plain text that is a request."""
POISON = ("--queue", "onboarding-poison")
EACH = int(os.environ.get("ROLLCALL_TEST_GIVEN_UP", "20"))
"""How many messages of each of the ten kinds; `make replays` has a hundred of each."""


@contextmanager
def world(folder: Path, **settings: Any) -> Iterator[tuple[Roll, Path]]:
    with running(folder / ".sandbox", **(QUICK | settings)) as roll:
        yield roll, folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Roll, Path]]:
    with world(tmp_path_factory.mktemp("replay")) as made:
        yield made


def replay(folder: Path, *arguments: str) -> Any:
    """The document of a run of `rollcall replay … --json`."""
    ran = Command(folder, "replay", *arguments, "--json", **HIDDEN)
    assert ran.out, ran.err
    return ran.document


def listed(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = replay(folder, "list", "--limit", "2000", *POISON, *arguments)["messages"]
    return found


@pytest.mark.timeout(1000)
def test_all_messages_are_listed_and_half_of_them_replayed_through_a_kill(tmp_path: Path) -> None:
    with world(tmp_path, function_hosts=2) as (roll, folder):
        ids = iter(accounts_with_roles(roll, EACH * len(SENDABLE)))
        accounts = {kind: [next(ids) if kind in SENDABLE else "" for _ in range(EACH)] for kind in KINDS}
        put(roll, [text_of(roll, kind, each) for kind, those in accounts.items() for each in those])

        totals = replay(folder, "list", "--limit", "7", "--page", "3", *POISON)
        expected = dict.fromkeys(READABLE, EACH) | {"given-up": 2 * EACH, "unreadable-message": 4 * EACH}
        assert totals["totals"] == expected
        assert totals["count"] == 10 * EACH
        assert len(totals["messages"]) == 7
        found = listed(folder)
        assert len({each["message_id"] for each in found}) == 10 * EACH
        assert {each["account"] for each in found} - {None} == {id_ for kind in SENDABLE for id_ in accounts[kind]}
        assert len(listed(folder, "--class", "given-up")) == 2 * EACH
        assert [each["reason_class"] for each in listed(folder, "--account", accounts["other"][7])] == ["other"]
        assert len(listed(folder, "--older-than", "1")) == 0
        assert roll.poison.get_queue_properties().approximate_message_count == 10 * EACH

        for kind in REPLAYED:
            done = replay(folder, "run", "--all", "--class", kind, "--per-second", "1000", *POISON)
            assert (done["done"], done["failed"]) == (EACH, 0)
        killed_while_it_replays(roll, folder, "given-up")
        again = replay(folder, "run", "--all", "--class", "given-up", "--per-second", "1000", *POISON)
        assert (again["done"], again["failed"]) == (2 * EACH - 39, 0)
        meant = {each for kind in SENDABLE - {"other"} for each in accounts[kind]}
        assert len(meant) == 5 * EACH
        wait_until(lambda: connected(roll) >= meant, "every account meant is connected", 200)
        roll.wait_until_drained()
        assert connected(roll) == meant
        puts = Counter(
            entry.path.partition("?")[0].rpartition("/aws-")[2]
            for entry in roll.journal.entries(operation="arm:PutSecurityConnector")
        )
        assert puts == dict.fromkeys(meant, 1)
        left = replay(folder, "list", "--limit", "2000", *POISON)
        assert left["totals"] == {"other": EACH, "unreadable-message": 4 * EACH}
        account_id = accounts["plain"][3]
        assert roll.puts(account_id)[0].status == 201
        steps = [(entry.step, entry.reason.split(" by ")[0]) for entry in roll.history(account_id)]
        assert ("note:seen", "replayed") in steps


def killed_while_it_replays(roll: Roll, folder: Path, kind: str) -> None:
    """SIGKILL after a message went back to the queue and before it is deleted; then its time is waited for."""
    deletes = Hold(service="queue", operation="DeleteMessage", identity="operator", when="before", nth=40)
    roll.sandbox.faults.hold(deletes)
    command = [ROLLCALL, "replay", "run", "--all", "--class", kind, "--per-second", "1000", *POISON]
    process = subprocess.Popen(command, cwd=folder, env=environment(**HIDDEN), stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(hold["reached"] for hold in roll.sandbox.faults.holds()), "it deletes its 40th message")
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
    finally:
        process.kill()
        roll.sandbox.faults.release(drop=True)

    def all_back() -> bool:
        return len(listed(folder, "--class", kind)) == 2 * EACH - 39

    time.sleep(float(HIDDEN["ROLLCALL_REPLAY__HIDDEN_SECONDS"]))  # each look costs seconds
    wait_until(all_back, "what was hidden is back", 60)


def test_a_message_is_shown_with_its_history_and_what_became_of_its_cause(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    account_id = roll.plant_account("shown")
    roll.ask_onboarding(account_id)
    roll.wait_for_state(account_id, "connected")
    put(roll, [text_of(roll, "hierarchy-taken", "888800000001"), text_of(roll, "no json", "")])
    waiting = roll.plant_account("waiting")
    roll.wait_until_drained()

    put(roll, [text_of(roll, "other", account_id)])
    [moot] = listed(folder, "--account", account_id)
    shown = replay(folder, "show", moot["message_id"][:8])
    assert shown["account_status"]["state"] == "connected"
    assert [entry["result"] for entry in shown["history"]][-1] == "created"
    assert json.loads(shown["body"])["data"]["hierarchy_identifier"] == account_id
    [open_] = listed(folder, "--account", "888800000001")
    assert replay(folder, "show", open_["message_id"])["diagnosis"]["cause"] == "unknown"
    [broken] = [each for each in listed(folder) if each["reason_class"] == "unreadable-message"]
    assert replay(folder, "show", broken["message_id"])["diagnosis"]["cause"] == "remains"
    assert roll.record(waiting) is None
    quiet = Command(folder, "--quiet", "replay", "list", *POISON, **HIDDEN)
    assert (quiet.code, quiet.err) == (0, "")
    assert account_id in quiet.out
    refused = Command(folder, "--quiet", "replay", "show", "12345678", **HIDDEN)
    assert (refused.code, "no one message" in refused.err) == (1, True)
    roll.poison.clear_messages()


def test_what_nobody_can_read_is_exported_mended_and_put_back(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    [account_id] = accounts_with_roles(roll, 1)
    put(roll, [text_of(roll, "a field missing", account_id)])
    [broken] = listed(folder)
    identifier, file = broken["message_id"], folder / "message.json"
    refused = Command(folder, "replay", "run", identifier, *POISON, **HIDDEN)
    assert refused.code == 1
    assert "data.organization" in refused.err
    shown = Command(folder, "replay", "show", identifier, "--export", str(file), **HIDDEN)
    assert shown.code == 0, shown.err

    still = replay(folder, "run", identifier, "--from", str(file), *POISON)
    assert (still["done"], still["failed"]) == (0, 1)
    assert len(listed(folder)) == 1

    mended = json.loads(file.read_bytes())
    mended["data"]["organization"] = request(roll, account_id)["data"]["organization"]
    file.write_text(json.dumps(mended))
    done = replay(folder, "run", identifier, "--from", str(file), *POISON)
    assert (done["done"], done["failed"]) == (1, 0)
    roll.wait_for_state(account_id, "connected")
    assert listed(folder) == []


def test_a_text_that_is_kept_apart_goes_back_whole(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    [account_id] = accounts_with_roles(roll, 1)
    put_apart(roll, account_id)
    [apart] = listed(folder)
    assert (apart["account"], apart["fault"]) == (account_id, "")
    assert replay(folder, "run", apart["message_id"], *POISON)["done"] == 1
    roll.wait_for_state(account_id, "connected")


def test_a_discarded_message_stays_in_the_history_or_in_a_file(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    put(roll, [text_of(roll, "other", "888800000004"), encoded(b"nothing at all")])
    by_account = {each["account"]: each["message_id"] for each in listed(folder)}
    done = replay(folder, "discard", by_account["888800000004"], "--reason", "it was sold", *POISON)
    assert (done["done"], done["failed"]) == (1, 0)
    wait_until(lambda: bool(roll.history("888800000004")), "the history tells")
    [entry] = roll.history("888800000004")
    assert "it was sold; it was given up because: something else" in entry.reason
    assert entry.reason.startswith("discarded by ")
    assert roll.puts("888800000004") == []

    refused = replay(folder, "discard", by_account[None], "--reason", "noise", *POISON)
    assert (refused["done"], refused["failed"]) == (0, 1)
    kept = folder / "kept.jsonl"
    done = replay(folder, "discard", by_account[None], "--reason", "noise", "--export", str(kept), *POISON)
    assert (done["done"], done["failed"]) == (1, 0)
    [line] = [json.loads(line) for line in kept.read_text().splitlines()]
    assert (line["message_id"], line["discarded_because"]) == (by_account[None], "noise")
    assert listed(folder) == []


def test_what_the_host_gave_up_is_parked_by_the_timer_and_does_not_expire(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    for text in (text_of(roll, "given-up", "888800000005"), "plain <"):
        roll.poison.send_message(text)  # as the host does: for seven days
    assert {each["expires_at"] is None for each in listed(folder)} == {False}
    functions = json.loads((roll.sandbox.folder / "endpoints.json").read_bytes())["functions"]
    answer = requests.post(f"{functions}/admin/functions/rewrap_poison", json={}, timeout=10)
    assert answer.status_code == 202
    wait_until(lambda: all(each["expires_at"] is None for each in listed(folder)), "both are parked", 30)
    found = {each["account"]: each["reason_class"] for each in listed(folder)}
    assert found == {"888800000005": "given-up", None: "unreadable-message"}
    assert [entry.result for entry in roll.history("888800000005")] == ["parked"]
    said = Command(folder, "status", "--json").document
    assert [(each["name"], each["seen"], each["failed"]) for each in said["sweeps"]] == [("rewrap_poison", 2, 0)]
    assert {each["name"]: each["waiting"] for each in said["queues"]}["onboarding-poison"] == 2
    roll.poison.clear_messages()


def test_dead_letters_of_aws_go_back_to_their_queue(small: tuple[Roll, Path]) -> None:
    roll, folder = small
    account_id = roll.plant_account("dead-letter")
    event = json.loads(fixture("events/account_joined.created.json"))
    event["detail"]["serviceEventDetails"]["accountId"] = account_id
    roll.deliver("AccountEventsDeadLetterQueue", json.dumps(event), '{"id": 1}')
    found = replay(folder, "list", "--queue", "account-events-dead-letters")["messages"]
    by_account = {each["account"]: each for each in found}
    assert by_account.keys() == {account_id, None}
    assert by_account[account_id]["reason_class"] == "given-up"
    assert by_account[None]["fault"]

    done = replay(folder, "run", "--all", "--account", account_id)
    assert (done["done"], done["failed"]) == (1, 0)
    roll.wait_for_state(account_id, "connected")
    kept = folder / "dead.jsonl"
    identifier = by_account[None]["message_id"]
    done = replay(folder, "discard", identifier, "--reason", "noise", "--export", str(kept))
    assert done["done"] == 1
    assert roll.messages_on("AccountEventsDeadLetterQueue") == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run",), 2, "--all"),
        (("run", "abc"), 2, "too short"),
        (("run", "12345678", "--all"), 2, "exclude"),
        (("run", "--all", "--from", "x"), 2, "one message"),
        (("run", "12345678", "--from", "nowhere"), 1, "cannot be read"),
        (("discard", "12345678", "--reason", " "), 2, "reason"),
        (("list", "--queue", "nowhere"), 2, "none of"),
        (("list", "--account", "12"), 2, "twelve digits"),
        (("show", "12345678"), 1, "no one message"),
        (("run", "12345678"), 1, "no message is meant"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    small: tuple[Roll, Path], arguments: tuple[str, ...], code: int, said: str
) -> None:
    refused = Command(small[1], "replay", *arguments, **HIDDEN)
    assert refused.code == code
    assert said in " ".join(refused.err.split())


def over_http(roll: Roll, method: str, path: str = "", *, token: str | None = None, **options: Any) -> Any:
    functions = json.loads((roll.sandbox.folder / "endpoints.json").read_bytes())["functions"]
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return requests.request(method, f"{functions}/api/replay{path}", headers=headers, timeout=30, **options)


def test_an_operator_replays_over_http_and_the_history_names_them(small: tuple[Roll, Path]) -> None:
    roll, _ = small
    [account_id] = accounts_with_roles(roll, 1)
    put(roll, [text_of(roll, "other", account_id)])
    token = roll.sandbox.azure.mint("operator", OPERATORS_AUDIENCE)
    found = over_http(roll, "GET", token=token)
    assert found.status_code == 200, found.text
    [message] = found.json()["messages"]
    assert message["account"] == account_id
    assert over_http(roll, "GET", f"/{message['message_id']}", token=token).json()["diagnosis"]["cause"] == "unknown"
    done = over_http(roll, "POST", token=token, json={"action": "run", "ids": [message["message_id"]]})
    assert done.json()["done"] == 1, done.text
    roll.wait_for_state(account_id, "connected")
    operator = roll.sandbox.azure.directory.get("operator").object_id
    wait_until(lambda: len(roll.history(account_id)) == 2, "the history has the replay, too")
    assert f"replayed by {operator}" in [entry.reason for entry in roll.history(account_id)]


def test_everybody_else_is_refused_alike_and_has_the_issuer_asked_once_a_minute(small: tuple[Roll, Path]) -> None:
    roll, _ = small
    azure = roll.sandbox.azure
    right = azure.mint("operator", OPERATORS_AUDIENCE)
    assert over_http(roll, "GET", token=right).status_code == 200
    before = len(roll.journal)
    header, body, signature = right.split(".")
    strange = [
        json.dumps({"alg": "RS256", "typ": "JWT", "kid": f"unknown-{number}"}).encode() for number in range(1000)
    ]
    unknown = [f"{base64.urlsafe_b64encode(each).decode().rstrip('=')}.{body}.{signature}" for each in strange]
    tokens = [
        None,
        azure.mint("operator", "https://management.azure.com"),
        azure.mint(FUNCTIONS, OPERATORS_AUDIENCE),  # without the role
        f"{header}.{body}.{signature[:-6]}AAAAAA",
    ]
    answers = [over_http(roll, method, token=token) for token in tokens for method in ("GET", "POST")]
    answers += [over_http(roll, "GET", token=token) for token in unknown]
    told = {(each.status_code, each.content, each.headers["WWW-Authenticate"]) for each in answers}
    assert told == {(401, b"", "Bearer")}
    assert len(roll.journal.entries(operation="entra:GetKeys", since=before)) <= 2
