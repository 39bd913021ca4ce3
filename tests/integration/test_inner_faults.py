"""Faults, holds and the journal where no SDK of ours asks: between the clouds' own parts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from werkzeug import Request, Response

from sandbox.faults import Fault, FaultKind, Faults, Hold
from sandbox.functions_front import FunctionsFront
from sandbox.journal import Journal
from sandbox.lambda_service.runtime_api import Invocation, RuntimeApi
from sandbox.serving import Service
from tests.fakes.aws_world import AwsWorld, wait_until
from tests.fakes.azure_world import World, start_world

DROPPED = {FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.REPLY_LOST}
SPOILT = {FaultKind.EMPTY_BODY, FaultKind.WRONG_CONTENT_TYPE}
RUNTIME = "2018-06-01/runtime"


@dataclass
class Part:
    """One service, and a request to it that goes well."""

    service: str
    operation: str
    ask: Callable[[], requests.Response]
    throttled: int
    failed: int
    faults: Faults
    journal: Journal
    effects: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    world = AwsWorld(tmp_path_factory.mktemp("aws"))
    world.cloud.start()
    yield world
    world.cloud.stop()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = start_world(tmp_path_factory.mktemp("azure"))
    yield world
    world.azure.stop()


@pytest.fixture
def issuer(aws: AwsWorld) -> Part:
    url = f"{aws.cloud.issuer_url}/.well-known/openid-configuration"
    bundle = str(aws.certificates.bundle_path)
    return Part(
        service="oidc-issuer",
        operation="GetOpenIdConfiguration",
        ask=lambda: requests.get(url, verify=bundle, timeout=5),
        throttled=429,
        failed=503,
        faults=aws.cloud.faults,
        journal=aws.journal,
    )


@pytest.fixture
def documents(azure: World) -> Part:
    url = f"{azure.azure.authority_url}/{azure.azure.directory.tenant_id}/discovery/v2.0/keys"
    bundle = str(azure.certificates.bundle_path)
    return Part(
        service="entra",
        operation="GetKeys",
        ask=lambda: requests.get(url, verify=bundle, timeout=5),
        throttled=429,
        failed=503,
        faults=azure.azure.faults,
        journal=azure.journal,
    )


@pytest.fixture
def front() -> Iterator[Part]:
    effects: list[str] = []

    def host(environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        effects.append(f"{request.method} {request.full_path} {request.get_data(as_text=True)}")
        return Response("done", status=202, headers={"X-Of-Host": "1"})(environ, start_response)

    behind = Service(host).start()
    faults, journal = Faults(), Journal()
    made = FunctionsFront(journal, faults, lambda: behind.url)
    url = made.start()
    yield Part(
        service="functions",
        operation="RunFunction",
        ask=lambda: requests.post(f"{url}/admin/functions/sweep?a=%2F", json={"input": ""}, timeout=5),
        throttled=429,
        failed=503,
        faults=faults,
        journal=journal,
        effects=effects,
    )
    made.stop()
    behind.stop()


@pytest.fixture
def runtime() -> Iterator[Part]:
    faults, journal = Faults(), Journal()
    api = RuntimeApi(faults, "a-function", journal)
    effects: list[str] = []

    def ask() -> requests.Response:
        api.submit(Invocation("1", "arn", b"{}", 10, ""))
        assert requests.get(f"http://{api.address}/{RUNTIME}/invocation/next", timeout=5).content == b"{}"
        try:
            return requests.post(f"http://{api.address}/{RUNTIME}/invocation/1/response", data=b"[]", timeout=5)
        finally:
            if api.wait_for_result(0) is not None:
                effects.append("result")

    yield Part(
        service="lambda-runtime",
        operation="InvocationResponse",
        ask=ask,
        throttled=429,
        failed=500,
        faults=faults,
        journal=journal,
        effects=effects,
    )
    api.close()


@pytest.fixture(params=["issuer", "documents", "front", "runtime"])
def part(request: pytest.FixtureRequest) -> Iterator[Part]:
    found: Part = request.getfixturevalue(request.param)
    yield found
    found.faults.clear()


def answered(part: Part, kind: FaultKind) -> requests.Response | None:
    part.faults.plant(Fault(service=part.service, operation=part.operation, kind=kind, seconds=0.2, retry_after=3))
    try:
        return part.ask()
    except requests.ConnectionError:
        return None


@pytest.mark.parametrize("kind", FaultKind)
def test_a_planted_fault_strikes_and_is_in_the_journal(part: Part, kind: FaultKind) -> None:
    usual = part.ask()
    assert usual.ok
    before = len(part.effects)
    started = time.monotonic()
    answer = answered(part, kind)
    entry = part.journal.entries(operation=f"{part.service}:{part.operation}")[-1]
    assert entry.detail["fault"] == str(kind)
    assert (answer is None) is (kind in DROPPED)
    assert entry.status == (0 if answer is None else answer.status_code)
    expected = {FaultKind.THROTTLE: part.throttled, FaultKind.ERROR: part.failed}.get(kind, usual.status_code)
    assert answer is None or answer.status_code == expected
    if kind is FaultKind.THROTTLE:
        assert answer is not None
        assert answer.headers["Retry-After"] == "3"
    if kind in SPOILT:
        assert answer is not None
        assert answer.content == b"" if kind is FaultKind.EMPTY_BODY else answer.text.startswith("<!DOCTYPE html>")
    if kind in {FaultKind.LATENCY, FaultKind.TIMEOUT}:
        assert time.monotonic() - started >= 0.2
    takes_effect = kind in {FaultKind.LATENCY, FaultKind.REPLY_LOST, *SPOILT}
    assert entry.detail.get("effect") == (usual.status_code if kind is FaultKind.REPLY_LOST else None)
    if part.service in {"functions", "lambda-runtime"}:
        assert len(part.effects) - before == (1 if takes_effect else 0)
    assert part.ask().ok


def test_a_hold_stops_a_call_of_a_function_by_its_name(front: Part) -> None:
    front.faults.hold(Hold(service="functions", resource="sweep", path="*a=*", when="before"))
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(front.ask)
        wait_until(lambda: front.faults.holds()[0]["reached"])
        assert front.effects == []
        front.faults.release()
        assert held.result(5).status_code == 202
    assert len(front.effects) == 1


def test_the_front_hands_on_what_it_gets_and_says_so_where_no_host_is(front: Part) -> None:
    answer = front.ask()
    assert (answer.status_code, answer.text, answer.headers["X-Of-Host"]) == (202, "done", "1")
    assert front.effects == ['POST /admin/functions/sweep?a=%2F {"input": ""}']
    [entry] = front.journal.entries()
    assert (entry.operation, entry.path) == ("functions:RunFunction", "/admin/functions/sweep?a=%2F")
    assert (entry.identity, entry.detail["resource"]) == ("anonymous", "sweep")
    lonely = FunctionsFront(front.journal, Faults(), lambda: None)
    try:
        assert requests.get(f"{lonely.start()}/api/x", timeout=5).status_code == 503
    finally:
        lonely.stop()


def test_the_runtime_s_requests_are_in_the_journal_with_their_function(runtime: Part) -> None:
    runtime.ask()
    found = [(entry.operation, entry.identity, entry.status) for entry in runtime.journal.entries()]
    assert found == [
        ("lambda-runtime:NextInvocation", "a-function", 200),
        ("lambda-runtime:InvocationResponse", "a-function", 202),
    ]


STATUSES = {
    FaultKind.THROTTLE: (429, 1),
    FaultKind.ERROR: (500, 1),
    FaultKind.TIMEOUT: (0, 1),
    FaultKind.RESET: (0, 1),
    FaultKind.LATENCY: (200, 1),
    FaultKind.REPLY_LOST: (0, 2),
    FaultKind.WRONG_CONTENT_TYPE: (502, 2),
    FaultKind.EMPTY_BODY: (502, 2),
}


@pytest.mark.parametrize("kind", FaultKind)
def test_eventbridge_tries_a_disturbed_delivery_again_and_delivers_twice_what_it_does_not_know_of(
    aws: AwsWorld, kind: FaultKind
) -> None:
    name = f"of-{kind}".replace("_", "-")
    url = aws.queue_of({"source": [name]}, name)
    first, times = STATUSES[kind]
    aws.cloud.faults.plant(Fault(service="events", operation="DeliverToTarget", resource=name, kind=kind, seconds=0.1))
    entry = {"Source": name, "DetailType": "x", "Detail": json.dumps({"kind": str(kind)})}
    assert aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def tries() -> list[int]:
        entries = aws.journal.entries(operation="events:DeliverToTarget")
        return [each.status for each in entries if each.detail["source"] == name]

    wait_until(lambda: 200 in tries())
    assert tries() == ([200] if first == 200 else [first, 200])
    aws.cloud.faults.clear()
    assert [event["detail"] for event in aws.received(url)] == [{"kind": str(kind)}] * times
