"""One trace from an account's first event to its connector: through the logs of both clouds and in Azure Monitor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.faults import Fault, FaultKind
from shared.application.requests import correlation_id_for
from shared.domain.trace import trace_id_for
from tests.documented import OURS, fields, phrases
from tests.e2e.roll import Roll, running, wait_until

LAMBDAS = {"account-events": "rollcall-account-events", "stack-events": "rollcall-stack-events"}


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roll]:
    with running(tmp_path_factory.mktemp("trace"), telemetry=True) as made:
        yield made


def logged(roll: Roll, trace_id: str) -> list[tuple[str, dict[str, Any]]]:
    """(whose log, line) of every line of a trace, along the path."""
    logs = {name: roll.sandbox.lambdas.log_of(function) for name, function in LAMBDAS.items()}
    logs |= {host.name: host.log for host in roll.sandbox.function_hosts}
    written = [(where, text) for where, path in logs.items() for text in path.read_text().splitlines()]
    lines = [(where, json.loads(text)) for where, text in written if text.startswith("{")]
    return [(where, line) for where, line in lines if line.get("trace_id") == trace_id]


def sent(roll: Roll, kind: str, trace_id: str) -> list[dict[str, Any]]:
    """What Azure Monitor got of the trace, of one kind."""
    found = roll.sandbox.azure.monitor.items(kind)
    return [each["data"]["baseData"] for each in found if each["tags"].get("ai.operation.id") == trace_id]


def figures(roll: Roll) -> dict[str, list[dict[str, Any]]]:
    """The metrics that Azure Monitor got, by name: value and dimensions."""
    found: dict[str, list[dict[str, Any]]] = {}
    for item in roll.sandbox.azure.monitor.items("MetricData"):
        base = item["data"]["baseData"]
        for each in base["metrics"]:
            found.setdefault(each["name"], []).append(base["properties"] | {"value": each["value"]})
    return found


def test_one_trace_goes_from_the_first_event_to_the_connector(roll: Roll) -> None:
    account_id = roll.create_account("payments")
    roll.wait_for_state(account_id, "connected")
    correlation_id = correlation_id_for(account_id)
    trace_id = trace_id_for(correlation_id)
    wait_until(lambda: len(sent(roll, "RequestData", trace_id)) == 2, "Azure Monitor has both messages' spans")

    lines = logged(roll, trace_id)
    for where, line in lines:
        told = (line["message"], line.get("operation", ""), line["outcome"], line["reason"])
        print(f"{trace_id}  {where:<14}  {'  '.join(filter(None, told))}")
    assert [where for where, _ in lines][0] == "account-events"
    assert {where for where, _ in lines} == {*LAMBDAS, "functions-0"}
    assert {line["correlation_id"] for _, line in lines} == {correlation_id}
    assert [line["outcome"] for where, line in lines if where == "functions-0"] == ["skipped", "created"]

    spans = sent(roll, "RequestData", trace_id)
    assert [(each["name"], each["success"], each["properties"]["outcome"]) for each in spans] == [
        ("create_connector", True, "skipped"),  # the note that its roles are being deployed
        ("create_connector", True, "created"),
    ]
    assert all("_MS.links" in each["properties"] for each in spans)  # to what the host says of the invocation
    calls = sent(roll, "RemoteDependencyData", trace_id)
    assert {"account_made_ready", "request_waited"} <= {each["name"] for each in calls}
    assert any(
        each["name"].startswith("PUT ") and "/securityConnectors/aws-" in each["data"]
        for each in calls
        if "data" in each
    )
    assert not [each["data"] for each in calls if "?" in each.get("data", "")]


def test_azure_monitor_gets_each_line_with_its_fields_and_the_figures_in_it(roll: Roll) -> None:
    account_id = roll.create_account("invoices")
    roll.wait_for_state(account_id, "connected")
    trace_id = trace_id_for(correlation_id_for(account_id))
    closing = [line for where, line in logged(roll, trace_id) if where == "functions-0"]
    got: dict[str, Any] = {}

    def have_all_come() -> bool:
        lines = [each for each in sent(roll, "MessageData", trace_id) if each["message"] == "request_handled"]
        got.update({each["properties"]["message_id"]: each for each in lines})
        return all(line["message_id"] in got for line in closing)

    wait_until(have_all_come, "Azure Monitor has the lines")
    the_hosts = {"time", "level", "logger", "message", "function", "invocation_id"}
    for line in closing:
        assert got[line["message_id"]]["properties"] == {
            **{name: str(value) for name, value in line.items() if name not in the_hosts},
            "logger_name": line["logger"],
        }
    wait_until(lambda: "rollcall.time_to_connected" in figures(roll), "the figures came")
    found = figures(roll)
    created = {"provider": "aws", "operation": "connect", "outcome": "created"}
    assert any(created.items() <= each.items() for each in found["rollcall.requests"])
    assert all(0 < each["value"] < 60 for each in found["rollcall.time_to_connected"])
    assert {each["counter"] for each in found["rollcall.resource_manager.left"]} == {"resource-requests"}


def test_only_the_identity_that_may_publish_is_heard(roll: Roll) -> None:
    entries = roll.journal.entries(service="monitor")
    assert {(each.identity, each.authentication, each.status) for each in entries} == {
        ("rollcall-functions", "bearer", 200)
    }


def test_another_identity_may_not_publish(roll: Roll) -> None:
    answer = requests.post(
        f"{roll.sandbox.azure.monitor_url}v2.1/track",
        json=[],
        headers={"Authorization": f"Bearer {roll.sandbox.azure.mint('operator', 'https://monitor.azure.com/')}"},
        timeout=10,
    )
    assert answer.status_code == 403


def test_no_exception_and_no_query_reaches_azure_monitor(roll: Roll) -> None:
    roll.sandbox.faults.plant(Fault(service="table", kind=FaultKind.RESET, rate=0.3, seed=1))
    account_id = roll.create_account("chargebacks")
    wait_until(lambda: any(each.status == 0 for each in roll.journal.entries(service="table")), "a call was cut off")
    roll.sandbox.faults.clear()
    roll.wait_for_state(account_id, "connected")
    trace_id = trace_id_for(correlation_id_for(account_id))
    wait_until(lambda: len(sent(roll, "RequestData", trace_id)) >= 2, "Azure Monitor has the spans")
    assert roll.sandbox.azure.monitor.items("ExceptionData") == []
    everything = json.dumps(roll.sandbox.azure.monitor.items("RemoteDependencyData"))
    assert "api-version" not in everything
    assert "Traceback" not in everything


def test_every_line_of_hosts_and_functions_is_documented(roll: Roll) -> None:
    logs = [
        *(roll.sandbox.lambdas.log_of(each) for each in LAMBDAS.values()),
        *(each.log for each in roll.sandbox.function_hosts),
    ]
    lines = [json.loads(text) for path in logs for text in path.read_text().splitlines() if text.startswith("{")]
    ours = [line for line in lines if (line.get("name") or line.get("logger", "")).partition(".")[0] in OURS]
    assert {line["message"] for line in ours} >= {"event_handled", "request_handled", "resource_manager_budget"}
    added = {
        *[
            "level",
            "location",
            "message",
            "timestamp",
            "service",
            "name",
            "xray_trace_id",
            "time",
            "logger",
            "function",
            "invocation_id",
        ]
    }
    assert {line["message"] for line in ours} <= phrases()
    assert {field for line in ours for field in line} - added <= fields()


def test_telemetry_that_nobody_takes_stops_nothing(roll: Roll) -> None:
    roll.sandbox.faults.plant(Fault(service="monitor", kind=FaultKind.ERROR))
    account_id = roll.create_account("refunds")
    assert roll.wait_for_state(account_id, "connected").state == "connected"
    wait_until(lambda: any(each.status == 500 for each in roll.journal.entries(service="monitor")), "it was refused")
