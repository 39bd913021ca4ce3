"""OpenTelemetry to Azure Monitor: our log lines with their fields, our spans, our figures.

Without a connection string nothing of it begins: spans and figures go nowhere, lines to the host alone.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import azure.functions as func
from opentelemetry import metrics, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from functions.structured_log import OURS
from shared.domain.arrival import NEW_FOR
from shared.domain.ledger import Result
from shared.errors import RollcallError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.application.outcome import Outcome
    from shared.messages.connector_request import ConnectorRequest

NAME = "rollcall"
_LEFT_ALONE = ("azure_sdk", "django", "fastapi", "flask", "httpx", "httpx2", "psycopg2", "urllib")
"""A call to Azure or Google goes by requests, one to AWS by urllib3: one span each, and none around it."""
_ADDRESSES = ("http.url", "url.full", "http.target")
_FAILED = frozenset({Result.PARKED, Result.FAILED})
_beginning = threading.Lock()
_tracer = trace.get_tracer(NAME)
_propagator = TraceContextTextMapPropagator()


def begin(connection_string: str, credential: TokenCredential) -> None:
    """Sends what is written from now on, in this process and once. Nothing of ours is sampled away.

    Exceptions are left out of spans: their words are libraries', with addresses and what stands behind them; ours are
    told by log lines. Raises ValueError for what is no connection string.
    Source: Microsoft Learn, "Enable OpenTelemetry in Application Insights", Python; azure-monitor-opentelemetry 1.8.11.
    """
    from functions.figures import FigureHandler

    with _beginning:
        if not any(isinstance(each, FigureHandler) for each in logging.getLogger(OURS[0]).handlers):
            os.environ["OTEL_SPAN_EVENT_COUNT_LIMIT"] = "0"
            _begin(connection_string, credential)


def _begin(connection_string: str, credential: TokenCredential) -> None:
    from azure.monitor.opentelemetry import configure_azure_monitor

    from functions.figures import FigureHandler

    first, *others = OURS
    configure_azure_monitor(
        connection_string=connection_string,
        credential=credential,
        logger_name=first,
        sampling_ratio=1.0,
        span_processors=[WithoutQueries()],
        enable_live_metrics=False,
        enable_performance_counters=False,
        instrumentation_options={name: {"enabled": False} for name in _LEFT_ALONE},
    )
    figures = FigureHandler(metrics.get_meter(NAME))
    sending = logging.getLogger(first).handlers
    for name in others:
        for handler in sending:
            logging.getLogger(name).addHandler(handler)
    for name in OURS:
        logging.getLogger(name).addHandler(figures)
        logging.getLogger(name).setLevel(logging.INFO)


class WithoutQueries(SpanProcessor):
    """Takes from the address of a call what stands behind its path: filters, and whatever others put there."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Before anything is sent."""
        for name in _ADDRESSES:
            address = (getattr(span, "attributes", None) or {}).get(name)
            if isinstance(address, str) and "?" in address:
                span.set_attribute(name, address.partition("?")[0])


@contextmanager
def invocation(context: func.Context) -> Iterator[None]:
    """Work in the trace that the host says. The worker hands it to coroutines only: threads do not inherit it.

    Source: azure-functions-runtime 1.3.0, handle_event.py and utils/executor.py.
    """
    token = attach(_propagator.extract({"traceparent": context.trace_context.trace_parent or ""}))
    try:
        yield
    finally:
        detach(token)


@contextmanager
def following(name: str, request: ConnectorRequest) -> Iterator[Span]:
    """A span in the trace that the request carries, linked to the host's own of this invocation."""
    here = trace.get_current_span().get_span_context()
    facts = {"provider": str(request.data.provider), "hierarchy_identifier": request.data.hierarchy_identifier}
    facts |= {"correlation_id": request.correlation_id, "message_id": str(request.message_id)}
    with _tracer.start_as_current_span(
        name,
        context=_propagator.extract({"traceparent": request.traceparent}),
        kind=SpanKind.CONSUMER,
        links=[Link(here)] if here.is_valid else [],
        attributes=facts | {"attempt": request.attempt},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except RollcallError as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        except BaseException:
            span.set_status(Status(StatusCode.ERROR))
            raise


@contextmanager
def unseen() -> Iterator[None]:
    """What is called meanwhile has no span, and is not told our trace: for strangers whose address may be a secret."""
    with suppress_http_instrumentation():
        yield


def tell(span: Span, request: ConnectorRequest, outcome: Outcome, *, began: datetime) -> None:
    """How the work that began then has ended; of a connector that was made, also what went before.

    Those two spans are made of the request's times: the other cloud sends none to Azure Monitor.
    """
    span.set_attribute("outcome", str(outcome.result))
    if outcome.result in _FAILED:
        span.set_status(Status(StatusCode.ERROR, outcome.reason))
    joined, seconds = request.data.joined_at, outcome.seconds_since_joined
    if joined is None or seconds is None or seconds > NEW_FOR.total_seconds():
        return
    context = _propagator.extract({"traceparent": request.traceparent})
    sent = request.first_enqueued_at
    for name, start, end in (("account_made_ready", joined, sent), ("request_waited", sent, began)):
        if start < end:  # two clouds, two clocks
            earlier = _tracer.start_span(name, context=context, start_time=_nanoseconds(start))
            earlier.set_attribute("correlation_id", request.correlation_id)
            earlier.end(_nanoseconds(end))


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e9)
