"""A Function App that imports the SDKs of ours and registers as many functions, of the same kinds."""

from __future__ import annotations

import azure.functions as func
import jwt
import pydantic_settings
import yaml
from azure.data.tables import TableClient
from azure.identity import ManagedIdentityCredential
from azure.mgmt.security import SecurityManagementClient
from azure.storage.blob import BlobClient
from azure.storage.queue import QueueClient
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.sdk.trace import SpanProcessor

SDKS = (
    BlobClient,
    ManagedIdentityCredential,
    QueueClient,
    SecurityManagementClient,
    SpanProcessor,
    TableClient,
    jwt,
    pydantic_settings,
    suppress_http_instrumentation,
    yaml,
)
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
