"""Fresh processes up to their first answer: a Lambda's runtime, and a Function App that is indexed."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.lambda_service.environment import ExecutionEnvironment, FunctionConfiguration

ROOT = Path(__file__).resolve().parent.parent
_REGION = "us-east-1"
_ARN = f"arn:aws:lambda:{_REGION}:999988887777:function"
QUEUE_ARN = f"arn:aws:sqs:{_REGION}:999988887777:events"
NANOSECONDS = 1e9


@dataclass(frozen=True, kw_only=True)
class Cold:
    """One start: seconds on the clock and on the processor, of all threads of the process."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class _Keys:
    access_key_id: str = "nobody"
    secret_access_key: str = "secret"  # noqa: S105 - nobody's
    session_token: str = "token"  # noqa: S105 - nobody's


def gather(folder: Path, *names: str) -> Path:
    """Copies packages and modules of the repository and compiles them, as the SDKs beside them are compiled."""
    for name in names:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    compileall.compile_dir(folder, quiet=2)
    return folder


@contextmanager
def waiting_lambda(
    folder: Path, handler: str, variables: Mapping[str, str], *, log: Path
) -> Iterator[ExecutionEnvironment]:
    """An environment whose process is not there yet; with the real `awslambdaric`, gone at the end."""
    configuration = FunctionConfiguration(
        name="cold",
        arn=f"{_ARN}:cold",
        handler=handler,
        role="",
        runtime="python3.13",
        region=_REGION,
        memory_mb=512,
        timeout_seconds=60,
        log_group="/aws/lambda/cold",
        variables=variables,
        folder=folder,
    )
    environment = ExecutionEnvironment(configuration, lambda role: _Keys(), {}, log)
    try:
        yield environment
    finally:
        environment.kill()
        environment.stop()


def first_answer(environment: ExecutionEnvironment, event: bytes) -> tuple[Cold, Any]:
    """Starts the process and waits for what it makes of the event. Raises RuntimeError where that is an error."""
    started = time.perf_counter()
    _, result = environment.invoke(event)
    wall = time.perf_counter() - started
    if result.failed:
        raise RuntimeError(result.payload.decode())
    return Cold(wall=wall, cpu=cpu_seconds(environment.pid or 0)), json.loads(result.payload)


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have used so far. Source: proc(5), schedstat: nanoseconds on the processor."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / NANOSECONDS


_INDEX = """
import importlib, json, resource, sys
sys.path.insert(0, sys.argv[1])
import azure.functions
app = importlib.import_module(sys.argv[2]).app
names = sorted(function.get_function_name() for function in app.get_functions())
{then}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({{"functions": names, "cpu": used.ru_utime + used.ru_stime}}), flush=True)
sys.stdin.read()
"""


def indexed(
    folder: Path, module: str, variables: Mapping[str, str], *, then: Sequence[str] = ()
) -> tuple[Cold, list[str]]:
    """Starts a process that imports the app's `module` in `folder` and asks it for its functions, as the host does.

    `then` are statements that it runs before it answers. Raises CalledProcessError where it ends otherwise.
    """
    packages = os.pathsep.join(dict.fromkeys(map(sysconfig.get_path, ("purelib", "platlib"))))
    environment = {"PATH": os.defpath, "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [sys.executable, "-S", "-c", _INDEX.format(then="\n".join(then)), str(folder), module]
    started = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=folder, text=True
    ) as process:
        line = process.stdout.readline() if process.stdout is not None else ""
        wall = time.perf_counter() - started
        process.communicate("")
    if not line:
        raise subprocess.CalledProcessError(process.returncode, command)
    answer = json.loads(line)
    return Cold(wall=wall, cpu=answer["cpu"]), answer["functions"]


def event_of(body: Mapping[str, Any]) -> bytes:
    """One SQS record with that body."""
    record = {
        "messageId": "7b1f3c2e-5f0a-4f57-8a7e-1d2c3b4a5f60",
        "receiptHandle": "handle",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": _REGION,
    }
    return json.dumps({"Records": [record]}).encode()
