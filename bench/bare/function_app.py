"""A Function App that imports what ours does before a function is called, and registers functions of the same kinds."""

from __future__ import annotations

import azure.functions as func
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.sdk.trace import SpanProcessor

SDKS = (SpanProcessor, metrics, suppress_http_instrumentation, trace)
app = func.FunctionApp()


def _queue(name: str) -> None:
    @app.function_name(f"on_{name}")
    @app.queue_trigger(arg_name="message", queue_name=name, connection="ROLLCALL_QUEUE")
    def on_message(message: func.QueueMessage, context: func.Context) -> None:
        """Does nothing."""


def _timer(name: str) -> None:
    @app.function_name(f"at_{name}")
    @app.timer_trigger(arg_name="timer", schedule="0 0 6 * * *")
    def on_time(timer: func.TimerRequest) -> None:
        """Does nothing."""


def _route(name: str) -> None:
    @app.function_name(f"of_{name}")
    @app.route(route=name, methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def on_request(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        """Says nothing."""
        return func.HttpResponse(status_code=204)


for each in ("onboarding", "sweep"):
    _queue(each)
for each in ("sweep", "poison"):
    _timer(each)
for each in ("doctor", "events", "replay", "report"):
    _route(each)
