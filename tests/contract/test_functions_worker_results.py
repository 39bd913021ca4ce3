"""What becomes of an invocation: our host and Microsoft's own Python worker run the same functions on the same input.

The worker's request handlers are called as its gRPC loop calls them, with plain objects in the place of protobuf's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.storage.queue import QueueMessage

from sandbox.functions_host.app_settings import AppSettings
from sandbox.functions_host.errors import HostRefusalError
from sandbox.functions_host.indexing import index_app
from sandbox.functions_host.invocation import Invoker
from sandbox.functions_host.queue_listener import trigger_value
from sandbox.functions_host.timer_listener import trigger_value as timer_value

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="azure-functions-runtime exists for Python 3.13 and later only"
)
APP = """
import asyncio
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
seen = []


def queued(name):
    def decorate(function):
        trigger = app.queue_trigger(arg_name="message", queue_name=name, connection="WORK")
        return app.function_name(name)(trigger(function))
    return decorate


def note(message):
    seen.append([
        type(message).__name__, message.get_body().decode(), message.id, message.dequeue_count,
        message.pop_receipt, str(message.insertion_time), str(message.time_next_visible),
    ])


@queued("plain")
def plain(message: func.QueueMessage) -> None:
    note(message)


@queued("unannotated")
def unannotated(message):
    note(message)


@queued("coroutine")
async def coroutine(message: func.QueueMessage) -> None:
    await asyncio.sleep(0)
    note(message)


@queued("raises")
def raises(message: func.QueueMessage) -> None:
    raise ValueError("as asked")


@queued("raises_later")
async def raises_later(message: func.QueueMessage) -> None:
    await asyncio.sleep(0)
    raise KeyError("as asked")


@queued("raises_from")
def raises_from(message: func.QueueMessage) -> None:
    try:
        {}["a"]
    except KeyError as error:
        raise LookupError("outer") from error


@queued("returns")
def returns(message: func.QueueMessage):
    return "a value that no binding takes"


@queued("returns_nothing")
def returns_nothing(message: func.QueueMessage):
    return None


@queued("parses")
def parses(message: func.QueueMessage) -> None:
    seen.append(message.get_json())


@queued("context_given")
def context_given(message: func.QueueMessage, context: func.Context) -> None:
    seen.append([context.function_name, len(context.invocation_id), isinstance(context, func.Context)])


@queued("context_later")
async def context_later(message: func.QueueMessage, context) -> None:
    seen.append([context.function_name, len(context.invocation_id), context.retry_context.retry_count])


@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
def tick(timer: func.TimerRequest) -> None:
    seen.append([type(timer).__name__, timer.past_due, timer.schedule, timer.schedule_status])
"""
BODIES = (
    '{"a": 1}',
    "čau, žluťoučký kůň",
    "",
    "{not json",
    '"text"',
    "null",
    "[1, 2]",
    " \n",
    "x" * 48_000,
    "\ufeff{}",
)
QUEUED = (
    *("plain", "unannotated", "coroutine", "raises", "raises_later", "raises_from", "returns"),
    *("returns_nothing", "parses", "context_given", "context_later"),
)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class _Protos:
    """Every message of the worker's protocol as a plain object."""

    class StatusResult(SimpleNamespace):
        Success, Failure = "Success", "Failure"

    class BindingInfo(SimpleNamespace):
        inout, out, undefined = 2, 1, None

    def __getattr__(self, name: str) -> type[SimpleNamespace]:
        return SimpleNamespace


class _TypedData:
    """The protobuf message TypedData and the parameter binding around it."""

    def __init__(self, kind: str, value: str, name: str = "") -> None:
        self._kind, self.name = kind, name
        setattr(self, kind, value)
        self.data = self

    def WhichOneof(self, group: str) -> str:
        return "data" if group == "rpc_data" else self._kind


class Worker:
    """Microsoft's worker with the app loaded."""

    def __init__(self, folder: Path) -> None:
        modules: dict[str, Any] = dict(sys.modules)
        self._handlers = modules["azure_functions_runtime.handle_event"]
        self._handlers._functions = modules["azure_functions_runtime.functions"].Registry()
        self.loaded = self._ask(
            "worker_init_request",
            worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=str(folder)),
        )
        metadata = self._ask("functions_metadata_request").function_metadata_results
        self.ids = {each.name: each.function_id for each in metadata or ()}

    def _ask(self, handler: str, **request: Any) -> Any:
        properties = {"host": "localhost", "protos": _Protos()}
        event = SimpleNamespace(request=SimpleNamespace(**request), properties=properties)
        return asyncio.run(getattr(self._handlers, handler)(event))

    def run(self, name: str, data: _TypedData, metadata: dict[str, _TypedData]) -> str:
        """How the invocation ended: `Success`, or the error's class and words."""
        empty = SimpleNamespace(trace_parent="", trace_state="", attributes={})
        retries = SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)
        invocation = SimpleNamespace(
            invocation_id="7d7f4a2e-5c1e-4a70-a6df-0c2ddba36c0b",
            function_id=self.ids[name],
            input_data=[data],
            trigger_metadata=metadata,
            trace_context=empty,
            retry_context=retries,
        )
        result = self._ask("invocation_request", invocation_request=invocation).result
        return "Success" if result.status == "Success" else str(result.exception.message)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    pytest.importorskip("azure_functions_runtime", reason="azure-functions-runtime is not installed")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "function_app.py").write_text(APP, encoding="utf-8")
    sys.modules.pop("function_app", None)
    yield tmp_path
    sys.modules.pop("function_app", None)


def seen() -> list[Any]:
    """What the functions of the app that was loaded last wrote down; forgotten afterwards."""
    notes: list[Any] = sys.modules["function_app"].seen
    found = list(notes)
    notes.clear()
    return found


def message(body: str, *, dequeue_count: int = 2) -> QueueMessage:
    return QueueMessage(
        content=base64.b64encode(body.encode()).decode(),
        id="0b7c1f8e-2d54-4a8a-9a43-7f9f5f6f1c21",
        dequeue_count=dequeue_count,
        inserted_on=MOMENT,
        expires_on=MOMENT,
        next_visible_on=MOMENT,
        pop_receipt="receipt",
    )


def told(body: str, *, dequeue_count: int = 2) -> tuple[_TypedData, dict[str, _TypedData]]:
    """The same message as the host tells the worker of it."""
    time = json.dumps("2026-01-02T03:04:05+00:00")
    return _TypedData("string", body, "message"), {
        "Id": _TypedData("string", "0b7c1f8e-2d54-4a8a-9a43-7f9f5f6f1c21"),
        "DequeueCount": _TypedData("json", str(dequeue_count)),
        "PopReceipt": _TypedData("string", "receipt"),
        "InsertionTime": _TypedData("json", time),
        "ExpirationTime": _TypedData("json", time),
        "NextVisibleTime": _TypedData("json", time),
    }


def outcome(error: BaseException | None) -> str:
    return "Success" if error is None else f"{type(error).__name__}: {error}"


def without_our_own_words(text: str) -> str:
    """The worker's text about a value that nobody takes is a tuple by mistake; only its class is compared."""
    return "RuntimeError" if text.startswith("RuntimeError") else text


def test_the_same_input_ends_alike_in_both(folder: Path) -> None:
    worker = Worker(folder)
    theirs = {}
    for name in QUEUED:
        for body in BODIES:
            ended = worker.run(name, *told(body))
            theirs[name, body[:20]] = (without_our_own_words(ended), seen())
    sys.modules.pop("function_app")
    functions = {each.name: each for each in index_app(folder, AppSettings({}))}
    invoker = Invoker(threads=2, timeout_seconds=10, on_timeout=lambda: None)
    ours = {}
    for name in QUEUED:
        for body in BODIES:
            invocation = invoker.run(functions[name], trigger_value(message(body), body.encode()))
            ours[name, body[:20]] = (without_our_own_words(outcome(invocation.error)), seen())
    invoker.stop()
    assert len(theirs) == len(QUEUED) * len(BODIES) == 110
    assert ours == theirs
    ends = {ended for ended, _ in ours.values()}
    assert {"Success", "ValueError: as asked", "KeyError: 'as asked'", "LookupError: outer", "RuntimeError"} <= ends
    assert any(end.startswith("JSONDecodeError") for end in ends)


def test_a_timer_ends_alike_in_both(folder: Path) -> None:
    worker = Worker(folder)
    theirs = []
    for past_due in (False, True):
        document = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": past_due}
        theirs.append((worker.run("tick", _TypedData("json", json.dumps(document), "timer"), {}), seen()))
    sys.modules.pop("function_app")
    functions = {each.name: each for each in index_app(folder, AppSettings({}))}
    invoker = Invoker(threads=1, timeout_seconds=10, on_timeout=lambda: None)
    ours = []
    for past_due in (False, True):
        invocation = invoker.run(functions["tick"], timer_value(None, past_due=past_due))
        ours.append((outcome(invocation.error), seen()))
    invoker.stop()
    assert ours == theirs
    assert [notes[0][1] for _, notes in ours] == [False, True]


def test_the_dequeue_count_is_the_hosts_word(folder: Path) -> None:
    worker = Worker(folder)
    for count in (1, 5):
        worker.run("plain", *told("x", dequeue_count=count))
        assert seen()[0][3] == count
        assert trigger_value(message("x", dequeue_count=count), b"x").dequeue_count == count  # type: ignore[attr-defined]


HEADER = "import azure.functions as func\n"
ONE = "app = func.FunctionApp()\n"
TRIGGER = "@app.queue_trigger(arg_name='m', queue_name='x', connection='C')\n"
BROKEN_APPS = {
    "no app": "",
    "two apps": ONE + ONE.replace("app", "other") + TRIGGER + "def f(m): ...\n",
    "a syntax error": ONE + TRIGGER + "def f(m: ...\n",
    "an import that fails": ONE + "import no_such_module\n",
    "an error at import": ONE + "1 / 0\n",
    "no trigger": ONE + "@app.function_name('f')\ndef f(): ...\n",
    "two triggers": ONE + TRIGGER + TRIGGER.replace("'x'", "'y'") + "def f(m): ...\n",
    "a parameter too many": ONE + TRIGGER + "def f(m, n): ...\n",
    "another parameter": ONE + TRIGGER + "def f(n): ...\n",
    "another type": ONE + TRIGGER + "def f(m: func.TimerRequest): ...\n",
    "another type of context": ONE + TRIGGER + "def f(m, context: int): ...\n",
    "a name given twice": ONE + (TRIGGER + "def f(m): ...\n") * 2,
}


@pytest.mark.parametrize("kind", BROKEN_APPS)
def test_an_app_that_the_worker_does_not_load_is_not_started_by_us(folder: Path, kind: str) -> None:
    (folder / "function_app.py").write_text(HEADER + BROKEN_APPS[kind], encoding="utf-8")
    loaded = Worker(folder).loaded
    assert loaded.result.status == "Failure", kind
    sys.modules.pop("function_app", None)
    with pytest.raises((HostRefusalError, ImportError, SyntaxError, ValueError, ZeroDivisionError)) as caught:
        index_app(folder, AppSettings({}))
    theirs, ours = loaded.result.exception.message.partition(":")[0], type(caught.value).__name__
    refusals = {"FunctionLoadError", "ValueError"}
    assert ours == theirs or (ours == "HostRefusalError" and theirs in refusals), (theirs, ours)


@pytest.mark.parametrize("kind", ["str", "bytes"])
def test_our_host_refuses_texts_and_octets_which_the_worker_gives(folder: Path, kind: str) -> None:
    """The known difference: such a parameter is bound as `generic` there; here it is refused, never guessed."""
    (folder / "function_app.py").write_text(f"{HEADER}{ONE}{TRIGGER}def f(m: {kind}): ...\n", encoding="utf-8")
    assert Worker(folder).loaded.result.status == "Success"
    sys.modules.pop("function_app", None)
    with pytest.raises(HostRefusalError, match="which its trigger does not give"):
        index_app(folder, AppSettings({}))
