"""Our indexing and our trigger values against Microsoft's own worker, where it can be installed."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.storage.queue import QueueMessage
from opentelemetry import trace

from functions.telemetry import invocation
from sandbox.functions_host.app_settings import AppSettings
from sandbox.functions_host.errors import HostRefusalError
from sandbox.functions_host.indexing import HostedFunction, index_app
from sandbox.functions_host.queue_listener import trigger_value

ROOT = Path(__file__).parent.parent.parent
SAMPLE = ROOT / "tests" / "fixtures" / "functions_host" / "sample_app.py"
SETTINGS = AppSettings({"LATER_QUEUE": "later", "EVERY": "0 0 0 * * *", "ROLLCALL_SWEEP__SCHEDULE": "0 0 5 * * *"})
HEADER = "import azure.functions as func\napp = func.FunctionApp()\n"
TRIGGER = "@app.queue_trigger(arg_name='m', queue_name='x', connection='C')\n"
pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="azure-functions-runtime exists for Python 3.13 and later only"
)


class _BindingInfo(SimpleNamespace):
    """Stands in for the worker's protobuf message: only its constants are read."""

    inout, out, undefined = 2, 1, None


PROTOS = SimpleNamespace(BindingInfo=_BindingInfo, RpcFunctionMetadata=SimpleNamespace)


class _TypedData:
    """Stands in for the protobuf message TypedData and the parameter binding around it."""

    def __init__(self, kind: str, value: str) -> None:
        self._kind = kind
        setattr(self, kind, value)
        self.data = self

    def WhichOneof(self, group: str) -> str:
        return "data" if group == "rpc_data" else self._kind


@pytest.fixture
def worker() -> Any:
    package = pytest.importorskip("azure_functions_runtime", reason="azure-functions-runtime is not installed")
    meta = sys.modules["azure_functions_runtime.bindings.meta"]
    meta.load_binding_registry()
    return package


@pytest.fixture
def app_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("function_app", None)
    yield tmp_path
    sys.modules.pop("function_app", None)


def _worker_index(folder: Path) -> list[Any]:
    loader = sys.modules["azure_functions_runtime.loader"]
    registry = sys.modules["azure_functions_runtime.functions"].Registry()
    functions = loader.index_function_app(str(folder / "function_app.py"))
    return list(loader.process_indexed_function(PROTOS, registry, functions, str(folder))[0])


def _ours(folder: Path) -> list[HostedFunction]:
    sys.modules.pop("function_app", None)
    return index_app(folder, SETTINGS)


def test_the_same_functions_and_bindings_are_found(worker: Any, app_folder: Path) -> None:
    (app_folder / "function_app.py").write_text(SAMPLE.read_text())
    theirs = {each.name: [json.loads(raw) for raw in each.raw_bindings] for each in _worker_index(app_folder)}
    ours = {each.name: [json.loads(raw) for raw in each.bindings] for each in _ours(app_folder)}
    assert len(ours) == 5
    assert ours == theirs


def test_rollcalls_own_app_is_found_alike(worker: Any, app_folder: Path) -> None:
    (app_folder / "function_app.py").write_text((ROOT / "function_app.py").read_text())
    theirs = {each.name: [json.loads(raw) for raw in each.raw_bindings] for each in _worker_index(app_folder)}
    ours = {each.name: [json.loads(raw) for raw in each.bindings] for each in _ours(app_folder)}
    assert ours
    assert ours == theirs


@pytest.mark.parametrize(
    "source",
    [
        TRIGGER + "def f(m, other): ...",
        TRIGGER + "def f(other): ...",
        TRIGGER + "def f(m: func.TimerRequest): ...",
        TRIGGER + "def f(m: func.QueueMessage, context: int): ...",
        TRIGGER + "def f(m): ...\n" + TRIGGER + "def f(m): ...",
    ],
)
def test_what_the_worker_does_not_load_is_refused(worker: Any, app_folder: Path, source: str) -> None:
    (app_folder / "function_app.py").write_text(HEADER + source)
    load_error = sys.modules["azure_functions_runtime.functions"].FunctionLoadError
    with pytest.raises((load_error, ValueError)):
        _worker_index(app_folder)
    with pytest.raises(HostRefusalError):
        _ours(app_folder)


def test_a_function_gets_the_message_that_the_worker_would_give(worker: Any) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    body = json.dumps({"text": "čau"})
    message = QueueMessage(
        content=base64.b64encode(body.encode()).decode(),
        id="7d7f4a2e-5c1e-4a70-a6df-0c2ddba36c0b",
        dequeue_count=2,
        inserted_on=moment,
        expires_on=moment,
        next_visible_on=moment,
        pop_receipt="receipt",
    )
    ours = trigger_value(message, body.encode())
    time = json.dumps("2026-01-02T03:04:05+00:00")
    theirs = sys.modules["azure_functions_runtime.bindings.meta"].from_incoming_proto(
        "queueTrigger",
        _TypedData("string", body),
        pytype=func.QueueMessage,
        trigger_metadata={
            "Id": _TypedData("string", str(message.id)),
            "DequeueCount": _TypedData("json", "2"),
            "PopReceipt": _TypedData("string", "receipt"),
            "InsertionTime": _TypedData("json", time),
            "ExpirationTime": _TypedData("json", time),
            "NextVisibleTime": _TypedData("json", time),
        },
        function_name="f",
    )
    assert isinstance(ours, func.QueueMessage)
    assert type(ours) is type(theirs)
    names = ("id", "dequeue_count", "pop_receipt", "insertion_time", "expiration_time", "time_next_visible")
    for name in names:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.insertion_time == moment
    assert ours.get_body() == theirs.get_body()


def test_the_worker_gives_the_hosts_trace_to_threads_by_the_context_only(worker: Any) -> None:
    """So functions/telemetry.py makes it current itself."""
    otel, executor = sys.modules["azure_functions_runtime.otel"], sys.modules["azure_functions_runtime.utils.executor"]
    otel.update_opentelemetry_status()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    traced = SimpleNamespace(trace_parent=parent, trace_state="")
    context = SimpleNamespace(trace_context=traced, thread_local_storage=SimpleNamespace())

    def ours(context: Any) -> list[bool]:
        before = trace.get_current_span().get_span_context().is_valid
        with invocation(context):
            within = trace.get_current_span().get_span_context()
        return [before, f"{within.span_id:016x}" == parent[36:52], trace.get_current_span().get_span_context().is_valid]

    async def invoked() -> list[bool]:
        otel.configure_opentelemetry(context)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            return await loop.run_in_executor(pool, executor.run_sync_func, "id", context, ours, {"context": context})

    assert asyncio.run(invoked()) == [False, True, False]
