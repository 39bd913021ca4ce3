"""The installed `rollcall` command as a person runs it, and every process that it leads to."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.demo.command import SHORTENED
from tests.e2e.roll import wait_until

ROLLCALL = str(Path(sys.executable).with_name("rollcall"))
_FOREIGN = ("ROLLCALL_", "AWS_", "AZURE_", "GOOGLE_", "IDENTITY_", "REQUESTS_CA_BUNDLE", "SSL_CERT_")


def environment(**changes: str) -> dict[str, str]:
    """This shell's environment without settings of any deployment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | SHORTENED | {"COLUMNS": "200"} | changes


class Command:
    """One finished run of `rollcall`."""

    def __init__(self, folder: Path, *arguments: str, seconds: float = 90, **changes: str) -> None:
        done = subprocess.run(
            [ROLLCALL, *arguments],
            cwd=folder,
            env=environment(**changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)


def processes_of(folder: Path) -> dict[int, str]:
    """The living processes that run in `folder`, or name it in their command or environment; pid → command."""
    found: dict[int, str] = {}
    mark = os.fsencode(folder)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()  # empty for one that has ended and was not waited for
            known = command + b"\0" + (entry / "environ").read_bytes() + b"\0" + os.fsencode((entry / "cwd").readlink())
            if command and mark in known:
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def wait_until_gone(folder: Path, seconds: float = 30) -> None:
    """Fails where anything still runs for `folder` after `seconds`."""
    wait_until(lambda: not processes_of(folder), f"nothing runs for {folder.name}", seconds)


@contextmanager
def started(folder: Path, *arguments: str, **changes: str) -> Iterator[subprocess.Popen[str]]:
    """`rollcall …` in a process group of its own, as a terminal starts it; its output goes to files in `folder`."""
    with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
        process = subprocess.Popen(
            [ROLLCALL, *arguments],
            cwd=folder,
            env=environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for pid in processes_of(folder):  # of a failed test only; all of them are ours by their folder
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
