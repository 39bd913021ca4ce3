"""The Functions host as a process of its own, on real Azurite behind the sandbox's storage endpoints."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from sandbox.azure.azurite import installed
from sandbox.azure.directory import FUNCTIONS, default_directory
from sandbox.azure.exchange import Endpoint
from sandbox.azure.managed_identity import ManagedIdentityEndpoint
from sandbox.azure.storage import Storage
from sandbox.azure.tokens import Tokens
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.journal import Journal
from sandbox.processes import ChildProcess, python_module
from sandbox.serving import Service

SAMPLE = Path(__file__).parent.parent / "fixtures" / "functions_host" / "sample_app.py"
AUDIENCE = "https://storage.azure.com"
OURS = Path(__file__).parents[2] / "host.json"
NEVER = "0 0 0 1 1 *"
QUEUES = {
    "messageEncoding": "base64",
    "batchSize": 4,
    "newBatchThreshold": 0,
    "maxDequeueCount": 3,
    "visibilityTimeout": "00:00:01",
    "maxPollingInterval": "00:00:00.5",
}
T = TypeVar("T")
pytestmark = pytest.mark.skipif(not installed(), reason="Azurite is not installed: run `make setup`")


def wait_for(what: Callable[[], T], *, seconds: float = 20.0) -> T:
    """Asks until the answer is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {answer!r}"
        time.sleep(0.05)
    return answer


@dataclass
class Account:
    """The storage account, the identity endpoint, and the credential of the tests themselves."""

    storage: Storage
    tokens: Tokens
    journal: Journal
    identity_url: str
    identity_header: str
    bundle: Path

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        token = self.tokens.mint(self.tokens.directory.get(FUNCTIONS), AUDIENCE)
        return AccessToken(token, int(time.time()) + 600)

    def queue(self, name: str) -> QueueClient:
        return QueueClient(self.storage.url("queue"), name, credential=self, connection_verify=str(self.bundle))

    def blobs(self) -> BlobServiceClient:
        return BlobServiceClient(self.storage.url("blob"), credential=self, connection_verify=str(self.bundle))

    def environment(self) -> dict[str, str]:
        client_id = self.tokens.directory.get(FUNCTIONS).client_id
        return {
            "PATH": os.environ["PATH"],
            "IDENTITY_ENDPOINT": self.identity_url,
            "IDENTITY_HEADER": self.identity_header,
            "REQUESTS_CA_BUNDLE": str(self.bundle),
            "WORK__QUEUESERVICEURI": self.storage.url("queue"),
            "WORK__credential": "managedidentity",
            "WORK__clientId": client_id,
            "AzureWebJobsStorage__blobServiceUri": self.storage.url("blob"),
            "AzureWebJobsStorage__credential": "managedidentity",
            "AzureWebJobsStorage__clientId": client_id,
        }


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    settings = SandboxSettings()
    journal, certificates = Journal(), Certificates(folder / "certificates")
    directory = default_directory(settings.tenant_id, settings.subscription_id)
    tokens = Tokens(directory)
    identities = ManagedIdentityEndpoint(directory, tokens, {AUDIENCE})
    service = Service(Endpoint("managed-identity", journal, identities.answer)).start()
    storage = Storage(journal, certificates, folder / "azure", tokens).start()
    yield Account(
        storage,
        tokens,
        journal,
        f"{service.url}/msi/token",
        identities.attach(FUNCTIONS),
        certificates.bundle_path,
    )
    storage.stop()
    service.stop()


@dataclass
class App:
    """A copy of the sample app, and the host processes that run it."""

    account: Account
    folder: Path
    environment: dict[str, str]
    processes: list[ChildProcess] = field(default_factory=list)

    def write_host_json(self, function_timeout: str = "00:10:00", **queues: Any) -> None:
        document = {
            "version": "2.0",
            "functionTimeout": function_timeout,
            "extensions": {"queues": QUEUES | queues},
        }
        (self.folder / "host.json").write_text(json.dumps(document))

    def launch(self, **environment: str) -> ChildProcess:
        process = ChildProcess(
            python_module("sandbox.functions_host", "--root", ".", "--ready-file", "ready.json"),
            environment=self.environment | environment,
            folder=self.folder,
            log=self.folder / f"host{len(self.processes)}.log",
        )
        self.processes.append(process)
        return process

    def start(self, **environment: str) -> ChildProcess:
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        process = self.launch(**environment)
        wait_for(lambda: ready.exists() or not process.running())
        assert process.running(), process.log.read_text()
        return process

    @property
    def url(self) -> str:
        return str(json.loads((self.folder / "ready.json").read_text())["url"])

    def send(self, queue: str = "work", **document: Any) -> str:
        text = base64.b64encode(json.dumps(document).encode()).decode()
        return str(self.account.queue(queue).send_message(text).id)

    def calls(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call["name"] == name]

    def log(self, message: str) -> list[dict[str, Any]]:
        lines = [line for each in self.processes for line in each.log.read_text().splitlines()]
        return [line for line in map(json.loads, lines) if line["message"] == message]

    def executed(self, count: int = 1) -> list[dict[str, Any]]:
        """That many invocations ended; that of a timer is none of them, which comes every six hours of the day."""

        def ended() -> list[dict[str, Any]]:
            lines = [line for line in self.log("function executed") if line["function"] != "sweep"]
            return lines if len(lines) >= count else []

        return wait_for(ended)

    def waiting(self, queue: str) -> int:
        return self.account.queue(queue).get_queue_properties().approximate_message_count or 0


@pytest.fixture
def app(account: Account, tmp_path: Path) -> Iterator[App]:
    for name in ("work", "work-poison", "later", "later-poison"):
        queue = account.queue(name)
        try:
            queue.create_queue()
        except ResourceExistsError:
            queue.clear_messages()
    shutil.copy(SAMPLE, tmp_path / "function_app.py")
    environment = account.environment() | {
        "CALLS": str(tmp_path / "calls.jsonl"),
        "LATER_QUEUE": "later",
        "EVERY": NEVER,
        "ROLLCALL_SANDBOX_CRASH_INVISIBILITY_SECONDS": "2",
    }
    app = App(account, tmp_path, environment)
    app.write_host_json()
    yield app
    for process in app.processes:
        process.stop()


def test_a_message_reaches_its_function_once_and_leaves_the_queue(app: App) -> None:
    app.start()
    identifier = app.send(number=1)
    (line,) = app.executed()
    (call,) = app.calls("work")
    assert call["body"] == {"number": 1}
    assert (call["id"], call["dequeue_count"], call["type"]) == (identifier, 1, "QueueMessage")
    assert call["inserted"].endswith("+00:00")
    assert call["expires"]
    assert call["receipt"]
    assert line["function"] == "work"
    assert (line["outcome"], line["level"], line["message_id"]) == ("succeeded", "info", identifier)
    assert (line["queue"], line["dequeue_count"]) == ("work", 1)
    assert line["duration_ms"] >= 0
    wait_for(lambda: app.waiting("work") == 0)
    assert app.waiting("work-poison") == 0


def test_a_coroutine_gets_its_message_and_its_logs_name_the_invocation(app: App) -> None:
    app.start()
    app.send("later", number=2)
    (line,) = app.executed()
    (call,) = app.calls("later")
    (logged,) = app.log("in the coroutine")
    assert json.loads(call["body"]) == {"number": 2}
    assert line["invocation_id"] == logged["invocation_id"] == call["invocation_id"]
    assert (logged["function"], logged["colour"]) == ("later", "blue")


def test_every_request_of_the_host_carries_a_bearer_token(app: App) -> None:
    since = len(app.account.journal)
    app.start()
    app.send(number=1)
    app.executed()
    journal = app.account.journal
    wait_for(lambda: bool(journal.entries(since=since, operation="queue:DeleteMessage")))  # after the log line
    storage = [entry for entry in journal.entries(since=since) if entry.service in {"queue", "blob"}]
    assert {entry.operation for entry in storage} >= {"queue:GetMessages", "queue:DeleteMessage"}
    assert {entry.authentication for entry in storage} == {"bearer"}


def test_a_failing_message_is_retried_after_the_visibility_timeout_and_then_set_aside(app: App) -> None:
    app.start()
    app.send(fail=True, number=3)
    lines = app.executed(3)
    wait_for(lambda: app.waiting("work-poison") == 1)
    calls = app.calls("work")
    assert [call["dequeue_count"] for call in calls] == [1, 2, 3]
    gaps = [later["time"] - earlier["time"] for earlier, later in zip(calls, calls[1:], strict=False)]
    assert min(gaps) >= 1.0
    assert {line["outcome"] for line in lines} == {"failed"}
    assert "ValueError: as the message asked" in lines[0]["exception"]
    (poison,) = app.account.queue("work-poison").peek_messages()
    assert json.loads(base64.b64decode(poison.content)) == {"fail": True, "number": 3}
    assert app.waiting("work") == 0


def test_a_missing_poison_queue_is_made(app: App) -> None:
    app.account.queue("work-poison").delete_queue()
    app.start(AzureFunctionsJobHost__extensions__queues__maxDequeueCount="1")
    app.send(fail=True)
    app.executed()
    wait_for(lambda: app.log("message moved to the poison queue"))
    assert app.waiting("work-poison") == 1


def test_a_message_that_is_not_base64_is_set_aside_unseen(app: App) -> None:
    text = 'not <base64> & {"number": 4}'
    app.account.queue("work").send_message(text)
    app.start()
    wait_for(lambda: app.waiting("work-poison") == 1)
    (poison,) = app.account.queue("work-poison").peek_messages()
    assert poison.content == text
    assert app.calls("work") == []


def test_an_override_from_the_environment_switches_the_encoding_off(app: App) -> None:
    app.start(AzureFunctionsJobHost__extensions__queues__messageEncoding="none")
    app.account.queue("work").send_message('{"number": 5}')
    app.executed()
    assert app.calls("work")[0]["body"] == {"number": 5}


def test_a_message_already_tried_too_often_is_set_aside_unseen(app: App) -> None:
    app.send(number=6)
    queue = app.account.queue("work")
    for _ in range(3):
        message = next(iter(queue.receive_messages(visibility_timeout=30)))
        queue.update_message(message, visibility_timeout=0)
    app.start()
    wait_for(lambda: app.waiting("work-poison") == 1)
    assert app.calls("work") == []


def test_no_more_than_a_batch_and_its_threshold_run_at_once(app: App) -> None:
    app.write_host_json(batchSize=2, newBatchThreshold=1)
    for number in range(8):
        app.send(number=number, sleep=0.3 if number else 2.0)
    app.start(PYTHON_THREADPOOL_THREAD_COUNT="8")
    app.executed(8)
    moments = [(call["time"], 1) for call in app.calls("work")]
    moments += [(call["time"], -1) for call in app.calls("work ended")]
    running, most = 0, 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    assert most == 3


def test_a_slow_message_holds_up_no_other_as_our_host_is_set(app: App) -> None:
    queues = json.loads(OURS.read_bytes())["extensions"]["queues"]
    app.write_host_json(**{name: queues[name] for name in ("batchSize", "newBatchThreshold")})
    for number in range(8):
        app.send(number=number, sleep=0.2 if number else 6.0)
    app.start(PYTHON_THREADPOOL_THREAD_COUNT="8")
    app.executed(8)
    assert app.calls("work ended")[-1]["body"]["number"] == 0


def test_a_message_stays_hidden_from_other_hosts_while_its_function_runs(app: App) -> None:
    app.start()
    app.start()
    app.send(number=7, sleep=5)
    app.executed()
    time.sleep(1)
    assert len(app.calls("work")) == 1
    assert app.waiting("work") == 0


def test_a_killed_host_gives_its_message_back_when_the_lock_ends(app: App) -> None:
    first = app.start()
    app.send(number=8, sleep=1)
    wait_for(lambda: app.calls("work"))
    first.kill()
    app.start()
    app.executed()
    killed, retried = app.calls("work")
    assert retried["dequeue_count"] == 2
    assert retried["pid"] != killed["pid"]
    assert app.waiting("work") == 0


def test_a_function_that_outlives_its_timeout_fails_and_its_worker_is_replaced(app: App) -> None:
    app.write_host_json(function_timeout="00:00:01", maxDequeueCount=2)
    process = app.start()
    url = app.url
    app.send(number=9, sleep=60)
    wait_for(lambda: app.waiting("work-poison") == 1, seconds=30)
    assert [line["outcome"] for line in app.log("function executed")] == ["timed out", "timed out"]
    wait_for(lambda: len(app.log("host started")) == 3)
    assert process.running()
    assert requests.get(f"{url}/admin/host/status", timeout=5).json()["state"] == "Running"
    app.send(number=10)
    wait_for(lambda: [call for call in app.calls("work ended") if call["body"]["number"] == 10])


def test_a_timer_runs_on_its_schedule_in_one_of_two_hosts(app: App) -> None:
    app.start(EVERY="*/1 * * * * *")
    app.start(EVERY="*/1 * * * * *")
    calls = wait_for(lambda: calls if len(calls := app.calls("tick")) >= 3 else [])
    assert len({call["pid"] for call in calls}) == 1
    assert not any(call["past_due"] for call in calls)
    assert all(call["time"] % 1 < 0.5 for call in calls)


def test_a_missed_timer_runs_once_at_the_start_and_is_told_so(app: App) -> None:
    before = datetime.now(UTC) - timedelta(days=1)
    status = {
        "Last": before.isoformat(),
        "Next": (before + timedelta(hours=6)).isoformat(),
        "LastUpdated": before.isoformat(),
    }
    container = app.account.blobs().get_container_client("azure-webjobs-hosts")
    if not container.exists():
        container.create_container()
    blob = container.get_blob_client("timers/missed/Host.Functions.sweep/status")
    blob.upload_blob(json.dumps(status).encode(), overwrite=True)
    app.start(AzureFunctionsWebHost__hostid="missed")
    (call,) = wait_for(lambda: app.calls("sweep"))
    assert call["past_due"]
    wait_for(lambda: json.loads(blob.download_blob().readall())["Last"] > status["Last"])
    app.processes[0].kill()


def test_a_timer_that_was_never_watched_waits_for_its_schedule(app: App) -> None:
    app.start(AzureFunctionsWebHost__hostid="fresh")
    container = app.account.blobs().get_container_client("azure-webjobs-hosts")
    blob = container.get_blob_client("timers/fresh/Host.Functions.sweep/status")
    wait_for(blob.exists)
    assert json.loads(blob.download_blob().readall())["Last"].startswith("0001-01-01")
    assert app.calls("sweep") == []


def test_the_admin_api_lists_functions_and_runs_them_now(app: App) -> None:
    app.start()
    functions = requests.get(f"{app.url}/admin/functions", timeout=5).json()
    assert sorted(each["name"] for each in functions) == ["account", "later", "sweep", "tick", "work"]
    assert requests.post(f"{app.url}/admin/functions/tick", json={}, timeout=5).status_code == 202
    wait_for(lambda: app.calls("tick"))
    body = {"input": '{"number": 11}'}
    assert requests.post(f"{app.url}/admin/functions/work", json=body, timeout=5).status_code == 202
    wait_for(lambda: app.calls("work"))
    assert app.calls("work")[0]["body"] == {"number": 11}
    assert requests.post(f"{app.url}/admin/functions/nobody", json={}, timeout=5).status_code == 404


def test_an_http_trigger_gets_its_route_query_headers_and_body(app: App) -> None:
    app.start()
    answer = requests.post(
        f"{app.url}/api/accounts/0123/plans?a=1", data=b"text", headers={"X-Colour": "blue"}, timeout=5
    )
    assert answer.status_code == 202
    assert (answer.headers["x-answer"], answer.headers["content-type"]) == ("yes", "application/json")
    assert answer.json() == {
        "method": "POST",
        "route": {"identifier": "0123", "part": "plans"},
        "query": {"a": "1"},
        "header": "blue",
        "body": "text",
    }
    assert requests.get(f"{app.url}/api/accounts/5", timeout=5).json()["route"] == {"identifier": "5"}
    assert requests.get(f"{app.url}/api/accounts/5?fail=1", timeout=5).status_code == 500
    assert requests.get(f"{app.url}/api/nothing", timeout=5).status_code == 404
    assert requests.delete(f"{app.url}/api/accounts/5", timeout=5).status_code in {404, 405}


def test_a_terminated_host_lets_running_functions_end(app: App) -> None:
    process = app.start()
    app.send(number=12, sleep=1)
    wait_for(lambda: app.calls("work"))
    os.kill(process.pid, signal.SIGTERM)
    wait_for(lambda: not process.running())
    assert [call["body"]["number"] for call in app.calls("work ended")] == [12]
    assert app.waiting("work") == 0


HEADER = "import azure.functions as func\napp = func.FunctionApp(http_auth_level='ANONYMOUS')\n"
REFUSED = {
    "an unknown trigger": "@app.blob_trigger(arg_name='m', path='a/b', connection='WORK')\ndef f(m): ...",
    "an output binding": (
        "@app.queue_output(arg_name='o', queue_name='x', connection='WORK')\n"
        "@app.queue_trigger(arg_name='m', queue_name='x', connection='WORK')\ndef f(m, o): ..."
    ),
    "a key": "@app.route(route='x', auth_level='function')\ndef f(req): ...",
    "another parameter": ("@app.queue_trigger(arg_name='m', queue_name='x', connection='WORK')\ndef f(m, n): ..."),
    "the wrong type": (
        "@app.queue_trigger(arg_name='m', queue_name='x', connection='WORK')\ndef f(m: func.TimerRequest): ..."
    ),
    "an unset setting": ("@app.queue_trigger(arg_name='m', queue_name='%NOWHERE%', connection='WORK')\ndef f(m): ..."),
    "an unset connection": ("@app.queue_trigger(arg_name='m', queue_name='x', connection='OTHER')\ndef f(m): ..."),
    "a schedule without seconds": "@app.timer_trigger(arg_name='t', schedule='0 6 * * *')\ndef f(t): ...",
    "nothing": "",
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_app_that_asks_for_what_the_host_cannot_do_is_refused(app: App, what: str) -> None:
    (app.folder / "function_app.py").write_text(HEADER + REFUSED[what])
    process = app.launch()
    wait_for(lambda: not process.running())
    (line,) = app.log("host does not start")
    assert line["level"] == "critical"
    assert line["reason"]
    assert not (app.folder / "ready.json").exists()


def test_an_app_that_cannot_be_imported_ends_the_host_with_its_traceback(app: App) -> None:
    (app.folder / "function_app.py").write_text("import nowhere_to_be_found\n")
    process = app.launch()
    wait_for(lambda: not process.running())
    (line,) = app.log("host failed")
    assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in line["exception"]
