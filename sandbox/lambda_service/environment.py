"""One execution environment: a process of the real Python runtime that serves one event at a time."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.lambda_service.runtime_api import Invocation, InvocationResult, RuntimeApi
from sandbox.processes import GUARD, ChildProcess

_INIT_SECONDS = 60.0  # Lambda allows 10 s; a loaded computer gets more before we call it broken
_LIFE_SECONDS = 1800.0  # Lambda recycles environments too; role credentials last an hour
_LOOK_SECONDS = 0.2


class RoleCredentials(Protocol):
    """Temporary credentials of an IAM role."""

    @property
    def access_key_id(self) -> str:
        """The access key."""

    @property
    def secret_access_key(self) -> str:
        """The secret."""

    @property
    def session_token(self) -> str:
        """The session token."""


@dataclass(frozen=True, kw_only=True)
class FunctionConfiguration:
    """What GetFunction says about a function, and where its artefact was unpacked."""

    name: str
    arn: str
    handler: str
    role: str
    runtime: str
    region: str
    memory_mb: int
    timeout_seconds: float
    log_group: str
    variables: Mapping[str, str]
    folder: Path


class ExecutionEnvironment:
    """A runtime process, started when needed and replaced when it ended, timed out or grew old."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of an environment
        self,
        configuration: FunctionConfiguration,
        credentials_for_role: Callable[[str], RoleCredentials],
        extra_variables: Mapping[str, str],
        log: Path,
        faults: Faults | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._configuration = configuration
        self._journal = journal
        self._faults = faults
        self._credentials_for_role = credentials_for_role
        self._extra_variables = extra_variables
        self._log = log
        self._process: ChildProcess | None = None
        self._api: RuntimeApi | None = None
        self._started_at = 0.0
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        """The process id of the runtime; None while there is none."""
        with self._lock:
            return self._process.pid if self._process and self._process.running() else None

    def start(self) -> RuntimeApi:
        """The Runtime API of a live process, started now unless one runs."""
        with self._lock:
            young = time.monotonic() - self._started_at < _LIFE_SECONDS
            if self._api and self._process and self._process.running() and young:
                return self._api
            self.stop()
            self._api = RuntimeApi(self._faults, self._configuration.name, self._journal)
            # Without `site` (-S) the child knows the installed packages, but not the checkout that an editable
            # installation points to: whatever the artefact forgot is missing here as it would be in the cloud.
            self._process = ChildProcess(
                [sys.executable, "-S", str(GUARD), "awslambdaric", self._configuration.handler],
                environment=self._variables(self._api.address),
                folder=self._configuration.folder,
                log=self._log,
            )
            self._started_at = time.monotonic()
            return self._api

    def stop(self) -> None:
        """Ends the process, if there is one."""
        with self._lock:
            process, api = self._process, self._api
            self._process = self._api = None
        if process:
            process.stop(grace_seconds=0.5)
        if api:
            api.close()

    def kill(self) -> int | None:
        """SIGKILL; the process id, or None where none ran. An invocation in flight fails, as in the cloud."""
        with self._lock:
            pid = self.pid
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            return pid

    def invoke(self, payload: bytes) -> tuple[str, InvocationResult]:
        """The request id and the result of one event; every failure is a result, as Lambda reports it."""
        request_id = str(uuid.uuid4())
        api = self._waiting_runtime()
        if api is None:
            return request_id, self._ended(request_id)
        if (init_error := api.init_error) is not None:
            self.stop()
            return request_id, init_error
        api.submit(self._invocation(request_id, payload))
        while (result := api.wait_for_result(_LOOK_SECONDS)) is None:
            if api.overdue():
                self._kill()
                seconds = self._configuration.timeout_seconds
                message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
                return request_id, InvocationResult.error("Sandbox.Timedout", message)
            if not self._running() and api.wait_for_result(0) is None:
                return request_id, self._ended(request_id)
        return request_id, result

    def _waiting_runtime(self) -> RuntimeApi | None:
        """The runtime when it asks for an event, or has said why it cannot; None where it ended before.

        One that answered, but ends instead of asking for the next event, is replaced: Lambda hands no event to it.
        """
        api = self.start()
        deadline = time.monotonic() + _INIT_SECONDS
        while not api.wait_until_ready(_LOOK_SECONDS):
            if time.monotonic() > deadline:
                return None
            if not self._running():
                if not api.answered:
                    return None
                api = self.start()
                deadline = time.monotonic() + _INIT_SECONDS
        return api

    def _invocation(self, request_id: str, payload: bytes) -> Invocation:
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0"
        configuration = self._configuration
        return Invocation(request_id, configuration.arn, payload, configuration.timeout_seconds, trace)

    def _running(self) -> bool:
        with self._lock:
            return self._process is not None and self._process.running()

    def _kill(self) -> None:
        with self._lock:
            if self._process:
                self._process.kill()
            self.stop()

    def _ended(self, request_id: str) -> InvocationResult:
        self._kill()
        message = f"RequestId: {request_id} Error: Runtime exited without providing a reason"
        return InvocationResult.error("Runtime.ExitError", message)

    def _variables(self, api_address: str) -> dict[str, str]:
        """The process's environment: nothing of ours, the function's own, and what Lambda sets itself."""
        configuration = self._configuration
        credentials = self._credentials_for_role(configuration.role)
        reserved = {
            "_HANDLER": configuration.handler,
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
            "AWS_REGION": configuration.region,
            "AWS_DEFAULT_REGION": configuration.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": configuration.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": configuration.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
            "AWS_LAMBDA_RUNTIME_API": api_address,
            "LAMBDA_TASK_ROOT": str(configuration.folder),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PATH": os.defpath,
            "HOME": str(configuration.folder),  # no profile of the developer's
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(map(sysconfig.get_path, ("purelib", "platlib")))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return {**configuration.variables, **reserved, **self._extra_variables}
