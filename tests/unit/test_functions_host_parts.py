from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from sandbox.functions_host.app_settings import AppSettings
from sandbox.functions_host.errors import HostRefusalError
from sandbox.functions_host.host_json import UNLIMITED, HostJson, parse_time_span, read_host_json
from sandbox.functions_host.http_front import route_rules
from sandbox.functions_host.indexing import HostedFunction
from sandbox.functions_host.schedule import Schedule
from sandbox.functions_host.timer_listener import TimerListener
from sandbox.functions_host.timer_store import ScheduleStatus, TimerStore

THURSDAY = datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 */5 * * * *", "2026-01-01T00:05:00"),
        ("0 30 9 * * *", "2026-01-01T09:30:00"),
        ("0 30 9 * * 0", "2026-01-04T09:30:00"),  # Sunday
        ("0 30 9 * * 1", "2026-01-05T09:30:00"),  # Monday
        ("0 30 9 * * 6", "2026-01-03T09:30:00"),  # Saturday
        ("0 30 9 * * Sun-Tue", "2026-01-04T09:30:00"),
        ("0 30 9 * FEB Monday", "2026-02-02T09:30:00"),
        ("0 0 0 13 * 5", "2026-02-13T00:00:00"),  # day and weekday both have to match
        ("5/15 * * * * *", "2026-01-01T00:00:05"),
        ("0 0 9-17/4 * * *", "2026-01-01T09:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 * * *", "2026-01-02T00:00:00"),  # later than the moment itself
    ],
)
def test_a_schedule_occurs_when_ncrontab_says(expression: str, expected: str) -> None:
    assert Schedule(expression).next_after(THURSDAY) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    ["*/5 * * * *", "00:05:00", "0 0 0 * * 7", "0 0 0 31 2 *", "0 0 25 * * *", "0 0 9-8 * * *", "0 0 0 last * *"],
)
def test_what_is_not_ncrontab_is_refused(expression: str) -> None:
    with pytest.raises(HostRefusalError):
        Schedule(expression)


def test_time_spans_are_read_as_dotnet_writes_them() -> None:
    assert parse_time_span("00:10:00") == 600
    assert parse_time_span("1.00:00:01.5") == 86401.5
    assert parse_time_span("-1") == UNLIMITED


def _read(root: Path, document: object, **environment: str) -> HostJson:
    (root / "host.json").write_text(json.dumps(document))
    return read_host_json(root, AppSettings(environment))


def test_the_environment_overrides_host_json_without_regard_to_case(tmp_path: Path) -> None:
    document = {"version": "2.0", "extensions": {"queues": {"batchSize": 4, "newBatchThreshold": 0}}}
    options = _read(
        tmp_path,
        document,
        AzureFunctionsJobHost__extensions__queues__batchsize="1",
        AzureFunctionsJobHost__extensions__queues__visibilityTimeout="00:00:07",
        AZUREFUNCTIONSJOBHOST__functionTimeout="00:00:30",
    )
    assert options.extensions.queues.batch_size == 1
    assert options.extensions.queues.new_batch_threshold == 0
    assert options.extensions.queues.visibility_timeout == 7
    assert options.extensions.queues.max_dequeue_count == 5
    assert options.function_timeout == 30


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"version": "1.0"},
        {"version": "2.0", "singleton": {}},
        {"version": "2.0", "extensions": {"serviceBus": {}}},
        {"version": "2.0", "extensions": {"queues": {"batchSize": 33}}},
        {"version": "2.0", "extensions": {"queues": {"visibilityTimeOut": "00:00:01"}}},
        {"version": "2.0", "functionTimeout": "ten minutes"},
    ],
)
def test_a_host_json_that_this_host_does_not_know_is_refused(tmp_path: Path, document: object) -> None:
    with pytest.raises(HostRefusalError):
        _read(tmp_path, document)


def test_settings_and_identity_connections_are_found_whatever_their_case() -> None:
    settings = AppSettings(
        {
            "WORK__QUEUESERVICEURI": "https://localhost:1/account/",
            "WORK__credential": "managedidentity",
            "WORK__clientId": "abc",
            "NAME": "work",
        }
    )
    connection = settings.connection("work", "queue")
    assert (connection.service_uri, connection.client_id) == ("https://localhost:1/account", "abc")
    assert settings.resolve("%Name%-1") == "work-1"
    with pytest.raises(HostRefusalError, match="OTHER"):
        settings.resolve("%OTHER%")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WORK": "DefaultEndpointsProtocol=https;AccountKey=x"},
        {"WORK__queueServiceUri": "https://localhost:1/account"},
        {"WORK__queueServiceUri": "https://localhost:1/account", "WORK__credential": "clientsecret"},
    ],
)
def test_a_connection_that_is_not_a_managed_identitys_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(HostRefusalError, match="WORK"):
        AppSettings(environment).connection("WORK", "queue")


def test_route_templates_become_rules_of_the_web_server() -> None:
    assert route_rules("api", "report") == ["/api/report"]
    assert route_rules("", "a/{id}/{n:int}") == ["/a/<default:id>/<int:n>"]
    assert route_rules("api", "a/{id?}") == ["/api/a/<default:id>", "/api/a"]
    assert route_rules("api", "{*rest}") == ["/api/<path:rest>", "/api"]
    for unknown in ("a/{id:regex(x)}", "a/{id:decimal}"):
        with pytest.raises(HostRefusalError):
            route_rules("api", unknown)


class UnreadableStore(TimerStore):
    """A timer's lock that is free, and a status of which half an answer came."""

    def __init__(self) -> None:
        self.was_read = threading.Event()

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        """Nobody has it."""

    def read(self) -> ScheduleStatus | None:
        self.was_read.set()
        raise ValueError("Expecting value: line 1 column 1 (char 0)")


def test_a_timer_whose_status_cannot_be_read_just_now_does_not_end_its_host(caplog: pytest.LogCaptureFixture) -> None:
    function = HostedFunction(
        name="sweep",
        kind="timerTrigger",
        target=Mock(),
        argument="timer",
        trigger={"schedule": "0 0 5 * * *"},
        bindings=(),
        wants_context=False,
        returns_response=False,
    )
    store = UnreadableStore()
    listener = TimerListener(function, store, Mock())
    listener.start()
    assert store.was_read.wait(5)
    time.sleep(0.05)  # what ends a thread ends it at once
    assert [thread.is_alive() for thread in threading.enumerate() if thread.name == "timer-sweep"] == [True]
    listener.stop(5)
    assert "host storage not reached" in caplog.text
