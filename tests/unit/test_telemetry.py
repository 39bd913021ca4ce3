"""The spans of a request: in the trace that it carries, ended as it ended."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from functions.queue_entry import handle_request
from functions.telemetry import WithoutQueries, following, tell
from shared.application.outcome import Outcome
from shared.domain.ledger import Result
from shared.domain.trace import trace_id_of
from shared.errors import ConfigurationError
from tests.fixtures.read import request
from tests.unit.conftest import AzureSide

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


def test_what_is_raised_stands_in_the_span_and_goes_on(spans: InMemorySpanExporter, azure: AzureSide) -> None:
    azure.source.failures.plan("current", ConfigurationError("no policy", setting="ROLLCALL_POLICY"))
    with pytest.raises(ConfigurationError):
        handle_request(REQUEST.to_json().encode(), 1, azure.ports)
    span = named(spans, "create_connector")
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


def test_a_request_without_a_trace_has_one_of_its_own(spans: InMemorySpanExporter) -> None:
    for traceparent in ("", "rubbish"):
        with following("create_connector", REQUEST.model_copy(update={"traceparent": traceparent})):
            pass
    first, second = (each.context.trace_id for each in spans.get_finished_spans() if each.context)
    assert first != second


def test_the_hosts_span_of_the_invocation_is_linked(spans: InMemorySpanExporter) -> None:
    with (
        _PROVIDER.get_tracer("host").start_as_current_span("invocation") as host,
        following("create_connector", REQUEST),
    ):
        pass
    [link] = named(spans, "create_connector").links
    assert link.context.trace_id == host.get_span_context().trace_id


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
