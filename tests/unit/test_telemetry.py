"""The spans of a request: in the trace that it carries, ended as it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from functions import bootstrap
from functions.queue_entry import handle_request
from functions.settings import Settings
from functions.telemetry import WithoutQueries, following, invocation, tell
from shared.adapters.settings import read_settings
from shared.application.outcome import Outcome
from shared.domain.ledger import Result
from shared.domain.trace import trace_id_of
from shared.errors import ConfigurationError
from tests.fixtures.read import request
from tests.unit.conftest import AzureSide

ROOT = Path(__file__).parents[2]
_EXPORTER = InMemorySpanExporter()
_PROVIDER = TracerProvider()
_PROVIDER.add_span_processor(WithoutQueries())
_PROVIDER.add_span_processor(SimpleSpanProcessor(_EXPORTER))
REQUEST = request()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """What is recorded; a process has one provider, for good."""
    if trace.get_tracer_provider() is not _PROVIDER:
        trace.set_tracer_provider(_PROVIDER)
    _EXPORTER.clear()
    return _EXPORTER


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    [found] = [each for each in spans.get_finished_spans() if each.name == name]
    return found


def test_a_request_s_span_is_in_its_trace_and_says_how_it_ended(spans: InMemorySpanExporter, azure: AzureSide) -> None:
    outcome = handle_request(REQUEST.to_json().encode(), 1, azure.ports)
    span = named(spans, "create_connector")
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == trace_id_of(REQUEST.traceparent)
    assert (span.attributes or {})["outcome"] == outcome.result == Result.CREATED
    assert span.status.status_code is StatusCode.UNSET


def test_a_request_that_was_parked_is_a_failure_with_its_reason(spans: InMemorySpanExporter) -> None:
    with following("create_connector", REQUEST) as span:
        tell(span, REQUEST, Outcome(result=Result.PARKED, reason="nobody may"), began=REQUEST.occurred_at)
    assert named(spans, "create_connector").status.status_code is StatusCode.ERROR
    assert named(spans, "create_connector").status.description == "nobody may"


def test_what_is_raised_fails_the_span_without_its_text_and_goes_on(
    spans: InMemorySpanExporter, azure: AzureSide
) -> None:
    azure.source.failures.plan("current", ConfigurationError("no policy", setting="ROLLCALL_POLICY"))
    with pytest.raises(ConfigurationError):
        handle_request(REQUEST.to_json().encode(), 1, azure.ports)
    span = named(spans, "create_connector")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ConfigurationError")
    assert not span.events
    with pytest.raises(KeyError), following("another", REQUEST):
        raise KeyError("a library's words")
    another = named(spans, "another")
    assert (another.status.status_code, another.status.description) == (StatusCode.ERROR, None)
    assert not another.events


def test_a_request_without_a_trace_has_one_of_its_own(spans: InMemorySpanExporter) -> None:
    for traceparent in ("", "rubbish"):
        with following("create_connector", REQUEST.model_copy(update={"traceparent": traceparent})):
            pass
    first, second = (each.context.trace_id for each in spans.get_finished_spans() if each.context)
    assert first != second


def test_the_hosts_span_of_the_invocation_is_linked(spans: InMemorySpanExporter) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    context: Any = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=parent))
    with invocation(context), following("create_connector", REQUEST):
        pass
    [link] = named(spans, "create_connector").links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (parent[3:35], parent[36:52])
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_host_that_says_no_trace_is_worked_for_as_well(spans: InMemorySpanExporter) -> None:
    for parent in (None, "", "rubbish"):
        context: Any = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=parent))
        with invocation(context), following("create_connector", REQUEST):
            pass
    assert [each.links for each in spans.get_finished_spans()] == [(), (), ()]


def told(joined_at: datetime | None, seconds: float | None, began: datetime) -> None:
    data = REQUEST.data.model_copy(update={"joined_at": joined_at})
    outcome = Outcome(result=Result.CREATED, seconds_since_joined=seconds)
    with following("create_connector", REQUEST.model_copy(update={"data": data})) as span:
        tell(span, REQUEST.model_copy(update={"data": data}), outcome, began=began)


def test_what_went_before_is_told_once_the_connector_is_made(spans: InMemorySpanExporter) -> None:
    sent = REQUEST.first_enqueued_at
    joined, began = sent - timedelta(minutes=4), sent + timedelta(seconds=9)
    told(joined, 260.0, began)
    ready, waited = named(spans, "account_made_ready"), named(spans, "request_waited")
    for span, start, end in ((ready, joined, sent), (waited, sent, began)):
        assert (span.start_time, span.end_time) == (start.timestamp() * 1e9, end.timestamp() * 1e9)
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == trace_id_of(REQUEST.traceparent)


def test_of_an_account_that_was_there_before_nothing_is_told(spans: InMemorySpanExporter) -> None:
    sent = REQUEST.first_enqueued_at
    told(sent - timedelta(days=400), 400 * 86400.0, sent)
    told(sent - timedelta(minutes=4), None, sent)  # it had its connector
    told(None, None, sent)
    assert {each.name for each in spans.get_finished_spans()} == {"create_connector"}


def test_two_clocks_that_differ_make_no_span_that_ends_before_it_begins(spans: InMemorySpanExporter) -> None:
    sent = REQUEST.first_enqueued_at
    told(sent + timedelta(seconds=3), 5.0, sent - timedelta(seconds=2))
    assert {each.name for each in spans.get_finished_spans()} == {"create_connector"}


@pytest.mark.parametrize("name", ["http.url", "url.full", "http.target"])
def test_what_stands_behind_an_address_is_not_sent(spans: InMemorySpanExporter, name: str) -> None:
    tracer = _PROVIDER.get_tracer("requests")
    with tracer.start_as_current_span("call", attributes={name: "https://example.com/a?sig=secret"}):
        pass
    assert (named(spans, "call").attributes or {})[name] == "https://example.com/a"


def test_it_begins_once_however_many_threads_begin_it() -> None:
    """In a process of its own: it cannot be ended again."""
    code = """
import logging, threading
from functions.figures import FigureHandler
from functions.telemetry import begin
from tests.fakes.answering_azure import AnyToken
key = "InstrumentationKey=00000000-0000-4000-8000-000000000000;IngestionEndpoint=https://127.0.0.1:1/"
threads = [threading.Thread(target=begin, args=(key, AnyToken())) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
for name in ("functions", "shared"):
    handlers = logging.getLogger(name).handlers
    print(name, len(handlers), sum(isinstance(each, FigureHandler) for each in handlers))
import os; os._exit(0)
"""
    environment = os.environ | {
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.stdout.splitlines() == ["functions 2 1", "shared 2 1"], done.stderr


@pytest.mark.parametrize("text", ["nonsense", "InstrumentationKey=0", "IngestionEndpoint=https://example.com/"])
def test_what_is_no_connection_string_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ROLLCALL_POLICY": "policy.yaml",
        "ROLLCALL_QUEUE__QUEUESERVICEURI": "https://a.queue.core.windows.net",
        "ROLLCALL_LEDGER__TABLESERVICEURI": "https://a.table.core.windows.net",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": text,
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="APPLICATIONINSIGHTS_CONNECTION_STRING"):
        read_settings(Settings)


def test_a_connection_string_that_the_exporter_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ROLLCALL_POLICY": "policy.yaml",
        "ROLLCALL_QUEUE__QUEUESERVICEURI": "https://a.queue.core.windows.net",
        "ROLLCALL_LEDGER__TABLESERVICEURI": "https://a.table.core.windows.net",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=00000000-0000-4000-8000-000000000000;nonsense",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "128",  # so that it is as it was after this
    }.items():
        monkeypatch.setenv(name, value)
    bootstrap.settings.cache_clear()
    with pytest.raises(ConfigurationError) as refused:
        bootstrap.settings()
    assert refused.value.setting == "APPLICATIONINSIGHTS_CONNECTION_STRING"
