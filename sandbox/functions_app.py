"""One Functions host process of the sandbox, running the Function App of this checkout."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox.config import SandboxSettings
from sandbox.deployment import REPOSITORY
from sandbox.faults import Faults
from sandbox.functions_front import FunctionsFront
from sandbox.journal import Journal
from sandbox.processes import ChildProcess, python_module

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
_READY_WITHIN_SECONDS = 60.0


class FunctionHostError(Exception):
    """A Functions host did not start; the message ends with what it printed."""


class FunctionHost:
    """Starts, kills and restarts one host process; several share queues and tables as in the cloud."""

    def __init__(  # noqa: PLR0913 - the parts of a host
        self,
        number: int,
        folder: Path,
        settings: SandboxSettings,
        variables: Mapping[str, str],
        *,
        journal: Journal,
        faults: Faults,
    ) -> None:
        """`variables` are the application settings of the Function App."""
        self.name = f"functions-{number}"
        self._front = FunctionsFront(journal, faults, self._listening)
        self.url = self._front.start()
        """Where its HTTP functions answer, whichever process is behind it."""
        self._ready = folder / f"{self.name}.json"
        self.log = folder / f"{self.name}.log"
        self._environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._environment |= variables
        # azure-core's own variable: the host's number in every User-Agent tells holds which process waits.
        self._environment["AZURE_HTTP_USER_AGENT"] = self.name
        self._environment["ROLLCALL_SANDBOX_CRASH_INVISIBILITY_SECONDS"] = str(settings.crash_invisibility_seconds)
        if settings.max_polling_interval_seconds is not None:
            interval = str(settings.max_polling_interval_seconds)
            self._environment["ROLLCALL_SANDBOX_MAX_POLLING_INTERVAL_SECONDS"] = interval
        if settings.queue_visibility_seconds is not None:
            span = f"00:{settings.queue_visibility_seconds // 60:02d}:{settings.queue_visibility_seconds % 60:02d}"
            self._environment["AzureFunctionsJobHost__extensions__queues__visibilityTimeout"] = span
        self._process: ChildProcess | None = None

    def start(self) -> None:
        """Starts the process; `wait_until_ready` waits for it."""
        self._ready.unlink(missing_ok=True)
        command = python_module(
            "sandbox.functions_host", "--root", str(REPOSITORY), "--port", "0", "--ready-file", str(self._ready)
        )
        self._process = ChildProcess(command, environment=self._environment, folder=REPOSITORY, log=self.log)

    def wait_until_ready(self) -> None:
        """Waits until the host has indexed the app and listens. Raises FunctionHostError."""
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while not self._ready.exists():
            if self._process is None or not self._process.running() or time.monotonic() > deadline:
                printed = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise FunctionHostError(f"the Functions host did not start; it printed:\n{printed}")
            time.sleep(0.05)

    def _listening(self) -> str | None:
        if not self.running() or not self._ready.exists():
            return None
        return str(json.loads(self._ready.read_bytes())["url"])

    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.running()

    def kill(self) -> None:
        """SIGKILL, as the kill tests want it."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.stop()

    def close(self) -> None:
        """Ends the process and what stands in front of it."""
        self.stop()
        self._front.stop()
