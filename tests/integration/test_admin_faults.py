"""The admin API plants faults and sets holds; what makes no sense it refuses with the reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from sandbox.admin import AdminApi
from sandbox.cloud import Sandbox
from sandbox.faults import SERVICES, Faults, RequestFacts
from sandbox.journal import Journal


class Processes:
    """Stands for the processes of a sandbox."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def kill(self, process: str) -> None:
        if process not in {"functions-0", "lambda:f"}:
            raise LookupError(f"no process {process}")
        self.done.append(f"kill {process}")

    def start_host(self, name: str) -> None:
        self.done.append(f"start {name}")


@pytest.fixture
def processes() -> Processes:
    return Processes()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def admin(processes: Processes, faults: Faults) -> Iterator[str]:
    parts = {"faults": faults, "journal": Journal(), "stop_requested": threading.Event()}
    sandbox = SimpleNamespace(**parts, kill=processes.kill, start_host=processes.start_host)
    api = AdminApi(cast(Sandbox, sandbox))
    yield api.start()
    api.stop()


def ask(method: str, url: str, body: Any = None) -> requests.Response:
    return requests.request(method, url, json=body, timeout=10)


def test_one_fault_or_a_list_is_planted_counted_and_taken_away(admin: str, faults: Faults) -> None:
    one = ask("POST", f"{admin}/faults", {"service": "arm", "kind": "throttle", "retry_after": 2}).json()["ids"]
    two = ask("POST", f"{admin}/faults", [{"service": "sqs", "kind": "reset", "count": 2}]).json()["ids"]
    assert faults.meet(RequestFacts(service="sqs", operation="SendMessage", identity="x")).fault is not None
    listed = ask("GET", f"{admin}/faults").json()["faults"]
    assert [(each["id"], each["struck"]) for each in listed] == [(one[0], 0), (two[0], 1)]
    assert ask("DELETE", f"{admin}/faults").status_code == 204
    assert ask("GET", f"{admin}/faults").json() == {"faults": []}


def test_a_hold_says_who_waits_and_is_released(admin: str, faults: Faults) -> None:
    wanted = {"service": "arm", "operation": "Put*", "when": "before", "client": "*functions-1*"}
    identifier = ask("POST", f"{admin}/hold", wanted).json()["id"]
    facts = RequestFacts(service="arm", operation="PutX", identity="me", client="sdk functions-1")
    waiting = threading.Thread(target=faults.meet(facts).before, daemon=True)
    waiting.start()
    while (hold := ask("GET", f"{admin}/hold").json()["holds"][0])["reached"] is None:
        assert waiting.is_alive()
    assert (hold["id"], hold["reached"]["client"]) == (identifier, "sdk functions-1")
    assert ask("DELETE", f"{admin}/hold").status_code == 204
    waiting.join(5)
    assert not waiting.is_alive()


def test_processes_are_killed_and_started_by_name(admin: str, processes: Processes) -> None:
    assert ask("POST", f"{admin}/kill", {"process": "functions-0"}).status_code == 204
    assert ask("POST", f"{admin}/start", {"process": "functions-0"}).status_code == 204
    assert processes.done == ["kill functions-0", "start functions-0"]
    refused = ask("POST", f"{admin}/kill", {"process": "functions-9"})
    assert (refused.status_code, refused.json()) == (404, {"error": ["no process functions-9"]})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"service": "arm", "kind": "explode"}),
        ("faults", [{"service": "arm", "kind": "error", "count": 1, "rate": 0.1}]),
        ("hold", {"service": "arm", "when": "during"}),
        ("faults", {"service": "resource-manager", "kind": "error"}),
        ("faults", [{"service": "arm", "kind": "error"}, {"service": "events-*", "kind": "error"}]),
        ("hold", {"service": "Arm", "when": "before"}),
        ("kill", {"name": "functions-0"}),
    ],
)
def test_what_makes_no_sense_is_refused(admin: str, path: str, body: Any) -> None:
    refused = ask("POST", f"{admin}/{path}", body)
    assert refused.status_code == 400
    assert refused.json()["error"]


def test_a_fault_of_an_unknown_kind_is_refused_by_its_field_alone(admin: str, faults: Faults) -> None:
    refused = requests.post(f"{admin}/faults", json={"service": "arm", "kind": "eror"}, timeout=10)
    [problem] = refused.json()["error"]
    assert (refused.status_code, problem.partition(":")[0]) == (400, "0.kind")
    assert faults.planted() == []


def test_an_unknown_service_is_refused_with_the_list_of_those_that_are_known(admin: str, faults: Faults) -> None:
    refused = ask("POST", f"{admin}/faults", {"service": "resource-manager", "kind": "error"})
    assert refused.status_code == 400
    assert all(service in str(refused.json()["error"]) for service in SERVICES)
    assert faults.planted() == []


@pytest.mark.parametrize("service", [*SERVICES, "*", "lambda*"])
def test_every_simulated_service_is_known(admin: str, service: str) -> None:
    assert ask("POST", f"{admin}/faults", {"service": service, "kind": "error"}).status_code == 200
