"""Child processes that never outlive the sandbox, even when it is killed.

Every child gets a pipe as standard input and ends itself when that pipe ends, which the kernel sees to
whatever kills us. Python children are run through `guarded.py`, Azurite through `azurite/guarded.cjs`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("guarded.py")


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs a Python module and ends with us; only the child's own folder is on its path."""
    return [sys.executable, str(GUARD), module, *arguments]


class ChildProcess:
    """A running child; `stop` it or let it end with this process."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> None:
        """Starts `command` in `folder`; both output streams are appended to the file `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            self._process = subprocess.Popen(  # noqa: S603 - our own fixed commands
                list(command),
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,  # Ctrl-C in the terminal reaches us alone; we stop the children
            )
        self.log = log

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as the kill tests want it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._close_input()

    def stop(self, grace_seconds: float = 3.0) -> None:
        """Asks it to end, and insists after `grace_seconds`."""
        if self.running():
            self._process.terminate()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close_input()

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
